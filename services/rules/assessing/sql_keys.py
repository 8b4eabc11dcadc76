"""The index by which a change of the registry finds the incidents that it can touch."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, bindparam, select, tuple_

from services.platform.db.bulk import insert_new_rows
from services.platform.db.tables import metadata
from services.rules.assessing.domain.index_keys import KeySearch, entries_of
from services.rules.assessing.find_touched import SearchPosition
from services.rules.judging.keys import IncidentKeys

#: An incident under each of its keys. An entry that was true once stays: what it finds is not touched.
incident_keys = Table(
    "incident_keys",
    metadata,
    Column("key", BigInteger, primary_key=True),
    Column("began", BigInteger, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)
_COLUMNS: Final = tuple(incident_keys.c.keys())
_ENTRY: Final = tuple(incident_keys.c)


def add_entries(connection: Connection, keyed: Iterable[tuple[str, IncidentKeys]]) -> None:
    """Enter incidents under their keys; entries that are there already stay."""
    rows = {(key, keys.span.start, incident_id) for incident_id, keys in keyed for key in entries_of(keys)}
    insert_new_rows(connection, incident_keys, _COLUMNS, sorted(rows))


def search_entries(
    connection: Connection, searches: Sequence[KeySearch], after: SearchPosition, limit: int
) -> tuple[list[str], SearchPosition | None]:
    """Up to ``limit`` incidents that the searches find behind a position, and the position to go on from."""
    found: dict[str, None] = {}
    for number in range(after.search, len(searches)):
        search = searches[number]
        where = after if number == after.search else SearchPosition(number, search.first, search.start)
        rows = connection.execute(PAGE, page_of(search, where, limit - len(found))).all()
        found.update((row.incident_id, None) for row in rows)
        if len(found) >= limit:
            return list(found), SearchPosition(number, *rows[-1])
    return list(found), None


def page_of(search: KeySearch, after: SearchPosition, limit: int) -> dict[str, Any]:
    """The parameters of :data:`PAGE`."""
    return {
        "after_key": after.key, "after_began": after.began, "after_id": after.incident_id, "last": search.last,
        "start": search.start, "end": search.end, "limit": limit,
    }  # fmt: skip


def _build_page() -> Any:
    key, began, incident_id = _ENTRY
    start, end = bindparam("start", type_=BigInteger), bindparam("end", type_=BigInteger)
    after = [
        bindparam(f"after_{name}", type_=column.type)
        for name, column in zip(("key", "began", "id"), _ENTRY, strict=True)
    ]
    return (
        select(*_ENTRY)
        .where(
            tuple_(key, began, incident_id) > tuple_(*after),
            tuple_(key, began) <= tuple_(bindparam("last", type_=BigInteger), end),
            began.between(start, end),
        )
        .order_by(key, began, incident_id)
        .limit(bindparam("limit", type_=Integer))
    )


#: Built once: that takes ten times as long as a search that finds nothing.
PAGE: Final = _build_page()

"""The index by which a change of the registry finds the incidents that it can touch."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Table, Text, select, tuple_

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
        rows = connection.execute(_page(search, where, limit - len(found))).all()
        found.update((row.incident_id, None) for row in rows)
        if len(found) >= limit:
            return list(found), SearchPosition(number, *rows[-1])
    return list(found), None


def _page(search: KeySearch, after: SearchPosition, limit: int) -> Any:
    key, began, incident_id = _ENTRY
    return (
        select(*_ENTRY)
        .where(
            tuple_(key, began, incident_id) > tuple_(after.key, after.began, after.incident_id),
            tuple_(key, began) <= tuple_(search.last, search.end),
            began.between(search.start, search.end),
        )
        .order_by(key, began, incident_id)
        .limit(limit)
    )

"""Many incidents at once: those that are stored and judged already, copied row by row under other ids.

A copy has all the rows that its original has in the tables and indexes of incidents, and happened earlier. The report
and the assessment inside its rows bear the id of the original: a measure must not depend on what they say.
"""

from typing import Any, Final

from sqlalchemy import Column, Connection, Engine, Table, func, literal, select, table, text
from sqlalchemy import Text as TextType

from services.ingest.sql import facets, projections, revisions
from services.ingest.text_search import words
from services.notify.sql.tables import heard
from services.rules.assessing.sql import assessments, judged
from services.rules.assessing.sql_keys import incident_keys
from services.rules.linking.sql import link_cells, link_profiles

_TABLES: Final = (
    revisions, projections, facets, words, judged, assessments, incident_keys, link_profiles, link_cells, heard,
)  # fmt: skip
_TIMES: Final = ("occurred_start", "occurred_end", "occurred_from", "occurred_to", "began")
#: The database numbers these itself.
_NUMBERED: Final = (words.c.number,)


def copy_incidents(engine: Engine, before: int, copies: int, earlier: int) -> None:
    """Copy the incidents that began before an instant so many times; each copy happened ``earlier`` microseconds
    earlier than the one before. Nothing else may use the database meanwhile."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            connection.exec_driver_sql("PRAGMA cache_size = -1000000")
        _keep_originals(connection, before)
        for number in range(1, copies + 1):
            for each in _TABLES:
                _copy(connection, each, number, earlier)
            connection.commit()


def _keep_originals(connection: Connection, before: int) -> None:
    chosen = f"SELECT incident_id FROM judged WHERE occurred_from < {before}"
    for each in _TABLES:
        made = (
            f"CREATE TEMPORARY TABLE original_{each.name} AS SELECT * FROM {each.name} WHERE incident_id IN ({chosen})"
        )
        connection.execute(text(made))
    connection.commit()


def _copy(connection: Connection, each: Table, number: int, earlier: int) -> None:
    names = [column.name for column in each.c if column not in set(_NUMBERED)]
    original = table(f"original_{each.name}", *(Column(name, each.c[name].type) for name in names))
    values = [_changed(original.c[name], number, earlier) for name in names]
    connection.execute(each.insert().from_select(names, select(*values)))


def _changed(column: Any, number: int, earlier: int) -> Any:
    # No id of ours begins so.
    mark = f"x{number:03}"
    match column.name:
        case "incident_id":
            return literal(mark) + func.substr(column, len(mark) + 1, type_=TextType)
        case "external_id" | "cell":
            return column + f"-{mark}"
        case name if name in _TIMES:
            return column - number * earlier
    return column

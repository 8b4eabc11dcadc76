"""The plans of statements, as the database makes them."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event


def plans_of(connection: Connection, work: Callable[[], object]) -> list[str]:
    """The lines of the plan of each statement that ``work`` runs, with the settings that it is run with."""
    plans: list[str] = []
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"

    def note(_c: Any, _cursor: Any, sql: str, given: Any, *_: Any) -> None:
        if not sql.startswith("SET "):
            # The statement's own cursor may be one that the server holds, which explains nothing.
            own = connection.connection.cursor()
            own.execute(f"{explain} {sql}", given)
            plans.extend(str(row[-1]) for row in own.fetchall())
            own.close()

    event.listen(connection, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return plans

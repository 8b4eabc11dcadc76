"""The status page costs the same however much is stored: an index finds what it asks for, and no more than that."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, event

from services.ingest.unassessed import NAME as WAITING
from services.status.overview import NAME as LOOK
from tests.component.assembled import Assembled, assembled
from tests.scenario import reports

#: Read by the status page, in the service's task of that name.
TASKS: Final = (LOOK, WAITING, "rules.review", "rules.reassessments")
#: Of these the whole index may be read: it holds only what waits.
OF_WHAT_WAITS: Final = (
    "ix_deliveries_waiting", "ix_deliveries_claimed", "ix_dead_letters_waiting", "ix_reassessments_running",
)  # fmt: skip
#: One row, and a row a process, a service or a subscription.
SMALL: Final = ("assessed_until", "positions", "leases", "subscriptions", "storage")


async def test_the_status_page_asks_for_nothing_that_grows_with_the_history(tmp_path: Path) -> None:
    async with assembled(tmp_path) as system:
        await system.call("POST", "/v1/incidents/batch", reports())
        await system.settle()
        with selects() as said:
            await look(system)
            await until_asked(said, "dead_letters", "outbox", "incident_revisions", "review_queue", "reassessments")
        assert any("deliveries" in sql for sql, _ in said)
        plans = {sql: await plan_of(system, sql, given) for sql, given in said}
    scanned = [(line, sql) for sql, plan in plans.items() for line in plan if line.startswith("SCAN ")]
    assert [one for one in scanned if not may_be_scanned(*one)] == []
    (oldest,) = [plan for sql, plan in plans.items() if "ORDER BY incident_revisions.received_at" in sql]
    assert any("ix_incident_revisions_received_at (received_at>" in line for line in oldest), oldest


def may_be_scanned(line: str, sql: str) -> bool:
    name = line.split()[1]
    limited = name in ("review_queue", "(subquery-1)", "anon_1") and "LIMIT" in sql
    return limited or name in SMALL or any(f"INDEX {index}" in line for index in OF_WHAT_WAITS)


async def test_a_start_reads_on_from_where_the_process_before_it_was(tmp_path: Path) -> None:
    async with assembled(tmp_path) as system:
        await system.call("POST", "/v1/incidents/batch", reports())
        await system.settle()
        await run_once(system, WAITING, "assessed_until")
        begun = system.clock.now()
        clock = system.clock
    async with assembled(tmp_path, clock=clock, document=None) as system:
        with selects() as said:
            await run_once(system, WAITING, "incident_revisions", said)
    (given,) = [given for sql, given in said if "ORDER BY incident_revisions.received_at" in sql]
    assert begun - 60_000_000 < given[0] < begun


@contextmanager
def selects() -> Iterator[list[tuple[str, Any]]]:
    """The statements that read, with their values, of every engine meanwhile."""
    said: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, sql: str, given: Any, *_: Any) -> None:
        if sql.startswith("SELECT"):
            said.append((sql, given))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def look(system: Assembled) -> None:
    for service in system.assembly.services:
        for task in service.tasks:
            if task.name in TASKS:
                start(task.run())
    await system.service("notify").state["keep_alive"](system.clock.now())


async def run_once(system: Assembled, name: str, table: str, said: list[tuple[str, Any]] | None = None) -> None:
    """Run the task until it has asked for a table, or kept something there."""
    for service in system.assembly.services:
        for task in service.tasks:
            if task.name == name:
                start(task.run())
    if said is not None:
        await until_asked(said, table)
        return
    database = system.assembly.runtime.database
    async with asyncio.timeout(20):
        while not await database.read(lambda c: c.exec_driver_sql(f"SELECT 1 FROM {table}").first()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


_running: Final = set[Any]()


def start(run: Any) -> None:
    _running.add(asyncio.ensure_future(run))


async def until_asked(said: list[tuple[str, Any]], *tables: str) -> None:
    async with asyncio.timeout(20):
        while not all(any(f"FROM {table}" in sql for sql, _ in said) for table in tables):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def plan_of(system: Assembled, sql: str, given: Any) -> list[str]:
    explained = f"EXPLAIN QUERY PLAN {sql}"
    database = system.assembly.runtime.database
    rows = await database.read(lambda c: c.exec_driver_sql(explained, given).all())
    return [str(row[-1]) for row in rows]

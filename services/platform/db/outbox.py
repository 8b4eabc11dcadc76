"""The outbox: what a transaction decided and what it will publish commit together."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select

from schemas.envelope import Event
from services.platform.db.bulk import insert_rows
from services.platform.db.committed_events import CommittedEvents
from services.platform.db.tables import outbox, positions

#: How many rows are not published yet.
COUNT: Final = select(func.count()).select_from(outbox)
_COLUMNS: Final = ("topic", "key", "id", "type", "source", "time", "data", "traceparent", "reason")


def append(connection: Connection, events: Sequence[Event]) -> None:
    """Publish ``events``, in this order, when the surrounding transaction commits."""
    if not events:
        return
    committed_events: CommittedEvents = connection.info.setdefault("committed_events", CommittedEvents())
    if connection.dialect.name == "sqlite":
        seq = _next_seq(connection)
        connection.info["seq"] = seq + len(events)
        insert_rows(connection, outbox, ("seq", *_COLUMNS), [(seq + i, *_row(e)) for i, e in enumerate(events)])
        committed_events.add((seq + i, e) for i, e in enumerate(events))
    else:
        insert_rows(connection, outbox, _COLUMNS, [_row(e) for e in events])
        committed_events.add((0, e) for e in events)


def holds_topic(connection: Connection, topic: str) -> bool:
    """Whether events of a topic are not published yet."""
    waiting = select(outbox.c.seq).where(outbox.c.topic == topic).limit(1)
    return connection.execute(waiting).first() is not None


def _row(e: Event) -> tuple[Any, ...]:
    return e.topic, e.key, e.id, e.type, e.source, e.time, e.data, e.traceparent, e.reason


def _next_seq(connection: Connection) -> int:
    """SQLite has one writer, so it can number the rows itself; no number is used twice, not even a trimmed one."""
    seq: int | None = connection.info.get("seq")
    if seq is None:
        logged = connection.execute(select(func.max(outbox.c.seq))).scalar() or 0
        consumed = connection.execute(select(func.max(positions.c.seq))).scalar() or 0
        seq = max(logged, consumed) + 1
    return seq

"""The outbox: what a transaction decided and what it will publish commit together."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, func, insert, select, text

from schemas.envelope import Event
from services.shared.db.tables import outbox, positions

#: The channel on which PostgreSQL tells the relay that rows committed.
CHANNEL: Final = "outbox"
#: How many rows have not left yet.
COUNT: Final = select(func.count()).select_from(outbox)
_INSERT = insert(outbox)
_NOTIFY = text(f"NOTIFY {CHANNEL}")


def append(connection: Connection, events: Sequence[Event]) -> None:
    """Put ``events`` out, in this order, when the surrounding transaction commits."""
    if not events:
        return
    seq = _next_seq(connection) if connection.dialect.name == "sqlite" else None
    rows = [
        {
            "topic": e.topic, "key": e.key, "id": e.id, "type": e.type, "source": e.source, "time": e.time,
            "data": e.data, "traceparent": e.traceparent, "reason": e.reason,
        }
        for e in events
    ]  # fmt: skip
    if seq is not None:
        for offset, row in enumerate(rows):
            row["seq"] = seq + offset  # type: ignore[assignment]
        connection.info["seq"] = seq + len(rows)
        connection.info.setdefault("events", []).extend((seq + i, e) for i, e in enumerate(events))
    else:
        connection.info.setdefault("events", []).extend((0, e) for e in events)
    connection.execute(_INSERT, rows)
    if seq is None:
        connection.execute(_NOTIFY)


def _next_seq(connection: Connection) -> int:
    """SQLite has one writer, so it can number the rows itself; no number is used twice, not even a trimmed one."""
    seq: int | None = connection.info.get("seq")
    if seq is None:
        logged = connection.execute(select(func.max(outbox.c.seq))).scalar() or 0
        consumed = connection.execute(select(func.max(positions.c.seq))).scalar() or 0
        seq = max(logged, consumed) + 1
    return seq

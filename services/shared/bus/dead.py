"""Dead letters: what a consumer gave up on, kept with the reason until an operator retries it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from schemas.envelope import Event
from schemas.instants import format_instant
from schemas.topics import DEAD_SUFFIX
from services.shared.clock import Clock
from services.shared.db import outbox
from services.shared.db.engine import Database
from services.shared.db.tables import dead_letters
from services.shared.db.upsert import insert_new


class DeadLetter(msgspec.Struct, frozen=True):
    """One dead letter as operators see it; times RFC 3339 UTC, ``data`` is the payload as far as it is text."""

    id: str
    consumer: str
    topic: str
    key: str
    event_id: str
    reason: str
    died_at: str
    retried_at: str | None
    data: str


@dataclass(frozen=True, slots=True)
class Graveyard:
    """Where one process buries; each consumer binds its own name."""

    database: Database
    clock: Clock

    async def bury(self, consumer: str, event: Event, reason: str) -> None:
        """Keep the event with its reason, and put it on the topic's ``.dead``. Repetition changes nothing, also when
        several processes bury the same at once."""
        now = self.clock.now()
        letter = hashlib.sha256(f"{consumer}\n{event.topic}\n{event.source}\n{event.id}".encode()).hexdigest()[:24]
        dead = msgspec.structs.replace(event, topic=event.topic + DEAD_SUFFIX, reason=reason)
        row: dict[str, Any] = {
            "id": letter, "consumer": consumer, "topic": event.topic, "key": event.key, "event_id": event.id,
            "event": msgspec.msgpack.encode(event), "reason": reason, "died_at": now, "retried_at": None,
        }  # fmt: skip
        again = update(dead_letters).where(dead_letters.c.id == letter, dead_letters.c.retried_at.is_not(None))

        def work(connection: Connection) -> None:
            added = connection.execute(insert_new(connection, dead_letters).values(row).returning(dead_letters.c.id))
            if added.first() is not None:
                outbox.append(connection, [dead])
            else:
                connection.execute(again.values(retried_at=None, died_at=now, reason=reason))

        await self.database.write(work)

    async def list(self, after: str | None, limit: int) -> list[DeadLetter]:
        """Letters not yet retried, oldest first by id after ``after``."""

        def work(connection: Connection) -> list[DeadLetter]:
            statement = select(dead_letters).where(dead_letters.c.retried_at.is_(None)).order_by(dead_letters.c.id)
            if after is not None:
                statement = statement.where(dead_letters.c.id > after)
            return [_letter(row) for row in connection.execute(statement.limit(limit))]

        return await self.database.read(work)

    async def count(self) -> int:
        statement = select(func.count()).select_from(dead_letters).where(dead_letters.c.retried_at.is_(None))
        return await self.database.read(lambda connection: connection.execute(statement).scalar_one())

    async def retry(self, letter: str, note: Callable[[Connection], None]) -> bool:
        """Put the event back on its topic, and ``note`` it in the same transaction. False: there is no such letter."""
        now = self.clock.now()

        def work(connection: Connection) -> bool:
            raw = connection.execute(select(dead_letters.c.event).where(dead_letters.c.id == letter)).scalar()
            if raw is None:
                return False
            outbox.append(connection, [msgspec.msgpack.decode(raw, type=Event)])
            connection.execute(update(dead_letters).where(dead_letters.c.id == letter).values(retried_at=now))
            note(connection)
            return True

        return await self.database.write(work)


def _letter(row: Any) -> DeadLetter:
    event = msgspec.msgpack.decode(row.event, type=Event)
    return DeadLetter(
        id=row.id,
        consumer=row.consumer,
        topic=row.topic,
        key=row.key,
        event_id=row.event_id,
        reason=row.reason,
        died_at=format_instant(row.died_at),
        retried_at=None if row.retried_at is None else format_instant(row.retried_at),
        data=event.data.decode("utf-8", "replace"),
    )

"""Dead letters: what a consumer gave up on, kept with the reason until an operator retries it."""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from schemas.envelope import Event
from schemas.events import OperatorActed
from schemas.instants import format_instant
from schemas.topics import DEAD_SUFFIX
from services.platform import audit
from services.platform.clock import Clock
from services.platform.db import outbox
from services.platform.db.engine import Database
from services.platform.db.paging import at_times, one_of, select_page
from services.platform.db.tables import dead_letters
from services.platform.db.upsert import insert_new
from services.platform.paging import PageQuery


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
class DeadLetters:
    """The dead letters that one process adds; each consumer binds its own name."""

    database: Database
    clock: Clock

    async def add(self, consumer: str, event: Event, reason: str) -> None:
        """Keep the event with its reason, and put it on the topic's ``.dead``; one that comes from there is only kept,
        since there is no topic for it. Repetition changes nothing, also when several processes give up the same at
        once."""
        await self.database.write(lambda connection: self.keep(connection, consumer, event, reason))

    def keep(self, connection: Connection, consumer: str, event: Event, reason: str) -> None:
        """:meth:`add` within a transaction of the caller's."""
        now = self.clock.now()
        letter = hashlib.sha256(f"{consumer}\n{event.topic}\n{event.source}\n{event.id}".encode()).hexdigest()[:24]
        dead = msgspec.structs.replace(event, topic=event.topic + DEAD_SUFFIX, reason=reason)
        row: dict[str, Any] = {
            "id": letter, "consumer": consumer, "topic": event.topic, "key": event.key, "event_id": event.id,
            "event": msgspec.msgpack.encode(event), "reason": reason, "died_at": now, "retried_at": None,
        }  # fmt: skip
        again = update(dead_letters).where(dead_letters.c.id == letter, dead_letters.c.retried_at.is_not(None))

        added = connection.execute(insert_new(connection, dead_letters).values(row).returning(dead_letters.c.id))
        if added.first() is None:
            connection.execute(again.values(retried_at=None, died_at=now, reason=reason))
        elif not event.topic.endswith(DEAD_SUFFIX):
            outbox.append(connection, [dead])

    async def list(self, query: PageQuery) -> list[DeadLetter]:
        """One page of the letters not yet retried, by the time they were given up and id, with one letter more."""
        table = dead_letters.c
        conditions = [
            *at_times(query, table.died_at),
            *one_of(query, "topic", table.topic),
            *one_of(query, "consumer", table.consumer),
        ]
        statement = select(dead_letters).where(table.retried_at.is_(None), *conditions)
        page = select_page(statement, query, table.died_at, table.id)
        return await self.database.read(lambda connection: [_letter(row) for row in connection.execute(page)])

    async def count(self) -> int:
        statement = select(func.count()).select_from(dead_letters).where(dead_letters.c.retried_at.is_(None))
        return await self.database.read(lambda connection: connection.execute(statement).scalar_one())

    async def retry(self, letter: str, act: OperatorActed) -> bool:
        """Put the event back on its topic and record ``act`` in one transaction. False: there is no such letter."""
        now = self.clock.now()

        def work(connection: Connection) -> bool:
            raw = connection.execute(select(dead_letters.c.event).where(dead_letters.c.id == letter)).scalar()
            if raw is None:
                return False
            outbox.append(connection, [msgspec.msgpack.decode(raw, type=Event)])
            connection.execute(update(dead_letters).where(dead_letters.c.id == letter).values(retried_at=now))
            audit.append(connection, act)
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

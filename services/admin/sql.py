"""The tables of API keys and of the audit, and the ports over them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, LargeBinary, Table, Text, select

from schemas import codec
from schemas.envelope import Event
from schemas.events import KeyChanged, OperatorActed
from schemas.instants import parse_instant
from schemas.topics import AUDIT, KEYS
from services.admin.use_cases import AuditEntry, KeyStore
from services.platform import audit
from services.platform.db import outbox
from services.platform.db.engine import Database
from services.platform.db.paging import at_times, select_page
from services.platform.db.tables import metadata
from services.platform.db.upsert import insert_new, upsert
from services.platform.paging import PageQuery

T = TypeVar("T")

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: A projection of the ``audit`` topic; ``id`` is the event's.
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_audit_entries_at", "at", "id"),
)


@dataclass(frozen=True, slots=True)
class SqlKeys:
    """The port KeyStore over a connection."""

    connection: Connection

    def all(self) -> Sequence[KeyChanged]:
        newest_first = select(api_keys.c.body).order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
        return [msgspec.json.decode(body, type=KeyChanged) for (body,) in self.connection.execute(newest_first)]

    def put(self, key: KeyChanged, act: OperatorActed | None) -> None:
        event = codec.encode(
            KEYS, key, key=key.id, id=f"{key.id}-{key.revoked_at or 'created'}", time=key.revoked_at or key.created_at
        )
        row = {"id": key.id, "created_at": parse_instant(key.created_at), "body": event.data}
        self.connection.execute(upsert(self.connection, api_keys), [row])
        outbox.append(self.connection, [event])
        if act is not None:
            audit.append(self.connection, act)


@dataclass(frozen=True, slots=True)
class SqlKeyTransactions:
    """The port KeyTransactions over the database."""

    database: Database

    async def read(self, work: Callable[[KeyStore], T]) -> T:
        return await self.database.read(lambda connection: work(SqlKeys(connection)))

    async def write(self, work: Callable[[KeyStore], T]) -> T:
        return await self.database.write(lambda connection: work(SqlKeys(connection)))


@dataclass(frozen=True, slots=True)
class SqlAuditTrail:
    """The port AuditTrail over the database."""

    database: Database

    async def keep(self, events: Sequence[Event]) -> None:
        rows = sorted((_row(event) for event in events), key=lambda row: str(row["id"]))
        if rows:
            await self.database.write(lambda c: c.execute(insert_new(c, audit_entries), rows), durable=False)

    async def list(self, query: PageQuery) -> Sequence[AuditEntry]:
        statement = select(audit_entries).where(*at_times(query, audit_entries.c.at))
        page = select_page(statement, query, audit_entries.c.at, audit_entries.c.id)
        rows = await self.database.read(lambda connection: connection.execute(page).all())
        return [_entry(row.id, row.body) for row in rows]


def _row(event: Event) -> dict[str, Any]:
    act: OperatorActed = codec.decode(event)
    return {"id": event.id, "at": parse_instant(act.at), "body": event.data}


def _entry(entry_id: str, body: bytes) -> AuditEntry:
    act: OperatorActed = codec.decode_kept(AUDIT, body)
    return AuditEntry(entry_id, act.at, act.actor, act.action, act.resource, act.detail)

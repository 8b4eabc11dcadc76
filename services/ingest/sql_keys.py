"""The tables of API keys and of the audit, and the port over one connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, LargeBinary, Table, Text, select, tuple_

from schemas import codec
from schemas.envelope import Event
from schemas.events import Actor, KeyChanged, OperatorActed
from schemas.instants import parse_instant
from schemas.topics import AUDIT, KEYS
from services.shared import audit
from services.shared.db import outbox
from services.shared.db.tables import metadata
from services.shared.db.upsert import insert_new, upsert

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


class AuditEntry(msgspec.Struct, frozen=True):
    """One change by an operator: when, whose key, what was done to what."""

    id: str
    at: str
    actor: Actor
    action: str
    resource: str
    detail: dict[str, Any]


def keep_audit(connection: Connection, events: Sequence[Event]) -> None:
    """Keep events of the ``audit`` topic; one that is there already changes nothing. Raises UnreadableEventError."""
    rows = []
    for event in events:
        act: OperatorActed = codec.decode(event)
        rows.append({"id": event.id, "at": parse_instant(act.at), "body": event.data})
    if rows:
        rows.sort(key=lambda row: str(row["id"]))
        connection.execute(insert_new(connection, audit_entries), rows)


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """One entry with its place in the order."""

    key: tuple[int, str]
    entry: AuditEntry


def list_audit(connection: Connection, after: tuple[int, str] | None, limit: int) -> list[ListedEntry]:
    """Up to ``limit`` entries, newest first, that come after an entry's time and id."""
    key = (audit_entries.c.at, audit_entries.c.id)
    statement = select(audit_entries).order_by(*(column.desc() for column in key)).limit(limit)
    if after is not None:
        statement = statement.where(tuple_(*key) < tuple_(*after))
    return [ListedEntry((row.at, row.id), _entry(row.id, row.body)) for row in connection.execute(statement)]


def _entry(entry_id: str, body: bytes) -> AuditEntry:
    act: OperatorActed = codec.decode_kept(AUDIT, body)
    return AuditEntry(entry_id, act.at, act.actor, act.action, act.resource, act.detail)

"""The audit: every change by an operator is one event on the ``audit`` topic, in the transaction that made it."""

import hashlib
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from schemas import codec
from schemas.events import Actor, OperatorActed
from schemas.instants import format_instant
from schemas.topics import AUDIT
from services.platform.db import outbox

SOURCE: Final = "/trucewatch/audit"


def record(
    connection: Connection, *, at: int, actor: Actor, action: str, resource: str, detail: dict[str, Any] | None = None
) -> None:
    """Record that ``actor``, an operator's key or a part of the system, did ``action`` (``key.created``) to
    ``resource`` (``keys/1a2b``), at an instant; ``detail`` holds what a reader wants to know, and no secret."""
    append(connection, OperatorActed(format_instant(at), actor, action, resource, detail or {}))


def append(connection: Connection, act: OperatorActed) -> None:
    """Record an act that a decision returned."""
    digest = hashlib.blake2b(msgspec.json.encode(act, order="deterministic"), digest_size=16).hexdigest()
    event = codec.encode(AUDIT, act, key=act.resource, id=digest, time=act.at, source=SOURCE)
    outbox.append(connection, [event])


def by_system(part: str) -> Actor:
    """A part of the system that acts without being asked."""
    return Actor(None, part)

"""API keys are made and revoked by operators, the first by the system itself. Source: the contract, "Keys".

Also the ports to the keys, the audit trail and the dead letters.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from schemas.envelope import Event
from schemas.events import Actor, KeyChanged, OperatorActed
from schemas.instants import format_instant, parse_instant
from schemas.vocabulary import Role
from services.platform.bus.dead_letters import DeadLetter
from services.platform.paging import PageQuery
from services.platform.security.keys import SET_KEYS, hash_secret

T = TypeVar("T")


class KeyStore(Protocol):
    """The keys of the system. Every change is published in the same transaction."""

    def all(self) -> Sequence[KeyChanged]:
        """Every key, revoked ones too, newest first."""
        ...

    def put(self, key: KeyChanged, act: OperatorActed | None) -> None:
        """Keep a key as it is now, new or changed, and publish it with the act of the operator who did it."""
        ...


class KeyTransactions(Protocol):
    """Runs a use case on the keys in one transaction. Raises RetryLaterError when the database is away."""

    async def read(self, work: Callable[[KeyStore], T]) -> T: ...

    async def write(self, work: Callable[[KeyStore], T]) -> T: ...


class AuditEntry(msgspec.Struct, frozen=True):
    """One change by an operator: when, whose key, what was done to what."""

    id: str
    at: str
    actor: Actor
    action: str
    resource: str
    detail: dict[str, Any]


class AuditTrail(Protocol):
    """The acts of operators, as the ``audit`` topic has them."""

    async def keep(self, events: Sequence[Event]) -> None:
        """Keep events of the topic; one that is there already changes nothing. Raises UnreadableEventError."""
        ...

    async def list(self, query: PageQuery) -> Sequence[AuditEntry]:
        """One page by time and id, with one entry more."""
        ...


class DeadLetterStore(Protocol):
    """Events that consumers gave up on."""

    async def list(self, query: PageQuery) -> Sequence[DeadLetter]:
        """One page of the letters not yet retried, by the time they were given up and id, with one letter more."""
        ...

    async def retry(self, letter: str, act: OperatorActed) -> bool:
        """Put the event back on its topic and record ``act`` in one transaction. False: there is no such letter."""
        ...


@dataclass(frozen=True, slots=True)
class LastOperatorKey:
    """Refused: without this key nobody could make another."""


def create_key(keys: KeyStore, key: KeyChanged, actor: Actor) -> None:
    """Make a key; its secret is known to the caller alone."""
    keys.put(key, _act(actor, "key.created", key, key.created_at))


def revoke_key(keys: KeyStore, key_id: str, now: int, actor: Actor) -> KeyChanged | LastOperatorKey | None:
    """The key as revoked, now or before; None where there is none of that id."""
    known = {key.id: key for key in keys.all()}
    key = known.get(key_id)
    if key is None or key.revoked_at is not None:
        return key
    if _counts(key, now) and [other.id for other in known.values() if _counts(other, now)] == [key_id]:
        return LastOperatorKey()
    revoked = msgspec.structs.replace(key, revoked_at=format_instant(now))
    keys.put(revoked, _act(actor, "key.revoked", revoked, format_instant(now)))
    return revoked


def ensure_first_key(keys: KeyStore, admin_key: str | None, fresh_secret: str, now: int) -> str | None:
    """Have a key for an operator to begin with. Returns ``fresh_secret`` where it is now that key, to be shown once.

    ``admin_key``, when set, counts from now on unless it was revoked, and the one set before it no longer does.
    Without it, a key is made where there is none at all.
    """
    known = keys.all()
    if admin_key is None:
        if known:
            return None
        keys.put(_first_key("operator", fresh_secret, now), None)
        return fresh_secret
    key = _first_key("admin", admin_key, now)
    if key.id not in {other.id for other in known}:
        for other in known:
            if other.id.startswith(SET_KEYS) and other.revoked_at is None:
                keys.put(msgspec.structs.replace(other, revoked_at=format_instant(now)), None)
        keys.put(key, None)
    return None


def _first_key(name: str, secret: str, now: int) -> KeyChanged:
    hashed = hash_secret(secret)
    suffix = hashlib.sha256(hashed.encode()).hexdigest()[:16]
    return KeyChanged(f"{name}-{suffix}", name, "operator", hashed, format_instant(now))


def _counts(key: KeyChanged, now: int) -> bool:
    """Whether it is an operator's key that counts at that moment."""
    expired = key.expires_at is not None and parse_instant(key.expires_at) <= now
    return key.role == "operator" and key.revoked_at is None and not expired


def retrying(letter_id: str, actor: Actor, now: int) -> OperatorActed:
    """The act of an operator who retries a dead letter."""
    return OperatorActed(format_instant(now), actor, "dead_letter.retried", f"dead-letters/{letter_id}", {})


def _act(actor: Actor, action: str, key: KeyChanged, at: str) -> OperatorActed:
    detail = {"name": key.name, "role": key.role, "expires_at": key.expires_at}
    return OperatorActed(at=at, actor=actor, action=action, resource=f"keys/{key.id}", detail=detail)


def new_key(key_id: str, name: str, role: Role, secret: str, now: int, expires_at: int | None) -> KeyChanged:
    """A key as it is published: its secret hashed."""
    expires = None if expires_at is None else format_instant(expires_at)
    return KeyChanged(key_id, name, role, hash_secret(secret), format_instant(now), expires)

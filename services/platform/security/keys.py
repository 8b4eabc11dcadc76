"""API keys and the three roles. Keys are stored hashed and shown once. Source: the contract, "Keys and roles"."""

import hashlib
from collections.abc import Container
from dataclasses import dataclass

from schemas.events import Actor, KeyChanged
from schemas.instants import parse_instant
from schemas.vocabulary import Role
from services.platform.clock import Clock, new_token

PREFIX = "tw_"
#: How the ids of keys begin that TRUCEWATCH_ADMIN_KEY set: the others are random, so that they cannot be guessed.
SET_KEYS = "admin-"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller: the key's id, its name (which survives rotation) and its role."""

    key_id: str
    name: str
    role: Role

    @property
    def actor(self) -> Actor:
        """As the audit names it."""
        return Actor(self.key_id, self.name)

    @property
    def limited_to(self) -> str | None:
        """The owner whose resources alone it reaches; None for an operator, who reaches everybody's."""
        return None if self.role == "operator" else self.name

    def reaches(self, owner: str | None) -> bool:
        """Whether it reaches a resource of ``owner``; one without an owner is the operators'."""
        return self.limited_to in (None, owner)


@dataclass(frozen=True, slots=True)
class _Held:
    principal: Principal
    expires_at: int | None


def new_secret() -> str:
    """A fresh API key, as it is shown once."""
    return PREFIX + new_token(32)


def hash_secret(secret: str) -> str:
    """Hex SHA-256. Keys carry 256 random bits, so a slow hash would add no protection."""
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyRing:
    """Every key that counts now, in memory; fed from the ``keys`` topic, so a change counts wherever it is read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_hash: dict[str, _Held] = {}
        self._hash_of: dict[str, str] = {}
        self._revoked: set[str] = set()
        self._by_name: dict[str, set[str]] = {}
        self._ended: dict[str, int] = {}

    def apply(self, change: KeyChanged) -> None:
        """Take a key in, or out when it was revoked, which is for good: the log may repeat that it was made."""
        if change.id in self._revoked:
            return
        old = self._hash_of.pop(change.id, None)
        if old is not None:
            gone = self._by_hash.pop(old, None)
            if gone is not None:
                self._by_name.get(gone.principal.name, set()).discard(change.id)
        if change.revoked_at is None:
            expires = None if change.expires_at is None else parse_instant(change.expires_at)
            self._by_hash[change.hash] = _Held(Principal(change.id, change.name, change.role), expires)
            self._hash_of[change.id] = change.hash
            self._by_name.setdefault(change.name, set()).add(change.id)
        else:
            self._revoked.add(change.id)
            self._ended[change.name] = max(parse_instant(change.revoked_at), self._ended.get(change.name, 0))

    def find(self, secret: str) -> Principal | None:
        """The principal of a key, or None when it is unknown, revoked or expired."""
        return self._counting(self._by_hash.get(hash_secret(secret)))

    def find_by_id(self, key_id: str) -> Principal | None:
        """The principal of a key by the id of the key, or None when it is unknown, revoked or expired."""
        return self._counting(self._by_hash.get(self._hash_of.get(key_id, "")))

    def has_owner(self, name: str, roles: Container[Role]) -> bool:
        """Whether a key of that name and of one of the roles counts now."""
        found = (self.find_by_id(key_id) for key_id in self._by_name.get(name, ()))
        return any(principal is not None and principal.role in roles for principal in found)

    def ended_at(self, name: str) -> int | None:
        """When a key of that name was last revoked or expired; None where none is known to have been."""
        ends = [self._by_hash[self._hash_of[key_id]].expires_at for key_id in self._by_name.get(name, ())]
        expired = [end for end in ends if end is not None and end <= self._clock.now()]
        return max([*expired, *([self._ended[name]] if name in self._ended else [])], default=None)

    def _counting(self, held: _Held | None) -> Principal | None:
        if held is None or (held.expires_at is not None and held.expires_at <= self._clock.now()):
            return None
        return held.principal

    def __len__(self) -> int:
        return len(self._by_hash)

"""Wrong keys are throttled per address; requests with a valid key are not.

Source: the contract, "Keys and roles". In front of all routes, since every one of them asks for the same keys.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.instants import SECOND
from services.platform.http.access import read_bearer
from services.platform.http.connections import Key, address_key
from services.platform.http.problems import Problem
from services.platform.security.keys import SET_KEYS, KeyRing
from services.platform.settings.config import Network

#: So many wrong keys of an address are answered at once, and then one in so long, microseconds.
BURST: Final = 10
REFILL: Final = 6 * SECOND
#: Addresses with wrong keys, and pairs of an address and a key that was right, that are remembered.
MOST: Final = 10_000
#: Where a feed token may stand in place of a key.
_FEEDS: Final = "/v1/alerts/"

#: Longer queries are not searched for a feed token.
MOST_FIELDS: Final = 100

_Seen = tuple[Key, int]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Allowance:
    """How many wrong keys may still come, as of an instant."""

    left: float
    at: int

    def refresh(self, now: int) -> None:
        self.left = min(BURST, self.left + max(0, now - self.at) / REFILL)
        self.at = now


class Throttle:
    """``on_failure`` is told of each wrong key, answered or not. Behind ``trusted`` proxies the address is the one that
    they name in X-Forwarded-For. Belongs to the event loop."""

    def __init__(
        self, keys: KeyRing, now: Callable[[], int], on_failure: Callable[[], None], trusted: Sequence[Network] = ()
    ) -> None:
        self._keys, self._now, self._on_failure, self._trusted = keys, now, on_failure, trusted
        self._allowances: OrderedDict[Key, _Allowance] = OrderedDict()
        self._right: OrderedDict[_Seen, None] = OrderedDict()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            is_token, shown = _shown(scope)
            address = None if shown is None else find_address(scope, self._trusted)
            if shown is None or address is None:
                await app(scope, receive, send)
                return
            seen = (address, hash(shown))
            if (wait := self._wait(address)) and not self._is_known(seen, shown):
                self._on_failure()
                await _refused(wait).response()(scope, receive, send)
                return
            if not is_token:
                self.note(seen, right=self._keys.find(shown) is not None)
            await app(scope, receive, self._watching(seen, send) if is_token else send)

        return serve

    def _is_known(self, seen: _Seen, shown: str) -> bool:
        """Whether it is let pass while its address waits: it was right from there before, or it is a key that we made,
        which nobody guesses. What an operator set may be guessed."""
        if seen in self._right:
            return True
        found = self._keys.find(shown)
        return found is not None and not found.key_id.startswith(SET_KEYS)

    def note(self, seen: _Seen, *, right: bool) -> None:
        """Count a key or a token that was right or wrong."""
        if right:
            _keep(self._right, seen, None)
            return
        self._right.pop(seen, None)
        allowance = self._allowances.get(seen[0]) or _Allowance(BURST, self._now())
        allowance.refresh(self._now())
        allowance.left -= 1
        _keep(self._allowances, seen[0], allowance)
        self._on_failure()

    def _wait(self, address: Key) -> int:
        """How long until another wrong key is answered, in whole seconds; 0 for now."""
        allowance = self._allowances.get(address)
        if allowance is None:
            return 0
        allowance.refresh(self._now())
        if allowance.left >= BURST:
            del self._allowances[address]
        return 0 if allowance.left >= 1 else int((1 - allowance.left) * REFILL / SECOND) + 1

    def _watching(self, seen: _Seen, send: Send) -> Send:
        """``send`` for a request with a feed token, which only the database knows."""

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 401):
                self.note(seen, right=message["status"] == 200)
            await send(message)

        return watch


def find_address(scope: Scope, trusted: Sequence[Network]) -> Key | None:
    """Whose request it is: the nearest address that is not a trusted proxy's; None where there is none."""
    host = scope["client"][0] if scope.get("client") else None
    found = address_key(host, trusted)
    if found is not None or host is None or not trusted:
        return found
    named = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    for part in reversed(named.split(",")):
        text = part.strip()
        if (found := address_key(text, trusted)) is not None:
            return found
        if address_key(text) is None:
            return None
    return None


def _shown(scope: Scope) -> tuple[bool, str | None]:
    """The key or feed token that a request shows, if any, and whether it is a token."""
    if scope["type"] != "http":
        return False, None
    secret = _secret(scope)
    return (False, secret) if secret is not None else (True, _token(scope))


def _secret(scope: Scope) -> str | None:
    """The key that is shown; None where there is none, or several headers, which are refused as such."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    return read_bearer(given[0].decode("latin-1")) if len(given) == 1 else None


def _token(scope: Scope) -> str | None:
    query: bytes = scope["query_string"]
    if b"token=" not in query or not scope["path"].startswith(_FEEDS):
        return None
    if query.count(b"&") >= MOST_FIELDS:
        return None
    return next(iter(parse_qs(query.decode("latin-1")).get("token", ())), None)


def _keep(table: OrderedDict[K, V], key: K, value: V) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > MOST:
        table.popitem(last=False)


def _refused(wait: int) -> Problem:
    detail = f"Too many wrong keys came from this address; try again in {wait} s."
    return Problem(429, "Too many wrong keys", detail, headers={"retry-after": str(wait)})

"""Open HTTP connections of a process: how many there may be, which one gives way, and what is too slow.

An address may hold :attr:`EdgeLimits.per_address` connections, all together ``connections``. At a full limit the
connection that has been silent longest and serves no request gives way, first of the same address, then of all.
Where every one is serving, a new connection gets one of the ``reserved`` places, which answer probes alone.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, Protocol, get_args

from starlette.types import ASGIApp, Receive, Scope, Send

from services.platform.http.etags import PROBES
from services.platform.http.problems import Problem
from services.platform.settings.config import Network

#: Why a connection was ended, as the metrics say it. ``full``: no place was left; ``gave_way``: to a new connection.
Reason = Literal["full", "gave_way", "head_too_large", "head_slow", "body_slow", "reader_slow", "not_http", "pipelined"]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
#: The address that the connections of one client share.
Key = ipaddress.IPv4Address | ipaddress.IPv6Address | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Limits of one client. Sizes in bytes, times in seconds.

    ``grace_s``: a request head is complete within it; a body may fall behind ``bytes_per_s`` by it. ``reader_grace_s``:
    a reader of an answer may fall behind by it. ``idle_s``: between two requests. ``linger_s``: how long a refused
    sender is still read, so that it sees why. ``trusted``: proxies, whose connections are not counted per address.
    """

    head_bytes: int = 32 * 1024
    head_fields: int = 256
    grace_s: float = 10.0
    reader_grace_s: float = 30.0
    bytes_per_s: int = 1000
    pipelined: int = 64
    connections: int = 8192
    per_address: int = 512
    reserved: int = 64
    idle_s: float = 5.0
    linger_s: float = 2.0
    sweep_s: float = 1.0
    trusted: tuple[Network, ...] = ()


class Connection(Protocol):
    """A connection as the table sees it."""

    groups: "tuple[Group, ...]"

    def give_way(self) -> None:
        """End at once, without an answer."""

    def check(self, now: float) -> None:
        """End where a deadline has passed."""


@dataclass(eq=False, slots=True)
class Group:
    """Connections that share a limit. ``waiting``: those of them that serve no request, longest silent first.

    ``key``: the address of all of them, None where they have several.
    """

    limit: int
    key: Key | None = None
    size: int = 0
    waiting: OrderedDict[Connection, None] = field(default_factory=OrderedDict)

    def make_room(self) -> bool:
        """Whether one more may come in, once the connection silent longest has given way where that is needed."""
        if self.size >= self.limit and (silent := next(iter(self.waiting), None)) is not None:
            silent.give_way()
        return self.size < self.limit


class ConnectionTable:
    """Every open connection. ``now`` is the loop's clock; ``on_end`` is told why a connection was ended."""

    def __init__(
        self, limits: EdgeLimits, now: Callable[[], float], on_end: Callable[[Reason], None] = lambda _reason: None
    ) -> None:
        self.limits, self.now, self.on_end = limits, now, on_end
        self.open: set[Connection] = set()
        self._all = Group(limits.connections - limits.reserved)
        self._probes = Group(limits.reserved)
        self._by_address: dict[Key, Group] = {}

    def enter(self, connection: Connection, host: str | None) -> bool:
        """Give a new connection its place. False: none is left. ``host`` None: it came over no network."""
        self.open.add(connection)
        for groups in (self._places(host), (self._probes,)):
            # In order: only where the address has room does a connection of another one give way.
            if all(group.make_room() for group in groups):
                self._seat(connection, groups)
                return True
        self.on_end("full")
        return False

    def only_probes(self, connection: Connection) -> bool:
        """Whether it holds a reserved place."""
        return self._probes in connection.groups

    def unseat(self, connection: Connection) -> None:
        """Free its place. It stays watched until it has :meth:`left`."""
        for group in connection.groups:
            group.size -= 1
            group.waiting.pop(connection, None)
            if group.size == 0 and group.key is not None:
                self._by_address.pop(group.key, None)
        connection.groups = ()

    def left(self, connection: Connection) -> None:
        """It is closed."""
        self.unseat(connection)
        self.open.discard(connection)

    def sweep(self) -> None:
        """End every connection that is past a deadline."""
        now = self.now()
        for connection in tuple(self.open):
            connection.check(now)

    def _places(self, host: str | None) -> tuple[Group, ...]:
        key = address_key(host, self.limits.trusted)
        if key is None:
            return (self._all,)
        return self._by_address.get(key) or Group(self.limits.per_address, key), self._all

    def _seat(self, connection: Connection, groups: tuple[Group, ...]) -> None:
        connection.groups = groups
        for group in groups:
            group.size += 1
            group.waiting[connection] = None
            if group.key is not None:
                self._by_address[group.key] = group


@lru_cache(maxsize=4096)
def _parse(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Kept, since it is asked for with every request: parsing cost a tenth of what a POST does."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def address_key(host: str | None, trusted: Sequence[Network] = ()) -> Key | None:
    """The address that the connections of one client share; None for those that are not counted by address.

    That is the address, or the /64 of an IPv6 address, since a client with one of its addresses can use them all.
    """
    address = None if host is None else _parse(host)
    if address is None:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if any((mapped or address) in network for network in trusted):
        return None
    if mapped is not None or isinstance(address, ipaddress.IPv4Address):
        return mapped or address
    return ipaddress.IPv6Network((address, 64), strict=False)


def answer_probes_only(app: ASGIApp) -> ASGIApp:
    """``app`` for a connection in a reserved place: probes are answered, everything else is put off."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in PROBES:
            await too_many().response()(scope, receive, send)
        else:
            await app(scope, receive, send)

    return serve


def too_many() -> Problem:
    """The answer where all places are taken."""
    headers = {"retry-after": "5", "connection": "close"}
    return Problem(503, "Not available now", "Too many connections are open.", headers=headers)

"""The guard against server-side request forgery, where names become addresses and addresses become sockets.

Three gates, each enough for its kind of trick: ``address.check_url`` on the text of a URL;
``GuardedResolver`` on every look-up, so that a name which changes its answer meets it again;
``GuardedSockets`` on every address that a connection is tried to, since aiohttp asks no resolver about a
literal address.
"""

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from services.platform.outbound.address import Policy, refuse_address


class RefusedAddressError(OSError):
    """A connection that must not be made: every address of the name is refused."""


class GuardedResolver(AbstractResolver):
    """Gives only those addresses of a name that a request may reach.

    ``secure``: for connections by TLS. ``upstream`` really looks up; who made it closes it.
    """

    def __init__(self, policy: Policy, *, secure: bool, upstream: AbstractResolver) -> None:
        self._policy = policy
        self._secure = secure
        self._upstream = upstream

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises RefusedAddressError when no address is left, OSError when the name does not resolve."""
        found = await self._upstream.resolve(host, port, family)
        refused = [refuse_address(r["host"], port, self._policy, secure=self._secure) for r in found]
        allowed = [result for result, why in zip(found, refused, strict=True) if why is None]
        if not allowed:
            raise RefusedAddressError("; ".join(sorted({why for why in refused if why})) or "no address")
        return allowed

    async def close(self) -> None:
        """Nothing of its own to close."""


class GuardedSockets:
    """Makes sockets for allowed addresses only: the last gate, which every connection passes."""

    def __init__(self, policy: Policy, *, secure: bool) -> None:
        self._policy = policy
        self._secure = secure

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        """``info`` as getaddrinfo gives it. Raises RefusedAddressError."""
        family, kind, protocol, _, address = info
        why = refuse_address(str(address[0]), int(address[1]), self._policy, secure=self._secure)
        if why is not None:
            raise RefusedAddressError(why)
        return socket.socket(family=family, type=kind, proto=protocol)


class PooledLookups(AbstractResolver):
    """The system's look-up in threads of its own: dead name servers hold these up and nothing else."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="outbound-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError when the name does not resolve."""
        loop = asyncio.get_running_loop()
        infos = await loop.run_in_executor(self._pool, _look_up, host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, protocol, _, address in infos
        ]

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def open_connector(policy: Policy, lookups: AbstractResolver, *, secure: bool, **options: Any) -> aiohttp.TCPConnector:
    """Connections to allowed addresses only: by TLS (``secure``) or by plain HTTP."""
    return aiohttp.TCPConnector(
        resolver=GuardedResolver(policy, secure=secure, upstream=lookups),
        socket_factory=GuardedSockets(policy, secure=secure),
        **options,
    )


def trust_also(ca: str) -> ssl.SSLContext:
    """TLS that verifies by the public authorities and by those in the file ``ca``, PEM. Raises OSError."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_verify_locations(ca)
    return context


@cache
def public_authorities() -> ssl.SSLContext:
    """TLS that verifies by the public authorities alone; read once, for all clients."""
    return httpx.create_ssl_context(trust_env=False)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG))

"""The connections of webhooks: one guarded pool for TLS and one for plain HTTP, directly or through a proxy.

aiohttp is called without httpx around it: at 50 connections its client carries 9,710 requests a second, through httpx's
transport over it 5,676, and httpx as it comes 220.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http.cookies import SimpleCookie
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from services.notify.channels.raw_answer import RAW_ANSWER, RecordingHandler
from services.platform.outbound.address import Policy
from services.platform.outbound.guard import open_connector
from services.platform.settings.config import Proxy

DNS_CACHE_S: Final = 30
KEEPALIVE_S: Final = 60.0
JSON: Final = "application/json"
_NO_COOKIES: Final = SimpleCookie()


class _NoCookies(aiohttp.DummyCookieJar):
    """aiohttp's own makes an empty set for each request."""

    def filter_cookies(self, _request_url: URL) -> SimpleCookie:
        return _NO_COOKIES


class _ProxyConnector(aiohttp.TCPConnector):
    """Connects through a proxy, whose answer to CONNECT is not the receiver's and is not heard as such."""

    async def _create_proxy_connection(self, *args: Any, **kwargs: Any) -> Any:
        token = RAW_ANSWER.set(None)
        try:
            return await super()._create_proxy_connection(*args, **kwargs)
        finally:
            RAW_ANSWER.reset(token)


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """``pool``: connections at once. ``lookups`` really resolves names. ``proxy`` None: receivers are reached directly,
    and every address is held to ``policy``."""

    policy: Policy
    lookups: AbstractResolver
    tls: ssl.SSLContext
    pool: int
    user_agent: str
    proxy: Proxy | None = None


def open_session(options: ConnectionOptions, *, secure: bool) -> aiohttp.ClientSession:
    """The pool of connections by TLS, or by plain HTTP. Made inside a running loop. No redirect is followed by it, no
    environment read, no cookie kept."""
    connector = _open_connector(options, secure=secure)
    # The one place where aiohttp makes its protocol; a constructor argument for it there is none.
    connector._factory = partial(RecordingHandler, loop=asyncio.get_running_loop())  # type: ignore[assignment]
    # By TLS the request is the receiver's alone, and CONNECT carries the proxy's user.
    login = {} if secure else _login(options.proxy)
    return aiohttp.ClientSession(
        connector=connector, connector_owner=True, cookie_jar=_NoCookies(), trust_env=False, auto_decompress=False,
        headers={"content-type": JSON, "user-agent": options.user_agent, "accept-encoding": "identity", **login},
    )  # fmt: skip


def _open_connector(options: ConnectionOptions, *, secure: bool) -> aiohttp.TCPConnector:
    common: dict[str, Any] = {
        "limit": options.pool, "ttl_dns_cache": DNS_CACHE_S, "keepalive_timeout": KEEPALIVE_S, "ssl": options.tls,
    }  # fmt: skip
    if options.proxy is not None:
        # Every connection is to the proxy, which the operator chose: its address is not guarded.
        return _ProxyConnector(resolver=options.lookups, **common)
    return open_connector(options.policy, options.lookups, secure=secure, **common)


def proxy_arguments(proxy: Proxy | None) -> Mapping[str, Any]:
    """How aiohttp is told of a proxy with a request; it sends the headers with CONNECT alone."""
    return {} if proxy is None else {"proxy": proxy.url, "proxy_headers": _login(proxy)}


def _login(proxy: Proxy | None) -> dict[str, str]:
    if proxy is None or proxy.username is None:
        return {}
    return {"proxy-authorization": aiohttp.encode_basic_auth(proxy.username, proxy.password, "utf-8")}

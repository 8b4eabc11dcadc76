"""Webhooks on the wire: one shared client, guarded, bounded in time and in bytes. What an answer means is
:mod:`services.notify.domain.delivery`'s word.

httpx's transport over aiohttp is called directly with httpx requests: measured, it carries about twenty times what
httpx as it comes carries at 50 connections, and 0.8 of aiohttp alone. So no redirect is followed and no
environment is read: neither exists below httpx's client.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from http.cookies import SimpleCookie
from types import MappingProxyType, TracebackType
from typing import Any, Final

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream
from multidict import CIMultiDict
from yarl import URL

from schemas.instants import SECOND
from services.notify.deadline import Deadlines
from services.notify.domain.address import Policy, RefusedTargetError, Target, check_url
from services.notify.domain.delivery import EXCERPT_BYTES, Answer, Failure, parse_retry_after
from services.notify.domain.own_headers import split_user
from services.notify.domain.signing import signed_headers
from services.notify.guard import GuardedResolver, GuardedSockets, PooledLookups, RefusedAddressError
from services.notify.heard import HEARD, Heard, HearingHandler
from services.shared.clock import Clock
from services.shared.config import Proxy

CONNECT_S: Final = 5.0
#: From the first byte of a connection to the last byte of an answer, however the receiver drips.
TOTAL_S: Final = 15.0
#: A longer answer is cut off and its connection closed; a shorter one is read out, so the connection is used again.
MAX_ANSWER_BYTES: Final = 64 * 1024
#: Attempts under way at once; the pool is larger, so an attempt never waits for a connection.
CONCURRENCY: Final = 256
POOL: Final = 320
LOOKUP_THREADS: Final = 16
DNS_CACHE_S: Final = 30
KEEPALIVE_S: Final = 60.0
JSON: Final = "application/json"
_NO_COOKIES: Final = SimpleCookie()
#: Many messages carry the same body.
_payload: Final = lru_cache(maxsize=64)(aiohttp.BytesPayload)
#: None for reading: the attempt's deadline is one for all of it, and spares a timer for each packet.
_PATIENCE: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)


class _NoCookies(aiohttp.DummyCookieJar):
    """aiohttp's own makes an empty set for each request."""

    def filter_cookies(self, _request_url: URL) -> SimpleCookie:
        return _NO_COOKIES


class _Post(httpx.Request):
    """A POST as aiohttp takes it: spares httpx's reading and writing of each request."""

    def __init__(self, url: URL, headers: CIMultiDict[str], body: bytes) -> None:
        self.method = "POST"
        self.url = url  # type: ignore[assignment]
        self.headers = headers  # type: ignore[assignment]
        self._body = body

    @property
    def content(self) -> bytes:
        return self._body


class _Answered(httpx.Response):
    """A response as aiohttp gives it: what is seldom looked at is made when it is."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.status_code = answer.status
        self.stream = self._whole = AiohttpResponseStream(answer)
        self._answer = answer

    @property
    def headers(self) -> httpx.Headers:  # type: ignore[override]
        return httpx.Headers(self._answer.raw_headers)

    async def read_start(self) -> bytes:
        """The first kilobyte of the answer, whose rest is read up to the cap and dropped."""
        content = self._answer.content
        if content.is_eof() and content.exception() is None:
            # All of it came with its head.
            start = content.read_nowait()[:EXCERPT_BYTES]
            self._answer.release()
            return start
        try:
            return await _read_start(self._whole)
        finally:
            await self._whole.aclose()


class _Transport(AiohttpTransport):
    """httpx's transport over aiohttp, for POSTs that are ready to be sent. Raises what aiohttp does."""

    def __init__(self, session: aiohttp.ClientSession, tls: ssl.SSLContext, proxy: Proxy | None) -> None:
        # The session has its own connections; without a context here the transport would load the certificates anew.
        super().__init__(verify=tls, client=session)
        self._session = session
        self._way: dict[str, Any] = {} if proxy is None else _through(proxy)

    async def handle_async_request(self, request: httpx.Request) -> _Answered:
        url: Any = request.url
        return _Answered(
            await self._session.post(
                url,
                headers=request.headers,
                data=_payload(request.content),
                allow_redirects=False,
                timeout=_PATIENCE,
                **self._way,
            )
        )


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request as it is sent, and what is heard of its answer."""

    target: Target
    url: URL
    headers: CIMultiDict[str]
    body: bytes
    heard: Heard


def _locate(url: str, policy: Policy) -> tuple[Target, URL, str | None]:
    """Where to, and how its user is said. Raises RefusedTargetError."""
    target, (plain, authorization) = check_url(url, policy), split_user(url)
    return target, URL(str(httpx.URL(plain)), encoded=True), authorization


def trust_also(ca: str) -> ssl.SSLContext:
    """TLS that verifies by the public authorities and by those in the file ``ca``, PEM. Raises OSError."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_verify_locations(ca)
    return context


class _ProxyConnector(aiohttp.TCPConnector):
    """Connects through a proxy, whose answer to CONNECT is not the receiver's and is not heard as such."""

    async def _create_proxy_connection(self, *args: Any, **kwargs: Any) -> Any:
        token = HEARD.set(None)
        try:
            return await super()._create_proxy_connection(*args, **kwargs)
        finally:
            HEARD.reset(token)


class WebhookSender:
    """Sends signed webhooks. Made inside a running loop; ``close`` ends every connection.

    At most ``concurrency`` attempts run at once over all endpoints: who sends to many endpoints bounds each of
    them, else slow ones take all places.
    """

    def __init__(
        self,
        policy: Policy,
        clock: Clock,
        *,
        user_agent: str = "Trucewatch/0.1",
        concurrency: int = CONCURRENCY,
        lookups: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
        proxy: Proxy | None = None,
    ) -> None:
        self._clock = clock
        self._agent = user_agent
        self._total_s = total_s
        self._slots = asyncio.Semaphore(concurrency)
        self._deadlines = Deadlines()
        self._lookups = lookups or PooledLookups(LOOKUP_THREADS)
        self._tls = tls or httpx.create_ssl_context(trust_env=False)
        self._sessions = {
            secure: self._session(
                self._connector(
                    policy, secure=secure, pool=concurrency + POOL - CONCURRENCY, proxied=proxy is not None
                ),
                # By TLS the request is the receiver's alone, and CONNECT carries the proxy's user.
                {} if secure else _login(proxy),
            )
            for secure in (True, False)
        }
        self._transports = {secure: _Transport(session, self._tls, proxy) for secure, session in self._sessions.items()}
        self._locate = lru_cache(maxsize=16_384)(lambda url: _locate(url, policy))

    def _connector(self, policy: Policy, *, secure: bool, pool: int, proxied: bool) -> aiohttp.TCPConnector:
        options: dict[str, Any] = {
            "limit": pool, "ttl_dns_cache": DNS_CACHE_S, "keepalive_timeout": KEEPALIVE_S, "ssl": self._tls,
        }  # fmt: skip
        if proxied:
            # Every connection is to the proxy, which the operator chose: its address is not guarded.
            return _ProxyConnector(resolver=self._lookups, **options)
        return aiohttp.TCPConnector(
            resolver=GuardedResolver(policy, secure=secure, upstream=self._lookups),
            socket_factory=GuardedSockets(policy, secure=secure),
            **options,
        )

    def _session(self, connector: aiohttp.TCPConnector, headers: Mapping[str, str]) -> aiohttp.ClientSession:
        # The one place where aiohttp makes its protocol; a constructor argument for it there is none.
        connector._factory = partial(HearingHandler, loop=asyncio.get_running_loop())  # type: ignore[assignment]
        return aiohttp.ClientSession(
            connector=connector, connector_owner=True, cookie_jar=_NoCookies(), trust_env=False,
            auto_decompress=False,
            headers={"content-type": JSON, "user-agent": self._agent, "accept-encoding": "identity", **headers},
        )  # fmt: skip

    async def send(
        self,
        url: str,
        body: bytes,
        *,
        message_id: str,
        keys: Sequence[bytes],
        content_type: str = JSON,
        total_s: float | None = None,
        traceparent: str | None = None,
        wants_body: bool = False,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """One attempt, signed with the time at which it begins. Never raises for what the receiver does.

        Once a status line has come the attempt was answered, whatever follows it; ``wants_body``: what follows is
        waited for until it ends, since it says more.

        ``total_s`` bounds the attempt in seconds, once it has its place among the attempts under way. Raises
        ValueError for a ``message_id`` with a dot.
        """
        try:
            target, parsed, authorization = self._locate(url)
        except RefusedTargetError as error:
            return Answer("webhook", 0, failure="refused", detail=str(error))
        await self._slots.acquire()
        try:
            sent = CIMultiDict(headers)
            if authorization is not None:
                sent["authorization"] = authorization
            sent.update(signed_headers(keys, message_id, self._clock.now() // SECOND, body))
            if content_type != JSON:
                sent["content-type"] = content_type
            if traceparent is not None:
                sent["traceparent"] = traceparent
            exchange = _Exchange(target, parsed, sent, body, Heard(wants_body=wants_body))
            return await self._attempt(exchange, total_s or self._total_s)
        finally:
            self._slots.release()

    async def _attempt(self, exchange: "_Exchange", total_s: float) -> Answer:
        started = time.perf_counter_ns()
        try:
            with self._deadlines.within(total_s):
                try:
                    return await self._exchange(exchange, started)
                except (httpx.TransportError, aiohttp.ClientError) as error:
                    # A kept connection that the receiver closed meanwhile: the same id again does no harm.
                    if _failure(error) != "disconnected" or exchange.heard.status is not None:
                        raise
                    return await self._exchange(exchange, started)
        except TimeoutError:
            return self._heard(exchange, started) or _failed("timeout", f"no full answer within {total_s:g} s", started)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            return self._heard(exchange, started) or _failed(_failure(error), _in_words(error), started)

    async def _exchange(self, exchange: "_Exchange", started: int) -> Answer:
        transport = self._transports[exchange.target.scheme == "https"]
        token = HEARD.set(exchange.heard)
        try:
            response = await transport.handle_async_request(_Post(exchange.url, exchange.headers, exchange.body))
        finally:
            HEARD.reset(token)
        excerpt = await response.read_start()
        return self._answer(response.status_code, excerpt, lambda name: response.headers.get(name), started)

    def _heard(self, exchange: "_Exchange", started: int) -> Answer | None:
        """The answer by what was heard of it, where the parser or the time came to an end; None without a status."""
        heard = exchange.heard
        if (status := heard.status) is None:
            return None
        return self._answer(
            status, heard.body[:EXCERPT_BYTES], lambda name: heard.header(name.encode("ascii")), started
        )

    def _answer(self, status: int, excerpt: bytes, header: Callable[[str], str | None], started: int) -> Answer:
        patience = None
        if not 200 <= status < 300:
            patience = parse_retry_after(header("retry-after"), self._clock.now())
        return Answer("webhook", _since(started), status=status, excerpt=excerpt, retry_after=patience)

    @property
    def sessions(self) -> tuple[aiohttp.ClientSession, ...]:
        """The sessions underneath, for TLS and for plain HTTP."""
        return tuple(self._sessions.values())

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        await self._lookups.close()

    async def __aenter__(self) -> "WebhookSender":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _through(proxy: Proxy) -> dict[str, Any]:
    """How aiohttp is told of a proxy; it sends the headers with CONNECT alone."""
    return {"proxy": proxy.url, "proxy_headers": _login(proxy)}


def _login(proxy: Proxy | None) -> dict[str, str]:
    if proxy is None or proxy.username is None:
        return {}
    return {"proxy-authorization": aiohttp.encode_basic_auth(proxy.username, proxy.password, "utf-8")}


async def _read_start(stream: httpx.AsyncByteStream) -> bytes:
    seen, start = 0, b""
    async for chunk in stream:
        seen += len(chunk)
        if len(start) < EXCERPT_BYTES:
            start = (start + chunk)[:EXCERPT_BYTES]
        if seen >= MAX_ANSWER_BYTES:
            break
    return start


def _since(started: int) -> int:
    return (time.perf_counter_ns() - started) // 1_000


def _failed(failure: Failure, detail: str, started: int) -> Answer:
    return Answer("webhook", _since(started), failure=failure, detail=detail[:300])


def _root(error: BaseException) -> BaseException:
    """aiohttp's own error under httpx's, and the system's under aiohttp's where the guard spoke."""
    cause = error.__cause__ if isinstance(error, httpx.HTTPError) and error.__cause__ else error
    if isinstance(cause, aiohttp.ClientConnectorError) and isinstance(cause.os_error, RefusedAddressError):
        return cause.os_error
    return cause


#: Read from the top: aiohttp's errors inherit from one another.
_FAILURES: Final[tuple[tuple[type[BaseException], Failure], ...]] = (
    (RefusedAddressError, "refused"),
    (aiohttp.ClientConnectorDNSError, "unresolved"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorCertificateError, "tls"),
    (ssl.SSLError, "tls"),
    (aiohttp.ServerTimeoutError, "timeout"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ClientHttpProxyError, "connect"),
    (aiohttp.InvalidURL, "refused"),
    (aiohttp.ServerDisconnectedError, "disconnected"),
    (aiohttp.ClientOSError, "disconnected"),
    (ConnectionError, "disconnected"),
)


def _failure(error: BaseException) -> Failure:
    root = _root(error)
    return next((failure for kind, failure in _FAILURES if isinstance(root, kind)), "protocol")


def _in_words(error: BaseException) -> str:
    root = _root(error)
    return f"{type(root).__name__}: {root}"

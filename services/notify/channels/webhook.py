"""Webhooks on the wire: one shared client, guarded, bounded in time and in bytes. What an answer means is
:mod:`services.notify.domain.delivery`'s word.

No redirect is followed and no environment is read.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType, TracebackType
from typing import Final

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from schemas.instants import SECOND
from services.notify.channels.connections import (
    JSON,
    ConnectionOptions,
    open_session,
    proxy_arguments,
)
from services.notify.channels.deadline import Deadlines
from services.notify.channels.raw_answer import RAW_ANSWER, RawAnswer
from services.notify.channels.webhook_failures import describe_error, failure_of
from services.notify.domain.delivery import EXCERPT_BYTES, AttemptAnswer, Failure, parse_retry_after
from services.notify.domain.own_headers import split_user
from services.notify.domain.signing import signed_headers
from services.platform.clock import Clock
from services.platform.outbound.address import Policy, RefusedTargetError, WebhookTarget, check_url
from services.platform.outbound.guard import PooledLookups, public_authorities
from services.platform.settings.config import Proxy

CONNECT_S: Final = 5.0
#: From the first byte of a connection to the last byte of an answer, however the receiver drips.
TOTAL_S: Final = 15.0
#: A longer answer is cut off and its connection closed; a shorter one is read out, so the connection is used again.
MAX_ANSWER_BYTES: Final = 64 * 1024
CHUNK_BYTES: Final = 16 * 1024
#: Attempts under way at once; the pool is larger, so an attempt never waits for a connection.
CONCURRENCY: Final = 256
POOL: Final = 320
LOOKUP_THREADS: Final = 16
#: Many messages carry the same body.
_payload: Final = lru_cache(maxsize=64)(aiohttp.BytesPayload)
#: None for reading: the attempt's deadline is one for all of it, and spares a timer for each packet.
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request as it is sent, and what is heard of its answer."""

    target: WebhookTarget
    url: URL
    headers: CIMultiDict[str]
    body: bytes
    heard: RawAnswer


def _locate(url: str, policy: Policy) -> tuple[WebhookTarget, URL, str | None]:
    """Where to, and how its user is said. Raises RefusedTargetError."""
    target, (plain, authorization) = check_url(url, policy), split_user(url)
    return target, URL(str(httpx.URL(plain)), encoded=True), authorization


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
        self._total_s = total_s
        self._slots = asyncio.Semaphore(concurrency)
        self._deadlines = Deadlines()
        self._lookups = lookups or PooledLookups(LOOKUP_THREADS)
        options = ConnectionOptions(
            policy, self._lookups, tls or public_authorities(), concurrency + POOL - CONCURRENCY, user_agent, proxy
        )
        self._sessions = {secure: open_session(options, secure=secure) for secure in (True, False)}
        self._proxy = proxy_arguments(proxy)
        self._locate = lru_cache(maxsize=16_384)(lambda url: _locate(url, policy))

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
    ) -> AttemptAnswer:
        """One attempt, signed with the time at which it begins. Never raises for what the receiver does.

        Once a status line has come the attempt was answered, whatever follows it; ``wants_body``: what follows is
        waited for until it ends, since it says more.

        ``total_s`` bounds the attempt in seconds, once it has its place among the attempts under way. Raises
        ValueError for a ``message_id`` with a dot.
        """
        try:
            target, parsed, authorization = self._locate(url)
        except RefusedTargetError as error:
            return AttemptAnswer("webhook", 0, failure="refused", detail=str(error))
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
            exchange = _Exchange(target, parsed, sent, body, RawAnswer(wants_body=wants_body))
            return await self._attempt(exchange, total_s or self._total_s)
        finally:
            self._slots.release()

    async def _attempt(self, exchange: "_Exchange", total_s: float) -> AttemptAnswer:
        started = time.perf_counter_ns()
        try:
            with self._deadlines.within(total_s):
                try:
                    return await self._exchange(exchange, started)
                except aiohttp.ClientError as error:
                    # A kept connection that the receiver closed meanwhile: the same id again does no harm.
                    if failure_of(error) != "disconnected" or exchange.heard.status is not None:
                        raise
                    return await self._exchange(exchange, started)
        except TimeoutError:
            return self._from_raw(exchange, started) or _failed(
                "timeout", f"no full answer within {total_s:g} s", started
            )
        except (aiohttp.ClientError, OSError) as error:
            return self._from_raw(exchange, started) or _failed(failure_of(error), describe_error(error), started)

    async def _exchange(self, exchange: "_Exchange", started: int) -> AttemptAnswer:
        token = RAW_ANSWER.set(exchange.heard)
        try:
            response = await self._sessions[exchange.target.scheme == "https"].post(
                exchange.url,
                headers=exchange.headers,
                data=_payload(exchange.body),
                allow_redirects=False,
                timeout=_TIMEOUT,
                **self._proxy,
            )
        finally:
            RAW_ANSWER.reset(token)
        excerpt = await _read_start(response)
        return self._answer(response.status, excerpt, response.headers.get, started)

    def _from_raw(self, exchange: "_Exchange", started: int) -> AttemptAnswer | None:
        """The answer by what was heard of it, where the parser or the time came to an end; None without a status."""
        heard = exchange.heard
        if (status := heard.status) is None:
            return None
        return self._answer(
            status, heard.body[:EXCERPT_BYTES], lambda name: heard.header(name.encode("ascii")), started
        )

    def _answer(self, status: int, excerpt: bytes, header: Callable[[str], str | None], started: int) -> AttemptAnswer:
        wait_s = None
        if not 200 <= status < 300:
            wait_s = parse_retry_after(header("retry-after"), self._clock.now())
        return AttemptAnswer("webhook", _since(started), status=status, excerpt=excerpt, retry_after=wait_s)

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


async def _read_start(response: aiohttp.ClientResponse) -> bytes:
    """The first kilobyte of the answer, whose rest is read up to the cap and dropped."""
    content = response.content
    if content.is_eof() and content.exception() is None:
        # All of it came with its head.
        start = content.read_nowait()[:EXCERPT_BYTES]
        response.release()
        return start
    seen, start = 0, b""
    async with response:
        async for chunk in content.iter_chunked(CHUNK_BYTES):
            seen += len(chunk)
            if len(start) < EXCERPT_BYTES:
                start = (start + chunk)[:EXCERPT_BYTES]
            if seen >= MAX_ANSWER_BYTES:
                break
    return start


def _since(started: int) -> int:
    return (time.perf_counter_ns() - started) // 1_000


def _failed(failure: Failure, detail: str, started: int) -> AttemptAnswer:
    return AttemptAnswer("webhook", _since(started), failure=failure, detail=detail[:300])

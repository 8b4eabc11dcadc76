"""Requests, patient with a server that is busy; lists by pages; a stream of events that resumes."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, cast

import httpx

from .answers import Answer, Page, UnreachableError, read_answer
from .patience import Patience, Trouble, trouble_of_error, trouble_of_status
from .server_events import EventParser, ServerEvent

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
Query = Mapping[str, object]
_Params = list[tuple[str, str | int | float | bool | None]]

#: Methods by which doing it twice is the same as once (RFC 9110, 9.2.2).
IDEMPOTENT: Final = frozenset({"GET", "PUT", "DELETE"})
#: A stream that says nothing for so long is dead: the server sends a comment every 15 s.
SILENCE_S: Final = 45.0
RETRY_S: Final = 2.0
PAGE: Final = 1000


class AsyncTransport:
    """One server, asked with one key."""

    def __init__(self, http: httpx.AsyncClient, patience: Patience, sleep: Sleep) -> None:
        self._http, self._patience, self._sleep = http, patience, sleep
        self._has_answered = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """The answer. ``repeatable``: doing it twice is the same as once, so it is sent again where no answer came.

        Raises RefusedError, UnreachableError.
        """
        tries, repeatable = 0, repeatable or method in IDEMPOTENT
        while True:
            tries += 1
            try:
                answer = await self._http.request(method, path, params=_params(query), content=content, headers=headers)
            except httpx.TransportError as error:
                trouble = trouble_of_error(error, repeatable=repeatable)
            else:
                self._has_answered = True
                found = trouble_of_status(answer, repeatable=repeatable)
                if found is None:
                    return read_answer(answer)
                trouble = found
            await self._sleep(self._pause_s(tries, trouble))

    async def events(self, path: str, read: Callable[[ServerEvent], T], *, after: str = "") -> AsyncGenerator[T, None]:
        """Events after the id ``after``, as ``read`` makes them, without end: a connection that is lost is made anew
        and resumes. Raises RefusedError, UnreachableError."""
        parser, tries = EventParser(after, RETRY_S), 0
        while True:
            tries += 1
            parser = EventParser(parser.last_id, parser.retry_s)
            headers = {"accept": "text/event-stream"} | ({"last-event-id": parser.last_id} if parser.last_id else {})
            timeout = httpx.Timeout(self._http.timeout.connect, read=SILENCE_S)
            try:
                async with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
                    self._has_answered = True
                    trouble = trouble_of_status(answer, repeatable=True)
                    if trouble is None:
                        if not answer.is_success:
                            await answer.aread()
                            read_answer(answer)
                        tries = 0
                        async for chunk in answer.aiter_bytes():
                            for event in parser.feed(chunk):
                                yield read(event)
            except httpx.TransportError as error:
                trouble = trouble_of_error(error, repeatable=True)
            pause = parser.retry_s if trouble is None or not tries else self._pause_s(tries, trouble)
            await self._sleep(pause)

    def _pause_s(self, tries: int, trouble: Trouble) -> float:
        """Raises UnreachableError where there is no further try."""
        most = self._patience.tries if self._has_answered else self._patience.first_tries
        too_long = trouble.asked_s is not None and trouble.asked_s > self._patience.longest_asked_s
        if not trouble.again or too_long or tries >= most:
            times = "once" if tries == 1 else f"{tries} times"
            raise UnreachableError(f"{self._http.base_url}, asked {times}: {trouble.reason}", trouble.asked_s)
        return self._patience.pause_s(tries) if trouble.asked_s is None else trouble.asked_s


class AsyncPages(Generic[T]):
    """A list up to its present end: its items by ``async for``, or its pages, each with the cursor that follows it."""

    def __init__(self, transport: AsyncTransport, path: str, query: Query | None) -> None:
        self._transport, self._path, self._query = transport, path, {"limit": PAGE} | dict(query or {})

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Raises RefusedError, UnreachableError; so do the items."""
        query = self._query
        while True:
            body = (await self._transport.request("GET", self._path, query=query)).body
            page: Page[T] = Page(body["items"], body["next"], body["has_more"])
            yield page
            if not page.has_more:
                return
            query = query | {"after": page.next}

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item


def _params(query: Query | None) -> _Params | None:
    """A sequence is a parameter that is repeated. None for none: httpx takes empty parameters for an order to drop
    those that the path brings."""
    params: _Params = []
    for name, value in (query or {}).items():
        many = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else [value]
        params += [(name, _written(one)) for one in many if one is not None]
    return params or None


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

"""The public HTTP API as the commands use it: patient with a server that is busy, plain about one that refuses."""

import os
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import msgspec

from schemas.vocabulary import LANGUAGES, Language
from services.platform.backoff import Backoff
from services.platform.clock import Clock

TIMEOUT_S: Final = 60.0
#: How often a request is sent at most: to a server that has answered before, and to one that never has, whose address
#: may be wrong.
MAX_TRIES: Final = 8
FIRST_TRIES: Final = 3
#: The pauses between, where the server names none, seconds.
BACKOFF: Final = Backoff(0.5, 30.0)
BUSY: Final = frozenset({429, 502, 503, 504})


class Fault(msgspec.Struct, frozen=True):
    """One offending field of what was sent."""

    pointer: str
    detail: str


class Answered(msgspec.Struct, frozen=True):
    """A decoded body, and the ETag of what it holds."""

    body: Any
    etag: str


class RefusedError(Exception):
    """The server answered, and the answer is no. ``faults`` names every offending field, if it is about fields."""

    def __init__(self, status: int, title: str, detail: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(f"{status} {title}" + (f": {detail}" if detail else ""))
        self.status, self.faults = status, tuple(faults)


class UnreachableError(Exception):
    """The server did not answer, or was busy for longer than we are patient."""


class Api:
    """One server, asked with one key."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._has_answered = False

    async def get(self, path: str, **query: str | int) -> Any:
        """The decoded answer. Raises RefusedError, UnreachableError; so do the others."""
        return (await self.get_tagged(path, **query)).body

    async def get_tagged(self, path: str, **query: str | int) -> Answered:
        # httpx takes empty parameters for an order to drop those that the path brings.
        return await self._ask("GET", path, params={name: str(value) for name, value in query.items()} or None)

    async def post(self, path: str, body: Any, if_match: str | None = None) -> Any:
        return await self.send("POST", path, msgspec.json.encode(body), "application/json", if_match)

    async def send(self, method: str, path: str, body: bytes, kind: str, if_match: str | None = None) -> Any:
        """``if_match``: the ETag of what the request was made from; RefusedError 412 where that has changed."""
        condition = {} if if_match is None else {"if-match": if_match}
        return (await self._ask(method, path, content=body, headers={"content-type": kind, **condition})).body

    async def delete(self, path: str) -> Any:
        return (await self._ask("DELETE", path)).body

    async def pages(self, path: str, **query: str | int) -> AsyncIterator[list[Any]]:
        """The items of a list, page by page, up to its present end."""
        query = {"limit": 1000, **query}
        while True:
            page = await self.get(path, **query)
            yield page["items"]
            if not page["has_more"]:
                return
            query["after"] = page["next"]

    async def _ask(self, method: str, path: str, **rest: Any) -> Answered:
        tries = 0
        while True:
            tries += 1
            wait = BACKOFF.pause_s(tries)
            try:
                answer = await self._http.request(method, path, **rest)
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
            else:
                self._has_answered = True
                if answer.status_code not in BUSY:
                    return Answered(_read(answer), answer.headers.get("etag", ""))
                trouble = f"{answer.status_code} {answer.reason_phrase}"
                wait = _asked_to_wait(answer.headers) or wait
            if tries >= (MAX_TRIES if self._has_answered else FIRST_TRIES):
                raise UnreachableError(f"{self._http.base_url}, asked {tries} times: {trouble}")
            await self._clock.sleep(wait)


@asynccontextmanager
async def open_api(
    url: str, key: str | None, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Api]:
    """An Api for as long as the context lasts."""
    headers: dict[str, str] = {"accept-language": terminal_language(os.environ)}
    if key:
        headers["authorization"] = f"Bearer {key}"
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False, transport=transport
    ) as http:
        yield Api(http, clock)


def terminal_language(environment: Mapping[str, str]) -> Language:
    """The language of the terminal, as the locale says it (POSIX: LC_ALL, LC_MESSAGES, LANG)."""
    named = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return next((language for language in LANGUAGES if re.match(rf"{language}(?:[_.@]|$)", named)), "en")


def _asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds; None where it is absent or a date, which none of our servers sends."""
    text = headers.get("retry-after", "")
    return min(float(text), BACKOFF.longest_s) if text.isascii() and text.isdigit() else None


def _read(answer: httpx.Response) -> Any:
    try:
        body = msgspec.json.decode(answer.content) if answer.content else None
    except msgspec.DecodeError:
        body = None
    if answer.is_success:
        return body
    problem = body if isinstance(body, dict) else {}
    raise RefusedError(
        answer.status_code,
        str(problem.get("title", answer.reason_phrase)),
        str(problem.get("detail", "")),
        read_faults(problem),
    )


def read_faults(problem: Mapping[str, Any]) -> tuple[Fault, ...]:
    """The offending fields of a problem document."""
    return tuple(Fault(str(e.get("pointer", "")), str(e.get("detail", ""))) for e in problem.get("errors", ()))

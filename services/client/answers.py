"""Answers of the server, and the three ways in which there is none that one can use."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: the decoded body (None: empty, or not JSON) and the ETag of what it holds."""

    status: int
    body: Any
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. ``next`` is the cursor to come back with, as ``after``; None where there is no more."""

    items: list[T]
    next: str | None
    has_more: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """One offending field of what was sent, by its JSON pointer."""

    pointer: str
    detail: str


class RefusedError(Exception):
    """The server answered, and the answer is no. ``problem`` is its problem document (RFC 9457); ``faults`` names
    every offending field, if it is about fields."""

    def __init__(self, status: int, title: str, problem: Mapping[str, Any] | None = None) -> None:
        problem = problem or {}
        detail = str(problem.get("detail", ""))
        super().__init__(f"{status} {title}" + (f": {detail}" if detail else ""))
        self.status, self.problem, self.faults = status, problem, read_faults(problem)


class LogRestoredError(RefusedError):
    """The server was restored from a backup that is older than the cursor. ``begin`` is the cursor to go on with: what
    follows it may have been received before, and nothing is left out."""

    @property
    def begin(self) -> str:
        return str(self.problem["begin"])


class UnreachableError(Exception):
    """No answer, or a busy server, for longer than the patience lasts. ``retry_after_s``: what it asked for."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def read_answer(answer: httpx.Response) -> Answer:
    """Raises RefusedError, LogRestoredError."""
    body = _decoded(answer.content)
    if answer.is_success:
        return Answer(answer.status_code, body, answer.headers.get("etag", ""))
    problem = body if isinstance(body, dict) else {}
    title = str(problem.get("title", answer.reason_phrase))
    lost = answer.status_code == 410 and "begin" in problem
    raise (LogRestoredError if lost else RefusedError)(answer.status_code, title, problem)


def read_faults(problem: Mapping[str, Any]) -> Sequence[Fault]:
    """The offending fields of a problem document."""
    return tuple(Fault(str(e.get("pointer", "")), str(e.get("detail", ""))) for e in problem.get("errors", ()))


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None

"""The fakes, typed and in one place."""

import asyncio
import heapq
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from schemas.instants import SECOND, parse_instant

P = ParamSpec("P")
R = TypeVar("R")


class InjectedError(RuntimeError):
    """Raised by a test where nothing is foreseen."""


@dataclass
class Injector:
    """Raises once, at call ``at`` of all that it wraps: before the call is made, or ``after`` it was. Calls of the
    function named ``but`` do not count. ``error`` is what a coroutine function raises."""

    at: int
    after: bool = False
    but: str = ""
    error: type[BaseException] = InjectedError
    made: int = 0
    raised: str = ""
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def call(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        """A coroutine function that may raise in place of ``function``, or after it."""

        async def injected(*args: P.args, **kwargs: P.kwargs) -> R:
            turn = self._is_turn(function.__name__)
            if turn and not self.after:
                raise self.error(function.__name__)
            try:
                return await function(*args, **kwargs)
            finally:
                if turn:
                    raise self.error(function.__name__)

        return injected

    def wrap(self, port: Any) -> Any:
        """The port, with each of its coroutine functions able to raise."""
        return _Wrapped(port, lambda found: self.call(found) if asyncio.iscoroutinefunction(found) else found)

    def wrap_blocking(self, port: Any) -> Any:
        """The port, with each of its functions able to raise."""
        return _Wrapped(port, self._blocking)

    def _blocking(self, function: Callable[P, R]) -> Callable[P, R]:
        def injected(*args: P.args, **kwargs: P.kwargs) -> R:
            turn = function.__name__ not in ("close", "hang_up") and self._is_turn(function.__name__)
            if turn and not self.after:
                raise InjectedError(function.__name__)
            try:
                return function(*args, **kwargs)
            finally:
                if turn:
                    raise InjectedError(function.__name__)

        return injected

    def disarm(self) -> None:
        """Raise no more."""
        with self._turn:
            self.at = 0

    def _is_turn(self, name: str) -> bool:
        with self._turn:
            if name == self.but:
                return False
            self.made += 1
            if self.made != self.at:
                return False
            self.raised = name
            return True


class _Wrapped:
    def __init__(self, port: Any, wrap: Callable[[Any], Any]) -> None:
        self._port, self._wrap = port, wrap

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return self._wrap(found) if callable(found) else found


@dataclass
class DrivenClock:
    """A clock that moves only when a test moves it. Sleepers wake in the order of their time."""

    instant: int = field(default_factory=lambda: parse_instant("2016-05-08T12:00:00Z"))
    _sleepers: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)

    def now(self) -> int:
        return self.instant

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.instant + int(seconds * SECOND), id(future), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move time on, letting each sleeper run at its own moment."""
        end = self.instant + int(seconds * SECOND)
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.instant, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await _settle()
        self.instant = end
        await _settle()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)

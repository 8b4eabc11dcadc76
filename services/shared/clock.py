"""Time and chance come from here and from nowhere else, so that a test can drive both."""

import asyncio
import secrets
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, in microseconds since the epoch, UTC; and waiting for it to pass."""

    def now(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def new_token(size: int = 24) -> str:
    """An unguessable URL-safe token of ``size`` random bytes; it holds no dot."""
    return secrets.token_urlsafe(size)


def new_id() -> str:
    """A short random identifier, 16 lowercase hex digits, for what no content can name."""
    return secrets.token_hex(8)

"""Time and random values come from here alone, so that a test can drive both."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """The time, in microseconds since the epoch, UTC; and waiting for it to pass."""

    def now(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(slots=True)
class LocalTime:
    """The registry's time zone as this process knows it; UTC until the registry has said."""

    zone: ZoneInfo


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

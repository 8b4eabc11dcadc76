"""Attempts of long ago, which an installation may let go of: the answers of endpoints, not what was said to them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, select, tuple_

from schemas.instants import DAY
from services.notify.sql.tables import attempts
from services.platform.db.engine import Database

PERIOD_S: Final = 3600.0
NAME: Final = "notify.forget_attempts"
#: Attempts forgotten in one transaction.
SLICE: Final = 1_000
_a: Final = attempts.c


@dataclass(frozen=True, slots=True)
class OldAttempts:
    """``kept_days``: attempts are kept for so long, which is longer than any message is tried; None for good."""

    database: Database
    now: Callable[[], int]
    kept_days: int | None

    async def forget(self) -> None:
        """Raises RetryLaterError."""
        if self.kept_days is None:
            return
        before, after = self.now() - self.kept_days * DAY, ("", 0)
        while True:
            rows = await self.database.read(partial(_find, before, after))
            if rows:
                await self.database.write(partial(_delete, rows), durable=False, rows=len(rows))
            if len(rows) < SLICE:
                return
            after = rows[-1]


def _find(before: int, after: tuple[str, int], connection: Connection) -> list[tuple[str, int]]:
    """By key, so that the table is gone through once."""
    key = tuple_(_a.delivery_id, _a.number)
    old = select(_a.delivery_id, _a.number).where(key > tuple_(*after), _a.at < before)
    rows = connection.execute(old.order_by(_a.delivery_id, _a.number).limit(SLICE))
    return [(row.delivery_id, row.number) for row in rows]


def _delete(rows: list[Any], connection: Connection) -> None:
    connection.execute(delete(attempts).where(tuple_(_a.delivery_id, _a.number).in_(rows)))

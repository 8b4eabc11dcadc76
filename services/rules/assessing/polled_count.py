"""A count of rows for the status page: made every few seconds, answered from memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError

PERIOD_S: Final = 5.0


@dataclass(slots=True)
class PolledCount:
    """``rows`` counts them in the database; ``count`` is the last that it gave."""

    database: Database
    rows: Callable[[Connection], int]
    count: int = 0

    async def refresh(self) -> None:
        try:
            self.count = await self.database.read(self.rows)
        except RetryLaterError:
            # Keep the last count; that the database is away is reported elsewhere.
            return

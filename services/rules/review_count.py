"""How many incidents need a person: looked at every few seconds, answered from memory."""

from dataclasses import dataclass
from typing import Final

from services.rules.sql import count_in_review
from services.shared.clock import Clock
from services.shared.db.engine import Database
from services.shared.failures import RetryLaterError

PERIOD_S: Final = 5.0


@dataclass(slots=True)
class ReviewCount:
    database: Database
    clock: Clock
    open: int = 0

    async def run(self) -> None:
        """Count again every few seconds, for ever."""
        while True:
            await self.look()
            await self.clock.sleep(PERIOD_S)

    async def look(self) -> None:
        try:
            self.open = await self.database.read(count_in_review)
        except RetryLaterError:
            # The last answer stands; that the database is away is told elsewhere.
            return

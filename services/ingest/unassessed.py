"""How long the oldest report has waited for its judgement: the one number that says whether the system keeps up."""

from dataclasses import dataclass
from typing import Final

from schemas.instants import SECOND
from services.ingest.sql import find_last_received, find_oldest_unassessed
from services.platform.clock import Clock
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError

PERIOD_S: Final = 5.0
NAME: Final = "ingest.waiting"
#: A report may become visible this much later than the moment it is stamped with, at most.
MARGIN: Final = 10 * SECOND


@dataclass(slots=True)
class UnassessedAge:
    """Reads from time to time, from where the last read may have missed something; answers from memory."""

    database: Database
    clock: Clock
    oldest: int | None = None
    last: int | None = None
    since: int = 0

    async def refresh(self) -> None:
        now = self.clock.now()
        # Where the clock was set back, the last read was at a later time.
        since = self.since if self.since <= now else 0
        try:
            self.oldest, self.last = await self.database.read(
                lambda connection: (find_oldest_unassessed(connection, since), find_last_received(connection))
            )
        except RetryLaterError:
            # Keep the last answer, which ages; that the database is away is reported elsewhere.
            return
        self.since = (now if self.oldest is None else min(now, self.oldest)) - MARGIN

    def seconds(self) -> float | None:
        """The age of the oldest report without a judgement; None when there is none."""
        return None if self.oldest is None else round(max(0, self.clock.now() - self.oldest) / SECOND, 3)

"""How long the oldest report has waited for its judgement: the one number that says whether the system keeps up."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from schemas.instants import MINUTE, SECOND
from services.ingest.sql import (
    find_last_received,
    find_oldest_unassessed,
    keep_assessed_until,
    load_assessed_until,
)
from services.platform.clock import Clock
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError

PERIOD_S: Final = 5.0
NAME: Final = "ingest.waiting"
#: Every start reads on from where the last read was, at most so long before its end.
KEPT_EVERY: Final = MINUTE
#: A report may become visible this much later than the moment it is stamped with, at most.
MARGIN: Final = 10 * SECOND


@dataclass(slots=True)
class UnassessedAge:
    """Reads from time to time, from where the last read may have missed something; answers from memory."""

    database: Database
    clock: Clock
    oldest: int | None = None
    last: int | None = None
    since: int | None = None
    kept: int = 0

    async def refresh(self) -> None:
        now = self.clock.now()
        try:
            self.oldest, self.last = await self.database.read(lambda connection: self._read(connection, now))
            since = self.since = (now if self.oldest is None else min(now, self.oldest)) - MARGIN
            if not 0 <= since - self.kept < KEPT_EVERY:
                await self.database.write(lambda c: keep_assessed_until(c, since), durable=False, rows=1)
                self.kept = since
        except RetryLaterError:
            # Keep the last answer, which ages; that the database is away is reported elsewhere.
            return

    def _read(self, connection: Connection, now: int) -> tuple[int | None, int | None]:
        if self.since is None:
            self.since = self.kept = load_assessed_until(connection)
        # Where the clock was set back, the last read was at a later time.
        since = self.since if self.since <= now else 0
        return find_oldest_unassessed(connection, since), find_last_received(connection)

    def seconds(self) -> float | None:
        """The age of the oldest report without a judgement; None when there is none."""
        return None if self.oldest is None else round(max(0, self.clock.now() - self.oldest) / SECOND, 3)

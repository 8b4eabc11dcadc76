"""Cursors of the alert log: each names the generation of the log, so that a restore leaves no reader a gap."""

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from schemas.instants import format_instant
from services.notify.domain.generation import Generation, PositionLostError, resume
from services.platform.http.lists import encode_cursor, read_cursor
from services.platform.http.problems import Problem


class GenerationSource(Protocol):
    @property
    def generation(self) -> Generation: ...


class LastEntry(Protocol):
    async def last_seq(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions that readers are given, and come back with."""

    storage: GenerationSource
    log: LastEntry

    @property
    def generation(self) -> str:
        return self.storage.generation.id

    def encode(self, seq: int) -> str:
        return encode_cursor(self.generation, seq)

    async def find(self, request: Request, named: str | None = None) -> int | None:
        """The entry after which to go on, by the cursor ``named``, else by ``after``; None where neither is given.
        Raises Problem 400 for a cursor that we did not make, 410 for one of before a restore."""
        found = read_cursor(named or request.query_params.get("after"), str, int)
        if found is None:
            return None
        generation, seq = self.storage.generation, int(found[1])
        try:
            return resume(generation, found[0], seq, await self.log.last_seq())
        except PositionLostError as error:
            raise self._lost(error.begin, generation.restored_at) from error

    def _lost(self, begin: int, restored_at: int | None) -> Problem:
        when = "" if restored_at is None else f" at {format_instant(restored_at)}"
        return Problem(
            410,
            "Log restored",
            f"The log was restored from a backup{when} and does not hold this position. Go on with after=<begin>: what "
            "follows it may have been sent before, and nothing is left out.",
            type="restored-log",
            more={"begin": self.encode(begin)},
        )

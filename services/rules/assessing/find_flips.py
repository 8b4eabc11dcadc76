"""Which verdicts a change of the registry would change, without storing anything."""

import asyncio
from collections.abc import Sequence

from services.rules.assessing.domain.keeping import ReportedCase
from services.rules.assessing.domain.reach import reach_of
from services.rules.assessing.find_touched import JudgedIncidents, find_touched
from services.rules.judging.evaluate import Judge
from services.rules.judging.model import CompiledRegistry
from services.rules.registry.use_cases import Flip


async def find_flips(
    before: CompiledRegistry, after: Judge, incidents: JudgedIncidents, now: int, limit: int
) -> tuple[list[Flip], int]:
    """The first ``limit`` incidents whose verdict ``after`` would change, and how many there are in all. Only those
    that the change from one registry to the other can touch are judged again."""
    reach = await asyncio.to_thread(reach_of, before, after.registry)
    flips: list[Flip] = []
    count, seen = 0, set[int]()
    async for touched in find_touched(reach, incidents):
        fresh = {one.incident_id for one in touched if hash(one.incident_id) not in seen}
        seen.update(map(hash, fresh))
        stored = await incidents.cases_of(sorted(fresh))
        for flip in await asyncio.to_thread(_find_flips, after, stored, now):
            count += 1
            if len(flips) < limit:
                flips.append(flip)
    return flips, count


def _find_flips(after: Judge, stored: Sequence[tuple[ReportedCase, str]], now: int) -> list[Flip]:
    return [
        Flip(one.case.incident_id, verdict, assessment.verdict)
        for (one, verdict), assessment in zip(stored, after.assess([one.case for one, _ in stored], now), strict=True)
        if verdict != assessment.verdict
    ]

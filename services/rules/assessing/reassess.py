"""Judging again, after a change of the registry, every incident that the change can touch.

A change is kept together with its reassessment. One process at a time works on the reassessments: it finds the
incidents, keeps which they are, and judges them in slices; another one goes on where it was killed. The newest is
worked on first, since incidents are judged by the registry as it stands: that of an older one names an older cause.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.causes import Cause
from services.platform.failures import RetryLaterError
from services.rules.assessing.domain.keeping import ReportedCase, key_of
from services.rules.assessing.domain.reach import decode_reach
from services.rules.assessing.find_touched import JudgedIncidents, KeyedIncident, find_touched
from services.rules.assessing.judge_and_keep import Judging, judge_and_keep

#: Incidents judged at once: live reports wait for no more than that. Four times as many take a tenth less time, and
#: make the slowest live reports wait twice as long.
SLICE: Final = 50


@dataclass(frozen=True, slots=True)
class RunningReassessment:
    """A reassessment that runs. ``reach``: what the change can touch, as long as its incidents are not all found;
    None from then on."""

    id: str
    cause: Cause
    reach: bytes | None


class Reassessments(Protocol):
    """The changes of the registry whose incidents are still to be judged again. Each method raises RetryLaterError."""

    async def claim(self) -> RunningReassessment | None:
        """The newest that runs, for this process alone until some seconds later, or until it claims again. None where
        none runs, or another process has it."""
        ...

    async def add(self, id: str, found: Sequence[KeyedIncident]) -> None:
        """Keep that these incidents are to be judged again."""
        ...

    async def end_search(self, id: str) -> None:
        """Keep that all are found."""
        ...

    async def next_slice(self, id: str, limit: int) -> Sequence[str]:
        """Incidents that are still to be judged again."""
        ...

    async def finish(self, id: str, incident_ids: Sequence[str], cause: str) -> None:
        """Keep that these are done, and count those that have an assessment for ``cause`` (:func:`key_of`). The
        reassessment is done where none is left."""
        ...


async def reassess(
    reassessments: Reassessments, incidents: JudgedIncidents, judging: Judging, note: Callable[[Exception], object]
) -> None:
    """Work on the reassessments until none is left, or another process does. An incident that cannot be judged is
    passed over, and the reason passed to ``note``. Raises RetryLaterError."""
    while (one := await reassessments.claim()) is not None:
        if one.reach is not None:
            await _search(one.id, one.reach, reassessments, incidents)
        else:
            await _judge_slice(one, reassessments, incidents, judging, note)


async def _search(id: str, reach: bytes, reassessments: Reassessments, incidents: JudgedIncidents) -> None:
    async for touched in find_touched(decode_reach(reach), incidents):
        await reassessments.add(id, touched)
        still = await reassessments.claim()
        if still is None or still.id != id:
            return
    await reassessments.end_search(id)


async def _judge_slice(
    one: RunningReassessment,
    reassessments: Reassessments,
    incidents: JudgedIncidents,
    judging: Judging,
    note: Callable[[Exception], object],
) -> None:
    ids = await reassessments.next_slice(one.id, SLICE)
    cases = [case for case, _ in await incidents.cases_of(ids)]
    try:
        await judge_and_keep(cases, one.cause, judging)
    except RetryLaterError:
        raise
    except Exception:  # noqa: BLE001 - judged one by one
        await _judge_each(cases, one.cause, judging, note)
    await reassessments.finish(one.id, ids, key_of(one.cause))


async def _judge_each(
    cases: Sequence[ReportedCase], cause: Cause, judging: Judging, note: Callable[[Exception], object]
) -> None:
    for case in cases:
        try:
            await judge_and_keep([case], cause, judging)
        except RetryLaterError:
            raise
        except Exception as error:  # noqa: BLE001 - recorded, counted and shown
            note(error)

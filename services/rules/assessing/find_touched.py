"""The stored incidents that a change of the registry can touch, found by the index of their keys."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.rules.assessing.domain.index_keys import KeySearch, searches_of
from services.rules.assessing.domain.keeping import ReportedCase
from services.rules.assessing.domain.reach import ChangeReach
from services.rules.judging.keys import IncidentKeys

#: Entries read at once: neither memory nor the event loop depends on the length of the history.
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class KeyedIncident:
    """An incident as it was judged last. ``keys`` is None where it was judged before keys were kept: any change may
    touch it."""

    incident_id: str
    verdict: str
    keys: IncidentKeys | None


@dataclass(frozen=True, slots=True)
class SearchPosition:
    """The place behind an entry of the index: the number of the search, and the entry. Search -1 is for the incidents
    without keys."""

    search: int = -1
    key: int = 0
    began: int = 0
    incident_id: str = ""


class JudgedIncidents(Protocol):
    """The incidents as they were judged last. Each method raises RetryLaterError."""

    async def search(
        self, searches: Sequence[KeySearch], after: SearchPosition, limit: int
    ) -> tuple[Sequence[KeyedIncident], SearchPosition | None]:
        """Up to ``limit`` incidents that the searches find behind a position, some perhaps found before, and the
        position to go on from: None where there are no more."""
        ...

    async def cases_of(self, incident_ids: Sequence[str]) -> Sequence[tuple[ReportedCase, str]]:
        """These incidents, each with its verdict, in any order."""
        ...


async def find_touched(reach: ChangeReach, incidents: JudgedIncidents) -> AsyncIterator[list[KeyedIncident]]:
    """Every incident that the change can touch, in parts; one may come twice. Raises RetryLaterError."""
    searches = await asyncio.to_thread(searches_of, reach)
    position: SearchPosition | None = None if reach.is_empty else SearchPosition()
    while position is not None:
        found, position = await incidents.search(searches, position, PAGE)
        if touched := await asyncio.to_thread(_select_touched, reach, found):
            yield touched


def _select_touched(reach: ChangeReach, found: Sequence[KeyedIncident]) -> list[KeyedIncident]:
    return [one for one in found if one.keys is None or reach.touches(one.keys)]

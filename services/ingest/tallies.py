"""Incidents and claimed casualties, added up by periods.

Claims of one event that several reports tell of are never added: the event has at least the lowest of them, and at most
the highest (judgement.md 18 and 21). What may be one event, since a link is contested, is one for the least and several
for the most; and an aggregate, whose events other reports may tell of too, counts for the most alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from schemas.instants import to_datetime

Period = Literal["day", "week", "month"]
PERIODS: Final[tuple[Period, ...]] = get_args(Period)


class LinkedClaim(NamedTuple):
    """The claims of an incident that others are linked to. ``same`` are incidents of the same event, ``perhaps`` of
    what may be."""

    incident_id: str
    start: int
    killed: int | None
    injured: int | None
    same: tuple[str, ...]
    perhaps: tuple[str, ...]


@dataclass(slots=True)
class ClaimedRange:
    """The least and the most that the claims come to."""

    least: int = 0
    most: int = 0


@dataclass(slots=True)
class Tally:
    """The counts of one period."""

    incidents: int = 0
    killed: ClaimedRange = field(default_factory=ClaimedRange)
    injured: ClaimedRange = field(default_factory=ClaimedRange)


def period_starts(by: Period, zone: ZoneInfo) -> Callable[[int], date]:
    """A function from an instant to the first local day of its period; weeks begin on Monday."""

    @lru_cache(maxsize=4_096)
    def start_of(instant: int) -> date:
        day = to_datetime(instant).astimezone(zone).date()
        if by == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if by == "month" else day

    return start_of


def add_linked(tallies: Mapping[date, Tally], claims: Sequence[LinkedClaim], start_of: Callable[[int], date]) -> None:
    """Add the casualties of events that several incidents tell of. An event is in the period of the first that claims
    any; ``tallies`` has the period of each."""
    for event in _events(claims, lambda one: (*one.same, *one.perhaps)):
        for name, said in _said(event):
            _extent(tallies, said, start_of, name).least += min(getattr(one, name) for one in said)
    for event in _events(claims, lambda one: one.same):
        for name, said in _said(event):
            _extent(tallies, said, start_of, name).most += max(getattr(one, name) for one in said)


def _said(event: Sequence[LinkedClaim]) -> Iterator[tuple[str, Sequence[LinkedClaim]]]:
    """Of each kind of casualties those that claim any, where there are such."""
    for name in ("killed", "injured"):
        if said := [one for one in event if getattr(one, name) is not None]:
            yield name, said


def _extent(
    tallies: Mapping[date, Tally], event: Sequence[LinkedClaim], start_of: Callable[[int], date], name: str
) -> ClaimedRange:
    found: ClaimedRange = getattr(tallies[start_of(min(one.start for one in event))], name)
    return found


def _events(
    claims: Sequence[LinkedClaim], linked: Callable[[LinkedClaim], Iterable[str]]
) -> Iterable[Sequence[LinkedClaim]]:
    """The claims, those that links join together."""
    known = {one.incident_id: one for one in claims}
    leader = {id: id for id in known}

    def find(id: str) -> str:
        while leader[id] != id:
            leader[id] = leader[leader[id]]
            id = leader[id]
        return id

    for one in claims:
        for other in linked(one):
            if other in known:
                leader[find(one.incident_id)] = find(other)
    events: dict[str, list[LinkedClaim]] = {}
    for id, one in known.items():
        events.setdefault(find(id), []).append(one)
    return events.values()

"""Linking reports as they are judged. Source: judgement.md 18."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.assessments import Link
from schemas.causes import Cause
from services.rules.assessing.domain.linked import UNLINKED, Linked
from services.rules.judging.evaluate import Case, Judge
from services.rules.linking.domain.cells import kept_in, looked_into
from services.rules.linking.domain.linking import (
    DecidedPair,
    FoundPairs,
    LinkChanges,
    Pair,
    PairLink,
    decide_links,
    decided_pairs,
)
from services.rules.linking.domain.profile import ReportProfile, profile_of


class StaleProfilesError(Exception):
    """A report that a link rests on has changed since it was read."""


@dataclass(frozen=True, slots=True)
class PlacedProfile:
    """A profile with the cells that it is kept in, and those that it looks into for others. ``age`` is the revision of
    its report and the version of the registry that it was made by; ``decided`` what operators decided about its links.
    """

    age: tuple[int, int]
    profile: ReportProfile
    kept_in: Sequence[str]
    looked_into: Sequence[str]
    decided: frozenset[DecidedPair] = frozenset()


class Profiles(Protocol):
    """The profiles of all reports, and the links between them. Each method raises RetryLaterError."""

    async def put(self, profiles: Mapping[str, PlacedProfile]) -> FoundPairs:
        """Keep profiles by incident, none older than the one that is kept, and find what those that changed may be
        linked with. Of two that are put at one time by two processes, at least one finds the other. ``links`` are those
        of all of ``profiles``."""
        ...

    async def save(self, changes: LinkChanges, changed: Collection[str], cause: Cause) -> None:
        """Keep the links of ``changed`` reports, and note the incidents at their other ends as owed a judgement for
        ``cause``. Raises StaleProfilesError, and then nothing is kept."""
        ...

    async def links_of(self, incident_ids: Collection[str]) -> Mapping[Pair, PairLink]:
        """The links of these incidents, themselves first."""
        ...


@dataclass(frozen=True, slots=True)
class ReportLinking:
    """The port Linking of judging, on a store of profiles."""

    profiles: Profiles

    async def link(self, judge: Judge, cases: Sequence[Case], cause: Cause) -> Mapping[str, Linked]:
        placed = await asyncio.to_thread(_place, judge, {case.incident_id: case for case in cases})
        while True:
            found = await self.profiles.put(placed)
            if not any(found.candidates.values()) and not found.links and not found.decisions:
                return {}
            changes = await asyncio.to_thread(decide_links, found, judge.overlap)
            try:
                await self.profiles.save(changes, found.candidates.keys(), cause)
            except StaleProfilesError:
                continue
            return linked_of(placed, _changed(found.links, changes))


def linked_of(incident_ids: Collection[str], links: Mapping[Pair, PairLink]) -> dict[str, Linked]:
    """The ``links`` that begin at these incidents, as their assessments show them."""
    by_incident: dict[str, dict[str, PairLink]] = {id: {} for id in incident_ids}
    for (incident_id, other), link in links.items():
        if incident_id in by_incident:
            by_incident[incident_id][other] = link
    return {incident_id: _linked(others) if others else UNLINKED for incident_id, others in by_incident.items()}


def _linked(others: Mapping[str, PairLink]) -> Linked:
    shown = {id: link for id, link in others.items() if link.state != "cut"}
    ordered = sorted(shown, key=lambda id: (-shown[id].score, id))
    strong = [id for id in sorted(shown) if shown[id].is_strong]
    return Linked(
        tuple(
            Link(id, shown[id].score, "confirmed" if shown[id].state else None, shown[id].is_contested)
            for id in ordered
        ),
        tuple(strong),
        tuple(id for id in strong if shown[id].independent),
    )


def _place(judge: Judge, cases: Mapping[str, Case]) -> dict[str, PlacedProfile]:
    placed: dict[str, PlacedProfile] = {}
    for incident_id, case in cases.items():
        resolved = judge.resolve(case)
        profile = profile_of(case.report, resolved, retracted=case.retracted is not None)
        placed[incident_id] = PlacedProfile(
            (case.revision, judge.registry.version),
            profile,
            kept_in(profile, resolved.similar),
            looked_into(profile, resolved.similar),
            decided_pairs(case.decisions),
        )
    return placed


def _changed(links: Mapping[Pair, PairLink], changes: LinkChanges) -> dict[Pair, PairLink]:
    """The links as they are after the changes, from both ends."""
    after = dict(links)
    for one, other in changes.unlinked:
        after.pop((one, other), None)
        after.pop((other, one), None)
    for (one, other), link in changes.linked.items():
        after[one, other] = after[other, one] = link
    return after

"""The links of reports whose profile changed. Source: judgement.md 18."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.decisions import LinkState, OperatorDecision
from services.rules.linking.domain.profile import ReportProfile
from services.rules.linking.domain.score import STRONG, SUGGESTED, Overlap, can_be_linked, score_of

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, order=True)
class DecidedPair:
    """A decision of an operator on one incident about its link to another; the last one on a pair counts. ``at`` is
    RFC 3339 UTC."""

    at: str
    number: int
    other: str
    state: LinkState


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """``version`` rises with every change of the profile, and of an operator's decisions on its links."""

    version: int
    profile: ReportProfile


@dataclass(frozen=True, slots=True)
class PairLink:
    """The link of two reports, as either has it. ``independent``: neither rests on the other (another source, neither
    quoting the other). ``state``: what an operator decided."""

    score: float
    independent: bool
    state: LinkState | None = None

    @property
    def is_strong(self) -> bool:
        """Puts alerts into one thread, and corroborates where the reports are independent."""
        return self.state == "confirmed" or (self.state is None and self.score >= STRONG)

    @property
    def is_contested(self) -> bool:
        """Strong by its score alone, though one source tells of two events, or one report quotes the other."""
        return self.state is None and self.score >= STRONG and not self.independent


@dataclass(frozen=True, slots=True)
class FoundPairs:
    """Reports whose profile changed, and the others that they may be, or were, linked with.

    ``known`` has the profiles of all of them; ``candidates`` by changed report; ``links`` and ``decisions`` by
    pair, the changed report first.
    """

    known: Mapping[str, KnownProfile]
    candidates: Mapping[str, Iterable[str]]
    links: Mapping[Pair, PairLink]
    decisions: Mapping[Pair, LinkState]


@dataclass(frozen=True, slots=True)
class LinkChanges:
    """``linked`` and ``unlinked`` hold each pair once; ``versions`` are those of the profiles that this rests on."""

    linked: Mapping[Pair, PairLink]
    unlinked: frozenset[Pair]
    versions: Mapping[str, int]


def decided_pairs(decisions: Iterable[OperatorDecision]) -> frozenset[DecidedPair]:
    """The last decision about each link, of those that stand on one incident."""
    last = {
        one.link.incident_id: DecidedPair(one.at, one.number, one.link.incident_id, one.link.state)
        for one in sorted(decisions, key=lambda decision: decision.number)
        if one.link is not None
    }
    return frozenset(last.values())


def decide_links(found: FoundPairs, overlap: Overlap) -> LinkChanges:
    """The links that the changed reports have now, as far as they differ from those that they had."""
    linked: dict[Pair, PairLink] = {}
    unlinked: set[Pair] = set()
    for pair in _pairs(found):
        one, other = pair
        now = _link(found, pair, overlap)
        before = found.links.get(pair) or found.links.get((other, one))
        ordered = (min(pair), max(pair))
        if now is not None and now != before:
            linked[ordered] = now
        elif now is None and before is not None:
            unlinked.add(ordered)
    return LinkChanges(linked, frozenset(unlinked), {id: known.version for id, known in found.known.items()})


def _pairs(found: FoundPairs) -> Iterable[Pair]:
    """Each once: two changed reports may have found each other."""
    pairs = {(one, other) for one, others in found.candidates.items() for other in others}
    pairs |= {pair for pair in (*found.links, *found.decisions) if pair[0] in found.candidates}
    return (pair for pair in sorted(pairs) if pair[0] < pair[1] or (pair[1], pair[0]) not in pairs)


def _link(found: FoundPairs, pair: Pair, overlap: Overlap) -> PairLink | None:
    """The same from either end, to the last digit."""
    pair = (min(pair), max(pair))
    first, second = (found.known.get(id) for id in pair)
    if first is None or second is None or not (first.profile.is_event and second.profile.is_event):
        return None
    one, other = first.profile, second.profile
    state = found.decisions.get(pair) or found.decisions.get((pair[1], pair[0]))
    score = round(score_of(one, other, overlap), 3) if can_be_linked(one, other) else 0.0
    if state is None and score < SUGGESTED:
        return None
    return PairLink(score, one.is_independent_of(other), state)

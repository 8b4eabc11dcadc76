"""Whether two reports may be of one event, and how alike they are. Source: judgement.md 18."""

import math
from collections.abc import Callable
from typing import Final

from schemas.vocabulary import ACT_GROUPS
from services.rules.judging.evaluate import SIMILAR
from services.rules.judging.geometry import Disc
from services.rules.linking.domain.profile import ReportProfile

#: Links below this score are not kept: either the times or the places have less than a quarter in common.
SUGGESTED: Final = math.sqrt(SIMILAR)
#: A link of this score corroborates, and puts alerts into one thread.
STRONG: Final = 0.8

#: The ground of both places over the ground of either.
Overlap = Callable[[Disc | str, Disc | str], float]

_GROUPS: Final = tuple(acts for group, acts in ACT_GROUPS.items() if group != "all_weapons")


def can_be_linked(one: ReportProfile, other: ReportProfile) -> bool:
    """Aggregates and retracted reports never; the acts must be alike, and each side may be the same people."""
    return (
        one.is_event
        and other.is_event
        and are_alike(one.act, other.act)
        and one.perpetrators.meets(other.perpetrators)
        and one.targets.meets(other.targets)
    )


def are_alike(act: str, other: str) -> bool:
    """The same act, or two of one group other than ``all_weapons``."""
    return act == other or any(act in group and other in group for group in _GROUPS)


def score_of(one: ReportProfile, other: ReportProfile, overlap: Overlap) -> float:
    """√(overlap ÷ union of the times × overlap ÷ union of the places), 0.0 to 1.0; 0 where a place is unresolved."""
    times = min(one.end, other.end) - max(one.start, other.start)
    place, its_place = one.shape, other.shape
    if times <= 0 or place is None or its_place is None:
        return 0.0
    share = times / (max(one.end, other.end) - min(one.start, other.start))
    # Below this no overlap of the places suffices.
    return math.sqrt(share * overlap(place, its_place)) if share >= SIMILAR else 0.0

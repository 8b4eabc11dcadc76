"""How much a registry may hold, so that no judgement takes long. Checked before anything is measured by it.

Cutting one shape by another takes time for every two edges whose boxes meet: a few for each edge of a border as it is
drawn on maps, all others for each edge of a star. So not only the points of an area count.
"""

from typing import Any, Final

import numpy as np
import shapely
from msgspec import UNSET

from schemas.registry import Document, Party, Truce

#: Points of one area, all its rings together; a union counts those of its parts.
MAX_POINTS: Final = 20_000
#: Points of all areas together, unions included.
MAX_POINTS_IN_ALL: Final = 1_000_000
#: Pairs of edges whose boxes meet: so many for each edge, and so many more. Borders on maps have three for each.
MAX_MEETING: Final = 50
FREE_MEETING: Final = 50_000
#: Coalitions that one party may be in, directly or through others.
MAX_COALITIONS: Final = 100
#: Moments at which memberships that lead back to each other begin, times these memberships.
MAX_DATED: Final = 1_000_000

#: Names of parties, areas and acts in all lists of a document together, and announcements of all its truces.
MAX_REFERENCES: Final = 300_000
MAX_ANNOUNCEMENTS: Final = 100_000
#: Faults that are kept of one document; an answer lists fewer.
MAX_FAULTS: Final = 1_000

#: Shapes with fewer points cannot hold too many pairs.
_SMALL: Final = int(FREE_MEETING**0.5)
#: Edges checked together; the more, the more memory.
_AT_ONCE: Final = 50


def find_excess_of(document: Document) -> str | None:
    """Why a document is too much to work with; None where it is not."""
    announced = sum(len(truce.announcements) for truce in document.truces)
    if announced > MAX_ANNOUNCEMENTS:
        return f"has {announced} announcements: all truces together may have at most {MAX_ANNOUNCEMENTS}"
    named = sum(map(_named_by_party, document.parties)) + sum(map(_named_by_truce, document.truces))
    named += sum(len(feature.union) for feature in document.areas.features if feature.union is not UNSET)
    if named > MAX_REFERENCES:
        return f"names {named} parties, areas and acts in its lists: at most {MAX_REFERENCES} are read"
    return None


def _named_by_party(party: Party) -> int:
    return len(party.aliases) + len(party.member_of) + len(party.cannot)


def _named_by_truce(truce: Truce) -> int:
    sides = (side for duty in truce.duties for side in (duty.bound, duty.toward) if not isinstance(side, str))
    acts = sum(len(duty.acts) for duty in truce.duties)
    return len(truce.guarantors) + len(truce.exclusions) + sum(map(len, sides)) + acts


def find_excess(shape: Any) -> str | None:
    """Why a shape would take too long to work with; None where it would not, or is no shape at all."""
    points = int(shapely.get_num_coordinates(shape))
    if points > MAX_POINTS:
        return f"has {points} points: an area may have at most {MAX_POINTS}; simplify it"
    if points > _SMALL and _meets_too_often(shape):
        return "has edges that run across each other's in too many places; simplify it"
    return None


def _meets_too_often(shape: Any) -> bool:
    boxes = _boxes_of_edges(shape)
    most = FREE_MEETING + MAX_MEETING * len(boxes)
    tree, met = shapely.STRtree(boxes), 0
    for first in range(0, len(boxes), _AT_ONCE):
        met += tree.query(boxes[first : first + _AT_ONCE]).shape[1]
        if met > most:
            return True
    return False


def _boxes_of_edges(shape: Any) -> Any:
    rings = shapely.get_rings(shape)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    start, end = points[:-1], points[1:]
    along = ring[1:] == ring[:-1]
    low, high = np.minimum(start, end)[along], np.maximum(start, end)[along]
    return shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])

"""How alike two places are: the ground of both over the ground of either, 0.0 to 1.0. Source: judgement.md 18."""

import math

from services.rules.judging.geometry import Disc, arc_between

#: Up to this radius the ground is flat within 1e-5 of it, and the formula of the sphere would lose digits.
_FLAT_KM = 20.0


def share_of_discs(one: Disc, other: Disc) -> float:
    """The overlap of two discs over their union."""
    r1, r2, apart = one.arc, other.arc, arc_between(one, other)
    if apart >= r1 + r2:
        return 0.0
    ground1, ground2 = cap(r1), cap(r2)
    if apart <= abs(r1 - r2):
        return min(ground1, ground2) / max(ground1, ground2)
    is_flat = max(one.radius_km, other.radius_km) <= _FLAT_KM
    overlap = _flat_lens(r1, r2, apart) if is_flat else _lens(r1, r2, apart)
    return share_of(overlap, ground1, ground2)


def share_of(overlap: float, one: float, other: float) -> float:
    """The share where the ground of both, of one and of the other is known; 0 where neither holds any."""
    union = one + other - overlap
    return min(1.0, max(0.0, overlap / union)) if union > 0 else 0.0


def cap(radius: float) -> float:
    """The ground of a disc in steradians; ``radius`` in radians."""
    return 4 * math.pi * math.sin(radius / 2) ** 2


def _flat_lens(r1: float, r2: float, apart: float) -> float:
    """The ground that two discs of a plane have in common."""
    near1 = (apart**2 + r1**2 - r2**2) / (2 * apart)
    near2 = apart - near1
    return _segment(r1, near1) + _segment(r2, near2)


def _segment(radius: float, distance: float) -> float:
    """The part of a disc beyond a line ``distance`` from its centre."""
    ratio = max(-1.0, min(1.0, distance / radius))
    return radius**2 * (math.acos(ratio) - ratio * math.sqrt(1 - ratio**2))


def _lens(r1: float, r2: float, apart: float) -> float:
    """The ground that two caps of a sphere have in common: Tovchigrechko and Vakser, Protein Science 10 (2001)."""
    meeting = _acos((math.cos(apart) - math.cos(r1) * math.cos(r2)) / (math.sin(r1) * math.sin(r2)))
    first = _acos((math.cos(r2) - math.cos(apart) * math.cos(r1)) / (math.sin(apart) * math.sin(r1)))
    second = _acos((math.cos(r1) - math.cos(apart) * math.cos(r2)) / (math.sin(apart) * math.sin(r2)))
    return 2 * (math.pi - meeting - first * math.cos(r1) - second * math.cos(r2))


def _acos(cosine: float) -> float:
    return math.acos(max(-1.0, min(1.0, cosine)))

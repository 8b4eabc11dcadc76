"""Cells of space and time in which reports find those that they may be linked with, without reading any others.

Two discs that overlap by a quarter of their union or more differ in size by a factor of two at most, and neither
centre is outside the larger disc. A disc is kept in the cell of its centre, on a grid for discs of its size: four to
eight of its radii wide. It looks into the cells that its partners' centres can be in, on three grids. Areas, which
have any shape, are found by their ids: discs know the areas of similar ground that they touch. All of it for each day
that a report touches, in UTC.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from schemas.instants import DAY
from services.rules.judging.geometry import EARTH_KM, Disc
from services.rules.linking.domain.profile import ReportProfile

_KM_OF_DEGREE: Final = math.radians(EARTH_KM)
#: Nearer to a pole than this, one cell holds a whole row.
_POLAR: Final = 89.0
#: Rounding must not lose a neighbour.
_MARGIN: Final = 1.001


def kept_in(profile: ReportProfile, similar: Sequence[str]) -> list[str]:
    """The cells in which a report is found. ``similar``: the areas whose ground is like that of its place."""
    place = profile.shape
    if not profile.is_event or place is None:
        return []
    if isinstance(place, str):
        return _daily(profile, [f"a/{place}"])
    level = _level(place)
    row = _row(place.lat, level)
    return _daily(profile, [_cell(level, row, _column(place.lon, row, level)), *(f"d/{area}" for area in similar)])


def looked_into(profile: ReportProfile, similar: Sequence[str]) -> list[str]:
    """The cells in which a report finds every other that it can be linked with."""
    place = profile.shape
    if not profile.is_event or place is None:
        return []
    areas = [f"a/{area}" for area in similar]
    if isinstance(place, str):
        return _daily(profile, [*areas, f"d/{place}"])
    return _daily(profile, [*_around(place), *areas])


def _daily(profile: ReportProfile, places: Sequence[str]) -> list[str]:
    return [f"{place}/{day}" for day in range(profile.start // DAY, (profile.end - 1) // DAY + 1) for place in places]


@lru_cache(maxsize=4_096)
def _around(disc: Disc) -> tuple[str, ...]:
    cells: list[str] = []
    own = _level(disc)
    for level in (own - 1, own, own + 1):
        # No partner of this level is larger than the second.
        reach = max(disc.radius_km, _MARGIN * 2.0 ** (level + 1)) * _MARGIN
        rise, turn = reach / _KM_OF_DEGREE, _turn(disc.lat, reach)
        pieces = _pieces(disc.lon, turn)
        for row in range(_row(max(disc.lat - rise, -90.0), level), _row(min(disc.lat + rise, 90.0), level) + 1):
            dense = _columns_of_degree(row, level)
            for west, east in pieces:
                columns = range(math.floor(west * dense), math.floor(east * dense) + 1)
                cells += [_cell(level, row, column) for column in columns]
    return tuple(dict.fromkeys(cells))


def _level(disc: Disc) -> int:
    """The whole binary logarithm of the radius, as the ground tells it: in km, of a disc of the plane."""
    return math.floor(math.log2(2 * EARTH_KM * math.sin(disc.arc / 2)))


def _turn(lat: float, reach: float) -> float:
    """How far a disc of that radius (km) reaches in degrees of longitude."""
    arc = reach / EARTH_KM
    if abs(lat) + math.degrees(arc) >= 90:
        return 180.0
    return math.degrees(math.asin(min(1.0, math.sin(arc) / math.cos(math.radians(lat)))))


def _size(level: int) -> float:
    """The width of a cell, km."""
    return 4 * 2.0**level


def _row(lat: float, level: int) -> int:
    return math.floor(lat * _KM_OF_DEGREE / _size(level))


def _column(lon: float, row: int, level: int) -> int:
    return math.floor(((lon + 180) % 360) * _columns_of_degree(row, level))


def _pieces(lon: float, turn: float) -> list[tuple[float, float]]:
    """The degrees east of the date line that a disc reaches, west to east; two pieces across that line."""
    west, east = lon + 180 - turn, lon + 180 + turn
    if west >= 0 and east < 360:
        return [(west, east)]
    return [(0.0, 360.0)] if turn >= 180 else [(west % 360, 360.0), (0.0, east % 360)]


def _columns_of_degree(row: int, level: int) -> float:
    """How many cells a degree of longitude has in a row."""
    middle = (row + 0.5) * _size(level) / _KM_OF_DEGREE
    if abs(middle) >= _POLAR:
        return 0.0
    return math.cos(math.radians(middle)) * _KM_OF_DEGREE / _size(level)


def _cell(level: int, row: int, column: int) -> str:
    return f"{level}/{row}/{column}"

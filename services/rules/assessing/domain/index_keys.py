"""Incidents and changes of the registry as numbers of one index, so that a change finds the incidents that it can touch
without reading the others. Source: judgement.md 14.

An incident is entered under each of its names, and under the cells of ground that its boxes touch, each time with its
start. A search finds more than is touched, never less: :meth:`ChangeReach.touches` decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.time_span import TimeSpan
from services.rules.assessing.domain.reach import ChangeReach, Field
from services.rules.judging.index import Box
from services.rules.judging.keys import IncidentKeys
from services.rules.judging.time import FOREVER, LONGEST, is_long

#: Sides of the cells of each level, degrees. A box takes the smallest that it does not exceed: at most four cells. The
#: last holds everything.
_SIZES: Final = (0.25, 2.0, 16.0, 4096.0)
_HALF: Final = 2048.0
_BITS: Final = 14
#: For places that could not be resolved.
_UNRESOLVED: Final = 1 << (2 * _BITS + 2)
#: A field of more cells of one level is searched by columns, with more in between.
_MAX_CELLS: Final = 2_000

_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class KeySearch:
    """The entries under the numbers ``first`` to ``last`` of incidents that began in ``start`` to ``end``; all
    included."""

    first: int
    last: int
    start: int
    end: int


class _StoredKeys(msgspec.Struct, frozen=True, array_like=True):
    start: int
    end: int
    boxes: tuple[Box, ...]
    names: tuple[int, ...]


_decode = msgspec.msgpack.Decoder(_StoredKeys).decode


def encode_keys(keys: IncidentKeys) -> bytes:
    """The same bytes for the same keys."""
    return _encode(_StoredKeys(keys.span.start, keys.span.end, keys.boxes, tuple(sorted(keys.names))))


def decode_keys(stored: bytes) -> IncidentKeys:
    found = _decode(stored)
    return IncidentKeys(TimeSpan(found.start, found.end), found.boxes, frozenset(found.names))


def entries_of(keys: IncidentKeys) -> set[int]:
    """The numbers that an incident is entered under. Those of ground are negative where it took longer than most, since
    it must be looked for under earlier starts."""
    ground = {cell for box in keys.boxes for cell in _cells_of(box)} or {_UNRESOLVED}
    return {*keys.names, *(-cell if is_long(keys.span) else cell for cell in ground)}


def searches_of(reach: ChangeReach) -> list[KeySearch]:
    """The searches that find every incident that the change can touch, in the order of the index."""
    times: dict[tuple[int, int], tuple[int, int]] = {(name, name): (-FOREVER, FOREVER) for name in reach.names}
    for field in reach.fields:
        for first, last in _ranges_of(field):
            _widen(times, (first, last), field.start - LONGEST, field.end)
            _widen(times, (-last, -first), -FOREVER - LONGEST, field.end)
    return [KeySearch(*keys, *when) for keys, when in sorted(times.items())]


def _widen(times: dict[tuple[int, int], tuple[int, int]], keys: tuple[int, int], start: int, end: int) -> None:
    known = times.get(keys, (start, end))
    times[keys] = (min(start, known[0]), max(end, known[1]))


def _cells_of(box: Box) -> Iterator[int]:
    west, south, east, north = box
    side = max(east - west, north - south)
    level = next((n for n, size in enumerate(_SIZES) if side <= size), len(_SIZES) - 1)
    for x, y in _grid(box, level):
        yield _cell(level, x, y)


def _ranges_of(field: Field) -> Iterator[tuple[int, int]]:
    for level in range(len(_SIZES)):
        (x0, y0), (x1, y1) = _corners(field.box, level)
        if (x1 - x0 + 1) * (y1 - y0 + 1) > _MAX_CELLS:
            yield _cell(level, x0, y0), _cell(level, x1, y1)
        else:
            yield from ((_cell(level, x, y),) * 2 for x, y in _grid(field.box, level))
    if field.unresolved:
        yield _UNRESOLVED, _UNRESOLVED


def _grid(box: Box, level: int) -> Iterator[tuple[int, int]]:
    (x0, y0), (x1, y1) = _corners(box, level)
    for x in range(x0, x1 + 1):
        for y in range(y0, y1 + 1):
            yield x, y


def _corners(box: Box, level: int) -> tuple[tuple[int, int], tuple[int, int]]:
    west, south, east, north = (_place(degrees, _SIZES[level]) for degrees in box)
    return (west, south), (east, north)


def _place(degrees: float, size: float) -> int:
    return min(max(int((degrees + _HALF) // size), 0), (1 << _BITS) - 1)


def _cell(level: int, x: int, y: int) -> int:
    """Never 0, so that its negative is another number."""
    return (level << 2 * _BITS | x << _BITS | y) + 1

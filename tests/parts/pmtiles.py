"""A small archive of PMTiles, version 3: one vector tile of the whole world (github.com/protomaps/PMTiles, spec/v3)."""

import gzip
import json
import struct
from typing import Final

ATTRIBUTION: Final = '<a href="https://example.org">&copy; Street surveyors</a>'
LAYERS: Final = ("water", "roads")
_EXTENT: Final = 4096


def archive(*, kind: int = 1, compression: int = 2) -> bytes:
    """``kind``: of tiles, 1 for vectors. ``compression``: of directory, metadata and tile, 2 for gzip."""
    tile = gzip.compress(_layer("water", 3, _square()) + _layer("roads", 2, _diagonal()))
    described = {"attribution": ATTRIBUTION, "vector_layers": [{"id": name, "fields": {}} for name in LAYERS]}
    metadata = gzip.compress(json.dumps(described).encode())
    # One entry: tile 0, for one tile, of this length, at 0.
    root = gzip.compress(_varint(1) + _varint(0) + _varint(1) + _varint(len(tile)) + _varint(1))
    at_metadata = 127 + len(root)
    at_tiles = at_metadata + len(metadata)
    header = b"PMTiles\x03" + struct.pack(
        "<11Q6B4iB2i",
        *(127, len(root), at_metadata, len(metadata), at_tiles, 0, at_tiles, len(tile), 1, 1, 1),
        *(1, compression, compression, kind, 0, 0),
        *(-1_800_000_000, -850_000_000, 1_800_000_000, 850_000_000, 0, 0, 0),
    )
    return header + root + metadata + tile


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _layer(name: str, geometry_type: int, commands: list[int]) -> bytes:
    """A layer with one feature (github.com/mapbox/vector-tile-spec)."""
    drawn = _varint(3 << 3) + _varint(geometry_type) + _field(4, b"".join(map(_varint, commands)))
    return _field(
        3, _varint(15 << 3) + _varint(2) + _field(1, name.encode()) + _field(2, drawn) + b"\x28" + _varint(_EXTENT)
    )


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _square() -> list[int]:
    """The north-west quarter: move, three lines, close."""
    half = _EXTENT // 2
    lines = [half, 0, 0, half, -half, 0]
    return [1 << 3 | 1, 0, 0, 3 << 3 | 2, *map(_zigzag, lines), 1 << 3 | 7]


def _diagonal() -> list[int]:
    return [1 << 3 | 1, 0, 0, 1 << 3 | 2, _zigzag(_EXTENT), _zigzag(_EXTENT)]

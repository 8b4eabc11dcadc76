"""Request bodies before they are decoded: unpacked from gzip, measured for nesting, cut into the elements of an array.

Everything here takes time in proportion to the body, and memory in proportion to a chunk of it.
"""

import zlib
from collections.abc import Iterator
from typing import Final

#: JSON and YAML nested deeper than this are refused before they are decoded.
MAX_DEPTH: Final = 50
#: A packed body may grow to the first of these, and beyond it to so many times its own size.
FREE_BYTES: Final = 1024 * 1024
MAX_RATIO: Final = 100

_GZIP: Final = 16 + zlib.MAX_WBITS
_CHUNK: Final = 128 * 1024
_QUOTE, _COMMA = ord('"'), ord(",")


class UnpackedTooLargeError(ValueError):
    """A packed body is larger than allowed once it is unpacked."""


def unpack(data: bytes, limit: int) -> bytes:
    """The content of a gzip body, of one member or several.

    Raises UnpackedTooLargeError beyond ``limit`` bytes or beyond MAX_RATIO, without unpacking more than that;
    ValueError for what is not gzip.
    """
    most = min(limit, max(FREE_BYTES, MAX_RATIO * len(data)))
    parts: list[bytes] = []
    left = most
    rest = data
    while rest:
        part, rest = _unpack_member(rest, left)
        left -= len(part)
        parts.append(part)
    if not parts:
        raise ValueError("nothing is packed")
    return b"".join(parts)


def _unpack_member(data: bytes, left: int) -> tuple[bytes, bytes]:
    """One member, and what follows it."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        part = unpacker.decompress(data, left + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(part) > left:
        raise UnpackedTooLargeError("larger than allowed once it is unpacked")
    if not unpacker.eof:
        raise ValueError("the end is missing")
    return part, unpacker.unused_data


def is_too_deep(body: bytes) -> bool:
    """Whether JSON nests deeper than MAX_DEPTH. Most bodies hold too few brackets for it, which is quickly counted."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    scan = Scan()
    for start in range(0, len(body), _CHUNK):
        scan.feed(body[start : start + _CHUNK])
        if scan.deepest > MAX_DEPTH:
            return True
    return False


class Scan:
    """Follows strings and brackets through JSON text, a chunk at a time. It checks nothing else."""

    def __init__(self) -> None:
        self.depth = 0
        self.deepest = 0
        self.in_string = False
        self._escaped = False

    def feed(self, chunk: bytes) -> tuple[list[int], list[int]]:
        """Where the commas between elements of the outermost array stand, and where an outermost value ends, counted
        from the start of the chunk, which is not empty."""
        # A service that is never sent a suspicious body never loads numpy for it.
        import numpy as np

        signs = np.frombuffer(self._without_escapes(chunk), dtype=np.uint8)
        quotes = signs == _QUOTE
        inside = ((np.cumsum(quotes, dtype=np.int32) + self.in_string) & 1) == 1
        outside = ~(inside | quotes)
        # [ and { differ by one bit, as ] and } do.
        folded = signs & 0xDF
        opens = (folded == ord("[")) & outside
        closes = (folded == ord("]")) & outside
        depths = np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int32) + self.depth
        self.deepest = max(self.deepest, int(depths.max()))
        self.depth, self.in_string = int(depths[-1]), bool(inside[-1])
        commas: list[int] = np.flatnonzero((signs == _COMMA) & outside & (depths == 1)).tolist()
        ends: list[int] = np.flatnonzero(closes & (depths <= 0))[:2].tolist()
        return commas, ends

    def _without_escapes(self, chunk: bytes) -> bytes:
        """The chunk with each escaped pair blanked, so that a quote that is left begins or ends a string."""
        if self._escaped:
            chunk = b"_" + chunk[1:]
            self._escaped = False
        if b"\\" not in chunk:
            return chunk
        chunk = chunk.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        self._escaped = chunk.endswith(b"\\")
        return chunk


def find_commas(body: bytes) -> Iterator[list[int]]:
    """Where the commas between the elements of a JSON array stand, a chunk of the body at a time.

    Raises ValueError where the body is not one array. What the elements hold is not looked at.
    """
    start, end = _span(body)
    scan = Scan()
    for at in range(start, end, _CHUNK):
        commas, ends = scan.feed(body[at : min(at + _CHUNK, end)])
        if any(at + position != end - 1 for position in ends):
            raise ValueError("something follows the array")
        yield [at + position for position in commas]
    if scan.depth != 0 or scan.in_string:
        raise ValueError("the end of the array is missing")


def _span(body: bytes) -> tuple[int, int]:
    """From the bracket that opens an array to behind the one that closes it."""
    start = len(body) - len(body.lstrip(b" \t\r\n"))
    end = len(body.rstrip(b" \t\r\n"))
    if body[start : start + 1] != b"[":
        raise ValueError("an array begins with '['")
    if end - start < len(b"[]") or body[end - 1 : end] != b"]":
        raise ValueError("an array ends with ']'")
    return start, end

"""The bytes of a file as text: encoding found out, gzip unpacked. Pure; what was found is said, so that people see it.

Found without a mark: UTF-8, UTF-16, windows-1251 (Cyrillic), windows-1256 (Arabic), windows-1252 (western). The last
three differ in how bytes over 127 make words: runs of Arabic letters, runs of Cyrillic letters in plausible case,
single letters within Latin words.
"""

import codecs
import re
import zlib
from typing import Final, Literal

import msgspec

from services.connectors.model import RefusedRowError, RowFault

Encoding = Literal["utf-8", "utf-16-le", "utf-16-be", "windows-1251", "windows-1252", "windows-1256"]

GZIP: Final = b"\x1f\x8b"
#: Bytes that a packed file may unpack to: a bomb is refused, whatever a table of reports needs is not.
MAX_UNPACKED: Final = 256 * 1024 * 1024
_MARKS: Final[tuple[tuple[bytes, Encoding], ...]] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Bytes from which the encoding is told.
_SAMPLE: Final = 256 * 1024
_HIGH_WORD: Final = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_UTF8_LETTER: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
#: A few broken characters in much UTF-8 are damage, not another encoding.
_DAMAGED_BELOW: Final = 0.1
_ARABIC_WORD: Final = re.compile(r"[\u0600-\u06ff\u200c\u200d]+")
_LONE: Final = re.compile("[\ud800-\udfff]")
_CYRILLIC_WORD: Final = re.compile(r"[\u0410-\u042f\u0401]?[\u0430-\u044f\u0451]+|[\u0410-\u042f\u0401]+")


class DecodedText(msgspec.Struct, frozen=True):
    """``marked`` where a byte order mark says the encoding. What could not be read are lone surrogates
    (:func:`is_damaged`), since U+FFFD may stand in the file itself."""

    text: str
    encoding: Encoding
    marked: bool = False
    packed: bool = False


def decode_file(data: bytes, encoding: Encoding | None = None) -> DecodedText:
    """The text of a file; ``encoding`` where somebody knows better. Raises RefusedRowError for a damaged or oversized
    gzip file."""
    packed = data.startswith(GZIP)
    if packed:
        data = unpack(data)
    for mark, named in _MARKS:
        if data.startswith(mark) and encoding in (None, named):
            return DecodedText(_decode(data[len(mark) :], named), named, True, packed)
    found = encoding or find_encoding(data[:_SAMPLE])
    return DecodedText(_decode(data, found), found, False, packed)


def is_damaged(text: str) -> bool:
    """Whether a part of it could not be read."""
    return not text.isascii() and _LONE.search(text) is not None


def _decode(data: bytes, encoding: Encoding) -> str:
    # The codec of UTF-16 takes surrogates, and keeps no single bytes.
    if encoding.startswith("utf-16"):
        return data[: len(data) // 2 * 2].decode(encoding, "surrogatepass") + "\udcff" * (len(data) % 2)
    return data.decode(encoding, "surrogateescape")


def unpack(data: bytes) -> bytes:
    """Unpacked gzip, its members one after the other. Raises RefusedRowError."""
    parts: list[bytes] = []
    left = MAX_UNPACKED
    while data.startswith(GZIP):
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            parts.append(unpacker.decompress(data, left + 1))
        except zlib.error as error:
            raise RefusedRowError(RowFault("damaged_file")) from error
        left -= len(parts[-1])
        if left < 0:
            raise RefusedRowError(RowFault("too_large", detail=str(MAX_UNPACKED // 2**20)))
        if not unpacker.eof:
            raise RefusedRowError(RowFault("damaged_file"))
        data = unpacker.unused_data
    return b"".join(parts)


def find_encoding(data: bytes) -> Encoding:
    """The likeliest encoding of bytes without a mark."""
    if b"\0" in data and (wide := _wide(data)):
        return wide
    if data.isascii() or _is_utf8(data):
        return "utf-8"
    words = _HIGH_WORD.findall(data)
    arabic = _letters_in(words, "windows-1256", _ARABIC_WORD)
    cyrillic = _letters_in(words, "windows-1251", _CYRILLIC_WORD)
    # Whole words of one script outweigh what else the same bytes could be; single letters are western.
    high = sum(len(word) for word in words)
    if max(arabic, cyrillic) * 2 < high:
        return "windows-1252"
    return "windows-1256" if arabic >= cyrillic else "windows-1251"


def _wide(data: bytes) -> Encoding | None:
    """UTF-16 without a mark: the zero bytes of what is ASCII in it stand at even or at odd places."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    if max(even, odd) * 10 < len(data) or min(even, odd) * 10 > max(even, odd):
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.end >= len(data) and error.reason == "unexpected end of data":
            return True  # the sample ends within a character
        letters = _UTF8_LETTER.findall(data)
        high = sum(byte > 127 for byte in data)
        return high - sum(map(len, letters)) < _DAMAGED_BELOW * high
    return True


def _letters_in(words: list[bytes], encoding: Encoding, whole: re.Pattern[str]) -> int:
    """Letters of words, two letters or longer, that are words of one script in that encoding."""
    return sum(
        len(word) for word in words if len(word) > 1 and whole.fullmatch(word.decode(encoding, "replace")) is not None
    )

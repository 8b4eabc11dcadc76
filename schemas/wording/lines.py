"""Text of others within sentences of ours: cleaned of what hides or reorders, and kept in its own direction."""

from functools import lru_cache
from typing import Final
from unicodedata import bidirectional

#: Characters that reorder or hide the text after them; a report must not decide how the rest of a message reads.
_BIDI_CONTROLS: Final = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0xFEFF])
#: Joiners belong to words of several scripts; marks only decide on the punctuation beside them.
_HARMLESS: Final = "\u200c\u200d\u200e\u200f"
_MARKS: Final = {"ltr": "\u200e", "rtl": "\u200f"}
#: First strong isolate and its end.
_ISOLATE: Final = "\u2068{}\u2069"
#: Lines that are kept as they were cleaned, up to a length: most come again.
_KEPT: Final = 1_024
_LONGEST_KEPT: Final = 500


def clean(text: str) -> str:
    """One line of text from a report: no control characters, none that reorder what follows, single spaces."""
    return _kept_clean(text) if len(text) <= _LONGEST_KEPT else _clean(text)


def _clean(text: str) -> str:
    if text.isprintable():  # then it holds none of them
        return " ".join(text.split())
    ordered = text.translate(_BIDI_CONTROLS)
    visible = "".join(c if c.isprintable() or c.isspace() or c in _HARMLESS else " " for c in ordered)
    return " ".join(visible.split())


_kept_clean = lru_cache(maxsize=_KEPT)(_clean)


def fence(text: str, direction: str) -> str:
    """A name between marks of ``direction`` (``ltr``, ``rtl``) where it runs against it, so that what follows keeps its
    order."""
    if direction == "ltr" and text.isascii():
        return text
    against = ("L",) if direction == "rtl" else ("R", "AL")
    if not any(bidirectional(character) in against for character in text):
        return text
    mark = _MARKS[direction]
    return f"{mark}{text}{mark}"


def isolate(text: str) -> str:
    """Text that keeps its own direction, whatever stands around it."""
    return _ISOLATE.format(text)

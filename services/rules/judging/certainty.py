"""How certain a violation is. Source: judgement.md, "Certainty". Levels are ints, ``UNLIKELY`` lowest."""

from collections.abc import Iterable
from typing import Final

from schemas.vocabulary import Certainty

UNLIKELY: Final = 0
POSSIBLE: Final = 1
LIKELY: Final = 2
OBSERVED: Final = 3

WORDS: Final[tuple[Certainty, ...]] = ("Unlikely", "Possible", "Likely", "Observed")

#: F and 6 say that truth cannot be judged, which is not the same as unlikely.
_LETTERS: Final = {"A": OBSERVED, "B": OBSERVED, "C": LIKELY, "D": POSSIBLE, "E": UNLIKELY, "F": POSSIBLE}
_FIGURES: Final = {"1": OBSERVED, "2": OBSERVED, "3": LIKELY, "4": POSSIBLE, "5": UNLIKELY, "6": POSSIBLE}


def level_of_grade(grade: str | None) -> int:
    """The certainty that a source's Admiralty grade allows; where letter and figure point apart, the lower counts."""
    if grade is None:
        return LIKELY
    return min(_LETTERS[grade[0]], _FIGURES[grade[1]])


def lowest_cap(caps: Iterable[int]) -> int:
    return min(caps, default=OBSERVED)


def level_of(source: int, cap: int, steps_down: int, corroborated: bool) -> int:
    """The lower of source and cap, less the steps, not below ``UNLIKELY``; one up if corroborated, never above
    the cap."""
    level = max(UNLIKELY, min(source, cap) - steps_down)
    return min(level + 1, cap) if corroborated else level

"""The words of messages in one language: phrases, plural forms, dates. The phrases are data, in ``words/*.toml``."""

import tomllib
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final
from unicodedata import bidirectional
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime

from schemas.instants import to_datetime
from schemas.vocabulary import LANGUAGES, Language
from schemas.zones import UTC

#: Characters that reorder or hide the text after them; a report must not decide how the rest of a message reads.
_BIDI_CONTROLS: Final = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0xFEFF])
#: Joiners belong to words of several scripts; marks only decide on the punctuation beside them.
_HARMLESS: Final = "\u200c\u200d\u200e\u200f"
_MARKS: Final = {"ltr": "\u200e", "rtl": "\u200f"}
#: Dates and counts of a language, and lines, that are kept as they are written: most come again.
_KEPT: Final = 1_024
#: A line is kept up to this length.
_LONGEST_KEPT: Final = 500


class Words:
    """Everything that can be said in one language. ``direction`` is ``ltr`` or ``rtl``."""

    def __init__(self, language: Language, phrases: dict[str, str]) -> None:
        self.language = language
        self.locale = Locale.parse(language)
        self.direction = self.locale.text_direction
        self._phrases = phrases
        self._day = lru_cache(maxsize=_KEPT)(self._format_day)
        self._counted = lru_cache(maxsize=_KEPT)(self._count)

    def say(self, key: str, /, **values: object) -> str:
        """The phrase of a dotted key, filled in. Raises KeyError for a key or a value that is missing."""
        return self._phrases[key].format(**values)

    def name(self, kind: str, value: str) -> str:
        """What a word of the vocabulary is called; a word not in the catalogue stands for itself."""
        return self._phrases.get(f"{kind}.{value}", value)

    def count(self, kind: str, n: int) -> str:
        """A number with its noun, in the plural form that the language wants."""
        return self._counted(kind, n)

    def _count(self, kind: str, n: int) -> str:
        form = self.locale.plural_form(n)
        phrase = self._phrases.get(f"{kind}.{form}", self._phrases[f"{kind}.other"])
        return phrase.format(n=n)

    def foreign(self, text: str) -> str:
        """A name, fenced where it runs against the direction of the language, so that what follows keeps its order."""
        if self.direction == "ltr" and text.isascii():
            return text
        against = ("L",) if self.direction == "rtl" else ("R", "AL")
        if not any(bidirectional(character) in against for character in text):
            return text
        mark = _MARKS[self.direction]
        return f"{mark}{text}{mark}"

    def join(self, parts: list[str]) -> str:
        return self._phrases["comma"].join(parts)

    def day(self, instant: int, zone: ZoneInfo) -> str:
        """The date of an instant, as the zone's calendar has it."""
        return self._day(to_datetime(instant).astimezone(zone).date())

    def _format_day(self, day: date) -> str:
        return format_date(day, self._phrases["pattern.day"], locale=self.locale)

    def moment(self, instant: int, zone: ZoneInfo) -> str:
        """Date and time of day to the minute."""
        local = to_datetime(instant).astimezone(zone)
        return format_datetime(local, self._phrases["pattern.moment"], locale=self.locale)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self._phrases)


@cache
def words(language: Language) -> Words:
    """The words of a language, read once. Raises KeyError for a language that has none."""
    if language not in LANGUAGES:
        raise KeyError(language)
    source = files("services.notify.domain").joinpath("words", f"{language}.toml")
    return Words(language, _flat("", tomllib.loads(source.read_text("utf-8"))))


def _flat(prefix: str, table: dict[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        flat |= _flat(f"{prefix}{key}.", value) if isinstance(value, dict) else {prefix + key: value}
    return flat


def zone_label(instant: int, zone: ZoneInfo) -> str:
    """A zone as people can read it, with its offset at that instant: ``Asia/Damascus, UTC+03:00``."""
    if zone.key == "UTC":
        return "UTC"
    offset = to_datetime(instant).astimezone(zone).strftime("%z")
    return f"{zone.key}, UTC{offset[:3]}:{offset[3:5]}"


def begins_a_day(moment: datetime) -> bool:
    """Whether an aware local time is the first instant of its day, which need not be midnight."""
    before = (moment.astimezone(UTC) - timedelta(seconds=1)).astimezone(moment.tzinfo)
    return before.date() < moment.date() and before.hour == 23 and moment.minute == 0 and moment.second == 0


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

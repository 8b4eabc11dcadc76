"""Everything that can be said in one language: phrases and plural forms by the catalogue; dates, numbers, lists by
Babel."""

from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent

from schemas.instants import to_datetime
from schemas.vocabulary import Language
from schemas.wording.catalogue import Catalogue, read_catalogue
from schemas.wording.lines import fence
from schemas.zones import UTC

#: The locale of each language. Arabic is that of Syria: its readers call the months أيار and حزيران, as in all of the
#: Levant and Iraq, not مايو and يونيو as on the Nile. Digits are Latin, as in the names of weapons and sources.
LOCALES: Final[dict[Language, Locale]] = {
    "en": Locale.parse("en"),
    "ar": Locale.parse("ar_SY"),
    "ru": Locale.parse("ru"),
}
#: Dates and counts of a language that are kept as they are written: most come again.
_KEPT: Final = 1_024


class Words:
    """One language. ``direction`` is ``ltr`` or ``rtl``."""

    def __init__(self, language: Language, catalogue: Catalogue) -> None:
        self.language = language
        self.locale = LOCALES[language]
        self.direction = self.locale.text_direction
        self._catalogue = catalogue
        self._phrases = catalogue.phrases
        self._day = lru_cache(maxsize=_KEPT)(self._format_day)
        self._counted = lru_cache(maxsize=_KEPT)(self._count)
        percent = self.locale.percent_formats[None].pattern
        self._percent = str(percent).replace("#,##0", "#,##0.#")

    def say(self, key: str, /, **values: object) -> str:
        """The phrase of a key, filled in. Raises KeyError for a key or a value that is missing."""
        return self._phrases[key].format(**values)

    def count(self, key: str, n: int, /, **values: object) -> str:
        """The phrase of a number, in the plural form that the language wants, filled in with ``{count}`` and the rest.
        Raises KeyError as :meth:`say` does."""
        return self._catalogue.count(key, n).format(count=self.number(n), **values) if values else self._counted(key, n)

    def _count(self, key: str, n: int) -> str:
        return self._catalogue.count(key, n).format(count=self.number(n))

    def has(self, key: str) -> bool:
        """Whether there is a message of that key."""
        return key in self._phrases or key in self._catalogue.counted

    def name(self, kind: str, value: str) -> str:
        """A term of the published vocabulary: ``name("act", "shelling")``; one that is not known stands for itself."""
        return self._phrases.get(f"{kind}.{value}", value)

    def title(self, kind: str, value: str) -> str:
        """A term as it begins a line."""
        name = self.name(kind, value)
        return name[:1].upper() + name[1:]

    def foreign(self, text: str) -> str:
        """A name, fenced where it runs against the direction of the language, so that what follows keeps its order."""
        return fence(text, self.direction)

    def join(self, parts: list[str]) -> str:
        """Parts in a row, set apart by commas."""
        return self._phrases["comma"].join(parts)

    def list(self, parts: list[str]) -> str:
        """Parts as a sentence lists them, with "and" before the last."""
        return format_list(parts, locale=self.locale)

    def number(self, n: float) -> str:
        return format_decimal(n, locale=self.locale)

    def percent(self, share: float) -> str:
        """A share of 0 to 1, with one decimal where there is one."""
        return format_percent(share, self._percent, locale=self.locale)

    def day(self, instant: int, zone: ZoneInfo) -> str:
        """The date of an instant, as the zone's calendar has it."""
        return self._day(to_datetime(instant).astimezone(zone).date())

    def _format_day(self, day: date) -> str:
        return format_date(day, self._phrases["pattern.day"], locale=self.locale)

    def moment(self, instant: int, zone: ZoneInfo) -> str:
        """Date and time of day to the minute."""
        return self._format(instant, zone, "pattern.moment")

    def moment_with_offset(self, instant: int, zone: ZoneInfo) -> str:
        """Date and time of day to the minute, and the offset of the zone."""
        return self._format(instant, zone, "pattern.moment_offset")

    def _format(self, instant: int, zone: ZoneInfo, pattern: str) -> str:
        return format_datetime(to_datetime(instant), self._phrases[pattern], tzinfo=zone, locale=self.locale)


@cache
def words(language: Language) -> Words:
    """The words of a language, read once. Raises KeyError for a language that has none."""
    return Words(language, read_catalogue(language))


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

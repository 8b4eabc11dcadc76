"""The words of messages: complete in each language, right in number, date and zone; clean of what a report slips in."""

import re
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Change, Interval, ResolvedParty, ResolvedPlace, SourceRef
from schemas.instants import parse_instant
from schemas.report import Casualties
from schemas.vocabulary import ACTS, CERTAINTIES, LANGUAGES, OUTCOMES, SEVERITIES, AlertStatus, Language
from schemas.zones import UTC
from services.notify.domain import wording
from services.notify.domain.words import clean, words
from tests.unit.notify.samples import ALERT, NASTY, UPDATE_CHANGES

DAMASCUS = ZoneInfo("Asia/Damascus")
PLURALS = re.compile(r"^(killed|injured|alerts|reports|violations|delivered|omitted)\.")


@pytest.mark.parametrize("language", ["ar", "ru"])
def test_every_language_says_the_same_things_with_the_same_blanks(language: Language) -> None:
    english, other = words("en"), words(language)
    assert {k for k in english.keys if not PLURALS.match(k)} == {k for k in other.keys if not PLURALS.match(k)}
    for key in english.keys:
        if not PLURALS.match(key):
            assert _blanks(english, key) == _blanks(other, key), key


def _blanks(say: object, key: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", say._phrases[key]))  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_form_of_the_language_is_there(language: Language) -> None:
    say = words(language)
    kinds = {match[1] for key in say.keys if (match := PLURALS.match(key))}
    forms = {say.locale.plural_form(n) for n in range(120)}
    assert {f"{kind}.{form}" for kind in kinds for form in forms} <= say.keys


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_vocabulary_has_a_name(language: Language) -> None:
    say = words(language)
    vocabulary = {"act": ACTS, "certainty": CERTAINTIES, "severity": SEVERITIES, "verdict": OUTCOMES,
                  "status": get_args(AlertStatus)}  # fmt: skip
    assert {f"{kind}.{word}" for kind, all_words in vocabulary.items() for word in all_words} <= say.keys


def test_numbers_take_their_forms() -> None:
    assert [words("ru").count("killed", n) for n in (1, 2, 5, 21)] == [
        "1 погибший", "2 погибших", "5 погибших", "21 погибший",
    ]  # fmt: skip
    assert [words("ar").count("killed", n) for n in (0, 1, 2, 3, 11, 100)] == [
        "لا قتلى", "قتيل واحد", "قتيلان", "3 قتلى", "11 قتيلًا", "100 قتيل",
    ]  # fmt: skip
    assert [words("en").count("alerts", n) for n in (0, 1, 2)] == ["0 alerts", "1 alert", "2 alerts"]


def test_times_are_told_in_the_zone_of_the_place_and_in_utc() -> None:
    say = words("en")

    def told(start: str, end: str, zone: ZoneInfo = DAMASCUS) -> str:
        return wording.when(Interval(start, end), zone, say)

    assert told("2016-05-01T23:00:00Z", "2016-05-02T04:00:00Z") == (
        "2 May 2016, 02:00 to 2 May 2016, 07:00 (Asia/Damascus, UTC+03:00); 1 May 2016, 23:00 to 2 May 2016, 04:00 UTC"
    )
    assert told("2016-05-07T21:00:00Z", "2016-05-08T21:00:00Z") == (
        "8 May 2016, the whole day (Asia/Damascus, UTC+03:00)"
    )
    assert told("2016-05-07T21:00:00Z", "2016-05-09T21:00:00Z").startswith("8 May 2016 to 9 May 2016, whole days")
    assert told("2016-05-08T10:00:00Z", "2016-05-08T10:00:00Z") == (
        "8 May 2016, 13:00 (Asia/Damascus, UTC+03:00); 8 May 2016, 10:00 UTC"
    )
    assert told("2016-05-08T10:00:00Z", "2016-05-08T10:00:00Z", UTC) == "8 May 2016, 10:00 UTC"


def test_a_day_that_does_not_begin_at_midnight_is_a_whole_day_still() -> None:
    """Damascus, 25 March 2016: midnight does not exist, the day begins at 01:00."""
    told = wording.when(Interval("2016-03-24T22:00:00Z", "2016-03-25T21:00:00Z"), DAMASCUS, words("en"))
    assert told.startswith("25 March 2016, the whole day")
    assert words("ar").day(parse_instant("2016-05-07T21:00:00Z"), DAMASCUS) == "8 مايو 2016"


def test_an_unknown_zone_is_utc() -> None:
    assert wording.zone_of(msgspec.structs.replace(ALERT, timezone="Nowhere/At all")).key == "UTC"
    assert wording.zone_of(msgspec.structs.replace(ALERT, timezone="../../etc/passwd")).key == "UTC"


def test_parties_keep_the_reported_name_beside_the_resolved_one() -> None:
    say = words("en")
    side = (
        ResolvedParty("rebels", "opposition"),
        ResolvedParty("ARMED OPPOSITION", "opposition"),
        ResolvedParty("who"),
    )
    assert wording.parties(ALERT, side, say) == (
        "armed opposition (reported as: rebels), armed opposition, who (not in the registry)"
    )
    assert wording.parties(ALERT, (), say) == "unknown"


def test_what_is_not_known_is_not_said() -> None:
    bare = msgspec.structs.replace(
        ALERT,
        casualties=Casualties(),
        place=ResolvedPlace(),
        source=SourceRef("x"),
        certainty=None,
        truces=(),
        reasons=(),
    )
    facts = dict(wording.facts(bare, "en"))
    assert "Casualties (as claimed)" not in facts
    assert facts["Where"] == "place unknown"
    assert facts["Source"] == "x, not graded"
    assert facts["Certainty"] == facts["Truces"] == "none"
    assert wording.headline(bare, "en") == "Violation: shelling, place unknown, 8 May 2016"


def test_changes_are_told_in_words() -> None:
    updated = msgspec.structs.replace(ALERT, changes=(*UPDATE_CHANGES, Change("novel", {"a": 1}, "b")))
    assert wording.changes(updated, "en") == [
        ("Severity", "moderate", "severe"),
        ("Casualties (as claimed)", "0 killed, 3 injured", "1 killed"),
        ("When", "8 May 2016, 09:00 (Asia/Damascus, UTC+03:00); 8 May 2016, 06:00 UTC",
         "8 May 2016, the whole day (Asia/Damascus, UTC+03:00)"),
        ("Attributed to", "none", "armed opposition (reported as: rebels)"),
        ("Where", "Aleppo", "Midan, Aleppo (36.2000, 37.1000, within 0 km)"),
        ("Truces", "Cessation of hostilities", "Aleppo regime of calm, Cessation of hostilities"),
        ("novel", '{"a":1}', "b"),
    ]  # fmt: skip


@given(st.text())
def test_cleaned_text_is_one_plain_line(text: str) -> None:
    line = clean(text)
    assert line == clean(line)
    assert "\n" not in line
    assert all(c.isprintable() or c in "\u200c\u200d\u200e\u200f" for c in line)


def test_what_reorders_text_is_removed() -> None:
    assert "\u202e" not in clean(NASTY)
    assert "\u2066" not in clean(NASTY)


def test_a_name_of_the_other_direction_is_fenced() -> None:
    assert words("ar").foreign("Midan, Aleppo") == "\u200fMidan, Aleppo\u200f"
    assert words("ar").foreign("حلب") == "حلب"
    assert words("ru").foreign("Midan") == "Midan"
    assert words("en").foreign("حلب") == "\u200eحلب\u200e"

"""An alert in words: right in date and zone, clean of what a report slips in."""

from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Change, Interval, Reason, ResolvedParty, ResolvedPlace, SourceRef
from schemas.instants import parse_instant
from schemas.report import Casualties
from schemas.vocabulary import Language
from schemas.wording.lines import clean
from schemas.wording.words import words
from schemas.zones import UTC
from services.notify.kinds.alert import alert_body
from services.notify.render import wording
from services.notify.render.atom import atom_feed
from services.notify.render.cap import cap_of
from tests.unit.notify.samples import ALERT, NASTY, UPDATE_CHANGES
from tests.unit.notify.test_email import addressed, letter, read

DAMASCUS = ZoneInfo("Asia/Damascus")
URL = "https://truce.example.org"


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
    assert words("ar").day(parse_instant("2016-05-07T21:00:00Z"), DAMASCUS) == "8 أيار 2016"


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


WITHDRAWN = msgspec.structs.replace(
    ALERT,
    revision=2,
    status="cancelled",
    verdict="not_covered",
    certainty=None,
    truces=(),
    changes=(Change("verdict", "violation", "not_covered"),),
    reasons=(Reason("retracted", {"reason": "entered in error"}, "The report was retracted: entered in error."),),
)


@pytest.mark.parametrize(
    ("language", "said", "never"),
    [
        ("en", "Withdrawn by its source: shelling", "Not covered"),
        ("ar", "سحبه مصدره: قصف مدفعي", "غير مشمول"),
        ("ru", "Отозвано источником: артиллерийский обстрел", "Не охвачено"),
    ],
)
def test_a_retraction_is_headlined_as_one_on_every_channel(language: Language, said: str, never: str) -> None:
    message, text, html = read(addressed(letter(WITHDRAWN, "cancelled", language)))
    told = [
        wording.headline(WITHDRAWN, language),
        message["Subject"],
        " ".join(text.split()),
        " ".join(html.split()),
        cap_of(WITHDRAWN, "cancelled", [ALERT], URL).decode(),
        atom_feed([WITHDRAWN], language=language, public_url=URL, updated=WITHDRAWN.sent_at).decode(),
        alert_body(WITHDRAWN, status="cancelled", language=language, sent_at=0, public_url=URL).decode(),
    ]
    for each in told:
        assert said in each
        assert never not in each
    assert wording.changes(WITHDRAWN, language)[0][2] == said.partition(":")[0]


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

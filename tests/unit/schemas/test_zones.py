"""Zones come from the bundled tzdata alone, and the calendar of each holds every instant that is accepted."""

import ast
import os
import subprocess
import sys
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.assessments import Interval
from schemas.instants import FIRST_INSTANT, LAST_INSTANT, format_instant, parse_instant, to_datetime
from schemas.local_time import FIRST_DAY, LAST_DAY, day_bounds, read_moment
from schemas.vocabulary import LANGUAGES, Language
from schemas.wording.reasons import tell_moment
from schemas.wording.words import words
from schemas.zones import find_zone, zone_names
from services.notify.domain.quiet import quiet_until
from services.notify.domain.subscription import QuietHours
from services.notify.render.cap import cap_time
from services.notify.render.wording import days, when

ROOT = Path(__file__).parents[3]
ZONES = sorted(zone_names())
ZONE = st.sampled_from(ZONES)
#: The whole accepted range, its ends more often than chance would.
INSTANT = st.one_of(
    st.integers(FIRST_INSTANT, LAST_INSTANT),
    st.sampled_from([FIRST_INSTANT, LAST_INSTANT]),
    st.integers(FIRST_INSTANT, FIRST_INSTANT + 10**12),
    st.integers(LAST_INSTANT - 10**12, LAST_INSTANT),
)


@pytest.mark.parametrize(
    "name", ["localtime", "Factory", "posixrules", "", "UTC ", "utc", "../UTC", "right/UTC", "posix/UTC"]
)
def test_only_iana_names_are_zones(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone is named"):
        find_zone(name)


def test_the_machines_zone_files_are_never_read(tmp_path: Path) -> None:
    """Damascus as a machine may have it from before October 2022, or wrong altogether: here, a copy of Tokyo."""
    (tmp_path / "Asia").mkdir()
    stale = files("tzdata.zoneinfo").joinpath("Asia", "Tokyo").read_bytes()
    (tmp_path / "Asia" / "Damascus").write_bytes(stale)
    (tmp_path / "Asia" / "Atlantis").write_bytes(stale)
    asked = (
        "from schemas.zones import find_zone, zone_names\n"
        "from datetime import datetime\n"
        "print(datetime(2023, 1, 1, tzinfo=find_zone('Asia/Damascus')).utcoffset(), 'Asia/Atlantis' in zone_names())"
    )
    environment = {**os.environ, "PYTHONTZPATH": str(tmp_path), "PYTHONPATH": str(ROOT)}
    told = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "3:00:00 False"


def test_no_other_module_makes_a_zone() -> None:
    makers = [
        str(path.relative_to(ROOT))
        for folder in ("schemas", "services", "deploy", "bench")
        for path in (ROOT / folder).rglob("*.py")
        if "ZoneInfo(" in (source := path.read_text("utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ZoneInfo"
    ]
    assert makers == ["schemas/zones.py"]


@pytest.mark.parametrize("instant", [FIRST_INSTANT, LAST_INSTANT])
def test_every_zone_holds_the_first_and_the_last_instant(instant: int) -> None:
    for name in ZONES:
        local = to_datetime(instant).astimezone(find_zone(name))
        assert local.astimezone(find_zone("UTC")) == to_datetime(instant), name


@given(ZONE, INSTANT, st.sampled_from(LANGUAGES))
@example("Asia/Manila", FIRST_INSTANT, "en")
@example("America/Juneau", LAST_INSTANT, "ru")
def test_nothing_that_is_shown_overflows(name: str, instant: int, language: Language) -> None:
    zone, told = find_zone(name), format_instant(instant)
    assert parse_instant(told) == instant
    assert tell_moment(told, name, language)
    assert cap_time(told)
    say = words(language)
    for start, end in ((told, told), (format_instant(FIRST_INSTANT), told), (told, format_instant(LAST_INSTANT))):
        assert days(Interval(start, end), zone, say)
        assert when(Interval(start, end), zone, say)


@given(ZONE, st.dates())
def test_a_day_is_refused_in_every_zone_or_in_none(name: str, day: date) -> None:
    if FIRST_DAY <= day <= LAST_DAY:
        start, end = day_bounds(day, find_zone(name))
        assert FIRST_INSTANT <= start <= end <= LAST_INSTANT
    else:
        with pytest.raises(ValueError, match="beyond what the calendars"):
            day_bounds(day, find_zone(name))


@pytest.mark.parametrize("day", [FIRST_DAY, LAST_DAY])
def test_the_first_and_the_last_day_are_days_in_every_zone(day: date) -> None:
    for name in ZONES:
        start, end = day_bounds(day, find_zone(name))
        assert FIRST_INSTANT <= start < end <= LAST_INSTANT, name


@given(ZONE, st.datetimes(), st.sampled_from(["", "Z", "+14:00", "-12:00", "+23:59", "-23:59"]))
def test_a_written_time_is_refused_or_accepted_by_all_that_show_it(name: str, wall: datetime, offset: str) -> None:
    text = f"{wall:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + offset
    try:
        instant = read_moment(text, find_zone(name))
    except ValueError:
        return
    assert FIRST_INSTANT <= instant <= LAST_INSTANT


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59Z",
        "9999-12-31",
        "9999-12-31T00:00:00+00:00",
        "9999-12-30T23:00-01:00",
        "0001-01-01T23:59:59Z",
    ],
)
def test_what_some_calendar_cannot_hold_is_refused_with_the_way_to_say_open(text: str) -> None:
    with pytest.raises(ValueError, match="an end that is open is null"):
        read_moment(text, find_zone("UTC"))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"),
        ("2016-12-31T23:59:60.75Z", "2016-12-31T23:59:59.999999Z"),
        ("2017-01-01T02:59:60+03:00", "2016-12-31T23:59:59.999999Z"),
        ("2015-06-30T19:59:60-04:00", "2015-06-30T23:59:59.999999Z"),
    ],
)
def test_a_leap_second_is_the_last_moment_before_midnight(text: str, meant: str) -> None:
    assert format_instant(parse_instant(text)) == meant
    assert format_instant(read_moment(text, find_zone("UTC"))) == meant


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T12:59:60Z", "2016-12-30T23:59:60Z", "2016-12-31T23:59:60+03:00", "2016-12-31T23:59:61Z",
        "9999-12-31T23:59:60Z",
    ],
)  # fmt: skip
def test_no_other_minute_has_60_seconds(text: str) -> None:
    with pytest.raises(ValueError, match=r"60|second"):
        parse_instant(text)
    with pytest.raises(ValueError, match=r"60|second|beyond"):
        read_moment(text, find_zone("UTC"))


def test_a_local_leap_second_is_the_last_moment_before_that_midnight() -> None:
    assert read_moment("2017-01-01T01:59:60", find_zone("Asia/Damascus")) == parse_instant(
        "2016-12-31T23:59:59.999999Z"
    )
    with pytest.raises(ValueError, match="60 seconds"):
        read_moment("2016-12-31T23:59:60", find_zone("Asia/Damascus"))


@given(ZONE, INSTANT)
def test_quiet_hours_hold_at_any_instant(name: str, now: int) -> None:
    within = min(max(now, FIRST_INSTANT + 10**12), LAST_INSTANT - 10**12)
    until = quiet_until(QuietHours("22:00", "06:00", name), within)
    assert until is None or until > within

"""Written times and their meaning. Source: judgement.md 13, 15."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import DAY, HOUR, format_instant, parse_instant
from schemas.local_time import add_duration, day_bounds, first_instant, read_moment
from schemas.zones import find_zone

DAMASCUS = find_zone("Asia/Damascus")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2016-02-27T00:00", "2016-02-26T22:00:00Z"),
        ("2016-05-04T00:01", "2016-05-03T21:01:00Z"),
        ("2016-05-06T24:00", "2016-05-06T21:00:00Z"),
        ("2016-05-06T24:00:00", "2016-05-06T21:00:00Z"),
        ("2016-05-07", "2016-05-06T21:00:00Z"),
        ("2016-05-04T00:01:30.25", "2016-05-03T21:01:30.250000Z"),
        ("2016-05-04T00:01+01:00", "2016-05-03T23:01:00Z"),
        ("2016-05-04T00:01Z", "2016-05-04T00:01:00Z"),
        ("2016-05-04T24:00Z", "2016-05-05T00:00:00Z"),
        # Damascus went from UTC+2 to UTC+3 at midnight of 25 March 2016: that midnight does not exist.
        ("2016-03-25", "2016-03-24T22:00:00Z"),
        ("2016-03-24T24:00", "2016-03-24T22:00:00Z"),
        ("2016-03-25T01:00", "2016-03-24T22:00:00Z"),
        ("2016-03-24T23:59", "2016-03-24T21:59:00Z"),
    ],
)
def test_a_time_means_an_instant(written: str, meant: str) -> None:
    assert format_instant(read_moment(written, DAMASCUS)) == meant


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("2016-03-25T00:00", "does not exist"),
        ("2016-03-25T00:59", "does not exist"),
        ("2016-10-27T23:30", "exists twice"),
        ("2016-05-04T24:01", "later than 24:00"),
        ("2016-05-04T25:00", "hour"),
        ("2016-02-30", "day"),
        ("2016-05-04 00:01", "neither a date"),
        ("04.05.2016", "neither a date"),
        ("2016-05-04T00:01+25:00", "offset"),
        ("0001-01-01", "beyond"),
        ("9999-12-31T24:00", "beyond"),
        # An offset may lead out of the calendar, though what is written lies in it.
        ("0001-01-01T00:00+14:00", "beyond"),
        ("9999-12-31T23:00-12:00", "beyond"),
        ("٢٠١٦-05-04", "neither a date"),
    ],
)
def test_a_time_that_means_nothing_is_refused(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_moment(written, DAMASCUS)


def test_a_day_whose_midnight_exists_twice_begins_at_the_first() -> None:
    havana = find_zone("America/Havana")
    assert format_instant(first_instant(date(2016, 11, 6), havana)) == "2016-11-06T04:00:00Z"


def test_a_day_that_the_zone_skipped_begins_with_the_next() -> None:
    apia = find_zone("Pacific/Apia")
    assert first_instant(date(2011, 12, 30), apia) == first_instant(date(2011, 12, 31), apia)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2016-05-05T01:00", "PT48H", "2016-05-07T01:00"),
        ("2016-03-24T12:00", "P1D", "2016-03-25T12:00"),
        ("2016-03-24T12:00", "PT24H", "2016-03-25T13:00"),
        ("2016-03-24", "P1D", "2016-03-25"),
        # The day begins at 01:00, since its midnight does not exist: the day it is all the same.
        ("2016-03-25", "P1D", "2016-03-26"),
        ("2016-03-24T24:00", "P2D", "2016-03-27"),
        ("2016-03-25T02:00", "P1D", "2016-03-26T02:00"),
        ("2016-03-24T12:00", "P1DT12H", "2016-03-26"),
    ],
)
def test_a_day_is_a_day_of_the_calendar_and_an_hour_is_an_hour(start: str, duration: str, end: str) -> None:
    assert add_duration(read_moment(start, DAMASCUS), duration, DAMASCUS) == read_moment(end, DAMASCUS)


@pytest.mark.parametrize("duration", ["P", "PT", "P1DT", "PT1M", "P1W", "-P1D", "P0D", "PT0H", "1D", "P1.5D", ""])
def test_other_durations_are_refused(duration: str) -> None:
    with pytest.raises(ValueError):
        add_duration(0, duration, DAMASCUS)


def test_a_day_that_ends_at_a_time_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exist"):
        add_duration(read_moment("2016-03-24T00:30", DAMASCUS), "P1D", DAMASCUS)


@pytest.mark.parametrize("duration", ["P9D", "PT999999H"])
def test_a_duration_beyond_the_calendar_is_refused(duration: str) -> None:
    with pytest.raises(ValueError, match="beyond"):
        add_duration(parse_instant("9999-12-30T00:00:00Z"), duration, DAMASCUS)


@pytest.mark.parametrize("name", ["", "America", "../etc/passwd", "Asia/Nowhere", "Asia/Damascus\n"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        find_zone(name)


@given(st.dates(date(1930, 1, 1), date(2037, 12, 30)), st.sampled_from(["Asia/Damascus", "Africa/Cairo", "UTC"]))
def test_days_follow_each_other_without_gap_or_overlap(day: date, name: str) -> None:
    zone = find_zone(name)
    start, end = day_bounds(day, zone)
    following, _ = day_bounds(date.fromordinal(day.toordinal() + 1), zone)
    assert end == following
    assert DAY - 2 * HOUR <= end - start <= DAY + 2 * HOUR

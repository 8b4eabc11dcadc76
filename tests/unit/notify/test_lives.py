"""The tables of lives, exhaustively; durations, quiet hours, hours of messages, silences, drafts."""

from datetime import date
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.assessments import Alert
from schemas.instants import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from services.notify.domain.durations import parse_duration
from services.notify.domain.grouping import due_at, last_boundary, next_boundary, period_start, read_group
from services.notify.domain.heartbeat import line_due, line_end
from services.notify.domain.lifecycle import (
    DELIVERY,
    ENDPOINT,
    DeliveryEvent,
    DeliveryState,
    EndpointEvent,
    EndpointState,
    NotPossibleError,
    next_delivery,
    next_endpoint,
    states_before,
)
from services.notify.domain.quiet import breaks_through, local_instant, quiet_until
from services.notify.domain.silence import Matcher, Silence, find_matcher_faults, find_silences
from services.notify.domain.subscription import Day, DigestMode, Draft, QuietHours, Webhook, find_faults
from services.notify.use_cases.history import RECOVERED
from tests.unit.notify.samples import ALERT


@pytest.mark.parametrize("state", get_args(EndpointState))
@pytest.mark.parametrize("event", get_args(EndpointEvent))
def test_every_pair_of_an_endpoint_moves_or_is_refused(state: EndpointState, event: EndpointEvent) -> None:
    if (state, event) in ENDPOINT:
        assert next_endpoint(state, event) in get_args(EndpointState)
    else:
        with pytest.raises(NotPossibleError):
            next_endpoint(state, event)


def test_what_must_hold_of_endpoints() -> None:
    assert not [pair for pair in ENDPOINT if pair[0] == "ended"]
    assert all(ENDPOINT[state, "ended"] == "ended" for state, _ in ENDPOINT)
    assert all(ENDPOINT[state, "moved"] == "pending" for state, _ in ENDPOINT)
    assert all(ENDPOINT[state, "refused"] == "gone" for state, _ in ENDPOINT)
    assert {s for (s, _), after in ENDPOINT.items() if after == "disabled"} == {"failing", "disabled"}


@pytest.mark.parametrize("state", get_args(DeliveryState))
@pytest.mark.parametrize("event", get_args(DeliveryEvent))
def test_every_pair_of_a_delivery_moves_or_is_refused(state: DeliveryState, event: DeliveryEvent) -> None:
    if (state, event) in DELIVERY:
        assert next_delivery(state, event) in get_args(DeliveryState)
    else:
        with pytest.raises(NotPossibleError):
            next_delivery(state, event)


def test_nothing_undelivered_is_lost_but_by_the_end_of_its_subscription() -> None:
    ends = {(s, e) for (s, e), after in DELIVERY.items() if after == "dropped"}
    assert {e for _, e in ends} == {"endpoint_ended"}


@pytest.mark.parametrize("event", get_args(DeliveryEvent))
def test_the_states_before_an_event_are_those_that_it_may_be_applied_to(event: DeliveryEvent) -> None:
    assert states_before(event) == {state for state in get_args(DeliveryState) if (state, event) in DELIVERY}


def test_whatever_is_asked_for_again_waits_to_be_sent() -> None:
    assert states_before("recovered") >= RECOVERED
    assert {next_delivery(state, "recovered") for state in RECOVERED} == {"pending"}
    assert {next_delivery(state, "resent") for state in states_before("resent")} == {"pending"}


@pytest.mark.parametrize(
    ("text", "length"),
    [("PT30S", 30 * SECOND), ("PT1H", HOUR), ("P1D", DAY), ("P1DT2H3M4S", DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND)],
)
def test_durations(text: str, length: int) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "P1M", "PT1.5H", "-PT1H", "PT1H "])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


DAMASCUS = QuietHours(start="22:00", end="06:00", timezone="Asia/Damascus", except_min_severity="Severe")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2016-05-08T18:59:59Z", None),
        ("2016-05-08T19:00:00Z", "2016-05-09T03:00:00Z"),
        ("2016-05-09T02:59:59Z", "2016-05-09T03:00:00Z"),
        ("2016-05-09T03:00:00Z", None),
        ("2016-03-24T20:00:00Z", "2016-03-25T03:00:00Z"),  # the night in which the clocks go forward
    ],
)
def test_quiet_hours_are_half_open_in_local_time(now: str, until: str | None) -> None:
    assert quiet_until(DAMASCUS, parse_instant(now)) == (None if until is None else parse_instant(until))


def test_quiet_days_are_those_on_which_a_stretch_begins() -> None:
    friday = msgspec.structs.replace(DAMASCUS, days=("fri",), timezone="UTC")
    assert quiet_until(friday, parse_instant("2016-05-07T01:00:00Z"))  # Saturday morning, begun on Friday
    assert quiet_until(friday, parse_instant("2016-05-07T23:00:00Z")) is None
    assert [breaks_through(friday, s) for s in ("Extreme", "Severe", "Moderate")] == [True, True, False]
    assert not breaks_through(msgspec.structs.replace(friday, except_min_severity=None), "Extreme")


WEEKEND = QuietHours("00:00", "24:00", "Asia/Damascus", days=("fri", "sat"))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2016-05-05T20:59:59Z", None),
        ("2016-05-05T21:00:00Z", "2016-05-07T21:00:00Z"),  # Friday 00:00 to Sunday 00:00, in one
        ("2016-05-07T20:59:59Z", "2016-05-07T21:00:00Z"),
        ("2016-05-07T21:00:00Z", None),
        ("2016-03-24T21:59:59Z", None),
        ("2016-03-24T22:00:00Z", "2016-03-26T21:00:00Z"),  # the Friday whose midnight the clocks skip
    ],
)
def test_whole_days_may_be_quiet(now: str, until: str | None) -> None:
    assert quiet_until(WEEKEND, parse_instant(now)) == (None if until is None else parse_instant(until))
    assert find_faults(draft(quiet_hours=WEEKEND)) == []


@pytest.mark.parametrize("days", [(), ("mon", "tue", "wed", "thu", "fri", "sat", "sun")])
def test_days_that_are_all_quiet_are_refused(days: Any) -> None:
    faults = find_faults(draft(quiet_hours=msgspec.structs.replace(WEEKEND, days=days)))
    assert [at for at, _ in faults] == ["/quiet_hours/days"]


_CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))


@given(
    st.integers(0, 4 * 10**15),
    _CLOCK,
    st.one_of(_CLOCK, st.just("24:00")),
    st.sets(st.sampled_from(get_args(Day))),
    st.sampled_from(["UTC", "Asia/Damascus", "Europe/Berlin", "Pacific/Apia", "America/New_York"]),
)
def test_what_is_held_in_quiet_hours_is_sent_when_they_are_over(
    now: int, start: str, end: str, days: set[Any], zone: str
) -> None:
    quiet = QuietHours(start, end, zone, days=tuple(days))
    assume(not find_faults(draft(quiet_hours=quiet)))
    until = quiet_until(quiet, now)
    assert until is None or (now < until <= now + 8 * DAY and quiet_until(quiet, until) is None)


def test_local_times_that_are_skipped_or_come_twice() -> None:
    assert format_instant(local_instant(date(2016, 3, 27), "02:30", "Europe/Berlin")) == "2016-03-27T01:00:00Z"
    assert format_instant(local_instant(date(2016, 10, 30), "02:30", "Europe/Berlin")) == "2016-10-30T00:30:00Z"
    assert format_instant(local_instant(date(2016, 3, 25), "00:00", "Asia/Damascus")) == "2016-03-24T22:00:00Z"


@given(
    st.integers(0, 4 * 10**15),
    st.sampled_from([DigestMode(digest="PT1H"), DigestMode(daily="02:30", timezone="Europe/Berlin")]),
)
def test_boundaries_lie_ahead_and_follow_one_another(now: int, mode: DigestMode) -> None:
    first = next_boundary(mode, now)
    assert now < first <= now + 26 * HOUR
    assert next_boundary(mode, first - 1) == first
    assert next_boundary(mode, first) > first
    last = last_boundary(mode, now)
    assert now - 26 * HOUR < last <= now
    assert (next_boundary(mode, last), last_boundary(mode, last)) == (first, last)


@given(
    st.integers(0, 4 * 10**15),
    st.integers(0, 40 * DAY),
    st.sampled_from(
        [DigestMode(digest="PT7H"), DigestMode(digest="P1D"), DigestMode(daily="02:30", timezone="Europe/Berlin")]
    ),
    st.sampled_from([DAY, 7 * DAY]),
)
def test_a_line_ends_where_a_message_does_and_is_due_as_soon_as_it_can_be_told(
    start: int, late: int, mode: DigestMode, period: int
) -> None:
    due = line_due(mode, start, period)
    assert line_end(mode, start, period, due - 1) is None
    assert line_end(mode, start, period, due) == due
    end = line_end(mode, start, period, due + late)
    assert end == last_boundary(mode, due + late)
    assert start < end <= due + late < line_due(mode, end, period)
    assert line_due(mode, due, period) - due >= period - 2 * HOUR


def draft(**changes: Any) -> Draft:
    return Draft(channel=Webhook("https://example.org/"), **changes)


def test_groups_wait_then_keep_their_distance() -> None:
    wanted = draft(group_by=("truce",), group_wait="PT30S", group_interval="PT5M")
    assert due_at(wanted, 0, None) == 30 * SECOND
    assert due_at(wanted, 100 * SECOND, 60 * SECOND) == 360 * SECOND
    assert due_at(wanted, 1000 * SECOND, 60 * SECOND) == 1030 * SECOND
    assert read_group(("truce", "perpetrator", "area", "thread"), ALERT) == {
        "truce": "aleppo-calm,cessation-of-hostilities", "perpetrator": "opposition", "area": "aleppo-city",
        "thread": ALERT.thread,
    }  # fmt: skip


def test_the_period_of_a_daily_message_begins_where_the_last_one_ended() -> None:
    wanted = draft(mode=DigestMode(daily="07:00", timezone="Asia/Damascus"))
    due = parse_instant("2016-03-25T04:00:00Z")
    assert format_instant(period_start(wanted, due - HOUR, due)) == "2016-03-24T05:00:00Z"


LABELS = [
    ("truce", "aleppo-calm"), ("area", "aleppo-city"), ("party", "civilians"), ("act", "shelling"),
    ("verdict", "violation"), ("severity", "Severe"), ("certainty", "Possible"), ("thread", ALERT.thread),
    ("incident", ALERT.incident_id),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), LABELS)
def test_each_name_of_a_matcher(name: Any, value: str) -> None:
    def meets(matcher: Matcher) -> bool:
        return bool(find_silences([Silence("s", None, (matcher,), 0, 1, "", "", 0)], ALERT, 0))

    assert meets(Matcher(name, value))
    assert not meets(Matcher(name, value, is_equal=False))
    assert not meets(Matcher(name, "other"))
    assert meets(Matcher(name, "other", is_equal=False))
    assert meets(Matcher(name, value[:3] + ".*", is_regex=True))
    assert not meets(Matcher(name, value[:3], is_regex=True))


def test_a_silence_is_half_open_and_needs_every_matcher() -> None:
    both = Silence("s", None, (Matcher("act", "shelling"), Matcher("party", "x")), 10, 20, "", "", 0)
    one = Silence("t", None, (Matcher("act", "shelling"),), 10, 20, "", "", 0)
    assert [find_silences((both, one), ALERT, now) for now in (9, 10, 19, 20)] == [(), (one,), (one,), ()]
    assert [one.state(now) for now in (9, 10, 20)] == ["pending", "active", "expired"]


@pytest.mark.parametrize("pattern", ["(", "a**", r"(a)\1", "(?=a)", "(?<!a)b", "((a{100}){100}){100}", "\ud800"])
def test_expressions_that_re2_does_not_take_are_refused(pattern: str) -> None:
    assert find_matcher_faults((Matcher("act", pattern, is_regex=True),))


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"mode": DigestMode()}, "/mode"),
        ({"mode": DigestMode(digest="PT1H", daily="07:00")}, "/mode"),
        ({"mode": DigestMode(digest="soon")}, "/mode/digest"),
        ({"mode": DigestMode(daily="07:00")}, "/mode/timezone"),
        ({"mode": DigestMode(daily="07:00", timezone="Mars/Base")}, "/mode/timezone"),
        ({"heartbeat": "P99D"}, "/heartbeat"),
        ({"group_wait": "PT2H"}, "/group_wait"),
        ({"contact": "nobody"}, "/contact"),
        ({"format": "cap", "mode": DigestMode(digest="PT1H")}, "/format"),
        ({"quiet_hours": QuietHours("22:00", "22:00", "UTC")}, "/quiet_hours/to"),
        ({"quiet_hours": QuietHours("22:00", "06:00", "nowhere")}, "/quiet_hours/timezone"),
    ],
)
def test_what_a_draft_may_not_say(changes: dict[str, Any], pointer: str) -> None:
    assert pointer in [at for at, _ in find_faults(draft(**changes))]
    assert find_faults(draft()) == []


@pytest.mark.parametrize("pattern", ["((.)|(.))*x", ".*.*.*.*.*.*.*.*x", "(?:(?:.)|.)*x", "(a+)+b"])
def test_an_expression_that_would_backtrack_is_taken_and_ends(pattern: str) -> None:
    matcher = Matcher("thread", pattern, is_regex=True)
    assert find_matcher_faults((matcher,)) == []
    assert not _holds(matcher, msgspec.structs.replace(ALERT, thread="a" * 100_000))


@pytest.mark.parametrize("is_equal", [True, False])
def test_a_stored_expression_that_re2_refuses_holds_nothing_back(is_equal: bool) -> None:
    assert not _holds(Matcher("act", "(?=shelling)", is_regex=True, is_equal=is_equal), ALERT)


def _holds(matcher: Matcher, alert: Alert) -> bool:
    return bool(find_silences([Silence("s", None, (matcher,), 0, 1, "", "", 0)], alert, 0))

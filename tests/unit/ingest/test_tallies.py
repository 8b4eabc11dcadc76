"""Claims of one event are never added."""

from collections import defaultdict
from datetime import date
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import DAY, HOUR, parse_instant
from schemas.zones import UTC, find_zone
from services.ingest.tallies import LinkedClaim, Tally, add_linked, period_starts

FIRST: Final = parse_instant("2016-05-02T00:00:00Z")
BY_DAY: Final = period_starts("day", UTC)


def claim(
    id: str, day: int, killed: int | None, same: tuple[str, ...] = (), perhaps: tuple[str, ...] = ()
) -> LinkedClaim:
    return LinkedClaim(id, FIRST + day * DAY, killed, None, same, perhaps)


def add(*claims: LinkedClaim) -> dict[date, Tally]:
    tallies: dict[date, Tally] = defaultdict(Tally)
    add_linked(tallies, claims, BY_DAY)
    return tallies


def extents(tallies: dict[date, Tally]) -> list[tuple[int, int, int]]:
    return [(day.day, tally.killed.least, tally.killed.most) for day, tally in sorted(tallies.items())]


def test_two_reports_of_one_event_are_the_lower_and_the_higher_claim() -> None:
    assert extents(add(claim("a", 0, 3, ("b",)), claim("b", 0, 5, ("a",)))) == [(2, 3, 5)]


def test_a_report_that_says_nothing_joins_those_that_it_is_linked_to() -> None:
    assert extents(add(claim("a", 0, 3, ("b",)), claim("b", 0, None, ("a", "c")), claim("c", 1, 4))) == [(2, 3, 4)]


def test_what_may_be_one_event_is_one_for_the_least_and_two_for_the_most() -> None:
    assert extents(add(claim("a", 0, 3, (), ("b",)), claim("b", 1, 4, (), ("a",)))) == [(2, 3, 3), (3, 0, 4)]


def test_a_link_to_what_is_not_counted_changes_nothing() -> None:
    assert extents(add(claim("a", 0, 3, ("gone",)))) == [(2, 3, 3)]


_IDS: Final = "abcdef"
_LINKS: Final = st.lists(st.sampled_from(_IDS), max_size=3).map(tuple)
_CLAIMS: Final = st.lists(
    st.builds(claim, st.sampled_from(_IDS), st.integers(0, 3), st.none() | st.integers(0, 20), _LINKS, _LINKS),
    unique_by=lambda one: one.incident_id,
)


@given(_CLAIMS)
def test_the_least_is_never_above_the_most_nor_the_most_above_the_sum(claims: list[LinkedClaim]) -> None:
    tallies = add(*claims)
    assert all(tally.killed.least <= tally.killed.most for tally in tallies.values())
    assert sum(tally.killed.most for tally in tallies.values()) <= sum(one.killed or 0 for one in claims)
    most = max((one.killed or 0 for one in claims), default=0)
    assert sum(tally.killed.most for tally in tallies.values()) >= most


@given(_CLAIMS, st.randoms(use_true_random=False))
def test_the_order_of_reports_does_not_matter(claims: list[LinkedClaim], chance: object) -> None:
    shuffled = [*claims]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert extents(add(*shuffled)) == extents(add(*claims))


def test_periods_are_local_days_weeks_from_monday_and_months() -> None:
    damascus = find_zone("Asia/Damascus")
    begun = parse_instant("2016-05-01T21:30:00Z")  # half past midnight on Monday, 2 May
    assert period_starts("day", damascus)(begun) == date(2016, 5, 2)
    assert period_starts("week", damascus)(begun) == date(2016, 5, 2)
    assert period_starts("week", damascus)(begun - HOUR) == date(2016, 4, 25)
    assert period_starts("month", damascus)(begun - 2 * DAY) == date(2016, 4, 1)

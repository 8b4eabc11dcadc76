"""Times at the ends of the calendar: refused where some zone cannot hold them, judged and told wherever accepted."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import FIRST_INSTANT, LAST_INSTANT, to_datetime
from schemas.local_time import FIRST_DAY, LAST_DAY
from schemas.report import Occurrence
from schemas.vocabulary import LANGUAGES
from schemas.zones import zone_names
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.model import Account, Window
from tests.unit.rules.build import registry, report, truce
from tests.unit.rules.registry_samples import announcement as said
from tests.unit.rules.registry_samples import compiled, document, faults, party, told
from tests.unit.rules.registry_samples import truce as written

ENDS = ["9999-12-31T23:59:59Z", "9999-12-31", "9999-12-31T24:00", "9999-12-30T23:00:00-04:00"]


@pytest.mark.parametrize("end", ENDS)
def test_an_end_that_stands_for_never_is_refused_with_the_way_to_say_so(end: str) -> None:
    found = faults(
        document(truces=[written("calm", said("d", "declare", "01 00", starts_at="2016-05-01", ends_at=end))])
    )
    assert list(found) == ["/truces/0/announcements/0/ends_at"]
    assert "null" in found["/truces/0/announcements/0/ends_at"]


def test_an_end_of_null_is_open() -> None:
    assert told(compiled(said("d", "declare", "01 00", starts_at="2016-05-01", ends_at=None))) == [["d 01 00.."]]


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_a_membership_is_refused_alike(end: str) -> None:
    member = party("a", member_of=[{"party": "b", "from": "2016-05-01", "to": end}])
    assert list(faults(document(parties=[member, party("b")], truces=[], presence=[]))) == ["/parties/0/member_of/0/to"]


INSTANT = st.one_of(
    st.integers(FIRST_INSTANT, LAST_INSTANT),
    st.integers(FIRST_INSTANT, FIRST_INSTANT + 10**12),
    st.integers(LAST_INSTANT - 10**12, LAST_INSTANT),
    st.sampled_from([FIRST_INSTANT, LAST_INSTANT]),
)
DAY = st.one_of(st.dates(FIRST_DAY, LAST_DAY), st.sampled_from([FIRST_DAY, LAST_DAY]))


@given(
    st.sampled_from(sorted(zone_names())), st.tuples(INSTANT, INSTANT), st.tuples(INSTANT, INSTANT), DAY, st.booleans()
)
def test_whatever_is_accepted_is_judged_and_told_in_every_language(
    zone: str, window: tuple[int, int], span: tuple[int, int], day: object, is_open: bool
) -> None:
    start, end = sorted(window)
    account = Account("first", "red", "city", start, None if is_open or start == end else end)
    judge = Judge(registry(truce(windows=[[account]]), timezone=zone))
    since, until = map(to_datetime, sorted(span))
    for occurred in (since, Occurrence(since, until), Occurrence(date=str(day))):
        (got,) = judge.assess([Case("i", 1, msgspec.structs.replace(report(), occurred=occurred))], now=LAST_INSTANT)
        for reason in [*got.reasons, *(reason for finding in got.findings for reason in finding.reasons)]:
            assert all(judge.render(reason, language) for language in LANGUAGES)


def test_a_leap_second_lies_in_the_day_that_it_ends() -> None:
    ended = compiled(said("d", "declare", "01 00", starts_at="2016-05-01", ends_at="2016-06-30T23:59:60Z"))
    assert ended.windows == (Window((Account("d", "army", "city", *SPAN),)),)


SPAN = (1_462_060_800_000_000, 1_467_331_199_999_999)

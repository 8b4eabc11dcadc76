"""Circles of memberships: refused where they close at any one moment (judgement.md, "Memberships")."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rules.judging.model import Period
from services.rules.registry.domain.limits import MAX_DATED
from services.rules.registry.domain.memberships import Membership, find_circular
from tests.unit.rules.registry_samples import document, faults, party


def joined(coalition: str, start: str | None = None, end: str | None = None) -> dict[str, Any]:
    return {"party": coalition, "from": start, "to": end}


def circles(*parties: dict[str, Any]) -> list[str]:
    return list(faults(document(parties=list(parties), truces=[], presence=[])))


def test_a_circle_that_closes_at_no_moment_is_none() -> None:
    before, after = joined("b", None, "2016-05-01"), joined("a", "2016-05-01")
    assert circles(party("a", member_of=[before]), party("b", member_of=[after])) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (joined("b"), joined("a")),
        (joined("b", None, "2016-05-02"), joined("a", "2016-05-01")),
        (joined("b", "2016-05-01", "2016-05-02"), joined("a", "2016-04-01", "2016-06-01")),
        (joined("b", "2016-05-01"), joined("a")),
    ],
)
def test_a_circle_that_closes_at_some_moment_is_refused(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert circles(party("a", member_of=[one]), party("b", member_of=[other])) == [
        "/parties/0/member_of/0", "/parties/1/member_of/0",
    ]  # fmt: skip


def test_a_party_may_join_again_and_belongs_to_itself_never() -> None:
    twice = [joined("b", None, "2016-05-01"), joined("b", "2016-05-03")]
    assert circles(party("a", member_of=twice), party("b")) == []
    assert circles(party("a", member_of=[joined("a", "2016-05-01")])) == ["/parties/0/member_of/0"]


PERIODS = st.tuples(st.none() | st.integers(0, 8), st.none() | st.integers(0, 8)).filter(
    lambda ends: ends[0] is None or ends[1] is None or ends[0] < ends[1]
)
MEMBERSHIPS = st.lists(
    st.builds(
        lambda party, coalition, ends: Membership(party, coalition, Period(*ends)),
        st.sampled_from("abcd"), st.sampled_from("abcd"), PERIODS,
    ),
    max_size=8,
)  # fmt: skip


@given(MEMBERSHIPS)
def test_circular_is_what_leads_back_at_one_moment(memberships: list[Membership]) -> None:
    def leads_back(start: Membership, moment: int) -> bool:
        reached = {start.coalition}
        for _ in memberships:
            reached |= {m.coalition for m in memberships if m.party in reached and m.period.holds(moment)}
        return start.party in reached

    assert find_circular(memberships) == {
        n
        for n, one in enumerate(memberships)
        if any(one.period.holds(moment) and leads_back(one, moment) for moment in range(-1, 10))
    }


def test_too_many_dated_memberships_that_lead_back_are_refused_together() -> None:
    count = int(MAX_DATED**0.5) + 1
    ring = [Membership(f"p{n}", f"p{(n + 1) % count}", Period(n, n + 1)) for n in range(count)]
    assert len(find_circular(ring)) == count
    assert find_circular(ring[:-1]) == set()

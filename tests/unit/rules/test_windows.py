"""Windows from announcements. Source: judgement.md 13."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import DAY, HOUR, format_instant, parse_instant
from services.rules.registry.file import load_registry_file
from tests.scenario import SCENARIO
from tests.unit.rules.registry_samples import announcement as said
from tests.unit.rules.registry_samples import compiled, document, faults, told, truce

DECLARED = said("d", "declare", "01 00", starts_at="2016-05-01T06:00", duration="PT24H")
#: Declared, and ended before it began.
NO_TIME = [DECLARED, said("e", "end", "01 00")]


def faults_of(*announcements: dict[str, Any]) -> dict[str, str]:
    found = faults(document(timezone="UTC", truces=[truce("calm", *announcements)]))
    return {pointer.removeprefix("/truces/0/announcements/"): detail for pointer, detail in found.items()}


def test_a_declaration_is_a_window() -> None:
    assert told(compiled(DECLARED)) == [["d 01 06..02 06"]]


def test_a_declaration_without_an_end_is_open() -> None:
    assert told(compiled(said("d", "declare", "01 00", starts_at="2016-05-01"))) == [["d 01 00.."]]


def test_an_extension_starts_where_the_last_one_ended() -> None:
    first = said("x", "extend", "02 00", duration="PT24H")
    second = said("y", "extend", "03 00", ends_at="2016-05-04T12:00")
    assert told(compiled(DECLARED, first, second)) == [["d 01 06..02 06"], ["x 02 06..03 06"], ["y 03 06..04 12"]]


def test_an_extension_starts_there_even_if_that_end_had_passed() -> None:
    late = said("x", "extend", "09 00", duration="PT24H")
    assert told(compiled(DECLARED, late))[1] == ["x 02 06..03 06"]


def test_a_gap_before_an_extension_stays() -> None:
    later = said("x", "extend", "03 00", starts_at="2016-05-04T00:01", duration="PT72H")
    assert told(compiled(DECLARED, later)) == [["d 01 06..02 06"], ["x 04 00..07 00"]]


def test_the_latest_by_the_time_of_announcing_is_extended_whatever_the_order_in_the_document() -> None:
    first = said("x", "extend", "02 00", duration="PT24H")
    second = said("y", "extend", "03 00", duration="PT1H")
    assert told(compiled(second, first, DECLARED)) == told(compiled(DECLARED, first, second))


def test_what_is_announced_at_one_time_takes_effect_in_the_documents_order() -> None:
    end, extended = said("e", "end", "01 12"), said("x", "extend", "01 12", duration="PT1H")
    assert told(compiled(DECLARED, end, extended)) == [["d 01 06..01 12"], ["x 01 12..01 13"]]
    # The extension that comes first starts at the end as it then was; the end leaves it no time.
    assert told(compiled(DECLARED, extended, end)) == [["d 01 06..01 12"]]


def test_an_extension_may_name_what_it_extends() -> None:
    first = said("x", "extend", "02 00", duration="PT24H")
    other = said("y", "extend", "03 00", extends="d", duration="PT48H")
    assert told(compiled(DECLARED, first, other))[1:] == [["x 02 06..03 06"], ["y 02 06..04 06"]]


def test_an_extension_has_the_truces_area_unless_it_says_otherwise() -> None:
    wide = said("d", "declare", "01 00", starts_at="2016-05-01", duration="PT24H", area="country")
    plain = said("x", "extend", "02 00", duration="PT24H")
    assert told(compiled(wide, plain)) == [["d 01 00..02 00 country"], ["x 02 00..03 00"]]


def test_a_restatement_takes_what_it_leaves_out_from_the_one_restated() -> None:
    wide = said("d", "declare", "01 00", starts_at="2016-05-01", duration="PT24H", area="country")
    ends = said("r", "restate", "01 01", "russia", restates="d", ends_at="2016-05-01T20:00")
    starts = said("s", "restate", "01 02", "rebels", restates="r", starts_at="2016-05-01T03:00", area="city")
    assert told(compiled(wide, ends, starts)) == [
        ["d 01 00..02 00 country", "r 01 00..01 20 country", "s 01 03..01 20"]
    ]


def test_a_restatement_whose_end_is_null_is_open() -> None:
    restated = said("r", "restate", "01 01", "russia", restates="d", ends_at=None)
    assert told(compiled(DECLARED, restated)) == [["d 01 06..02 06", "r 01 06.."]]


def test_a_restatements_duration_counts_from_its_own_start() -> None:
    restated = said("r", "restate", "01 01", "russia", restates="d", starts_at="2016-05-01T12:00", duration="PT24H")
    assert told(compiled(DECLARED, restated)) == [["d 01 06..02 06", "r 01 12..02 12"]]


def test_a_restatement_takes_the_end_as_announced_before_any_end() -> None:
    end = said("e", "end", "01 12")
    restated = said("r", "restate", "01 13", "russia", restates="d")
    assert told(compiled(DECLARED, end, restated)) == [["d 01 06..01 12", "r 01 06..02 06"]]


def test_a_restatement_may_have_been_announced_before_what_it_restates() -> None:
    early = said("r", "restate", "01 00", "russia", restates="d", ends_at="2016-05-01T20:00")
    declared = said("d", "declare", "01 01", starts_at="2016-05-01T06:00", duration="PT24H")
    assert told(compiled(early, declared)) == [["d 01 06..02 06", "r 01 06..01 20"]]


def test_an_end_cuts_every_account_that_its_issuer_gave_before_it() -> None:
    extended = said("x", "extend", "01 01", duration="PT24H")
    end = said("e", "end", "01 12", ends_at="2016-05-01T18:00")
    # The extension had not begun at the cut, so no time is left of it.
    assert told(compiled(DECLARED, extended, end)) == [["d 01 06..01 18"]]


def test_an_end_holds_from_when_it_was_announced_unless_it_says_when() -> None:
    assert told(compiled(DECLARED, said("e", "end", "01 12"))) == [["d 01 06..01 12"]]


def test_an_end_leaves_the_accounts_of_others_and_what_comes_after_it() -> None:
    russia = said("r", "restate", "01 01", "russia", restates="d")
    end = said("e", "end", "01 12")
    again = said("s", "restate", "01 13", restates="d", ends_at="2016-05-01T22:00")
    assert told(compiled(DECLARED, russia, end, again)) == [["d 01 06..01 12", "r 01 06..02 06", "s 01 06..01 22"]]


def test_the_end_of_who_gave_no_account_is_an_account_of_its_own() -> None:
    wide = said("d", "declare", "01 00", starts_at="2016-05-01", duration="PT24H", area="country")
    end = said("e", "end", "01 12", "rebels")
    assert told(compiled(wide, end)) == [["d 01 00..02 00 country", "e 01 00..01 12 country"]]


def test_a_second_end_cuts_the_account_that_the_first_one_added() -> None:
    first = said("e", "end", "01 12", "rebels")
    earlier = said("f", "end", "01 13", "rebels", ends_at="2016-05-01T08:00")
    assert told(compiled(DECLARED, first, earlier)) == [["d 01 06..02 06", "e 01 06..01 08"]]


def test_an_extension_after_an_end_starts_at_the_end_so_shortened() -> None:
    end = said("e", "end", "01 12")
    extended = said("x", "extend", "01 13", starts_at=None, duration="PT1H")
    assert told(compiled(DECLARED, end, extended)) == [["d 01 06..01 12"], ["x 01 12..01 13"]]


def test_an_open_window_that_was_ended_can_be_extended() -> None:
    declared = said("d", "declare", "01 00", starts_at="2016-05-01", ends_at=None)
    end = said("e", "end", "01 12")
    assert told(compiled(declared, end, said("x", "extend", "01 13", duration="PT1H")))[1] == ["x 01 12..01 13"]


def test_the_end_of_another_issuer_shortens_nothing_that_is_extended() -> None:
    end = said("e", "end", "01 12", "russia")
    extended = said("x", "extend", "01 13", duration="PT1H")
    assert told(compiled(DECLARED, end, extended)) == [["d 01 06..02 06", "e 01 06..01 12"], ["x 02 06..02 07"]]


def test_an_extension_of_a_restatement_starts_at_its_end_so_shortened() -> None:
    restated = said("r", "restate", "01 01", "russia", restates="d", ends_at="2016-05-02T12:00")
    end = said("e", "end", "01 12", "russia", ends_at="2016-05-02T09:00")
    extended = said("x", "extend", "01 13", "russia", extends="r", duration="PT1H")
    windows = told(compiled(DECLARED, restated, end, extended))
    assert windows == [["d 01 06..02 06", "r 01 06..02 09"], ["x 02 09..02 10"]]


def test_the_restatement_of_an_extension_starts_where_that_does() -> None:
    extended = said("x", "extend", "01 01", duration="PT24H")
    restated = said("r", "restate", "01 02", "russia", restates="x", ends_at="2016-05-05")
    end = said("e", "end", "01 12")
    # The extension is left with no time by the end; the other issuer's account of it stands as announced.
    assert told(compiled(DECLARED, extended, restated, end)) == [
        ["d 01 06..01 12"], ["x 02 06..02 06", "r 02 06..05 00"]
    ]  # fmt: skip


def test_an_end_at_an_edge_is_of_the_window_that_begins_there() -> None:
    extended = said("x", "extend", "01 01", duration="PT24H")
    end = said("e", "end", "01 02", "russia", ends_at="2016-05-02T06:00")
    assert told(compiled(DECLARED, extended, end)) == [["d 01 06..02 06"], ["x 02 06..03 06", "e 02 06..02 06"]]


def test_an_end_cuts_what_its_issuer_gave_and_joins_what_others_hold_in_force() -> None:
    theirs = said("t", "declare", "01 00", "russia", starts_at="2016-05-01", duration="PT48H")
    end = said("e", "end", "01 12")
    assert told(compiled(DECLARED, theirs, end)) == [["t 01 00..03 00", "e 01 00..01 12"], ["d 01 06..01 12"]]


def test_ends_by_several_who_gave_no_account_are_an_account_each() -> None:
    one, other = said("e", "end", "01 12", "rebels"), said("f", "end", "01 18", "russia")
    assert told(compiled(DECLARED, one, other)) == [["d 01 06..02 06", "e 01 06..01 12", "f 01 06..01 18"]]


def test_a_window_with_no_time_left_by_anybody_is_none() -> None:
    assert told(compiled(DECLARED, said("e", "end", "01 01"))) == []


def test_an_account_with_no_time_left_stays_beside_one_that_has_some() -> None:
    russia = said("r", "restate", "01 00", "russia", restates="d")
    assert told(compiled(DECLARED, russia, said("e", "end", "01 01"))) == [["d 01 06..01 06", "r 01 06..02 06"]]


def test_a_withdrawal_takes_with_it_what_restates_or_by_name_extends() -> None:
    restated = said("r", "restate", "01 01", "russia", restates="d")
    named = said("x", "extend", "01 02", extends="r", duration="PT1H")
    other = said("o", "declare", "01 03", starts_at="2016-05-05", duration="PT1H")
    gone = said("w", "withdraw", "01 04", withdraws="d")
    assert told(compiled(DECLARED, restated, named, other, gone)) == [["o 05 00..05 01"]]


def test_after_a_withdrawal_an_extension_extends_the_one_before() -> None:
    wrong = said("x", "extend", "01 01", duration="P9D")
    right = said("y", "extend", "01 02", duration="PT1H")
    gone = said("w", "withdraw", "01 03", withdraws="x")
    assert told(compiled(DECLARED, wrong, right, gone)) == [["d 01 06..02 06"], ["y 02 06..02 07"]]


@pytest.mark.parametrize("issuer", ["rebels", "army"])
def test_a_withdrawal_takes_with_it_an_end_that_then_touches_nothing(issuer: str) -> None:
    """Whether the end had cut an account of its issuer, or added one."""
    end, withdrawn = said("e", "end", "01 12", issuer), said("w", "withdraw", "01 13", withdraws="d")
    assert told(compiled(DECLARED, end, withdrawn)) == []
    anew = said("d2", "declare", "01 14", starts_at="2016-05-01T06:00", duration="PT24H")
    assert told(compiled(DECLARED, end, withdrawn, anew)) == [["d2 01 06..02 06"]]


def test_an_end_that_still_touches_something_outlives_a_withdrawal() -> None:
    other = said("o", "declare", "01 01", starts_at="2016-05-01T08:00", duration="PT24H")
    end, withdrawn = said("e", "end", "01 12"), said("w", "withdraw", "01 13", withdraws="d")
    assert told(compiled(DECLARED, other, end, withdrawn)) == [["o 01 08..01 12"]]


def test_an_end_that_was_replaced_does_not_keep_the_next_one_from_going_with_its_declaration() -> None:
    first, second = said("e", "end", "01 12"), said("f", "end", "01 12")
    back = [said("w", "withdraw", "01 13", withdraws="e"), said("v", "withdraw", "01 14", withdraws="d")]
    assert told(compiled(DECLARED, first, second, *back)) == []


def test_a_withdrawn_end_never_was() -> None:
    end, gone = said("e", "end", "01 12"), said("w", "withdraw", "01 13", withdraws="e")
    assert told(compiled(DECLARED, end, gone)) == [["d 01 06..02 06"]]


def test_a_withdrawal_can_itself_be_withdrawn() -> None:
    gone = said("w", "withdraw", "01 01", withdraws="d")
    back = said("v", "withdraw", "01 02", withdraws="w")
    assert told(compiled(DECLARED, gone, back)) == [["d 01 06..02 06"]]


def test_a_day_is_a_local_day() -> None:
    declared = said("d", "declare", "01 00", starts_at="2016-03-24T12:00", duration="P1D")
    exact = said("x", "declare", "01 00", starts_at="2016-03-24T12:00", duration="PT24H")
    windows = compiled(declared, exact, timezone="Asia/Damascus").windows
    lengths = [a.end - a.start for w in windows for a in w.accounts if a.end is not None]
    assert sorted(lengths) == [23 * HOUR, DAY]


@pytest.mark.parametrize(
    ("announcements", "pointer", "why"),
    [
        ([said("d", "declare", "01 00")], "0/starts_at", "required"),
        ([said("r", "restate", "01 00")], "0/restates", "required"),
        ([said("w", "withdraw", "01 00")], "0/withdraws", "required"),
        ([{**DECLARED, "ends_at": "2016-05-02"}], "0/duration", "cannot be combined"),
        ([{**DECLARED, "duration": "PT1M"}], "0/duration", "not a duration"),
        ([{**DECLARED, "starts_at": "soon"}], "0/starts_at", "neither a date"),
        ([{**DECLARED, "announced_at": "then"}], "0/announced_at", "neither a date"),
        ([{**DECLARED, "issuer": "nobody"}], "0/issuer", "no party"),
        ([{**DECLARED, "area": "nowhere"}], "0/area", "no area"),
        ([{**DECLARED, "restates": "d"}], "0/restates", "no meaning"),
        ([{**DECLARED, "duration": None, "ends_at": "2016-05-01T05:00"}], "0/ends_at", "after the start"),
        ([DECLARED, said("r", "restate", "01 01", restates="d", starts_at="2016-05-03")], "1/starts_at", "after the"),
        ([DECLARED, said("r", "restate", "01 01", restates="q")], "1/restates", "no announcement"),
        ([DECLARED, said("x", "extend", "01 01", extends="q", duration="PT1H")], "1/extends", "no announcement"),
        ([DECLARED, said("w", "withdraw", "01 01", withdraws="q")], "1/withdraws", "no announcement"),
        ([said("x", "extend", "01 01", duration="PT1H")], "0", "nothing before it"),
        ([DECLARED, said("e", "end", "01 01", "russia")], "1", "ends nothing"),
        ([DECLARED, said("e", "end", "03 00")], "1", "ends nothing"),
        ([DECLARED, said("e", "end", "01 12", ends_at=None)], "1/ends_at", "needs an instant"),
        ([DECLARED, DECLARED], "1/id", "used twice"),
        (
            [{**DECLARED, "duration": None}, said("x", "extend", "01 01", duration="PT1H")],
            "1",
            "open end",
        ),
        (
            [{**DECLARED, "duration": None}, said("x", "extend", "01 01", starts_at="2016-05-03", duration="PT1H")],
            "1",
            "open end",
        ),
        ([DECLARED, said("e", "end", "01 12"), said("f", "end", "01 12")], "2", "ends nothing"),
        (
            [DECLARED, said("w", "withdraw", "01 11", withdraws="d"), said("e", "end", "01 12", "rebels")],
            "2",
            "ends nothing",
        ),
        ([{**DECLARED, "starts_at": "0001-01-01T00:00+14:00"}], "0/starts_at", "beyond"),
        (
            [DECLARED, said("e", "end", "01 00"), said("x", "extend", "01 01", duration="PT1H")],
            "2",
            "nothing to extend",
        ),
        (
            [
                DECLARED,
                said("e", "end", "01 00"),
                said("x", "extend", "01 01", starts_at="2016-05-02", duration="PT1H"),
            ],
            "2",
            "ended before it began",
        ),
        (
            [DECLARED, said("e", "end", "01 00"), said("x", "extend", "01 01", extends="d", duration="PT1H")],
            "2/extends",
            "nothing to extend",
        ),
        ([{**DECLARED, "starts_at": "9999-12-29", "duration": "PT999999H"}], "0/duration", "beyond"),
        (
            [DECLARED, said("e", "end", "01 12"), said("r", "restate", "01 13", restates="e")],
            "2/restates",
            "gives no window",
        ),
        (
            [said("r", "restate", "01 00", restates="s"), said("s", "restate", "01 01", restates="r")],
            "0",
            "circle",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(
    announcements: list[dict[str, Any]], pointer: str, why: str
) -> None:
    found = faults_of(*announcements)
    assert list(found) == [pointer]
    assert why in found[pointer]


def test_one_malformed_announcement_hides_no_fault_of_another_and_makes_none_up() -> None:
    broken = {**DECLARED, "starts_at": "soon", "duration": "PT1M"}
    found = faults_of(broken, said("x", "extend", "01 01", duration="PT1H"), said("e", "end", "01 02", issuer="nobody"))
    assert set(found) == {"0/starts_at", "0/duration", "2/issuer"}


def test_a_chain_of_restatements_in_the_wrong_order_ends_somewhere() -> None:
    chain = [said(f"r{n}", "restate", "01 00", "russia", restates=f"r{n + 1}") for n in range(600)]
    found = faults_of(*chain, said("r600", "declare", "02 00", starts_at="2016-05-03"))
    assert any("too many others" in detail for detail in found.values())


def test_aleppo_began_at_one_time_for_one_guarantor_and_at_another_for_the_army() -> None:
    registry = load_registry_file(SCENARIO / "registry.yaml").registry
    window = registry.truces["aleppo-calm"].windows[0]
    accounts = [
        (a.announcement, a.area, format_instant(a.start), "" if a.end is None else format_instant(a.end))
        for a in window.accounts
    ]
    assert accounts == [
        ("army-20160504", "aleppo-city", "2016-05-04T22:00:00Z", "2016-05-06T22:00:00Z"),
        ("russia-20160504", "aleppo-city", "2016-05-04T22:00:00Z", "2016-05-06T21:00:00Z"),
        ("us-20160504", "aleppo-governorate", "2016-05-03T21:01:00Z", "2016-05-06T22:00:00Z"),
    ]


EPOCH = parse_instant("2016-05-01T00:00:00Z")
hours = st.integers(0, 300)


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A declaration, then extensions and ends by either of two issuers, each at its own hour."""
    start = draw(hours)
    first = _at("a0", "declare", 0, "army", starts_at=_time(start), duration=f"PT{draw(st.integers(1, 96))}H")
    steps = [first]
    for n in range(1, draw(st.integers(1, 7))):
        issuer = draw(st.sampled_from(["army", "russia"]))
        action = draw(st.sampled_from(["extend", "restate", "end"]))
        more: dict[str, Any] = {"ends_at": _time(draw(hours))} if action == "end" else {}
        if action == "extend":
            more = {"duration": f"PT{draw(st.integers(1, 96))}H"}
        if action == "restate":
            more = {
                "restates": "a0",
                "ends_at": None if draw(st.booleans()) else _time(start + draw(st.integers(1, 9))),
            }
        steps.append(_at(f"a{n}", action, n, issuer, **more))
    return steps


def _time(hour: int) -> str:
    return format_instant(EPOCH + hour * HOUR)


def _at(id: str, action: str, hour: int, issuer: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "action": action, "announced_at": _time(hour), "issuer": issuer, **more}


@given(histories())
def test_windows_are_never_inverted_and_gaps_are_never_bridged(steps: list[dict[str, Any]]) -> None:
    if faults_of(*steps):
        return
    derived = compiled(*steps)
    stated = {step["id"]: parse_instant(str(step["starts_at"])) for step in steps if step["action"] == "declare"}
    for window in derived.windows:
        for account in window.accounts:
            assert account.end is None or account.start <= account.end
        opener = window.accounts[0]
        starts = {a.start for a in window.accounts}
        # A restatement or an end that names no start has the window's own: nothing reaches back before it.
        assert starts == {opener.start}
        assert opener.announcement not in stated or opener.start == stated[opener.announcement]


@given(st.lists(st.tuples(hours, st.integers(1, 96)), min_size=1, max_size=8))
def test_what_states_its_own_start_and_end_covers_that_and_nothing_between(stated: list[tuple[int, int]]) -> None:
    steps = [
        _at(
            f"a{n}",
            "extend" if n else "declare",
            n,
            "army",
            starts_at=_time(start),
            ends_at=_time(start + length),
        )
        for n, (start, length) in enumerate(stated)
    ]
    derived = {(a.start, a.end) for w in compiled(*steps).windows for a in w.accounts}
    assert derived == {(EPOCH + s * HOUR, EPOCH + (s + n) * HOUR) for s, n in stated}

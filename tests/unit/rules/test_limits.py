"""Limits of a registry, so that no judgement takes long: refused with the place and the limit."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import Feature
from services.rules.judging.parties import PartyDirectory
from services.rules.registry.domain import limits
from services.rules.registry.domain.document import compile_document
from services.rules.registry.domain.faults import InvalidRegistryError
from services.rules.registry.domain.limits import (
    FREE_MEETING,
    MAX_COALITIONS,
    MAX_FAULTS,
    MAX_MEETING,
    MAX_POINTS,
    find_excess,
)
from services.rules.registry.domain.memberships import Coalitions
from services.rules.registry.wire import read_document, read_stored, write, write_document
from services.rules.registry.yaml_json import UnreadableTextError, find_lines, read_text
from tests.scenario import registry_document
from tests.unit.rules.registry_samples import announcement, area, document, party, truce


def faults(value: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidRegistryError) as refused:
        compile_document(read_document(write(value)))
    return {fault.pointer: fault.detail for fault in refused.value.faults}


def drawn(id: str, ring: list[tuple[float, float]]) -> dict[str, Any]:
    return {**area(id), "geometry": {"type": "Polygon", "coordinates": [ring]}}


def circle(points: int) -> list[tuple[float, float]]:
    ring = [(37 + math.cos(2 * math.pi * n / points), 36 + math.sin(2 * math.pi * n / points)) for n in range(points)]
    return [*ring, ring[0]]


def star(spikes: int) -> list[tuple[float, float]]:
    ring = []
    for n in range(2 * spikes):
        turn, radius = math.pi * n / spikes, 1.0 if n % 2 else 0.01
        ring.append((37 + radius * math.cos(turn), 36 + radius * math.sin(turn)))
    return [*ring, ring[0]]


def with_areas(*areas: dict[str, Any]) -> dict[str, Any]:
    return document(areas={"type": "FeatureCollection", "features": list(areas)}, truces=[], presence=[])


def test_an_area_of_as_many_points_as_allowed_is_taken() -> None:
    compile_document(read_document(write(with_areas(drawn("a", circle(MAX_POINTS - 1))))))


@pytest.mark.parametrize("points", [MAX_POINTS, 50_000])
def test_an_area_of_more_points_is_refused(points: int) -> None:
    told = faults(with_areas(drawn("a", circle(points))))
    assert told == {"/areas/features/0/geometry": f"has {points + 1} points: an area may have at most {MAX_POINTS}; "
                    "simplify it"}  # fmt: skip


def test_a_star_of_many_spikes_is_refused_before_it_is_measured() -> None:
    told = faults(with_areas(drawn("a", star(1_000)), drawn("b", star(100))))
    assert told == {
        "/areas/features/0/geometry": "has edges that run across each other's in too many places; simplify it"
    }


def test_a_ring_that_turns_on_itself_is_refused_at_once() -> None:
    zigzag = [(37.0 + n % 2, 36.0 + (n * 7919 % 5000) / 5000) for n in range(5_000)]
    assert "simplify" in faults(with_areas(drawn("a", [*zigzag, zigzag[0]])))["/areas/features/0/geometry"]


def test_what_is_no_shape_is_no_excess() -> None:
    assert find_excess(None) is None


def test_edges_that_meet_are_counted_no_further_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_MEETING * MAX_POINTS + FREE_MEETING < 2_000_000
    monkeypatch.setattr(limits, "MAX_MEETING", 10_000)
    compile_document(read_document(write(with_areas(drawn("a", star(200))))))


def test_a_union_counts_the_points_of_its_parts() -> None:
    parts = [drawn(f"p{n}", circle(MAX_POINTS // 2)) for n in range(3)]
    union = {**area("u"), "geometry": None, "union": ["p0", "p1", "p2"]}
    assert list(faults(with_areas(*parts, union))) == ["/areas/features/3/union"]


def test_all_areas_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.rules.registry.domain.areas.MAX_POINTS_IN_ALL", 100)
    told = faults(with_areas(drawn("a", circle(60)), drawn("b", circle(60))))
    assert told == {"/areas": "has 122 points: all areas together may have at most 100"}


def chain(length: int) -> list[dict[str, Any]]:
    return [party(f"p{n}", member_of=[f"p{n + 1}"] if n + 1 < length else []) for n in range(length)]


def test_a_party_may_be_in_a_hundred_coalitions() -> None:
    value = document(parties=chain(MAX_COALITIONS + 1), truces=[], presence=[])
    registry = compile_document(read_document(write(value)))
    assert len(PartyDirectory(registry, lambda name: False).lineage("p0", 0)) == MAX_COALITIONS + 1


def test_a_chain_of_three_thousand_memberships_is_refused() -> None:
    told = faults(document(parties=chain(3_000), truces=[], presence=[]))
    assert told["/parties/0/member_of"].startswith("'p0' would be in more than 100 coalitions")
    # Only so many are in too many: the last hundred are not.
    assert "/parties/2899/member_of" not in told


IDS = st.sampled_from("abcdefgh")
MEMBERSHIPS = st.dictionaries(IDS, st.lists(IDS, max_size=4, unique=True), max_size=8)


def reachable(start: str, edges: dict[str, list[str]]) -> set[str]:
    found, fresh = set[str](), list(edges.get(start, ()))
    while fresh:
        one = fresh.pop()
        if one not in found:
            found.add(one)
            fresh += edges.get(one, ())
    return found


@given(MEMBERSHIPS)
def test_circles_and_coalitions_are_those_that_can_be_reached(edges: dict[str, list[str]]) -> None:
    reach = Coalitions(edges)
    for party_id, joined in edges.items():
        for coalition in joined:
            back = party_id in {coalition} | reachable(coalition, edges)
            assert reach.in_circle(party_id, coalition) == back
        if party_id not in reachable(party_id, edges):
            assert reach.of(party_id) == reachable(party_id, edges)


def test_a_document_that_names_too_much_is_refused_before_it_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REFERENCES", 10)
    value = document(parties=[party("a"), party("b", member_of=["a"] * 11)], truces=[], presence=[])
    assert faults(value) == {"": "names 11 parties, areas and acts in its lists: at most 10 are read"}


def test_a_document_with_too_many_announcements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ANNOUNCEMENTS", 1)
    said = [announcement(f"d{n}", "declare", "01 00", starts_at="2016-05-01") for n in range(2)]
    told = faults(document(truces=[truce("calm", *said)]))
    assert told == {"": "has 2 announcements: all truces together may have at most 1"}


def test_of_very_many_faults_the_first_are_kept() -> None:
    value = document(parties=[party(f"p{n}", member_of=["nobody"] * 100) for n in range(50)], truces=[])
    assert len(faults(value)) == MAX_FAULTS


def test_a_large_malformed_document_is_answered_by_its_first_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.rules.registry.wire.MAX_LOOKED", 10)
    with pytest.raises(InvalidRegistryError) as refused:
        read_document(write(document(parties=[party("a"), {**party("b"), "kind": 7}, {}])))
    [fault] = refused.value.faults
    assert (fault.pointer, fault.detail) == ("/parties/1/kind", "Expected `str`, got `int`")


@pytest.mark.parametrize(
    ("limit", "pointer"),
    [("MAX_VALUES", "/parties/1"), ("MAX_VALUES_IN_ALL", ""), ("MAX_RESOURCES", "/parties")],
)
def test_what_holds_too_many_values_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch, limit: str, pointer: str
) -> None:
    monkeypatch.setattr("services.rules.registry.wire.MAX_LOOKED", 10)
    value = document(parties=[party("a"), party("b", member_of=["a"] * 100), party("c")], truces=[], presence=[])
    monkeypatch.setattr(f"services.rules.registry.wire.{limit}", {"MAX_VALUES": 50, "MAX_RESOURCES": 2}.get(limit, 99))
    with pytest.raises(InvalidRegistryError) as refused:
        read_document(write(value))
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_yaml_may_hold_so_many_values_for_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.rules.registry.yaml_json.MAX_NODES", 10)
    assert read_text(b"[1234567, 1234567]", "yaml") == [1234567, 1234567]
    with pytest.raises(UnreadableTextError, match="more than"):
        read_text(b"[" + b"[]," * 30 + b"[]]", "yaml")


def test_only_the_lines_that_faults_need_are_kept() -> None:
    text = b"version: 1\nparties:\n  - id: a\n    kind: b\n  - id: c\n"
    assert find_lines(text, "yaml", ["/parties/1/kind"]) == {"": 1, "/parties": 3, "/parties/1": 5}


def test_a_document_is_written_piece_by_piece_as_it_is_at_once() -> None:
    for value in (registry_document(), document()):
        written = read_document(write(value))
        assert read_document(write_document(written)) == written
        assert write_document(written) == write(written)


@pytest.mark.parametrize(("depth", "kept"), [(10, True), (900, False)])
def test_properties_that_nest_too_deeply_to_be_answered_are_left_out(depth: int, kept: bool) -> None:
    feature = write(area("a")).replace(b'"properties":{', b'"properties":{"deep":%b,' % (b"[" * depth + b"]" * depth))
    stored = read_stored("areas", feature)
    assert isinstance(stored, Feature)
    assert ("deep" in stored.properties) == kept
    assert stored.properties["name"] == {"en": "a"}

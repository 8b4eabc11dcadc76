"""The registry document: compiled, or all its faults at once, each with its pointer."""

import copy
from typing import Any

import pytest

from schemas.instants import format_instant
from services.rules.registry.domain.document import CompiledDocument, compile_document
from services.rules.registry.file import load_registry_file
from tests.scenario import SCENARIO
from tests.unit.rules.registry_samples import SQUARE, announcement, area, document, faults, party, read, truce


def test_the_worked_example_compiles() -> None:
    registry = load_registry_file(SCENARIO / "registry.yaml").registry
    assert len(registry.parties) == 15
    assert [presence.id for presence in registry.presence] == [
        "nusra.aleppo-city.1",
        "nusra.khan-tuman.1",
        "isis.ar-raqqah.1",
        "isis.deir-ez-zor.1",
    ]
    assert registry.presence[0].period.start is not None
    assert format_instant(registry.presence[0].period.start) == "2016-02-26T22:00:00Z"
    duty = registry.truces["aleppo-calm"].duties[0]
    assert duty.bound is None
    assert {"shelling", "occupation"} <= duty.acts
    assert registry.parties["opposition"].cannot == {"airstrike", "barrel_bomb", "overflight"}
    assert [ref.party for ref in registry.truces["aleppo-calm"].exclusions] == ["isis", "nusra"]


def test_terms_may_be_ids_or_hold_for_a_time() -> None:
    terms = ["army", {"party": "rebels", "from": "2016-02-27", "to": "2016-05-01T24:00", "basis": "letter"}]
    value = document(truces=[truce("calm", duties=[{"bound": terms, "toward": [], "acts": ["shelling"]}])])
    bound = compile_document(read(value)).truces["calm"].duties[0].bound
    assert bound is not None
    assert bound[0].period.start is None
    assert bound[1].basis == "letter"
    assert bound[1].period.end is not None
    assert format_instant(bound[1].period.end) == "2016-05-01T21:00:00Z"


def test_a_union_is_the_areas_that_it_names() -> None:
    east = {"type": "Polygon", "coordinates": [[[37, 33], [38, 33], [38, 34], [37, 34], [37, 33]]]}
    value = document()
    value["areas"]["features"] = [area("west"), area("east", east), area("both", None, union=["west", "east"])]
    geometry = compile_document(read(value)).areas["both"].geometry
    assert geometry.bounds == (36, 33, 38, 34)


def test_presence_ids_count_by_party_and_area_and_leave_given_ones_alone() -> None:
    held = {"party": "army", "area": "city", "control": "held"}
    value = document(presence=[held, {**held, "id": "army.city.2"}, held, {**held, "area": "country"}])
    ids = [presence.id for presence in compile_document(read(value)).presence]
    assert ids == ["army.city.1", "army.city.2", "army.city.3", "army.country.1"]


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown zone", {"timezone": "Asia/Atlantis"}, "/timezone", "no time zone"),
    ("unknown field", {"truce": []}, "/truce", "not a known field"),
    ("other format", {"version": 2}, "/version", "must be one of"),
    ("party twice", {"parties": [party("a"), party("a")]}, "/parties/1/id", "used twice"),
    ("area twice", {"areas": {"type": "FeatureCollection", "features": [area("a"), area("a")]}},
     "/areas/features/1/id", "used twice"),
    ("unknown coalition", {"parties": [party("a", member_of=["b"])]}, "/parties/0/member_of/0", "no party"),
    ("own member", {"parties": [party("a", member_of=["a"])]}, "/parties/0/member_of/0", "member of itself"),
    ("unknown act", {"parties": [party("a", cannot=["airstrike", "flying"])]}, "/parties/0/cannot/1", "'flying'"),
    ("alias ends before it starts",
     {"parties": [party("a", aliases=[{"name": "b", "from": "2016-02-02", "to": "2016-02-01"}])]},
     "/parties/0/aliases/0/to", "after the start"),
    ("no such language", {"parties": [party("a", name={"xx": "a"})]}, "/parties/0/name/xx", "must be one of"),
    ("no name at all", {"parties": [party("a", name={})]}, "/parties/0/name", "at least 1"),
    ("id with a slash", {"parties": [party("a/b")]}, "/parties/0/id", "matching regex"),
    ("id that ends in a line end", {"parties": [party("a\n")]}, "/parties/0/id", "matching regex"),
    ("presence of nobody", {"presence": [{"party": "x", "area": "city", "control": "held"}]}, "/presence/0/party", "x"),
    ("presence nowhere", {"presence": [{"party": "army", "area": "x", "control": "held"}]}, "/presence/0/area", "x"),
    ("other control", {"presence": [{"party": "a", "area": "b", "control": "all"}]}, "/presence/0/control", "must"),
    ("place beyond the pole", {"places": [{"id": "a", "name": "a", "lat": 91, "lon": 0, "radius_km": 1}]},
     "/places/0/lat", "<= 90"),
    ("place of no size", {"places": [{"id": "a", "name": "a", "lat": 0, "lon": 0, "radius_km": 0}]},
     "/places/0/radius_km", "> 0"),
    ("truce nowhere", {"truces": [truce("t", area="x")]}, "/truces/0/area", "no area"),
    ("unknown guarantor", {"truces": [truce("t", guarantors=["x"])]}, "/truces/0/guarantors/0", "no party"),
    ("unknown exclusion", {"truces": [truce("t", exclusions=[{"party": "x"}])]}, "/truces/0/exclusions/0/party", "no"),
    ("duty of nobody", {"truces": [truce("t", duties=[{"bound": ["x"], "toward": "any", "acts": ["siege"]}])]},
     "/truces/0/duties/0/bound/0", "no party"),
    ("duty without acts", {"truces": [truce("t", duties=[{"bound": "any", "toward": "any", "acts": []}])]},
     "/truces/0/duties/0/acts", "at least 1"),
    ("duty of a word", {"truces": [truce("t", duties=[{"bound": "all", "toward": "any", "acts": ["siege"]}])]},
     "/truces/0/duties/0/bound", "Invalid enum"),
    ("midnight that does not exist",
     {"presence": [{"party": "army", "area": "city", "control": "held", "from": "2016-03-25T00:00"}]},
     "/presence/0/from", "does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "pointer", "why"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_fault_has_its_pointer(more: dict[str, Any], pointer: str, why: str) -> None:
    found = faults(document(**more))
    assert pointer in found
    assert why in found[pointer]


BOWTIE = {"type": "Polygon", "coordinates": [[[36, 33], [37, 34], [37, 33], [36, 34], [36, 33]]]}
OPEN = {"type": "Polygon", "coordinates": [[[36, 33], [37, 33], [37, 34], [36, 34]]]}
FAR = {"type": "Polygon", "coordinates": [[[179, 88], [180, 88], [180, 91], [179, 88]]]}


@pytest.mark.parametrize(
    ("feature", "pointer", "why"),
    [
        (area("a", BOWTIE), "/geometry", "crosses"),
        (area("a", OPEN), "/geometry", "closed"),
        (area("a", FAR), "/geometry", "beyond"),
        (area("a", {"type": "Point", "coordinates": [36, 33]}), "/geometry/type", "Polygon, MultiPolygon"),
        (area("a", {"type": "Polygon", "coordinates": [[[36, 33], [37, "x"], [37, 34], [36, 33]]]}),
         "/geometry/coordinates/0/1/1", "float"),
        (area("a", {"type": "Polygon", "coordinates": [[[36, 33], [36, 33]]]}), "/geometry/coordinates/0", "at least"),
        (area("a", None), "/geometry", "required"),
        (area("a", None, union=["x"]), "/union/0", "no area"),
        (area("a", None, union=[]), "/union", "must name"),
        (area("a", SQUARE, union=["b"]), "/geometry", "must be null"),
        ({**area("a"), "properties": {}}, "/properties/name", "required"),
        ({**area("a"), "properties": {"name": "a"}}, "/properties/name", "names by language"),
        ({"type": "Feature", "id": "a", "geometry": SQUARE, "propertys": {}}, "/properties", "required"),
    ],
)  # fmt: skip
def test_an_area_must_be_a_shape(feature: dict[str, Any], pointer: str, why: str) -> None:
    found = faults(document(areas={"type": "FeatureCollection", "features": [feature, area("b"), area("city")]}))
    assert list(found) == [f"/areas/features/0{pointer}"]
    assert why in found[f"/areas/features/0{pointer}"]


def test_unions_are_not_nested() -> None:
    features = [area("a"), area("b", None, union=["a"]), area("c", None, union=["a", "b"]), area("city")]
    assert list(faults(document(areas={"type": "FeatureCollection", "features": features}))) == [
        "/areas/features/2/union/1"
    ]


def test_members_in_a_circle_are_refused() -> None:
    circle = [party("a", member_of=["b"]), party("b", member_of=["c"]), party("c", member_of=["a"]), party("d")]
    assert set(faults(document(parties=circle))) == {f"/parties/{n}/member_of/0" for n in range(3)}


def test_a_document_that_is_none() -> None:
    assert list(faults([])) == [""]


def test_malformed_and_meaningless_parts_are_told_together_each_where_it_stands() -> None:
    declared = announcement("d", "declare", "01 00", starts_at="2016-05-02", ends_at="2016-05-01")
    value = document(
        colour="red",
        parties=[party("army", umbrella="yes"), party("army2"), party("army2")],
        truces=[truce("broken", kind=7), truce("calm", declared, area="x")],
    )
    value["areas"]["features"].insert(0, area("bad", BOWTIE))
    assert set(faults(value)) == {
        "/colour",
        "/parties/0/umbrella",
        "/parties/2/id",
        "/areas/features/0/geometry",
        "/truces/0/kind",
        "/truces/1/area",
        "/truces/1/announcements/0/ends_at",
    }


def test_a_reference_to_a_malformed_part_is_no_fault_of_its_own() -> None:
    value = document(parties=[party("army", umbrella="yes"), party("rebels", member_of=["army"])])
    assert set(faults(value)) == {"/parties/0/umbrella"}


def test_what_has_not_changed_is_not_compiled_again() -> None:
    value = document(truces=[truce("calm", announcement("d", "declare", "01 00", starts_at="2016-05-01"))])
    first = read(value)
    before = CompiledDocument(first, compile_document(first))
    changed = copy.deepcopy(value)
    changed["truces"].append(truce("other"))
    after = compile_document(read(changed), 2, before)
    assert after.version == 2
    assert after.truces["calm"] is before.registry.truces["calm"]
    assert after.areas["city"] is before.registry.areas["city"]
    assert set(after.truces) == {"calm", "other"}


@pytest.mark.parametrize("gone", ["party", "area", "timezone"])
def test_what_others_lean_on_has_them_compiled_again(gone: str) -> None:
    value = document(truces=[truce("calm", announcement("d", "declare", "01 00", starts_at="2016-05-01"))])
    first = read(value)
    before = CompiledDocument(first, compile_document(first))
    if gone == "timezone":
        after = compile_document(read({**value, "timezone": "UTC"}), 2, before)
        assert after.truces["calm"].windows != before.registry.truces["calm"].windows
        return
    if gone == "party":
        value["parties"] = value["parties"][1:]
    else:
        value["areas"]["features"] = value["areas"]["features"][1:]
    with pytest.raises(ValueError, match="no party" if gone == "party" else "no area"):
        compile_document(read(value), 2, before)

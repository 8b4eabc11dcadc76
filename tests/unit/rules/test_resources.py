"""The document as resources, and what differs between two."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import Document
from services.rules.registry.domain.document import compile_document
from services.rules.registry.domain.faults import InvalidRegistryError
from services.rules.registry.domain.resources import (
    SETTINGS,
    NoSuchResourceError,
    ResourceChange,
    announce,
    apply,
    delete,
    diff,
    join,
    name_of,
    put,
    split,
)
from services.rules.registry.file import load_registry_file
from services.rules.registry.wire import read_announcement, read_document, read_resource, read_stored, write
from tests.scenario import SCENARIO
from tests.unit.rules.registry_samples import area, document, party, read, truce


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Valid documents over a few ids, each resource there or not, in one of two forms, in any order."""

    def some(make: Any, ids: list[str]) -> list[Any]:
        chosen = draw(st.permutations([id for id in ids if draw(st.booleans())]))
        return [make(id, draw(st.booleans())) for id in chosen]

    parties = some(lambda id, form: party(id, umbrella=form), ["a", "b", "c"])
    areas = some(lambda id, form: area(id, properties={"name": {"en": id if form else "x"}}), ["p", "q"])
    where = areas[0]["id"] if areas else "nowhere"
    truces = some(lambda id, form: truce(id, area=where, kind="k" if form else "l"), ["t", "u"])
    held = [{"party": p["id"], "area": f["id"], "control": "held"} for p in parties for f in areas]
    presence = [one for one in held if draw(st.booleans())]
    value = {
        "version": 1,
        "timezone": draw(st.sampled_from(["UTC", "Asia/Damascus"])),
        "parties": parties,
        "areas": {"type": "FeatureCollection", "features": areas},
        "presence": presence,
        "truces": truces if areas else [],
    }
    return read(value)


@given(documents())
def test_taken_apart_and_put_together_a_document_means_the_same(original: Document) -> None:
    again = join(split(original))
    assert split(again) == split(original)
    one, other = compile_document(original), compile_document(again)
    assert (one.parties, one.truces, one.timezone) == (other.parties, other.truces, other.timezone)
    assert set(one.presence) == set(other.presence)
    assert one.areas == other.areas


@given(documents())
def test_written_and_read_a_document_is_the_same(original: Document) -> None:
    assert read_document(write(original)) == original
    for (kind, _), resource in split(original).items():
        assert read_resource(kind, write(resource)) == resource
        assert read_stored(kind, write(resource)) == resource


@given(documents(), documents())
def test_a_difference_leads_there_and_back(one: Document, other: Document) -> None:
    before, after = split(one), split(other)
    changes = diff(before, after)
    assert apply(before, changes) == after
    assert apply(after, [ResourceChange(c.key, c.after, c.before) for c in changes]) == before
    assert {c.op for c in changes} <= {"add", "replace", "remove"}
    assert diff(before, before) == []


def test_the_worked_example_survives_being_taken_apart() -> None:
    loaded = load_registry_file(SCENARIO / "registry.yaml")
    again = compile_document(join(split(loaded.document)))
    assert again.truces == loaded.registry.truces
    assert again.parties == loaded.registry.parties
    assert again.places == loaded.registry.places


def test_numbers_written_in_two_ways_are_no_difference() -> None:
    ints = split(read(document()))
    floats = document()
    for feature in floats["areas"]["features"]:
        rings = feature["geometry"]["coordinates"]
        feature["geometry"] = {
            "coordinates": [[[float(x) for x in p] for p in ring] for ring in rings],
            "type": "Polygon",
        }
    assert diff(ints, split(read(floats))) == []


def test_settings_are_a_resource() -> None:
    resources = split(read(document()))
    assert join(resources).timezone == "Asia/Damascus"
    assert join({k: r for k, r in resources.items() if k != SETTINGS}).timezone == "UTC"


def test_one_resource_is_put_and_deleted() -> None:
    resources = split(read(document()))
    fresh = read_resource("parties", b'{"id":"un","kind":"other","name":{"en":"UN"}}')
    more = put(resources, "parties", "un", fresh)
    assert [c.op for c in diff(resources, more)] == ["add"]
    assert delete(more, "parties", "un") == resources
    with pytest.raises(InvalidRegistryError, match="as in the address"):
        put(resources, "parties", "eu", fresh)
    with pytest.raises(NoSuchResourceError):
        delete(resources, "parties", "un")


def test_a_presence_entry_takes_the_id_of_its_address() -> None:
    entry = read_resource("presence", b'{"party":"army","area":"city","control":"held"}')
    assert ("presence", "x") in put(split(read(document())), "presence", "x", entry)


def test_an_announcement_is_added_at_the_end() -> None:
    resources = split(read(document(truces=[truce("calm")])))
    said = read_announcement(
        b'{"id":"d","issuer":"army","action":"declare","announced_at":"2016-05-01","starts_at":"2016-05-02"}'
    )
    after = announce(resources, "calm", said)
    assert len(compile_document(join(after)).truces["calm"].windows) == 1
    with pytest.raises(NoSuchResourceError):
        announce(resources, "storm", said)


def test_a_pointer_can_be_told_by_id() -> None:
    value = read(document(truces=[truce("calm")]))
    assert name_of(value, "/truces/0/area") == "truces/calm/area"
    assert name_of(value, "/areas/features/1/geometry") == "areas/country/geometry"
    assert name_of(value, "/timezone") == "timezone"

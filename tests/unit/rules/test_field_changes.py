"""The differences between two forms of a resource, as people are told of them."""

from typing import Any

from msgspec import UNSET

from services.rules.registry.domain.field_changes import changed_fields
from services.rules.registry.domain.resources import diff, split
from tests.unit.rules.registry_samples import announcement, area, document, party, read, truce

DECLARED = announcement("d", "declare", "01 00", starts_at="2016-05-01")


def told(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    (change,) = diff(split(read(before)), split(read(after)))
    return {found.field: (found.before, found.after) for found in changed_fields(change)}


def test_an_announcement_is_named_by_its_id() -> None:
    before, after = document(truces=[truce("calm")]), document(truces=[truce("calm", DECLARED)])
    assert told(before, after) == {"/announcements/d": (UNSET, DECLARED)}
    assert told(after, before) == {"/announcements/d": (DECLARED, UNSET)}


def test_a_field_of_an_announcement_is_told_by_itself_and_an_open_end_is_not_an_absent_one() -> None:
    before = document(truces=[truce("calm", DECLARED)])
    after = document(truces=[truce("calm", {**DECLARED, "text": "At dawn.", "ends_at": None})])
    assert told(before, after) == {
        "/announcements/d/text": (UNSET, "At dawn."),
        "/announcements/d/ends_at": (UNSET, None),
    }


def test_a_list_without_ids_and_a_geometry_are_told_as_a_whole() -> None:
    parties = [party("army", aliases=["regime"]), party("rebels"), party("russia")]
    assert told(document(), document(parties=parties)) == {"/aliases": (UNSET, ["regime"])}
    ring = [[36, 33], [37, 33], [37, 35], [36, 33]]
    moved = area("city", {"type": "Polygon", "coordinates": [ring]})
    areas = {"type": "FeatureCollection", "features": [moved, area("country")]}
    assert list(told(document(), document(areas=areas))) == ["/geometry"]


def test_a_resource_that_was_added_is_told_as_a_whole() -> None:
    parties = [*document()["parties"], party("un")]
    assert told(document(), document(parties=parties)) == {"": (UNSET, party("un"))}

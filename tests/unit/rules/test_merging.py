"""An operator's file and what others changed meanwhile, as one registry."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import Resource, Truce
from services.rules.registry.domain.merging import merge
from services.rules.registry.domain.resources import Key, split
from tests.unit.rules.registry_samples import announcement, document, party, read, truce

FIRST = announcement("d", "declare", "01 00", starts_at="2016-05-01")
NIGHT = announcement("n", "extend", "02 02", duration="PT24H")
MINE = announcement("m", "end", "03 00", ends_at="2016-05-04")


def resources(*truces: dict[str, Any], **more: Any) -> dict[Key, Resource]:
    return split(read(document(truces=list(truces), **more)))


BASE = resources(truce("calm", FIRST))


def test_an_announcement_made_meanwhile_stays() -> None:
    merged = merge(
        BASE, resources(truce("calm", FIRST, MINE, kind="nationwide")), resources(truce("calm", FIRST, NIGHT))
    )
    calm = merged.resources["truces", "calm"]
    assert isinstance(calm, Truce)
    assert ([said.id for said in calm.announcements], calm.kind) == (["d", "n", "m"], "nationwide")
    assert merged.conflicts == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (truce("calm", {**FIRST, "text": "a"}), truce("calm", {**FIRST, "text": "b"})),
        (truce("calm", FIRST, kind="a"), truce("calm", FIRST, kind="b")),
        (truce("calm"), truce("calm", {**FIRST, "text": "b"})),
    ],
)
def test_what_both_changed_is_a_conflict_and_theirs_is_kept(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    merged = merge(BASE, resources(ours), resources(theirs))
    assert (merged.conflicts, merged.resources) == ([("truces", "calm")], resources(theirs))


def test_a_truce_removed_here_and_changed_there_is_a_conflict() -> None:
    theirs = resources(truce("calm", FIRST, NIGHT))
    assert merge(BASE, resources(), theirs).conflicts == [("truces", "calm")]
    assert merge(BASE, theirs, resources()).conflicts == [("truces", "calm")]


SAID = st.lists(st.sampled_from([FIRST, NIGHT, MINE]), unique_by=lambda said: said["id"])
REGISTRIES = st.builds(
    lambda said, kind, parties: resources(
        truce("calm", *said, kind=kind), parties=[*document()["parties"], *map(party, sorted(parties))]
    ),
    SAID,
    st.sampled_from(["local", "nationwide"]),
    st.sets(st.sampled_from(["un", "eu"])),
)


@given(REGISTRIES, REGISTRIES)
def test_where_only_one_side_changed_anything_the_merge_is_that_side(base: Any, changed: Any) -> None:
    for ours, theirs in ((changed, base), (base, changed), (changed, changed)):
        merged = merge(base, ours, theirs)
        assert merged.conflicts == []
        assert _unordered(merged.resources) == _unordered(changed)


def _unordered(held: dict[Key, Resource]) -> dict[Key, object]:
    """Announcements take effect by the time of announcing, so their order in the document does not count here."""
    return {
        key: (one.kind, {said.id: said for said in one.announcements}) if isinstance(one, Truce) else one
        for key, one in held.items()
    }

"""The index of keys finds every incident that a change of the registry touches."""

from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.instants import DAY, HOUR
from schemas.report import Report
from schemas.time_span import TimeSpan
from services.rules.assessing.domain.index_keys import decode_keys, encode_keys, entries_of, searches_of
from services.rules.assessing.domain.reach import ChangeReach, Field, reach_of
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.index import Box
from services.rules.judging.keys import IncidentKeys, party_key
from services.rules.judging.model import CompiledRegistry
from services.rules.judging.time import FOREVER
from tests.unit.rules.build import T0
from tests.unit.rules.test_properties import many, worlds
from tests.unit.rules.test_reach import cases, changed


def finds(reach: ChangeReach, keys: IncidentKeys) -> bool:
    return any(
        search.first <= entry <= search.last and search.start <= keys.span.start <= search.end
        for search in searches_of(reach)
        for entry in entries_of(keys)
    )


@many
@given(st.data(), worlds(), cases())
def test_an_incident_that_a_change_touches_is_found(data: Any, world: CompiledRegistry, one: Report) -> None:
    reach = reach_of(world, replace(data.draw(changed(world)), version=world.version + 1))
    (keys,) = Judge(world).keys_of([Case("i", 1, one)])
    assert decode_keys(encode_keys(keys)) == keys
    assert finds(reach, keys) or not reach.touches(keys)


degrees = st.floats(-540, 540)
boxes: st.SearchStrategy[Box] = st.builds(
    lambda west, south, width, height: (west, south, west + width, south + height),
    degrees, st.floats(-180, 180),
    st.sampled_from((0.0, 0.02, 0.25, 1.9, 5.0, 40.0, 720.0)), st.sampled_from((0.0, 0.02, 3.0, 180.0)),
)  # fmt: skip
moments = st.integers(-5 * 24, 5 * 24).map(lambda hours: T0 + hours * HOUR)
spans = st.builds(
    lambda start, hours: TimeSpan(start, start + hours * HOUR), moments, st.sampled_from((0, 24, 72, 900))
)
fields = st.builds(
    lambda box, start, days, unresolved: Field(box, start, start + days * DAY, unresolved),
    boxes, moments, st.sampled_from((0, 1, 30)), st.booleans(),
)  # fmt: skip


@many
@given(st.lists(fields, min_size=1, max_size=3), spans, st.lists(boxes, max_size=2))
@example([Field((-180, -90, 180, 90), -FOREVER, FOREVER)], TimeSpan(T0, T0), [(0.1, 0.1, 0.1, 0.1)])
def test_any_ground_at_any_time_that_meets_a_field_is_found(
    some: list[Field], span: TimeSpan, ground: list[Box]
) -> None:
    keys, reach = IncidentKeys(span, tuple(ground), frozenset()), ChangeReach(frozenset(), some)
    assert finds(reach, keys) or not reach.touches(keys)


def test_a_local_change_finds_neither_another_time_nor_another_place_nor_another_name() -> None:
    reach = ChangeReach(frozenset({party_key("red")}), [Field((36.0, 36.0, 37.0, 37.0), T0, T0 + DAY)])
    there, elsewhere = (36.5, 36.5, 36.6, 36.6), (40.0, 36.5, 40.1, 36.6)
    assert finds(reach, IncidentKeys(TimeSpan(T0, T0), (there,), frozenset()))
    assert finds(
        reach, IncidentKeys(TimeSpan(T0 + 90 * DAY, T0 + 90 * DAY), (elsewhere,), frozenset({party_key("red")}))
    )
    assert not finds(reach, IncidentKeys(TimeSpan(T0, T0), (elsewhere,), frozenset({party_key("blue")})))
    assert not finds(reach, IncidentKeys(TimeSpan(T0 + 9 * DAY, T0 + 9 * DAY), (there,), frozenset()))

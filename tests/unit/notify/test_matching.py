"""Which subscriptions an alert is for: every field of the filter, and the index beside the rule."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Alert, ResolvedParty, ResolvedPlace
from schemas.vocabulary import ACT_GROUPS, ACTS, CERTAINTIES, SEVERITIES
from services.notify.domain.matching import Index, find_mismatch, touches
from services.notify.domain.subscription import Filter
from tests.examples import examples
from tests.unit.notify.samples import ALERT

IDS = ("a", "b", "c")
PLACES = st.builds(
    ResolvedPlace,
    name=st.none(),
    lat=st.none() | st.floats(-90, 90),
    lon=st.floats(-180, 180),
    radius_km=st.none() | st.floats(0.1, 300),
    area=st.none() | st.sampled_from(IDS),
)
PARTIES = st.tuples(st.builds(ResolvedParty, st.sampled_from(IDS), st.none() | st.sampled_from(IDS), st.just(("c",))))
SOME = st.lists(st.sampled_from(IDS), max_size=2, unique=True).map(tuple)
FILTERS = st.builds(
    Filter,
    truces=SOME,
    areas=SOME,
    parties=SOME,
    acts=st.lists(st.sampled_from((*ACTS[:4], *ACT_GROUPS)), max_size=2).map(tuple),
    bbox=st.none() | st.tuples(st.floats(-180, 180), st.floats(-90, 0), st.floats(-180, 180), st.floats(0, 90)),
    min_severity=st.sampled_from(SEVERITIES),
    min_certainty=st.sampled_from(CERTAINTIES),
    verdicts=st.lists(st.sampled_from(("violation", "undetermined")), max_size=2, unique=True).map(tuple),
)


def alert(**changes: Any) -> Alert:
    return msgspec.structs.replace(ALERT, **changes)


ALERTS = st.builds(
    alert,
    truces=SOME,
    areas=SOME,
    act=st.sampled_from(ACTS[:6]),
    verdict=st.sampled_from(("violation", "undetermined")),
    severity=st.sampled_from(SEVERITIES),
    certainty=st.sampled_from(CERTAINTIES),
    perpetrators=PARTIES,
    targets=st.just(()) | PARTIES,
    place=PLACES,
)


@examples(300)
@given(st.lists(FILTERS, max_size=8), ALERTS, st.data())
def test_the_index_finds_what_the_rule_lets_pass(filters: list[Filter], found: Alert, data: st.DataObject) -> None:
    index = Index()
    for n, wanted in enumerate(filters):
        index.put(f"s{n}", wanted)
    kept = {f"s{n}": wanted for n, wanted in enumerate(filters)}
    for id in data.draw(st.sets(st.sampled_from(sorted(kept)))) if kept else ():
        index.remove(id)
        del kept[id]
    if filters:
        index.put("again", filters[0])
        kept["again"] = filters[0]
    assert set(index.match(found)) == {id for id, wanted in kept.items() if find_mismatch(wanted, found) is None}


MATCHES = [
    ({}, True),
    ({"truces": ("aleppo-calm",)}, True),
    ({"truces": ("latakia-calm",)}, False),
    ({"truces": ("latakia-calm", "aleppo-calm")}, True),
    ({"areas": ("aleppo-city",)}, True),
    ({"areas": ("homs",)}, False),
    ({"parties": ("opposition",)}, True),
    ({"parties": ("civilians",)}, True),
    ({"parties": ("hnc",)}, True),
    ({"parties": ("russia",)}, False),
    ({"acts": ("shelling",)}, True),
    ({"acts": ("heavy_weapons",)}, True),
    ({"acts": ("territory", "sniping")}, False),
    ({"bbox": (37.0, 36.0, 38.0, 37.0)}, True),
    ({"bbox": (30.0, 30.0, 31.0, 31.0)}, False),
    ({"min_severity": "Severe"}, True),
    ({"min_severity": "Extreme"}, False),
    ({"min_certainty": "Possible"}, True),
    ({"min_certainty": "Likely"}, False),
    ({"verdicts": ("undetermined",)}, False),
    ({"verdicts": ("undetermined", "violation")}, True),
    ({"verdicts": ()}, True),
    ({"truces": ("aleppo-calm",), "acts": ("sniping",)}, False),
]


@pytest.mark.parametrize(("fields", "matches"), MATCHES, ids=str)
def test_each_field_of_a_filter(fields: dict[str, Any], matches: bool) -> None:
    found = alert(perpetrators=(ResolvedParty("opposition fighters", "opposition", ("hnc",)),))
    assert (find_mismatch(Filter(**fields), found) is None) == matches


def test_the_least_certainty_is_asked_of_violations_only() -> None:
    undetermined = alert(verdict="undetermined", certainty="Unknown")
    assert find_mismatch(Filter(verdicts=("undetermined",), min_certainty="Observed"), undetermined) is None


def test_boxes_meet_discs_and_cross_the_antimeridian() -> None:
    near = ResolvedPlace(None, 36.0, 36.99, 5.0)
    assert touches((37.0, 35.0, 38.0, 37.0), near)
    assert not touches((37.0, 35.0, 38.0, 37.0), ResolvedPlace(None, 36.0, 36.9, 5.0))
    assert touches((170.0, -10.0, -170.0, 10.0), ResolvedPlace(None, 0.0, 179.0, 1.0))
    assert not touches((170.0, -10.0, -170.0, 10.0), ResolvedPlace(None, 0.0, 0.0, 1.0))
    assert not touches((-180.0, -90.0, 180.0, 90.0), ResolvedPlace("nowhere known"))

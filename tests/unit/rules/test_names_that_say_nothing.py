"""Rule 20: names without a letter or digit, and what else of Unicode must not decide who or where is meant."""

from typing import Any

import pytest

from schemas.report import Location
from services.rules.judging.model import CompiledPlace
from tests.unit.rules.build import assess, codes, registry, report
from tests.unit.rules.registry_samples import area, document, faults, party

MUTE = ["-", " ", "…", "\u200b", "ـ", "\u200f\u200e"]


@pytest.mark.parametrize("name", MUTE)
@pytest.mark.parametrize(
    ("pointer", "more"),
    [
        ("/parties/0/name/ar", lambda name: {"parties": [party("army", name={"en": "a", "ar": name})]}),
        ("/parties/0/aliases/1", lambda name: {"parties": [party("army", aliases=["a", name])]}),
        ("/parties/0/aliases/0/name", lambda name: {"parties": [party("army", aliases=[{"name": name}])]}),
        ("/places/0/name", lambda name: {"places": [place(name)]}),
        ("/places/0/aliases/0", lambda name: {"places": [{**place("a"), "aliases": [name]}]}),
        (
            "/areas/features/0/properties/name/en",
            lambda name: {
                "areas": {
                    "type": "FeatureCollection",
                    "features": [{**area("a"), "properties": {"name": {"en": name}}}],
                }
            },
        ),
    ],
)
def test_a_name_that_says_nothing_is_refused_in_the_registry(name: str, pointer: str, more: Any) -> None:
    assert faults(document(**{"truces": [], "presence": [], **more(name)})) == {
        pointer: "must hold a letter or a digit"
    }


def place(name: str) -> dict[str, Any]:
    return {"id": "a", "name": name, "lat": 1, "lon": 1, "radius_km": 1}


@pytest.mark.parametrize("name", MUTE)
def test_a_party_that_says_nothing_is_nobody_known(name: str) -> None:
    told = assess(registry(), report(perpetrators=(name,)))
    assert told.findings == assess(registry(), report(perpetrators=())).findings
    assert codes(told) == codes(assess(registry(), report(perpetrators=())))


@pytest.mark.parametrize("written", ["red\u200f", "\u202ared\u202c", " red ", "ｒｅｄ", "re\u200bd"])
def test_an_id_is_found_as_it_is_seen(written: str) -> None:
    (told,) = assess(registry(), report(perpetrators=(written,))).perpetrators
    assert (told.reported, told.party) == (written, "red")


def test_an_area_id_and_a_place_name_are_found_as_they_are_seen() -> None:
    world = registry(places=(CompiledPlace("hills", "High Hills", 0.5, 0.5, 1.0),))
    assert assess(world, report(location=Location(area="\u2068city\u2069"))).place.area == "city"
    for name in ("High\u00a0Hills", "\u202bHIGH HILLS\u202c", "Ｈigh-Hills", "High\u200b Hills\ufe0f"):
        assert assess(world, report(location=Location(place=name))).place.lat == 0.5

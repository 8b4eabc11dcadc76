"""CAP 1.2: valid by the OASIS schema, sound by the standard's prose, alike in three languages."""

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schemas.assessments import Alert, Interval, ResolvedPlace, SourceRef
from schemas.vocabulary import ACTS, LANGUAGES, AlertStatus
from services.notify.domain.area_shapes import AreaShapes
from services.notify.render.cap import cap_id, cap_of, cap_time, cap_xml
from tests.examples import examples
from tests.unit.notify.cap_check import check_cap
from tests.unit.notify.samples import ALERT, NASTY

URL = "https://truce.example.org"
SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).parents[3] / "deploy" / "cap" / "CAP-v1.2.xsd")))
NS = {"c": "urn:oasis:names:tc:emergency:cap:1.2"}
EARLIER = ((1, "2016-05-08T08:00:00Z"), (2, "2016-05-08T08:30:00.5Z"))


def made(alert: Alert = ALERT, status: AlertStatus = "raised", **options: Any) -> bytes:
    return cap_xml(alert, status=status, sender="truce.example.org", public_url=URL, **options)


def read(xml: bytes) -> Any:
    root = etree.fromstring(xml)
    SCHEMA.assertValid(root)
    assert check_cap(xml) == []
    return root


def all_of(root: Any, path: str) -> list[str]:
    return [element.text for element in root.iterfind(path, NS)]


def test_an_alert_is_valid_and_says_what_it_should() -> None:
    root = read(made())
    assert all_of(root, "c:msgType") == ["Alert"]
    assert all_of(root, "c:identifier") == ["trucewatch-alr_5f2c1b7a9d3e4c60-1"]
    assert all_of(root, "c:sent") == ["2016-05-08T09:00:00-00:00"]
    assert all_of(root, "c:info/c:language") == list(LANGUAGES)
    assert all_of(root, "c:info/c:event") == ["shelling", "قصف مدفعي", "артиллерийский обстрел"]
    assert all_of(root, "c:info/c:severity") == ["Severe"] * 3
    assert all_of(root, "c:info/c:certainty") == ["Possible"] * 3
    assert all_of(root, "c:info/c:expires") == ["2016-05-09T09:00:00-00:00"] * 3
    assert all_of(root, "c:info/c:onset") == ["2016-05-07T21:00:00-00:00"] * 3
    assert all_of(root, "c:info/c:area/c:circle") == ["36.214000,37.166000 1"] * 3
    assert all_of(root, "c:info/c:web") == [f"{URL}/v1/alerts/{ALERT.id}"] * 3
    assert "The Aleppo regime of calm was in force" in all_of(root, "c:info/c:description")[0]
    assert root.find("c:references", NS) is None


@pytest.mark.parametrize(("status", "kind"), [("updated", "Update"), ("cancelled", "Cancel")])
def test_what_replaces_refers_to_what_it_replaces(status: AlertStatus, kind: str) -> None:
    root = read(made(msgspec.structs.replace(ALERT, revision=3), status, earlier=EARLIER))
    assert all_of(root, "c:msgType") == [kind]
    assert all_of(root, "c:references") == [
        "truce.example.org,trucewatch-alr_5f2c1b7a9d3e4c60-1,2016-05-08T08:00:00-00:00 "
        "truce.example.org,trucewatch-alr_5f2c1b7a9d3e4c60-2,2016-05-08T08:30:00-00:00"
    ]
    with pytest.raises(ValueError, match="replaces"):
        made(ALERT, status)


def test_a_reference_is_what_the_earlier_message_said_of_itself() -> None:
    first = msgspec.structs.replace(ALERT, sent_at="2016-05-08T08:00:00.123456Z")
    root, later = read(made(first)), msgspec.structs.replace(ALERT, revision=2)
    own = ",".join(all_of(root, f"c:{name}")[0] for name in ("sender", "identifier", "sent"))
    assert all_of(read(made(later, "updated", earlier=[(1, first.sent_at)])), "c:references") == [own]


@pytest.mark.parametrize("act", ACTS)
def test_every_act(act: Any) -> None:
    categories = all_of(read(made(msgspec.structs.replace(ALERT, act=act))), "c:info/c:category")
    assert categories == (["Security", "CBRNE"] * 3 if act == "chemical" else ["Security"] * 3)


def test_an_undetermined_one_without_a_place() -> None:
    bare = msgspec.structs.replace(ALERT, verdict="undetermined", certainty=None, place=ResolvedPlace(), areas=())
    root = read(made(bare))
    assert all_of(root, "c:info/c:certainty") == ["Unknown"] * 3
    assert all_of(root, "c:info/c:area/c:areaDesc") == ["place unknown", "المكان غير معروف", "место неизвестно"]


def test_an_area_without_a_point_may_bring_its_shape() -> None:
    ring = [(36.0, 35.0), (37.0, 35.0), (37.0, 36.0), (36.0, 36.0)]
    area = msgspec.structs.replace(ALERT, place=ResolvedPlace(area="aleppo-city"))
    root = read(made(area, polygons=[ring, [*ring, ring[0]]]))
    polygons = all_of(root, "c:info/c:area/c:polygon")
    assert len(polygons) == 6
    assert polygons[0].startswith("35.000000,36.000000 35.000000,37.000000 ")
    assert all(p.split()[0] == p.split()[-1] for p in polygons)
    assert all_of(root, "c:info/c:area/c:areaDesc")[0] == "Aleppo city"
    assert all_of(root, "c:info/c:area/c:geocode/c:value") == ["aleppo-city"] * 3


TRIANGLE = {"type": "Polygon", "coordinates": [[[36.0, 35.0, 300.0], [37.0, 35.0], [37.0, 36.0], [36.0, 35.0]]]}


def polygons_of(shapes: AreaShapes, **place: Any) -> list[str]:
    alert = msgspec.structs.replace(ALERT, place=ResolvedPlace(area="both", **place))
    return all_of(read(cap_of(alert, "raised", [alert], URL, shapes.rings_of)), "c:info[1]/c:area/c:polygon")


def test_a_named_area_brings_the_shapes_of_its_parts() -> None:
    shapes = AreaShapes()
    shapes.apply("one", 2, {"geometry": TRIANGLE})
    shapes.apply("two", 1, {"geometry": {"type": "MultiPolygon", "coordinates": [TRIANGLE["coordinates"]] * 2}})
    shapes.apply("both", 1, {"geometry": None, "union": ["one", "two", "both", "nowhere"]})
    shapes.apply("one", 1, None)
    assert (
        polygons_of(shapes) == ["35.000000,36.000000 35.000000,37.000000 36.000000,37.000000 35.000000,36.000000"] * 3
    )
    assert polygons_of(shapes, lat=35.5, lon=36.5, radius_km=1) == []
    shapes.apply("both", 2, None)
    assert polygons_of(shapes) == []


@pytest.mark.parametrize(("rings", "points", "told"), [(1, 149, 1), (1, 200, 1), (20, 60, 20), (21, 4, 1)])
def test_an_area_of_any_detail_is_covered_by_few_points(rings: int, points: int, told: int) -> None:
    ring = [[36 + math.cos(n) / 2, 35 + math.sin(n) / 2] for n in range(points)]
    geometry = {"type": "MultiPolygon", "coordinates": [[[*ring, ring[0]]]] * rings}
    shapes = AreaShapes()
    shapes.apply("both", 1, {"geometry": geometry})
    shown = [[tuple(map(float, point.split(","))) for point in one.split()] for one in polygons_of(shapes)]
    assert len(shown) == told
    assert sum(map(len, shown)) <= 150
    for lon, lat in ring:
        assert any(
            min(p[0] for p in one) <= lat + 1e-6 and lat <= max(p[0] for p in one) + 1e-6
            and min(p[1] for p in one) <= lon + 1e-6 and lon <= max(p[1] for p in one) + 1e-6
            for one in shown
        )  # fmt: skip


def _with(text: str) -> Alert:
    return msgspec.structs.replace(ALERT, place=ResolvedPlace(text), source=SourceRef(text), thread=text or "t")


def test_nasty_text_stays_text() -> None:
    assert "script" in all_of(read(made(_with(NASTY))), "c:info/c:area/c:areaDesc")[0]


@examples(60)
@given(st.text(max_size=120))
def test_any_text_gives_a_valid_message(text: str) -> None:
    read(made(_with(text)))


@given(st.text(max_size=40), st.integers(1, 9))
def test_identifiers_hold_nothing_forbidden(alert_id: str, revision: int) -> None:
    assert not set(cap_id(alert_id, revision)) & set(" ,<&\t\n")


def test_times_have_no_fraction_and_no_letter() -> None:
    assert cap_time("2016-05-08T00:00:00.999999+03:00") == "2016-05-07T21:00:00-00:00"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            b">truce.example.org,trucewatch-alr_5f2c1b7a9d3e4c60-1,2016-05-08T08:00:00-00:00<",
            b"> <",
            "refers to nothing",
        ),
        (b",2016-05-08T08:00:00-00:00<", b"<", "not sender,identifier,sent"),
        (b"alr_5f2c1b7a9d3e4c60-1,", b"alr_5f2c1b7a9d3e4c60-2,", "refers to itself"),
        (b",2016-05-08T08:00:00-00:00<", b",2017-05-08T08:00:00-00:00<", "sent later"),
        (b"<sender>truce", b"<sender>the truce", "sender"),
        (b"<scope>Restricted", b"<scope>Private", "Private needs addresses"),
        (b"<language>ar", b"<language>en", "a language twice"),
        (b"<urgency>Past", b"<urgency>Future", "urgency: differs"),
        (b"<circle>36.2", b"<circle>96.2", "circle"),
        (b"<circle>", b"<polygon>1,1 2,2 3,3 4,4</polygon><circle>", "not closed"),
        (b"<areaDesc>Midan, Aleppo<", b"<areaDesc> <", "areaDesc"),
    ],
)
def test_the_check_finds_what_the_schema_lets_pass(old: bytes, new: bytes, fault: str) -> None:
    xml = made(msgspec.structs.replace(ALERT, revision=2), "updated", earlier=EARLIER[:1])
    broken = xml.replace(old, new, 1)
    assert broken != xml
    SCHEMA.assertValid(etree.fromstring(broken))
    assert any(fault in found for found in check_cap(broken))


def test_the_check_minds_times_and_expiry() -> None:
    xml = made()
    assert check_cap(xml.replace(b"<sent>2016-05-08T09:00:00-00:00", b"<sent>2016-05-08T09:00:00Z")) != []
    onset = b"<onset>"
    late = xml.replace(onset, b"<expires>2016-05-08T08:00:00-00:00</expires><onset>")
    assert "expires: not after effective" in check_cap(late)


def test_an_instant_is_fine() -> None:
    read(made(msgspec.structs.replace(ALERT, occurred=Interval("2016-05-08T06:00:00Z", "2016-05-08T06:00:00Z"))))

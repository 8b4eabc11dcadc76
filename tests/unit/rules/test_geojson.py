"""Areas as other tools write GeoJSON (RFC 7946)."""

from typing import Any

import msgspec
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import Feature
from schemas.report import Location
from services.rules.judging.geometry import measure
from services.rules.registry.domain.date_line import cut_at_date_line
from services.rules.registry.domain.document import compile_document
from services.rules.registry.domain.faults import InvalidRegistryError
from services.rules.registry.wire import read_document, read_resource
from services.rules.registry.yaml_json import UnreadableTextError
from tests.unit.rules.build import area as drawn
from tests.unit.rules.build import assess, finding, registry, report, truce
from tests.unit.rules.registry_samples import SQUARE, area, document, faults, read

RING = [[10, 10], [11, 10], [11, 11], [10, 11], [10, 10]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def with_area(feature: dict[str, Any]) -> dict[str, Any]:
    return document(areas={"type": "FeatureCollection", "features": [feature, area("city"), area("country")]})


def shape_of(feature: dict[str, Any], id: str = "a") -> Any:
    return compile_document(read(with_area(feature))).areas[id].geometry


def put(feature: Any) -> Feature:
    found = read_resource("areas", msgspec.json.encode(feature))
    assert isinstance(found, Feature)
    return found


@pytest.mark.parametrize(
    ("written", "id"), [(7, "7"), (7.0, "7"), (1.5, "1.5"), (0, "0"), ("7", "7"), (10**4, "10000")]
)
def test_a_numeric_id_is_read_as_text(written: Any, id: str) -> None:
    feature = {**area("a", polygon(RING)), "id": written}
    assert put(feature).id == id
    assert id in compile_document(read(with_area(feature))).areas


@pytest.mark.parametrize("written", [-7, 1e300, True, None, [7], {}])
def test_any_other_id_is_refused_where_it_stands(written: Any) -> None:
    feature = {**area("a", polygon(RING)), "id": written}
    assert list(faults(with_area(feature))) == ["/areas/features/0/id"]


def test_what_else_tools_write_is_passed_over() -> None:
    feature = {
        "type": "Feature", "id": 7, "bbox": [10, 10, 11, 11], "tippecanoe": {"layer": "zones"},
        "properties": {"name": {"en": "Zone 7"}, "fill": "#f00"},
        "geometry": {**polygon(RING), "bbox": [10, 10, 11, 11]},
    }  # fmt: skip
    told = msgspec.json.decode(msgspec.json.encode(put(feature)))
    assert set(told) == {"type", "id", "properties", "geometry"}
    assert told["properties"] == feature["properties"]
    assert put(feature) == put({**area("7", polygon(RING)), "properties": feature["properties"]})
    collection = {"type": "FeatureCollection", "name": "zones", "bbox": [0, 0, 1, 1], "features": [feature]}
    document_ = read_document(msgspec.json.encode(document(areas=collection, truces=[], presence=[])))
    assert [feature.id for feature in document_.areas.features] == ["7"]


def test_a_number_and_the_same_number_as_text_are_one_id() -> None:
    features = [{**area("a"), "id": 7}, area("7"), area("city"), area("country")]
    assert list(faults(document(areas={"type": "FeatureCollection", "features": features}))) == ["/areas/features/1/id"]


@pytest.mark.parametrize("digits", [400, 4_000, 5_000])
def test_an_id_of_thousands_of_digits_is_refused(digits: int) -> None:
    data = msgspec.json.encode(area("a")).replace(b'"id":"a"', b'"id":1' + b"0" * digits)
    with pytest.raises((InvalidRegistryError, UnreadableTextError)):
        read_resource("areas", data)


def test_rings_may_be_wound_either_way() -> None:
    hole = [[10.2, 10.2], [10.4, 10.2], [10.4, 10.4], [10.2, 10.4], [10.2, 10.2]]
    ways = [polygon(one, two) for one in (RING, RING[::-1]) for two in (hole, hole[::-1])]
    shapes = [shape_of(area("a", way)) for way in ways]
    assert all(shape.equals(shapes[0]) for shape in shapes)
    assert shapes[0].area == pytest.approx(0.96)


def test_heights_and_measures_are_passed_over() -> None:
    flat = shape_of(area("a", polygon(RING)))
    for more in ([250.0], [250.0, 3.0]):
        ring = [[*position, *more] for position in RING]
        assert shape_of(area("a", polygon(ring))).equals(flat)
        assert shape_of(area("a", {"type": "MultiPolygon", "coordinates": [[ring]]})).equals(flat)
        assert shape_of(area("a", polygon([RING[0], ring[1], *RING[2:]]))).equals(flat)


@pytest.mark.parametrize(
    ("geometry", "why"),
    [
        (polygon(RING[:-1]), "closed"),
        (polygon([[10, 10], [11, 10], [10, 10]]), "at least 4"),
        (polygon([[10, 10], [11, 11], [11, 10], [10, 11], [10, 10]]), "crosses or touches itself"),
        (polygon([[10, 10], [11, 11], [12, 12], [10, 10]]), "crosses or touches itself"),
        (polygon([[10, 95], [11, 95], [11, 96], [10, 95]]), "beyond the latitudes"),
        (polygon([[4e6, 5e6], [4.1e6, 5e6], [4.1e6, 5.1e6], [4e6, 5e6]]), "beyond the latitudes"),
        (polygon([[10, 10], [10 + 1e-8, 10], [10 + 1e-8, 10 + 1e-8], [10, 10]]), "circle of 1 cm"),
        (polygon([[-181, 0], [181, 0], [181, 1], [-181, 1], [-181, 0]]), "more than 180 degrees"),
        (polygon([[-181, 0], [-90, 0], [0, 0], [90, 0], [181, 0], [0, 9], [-181, 0]]), "more than 180 degrees"),
        (polygon([[-190, 0], [-90, 0], [0, 0], [90, 0], [190, 0], [90, 9], [0, 9], [-90, 9], [-190, 0]]), "than once"),
        ({"type": "GeometryCollection", "geometries": []}, "Polygon"),
    ],
)
def test_what_is_no_area_is_refused_with_the_reason(geometry: Any, why: str) -> None:
    (detail,) = faults(with_area(area("a", geometry))).values()
    assert why in detail


# --- the date line

EAST, WEST = [[179, 0], [180, 0], [180, 1], [179, 1], [179, 0]], [[-180, 0], [-179, 0], [-179, 1], [-180, 1], [-180, 0]]


@pytest.mark.parametrize("shift", [0, -360])
def test_a_ring_written_on_beyond_the_date_line_is_cut_there(shift: int) -> None:
    across = [[179 + shift, 0], [181 + shift, 0], [181 + shift, 1], [179 + shift, 1], [179 + shift, 0]]
    cut = {"type": "MultiPolygon", "coordinates": [[EAST], [WEST]]}
    shape = shape_of(area("a", polygon(across)))
    assert shape.equals(shape_of(area("a", cut)))
    world = registry(truce(), areas=(drawn("city", shape),))
    for lon in (179.5, -179.5, 180.0, -180.0):
        got = finding(world, report(location=Location(lat=0.5, lon=lon, radius_km=5)))
        assert got.outcome == "violation"
    assert assess(world, report(location=Location(lat=0.5, lon=-178, radius_km=5))).findings == ()


def test_a_ring_that_jumps_over_the_date_line_is_refused_with_the_way_to_write_it() -> None:
    across = [[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]
    (detail,) = faults(with_area(area("a", polygon(across)))).values()
    assert "more than 180 degrees" in detail
    assert "MultiPolygon" in detail


def test_a_box_round_the_whole_earth_is_one() -> None:
    world = polygon([[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]])
    assert shape_of(area("a", world)).bounds == (-180, -90, 180, 90)


@given(st.floats(-179, 179), st.floats(0.5, 170), st.integers(-60, 50), st.sampled_from([-360, 0, 360]))
def test_a_cut_holds_the_same_ground_within_the_longitudes(west: float, width: float, south: int, turn: int) -> None:
    box = shapely.box(west + turn, south, west + turn + width, south + 10)
    if not -540 <= west + turn <= west + turn + width <= 540:
        return
    shape = cut_at_date_line(box)
    assert shape is not None
    assert -180 <= shape.bounds[0] <= shape.bounds[2] <= 180
    assert measure(shape) == pytest.approx(measure(box), rel=1e-6)


def test_unions_of_areas_across_the_date_line_are_united() -> None:
    across = [[179, 0], [181, 0], [181, 1], [179, 1], [179, 0]]
    features = [area("a", polygon(across)), area("b", SQUARE), area("u", None, union=["a", "b"]), area("city")]
    united = compile_document(read(document(areas={"type": "FeatureCollection", "features": features}))).areas["u"]
    assert measure(united.geometry) == pytest.approx(
        measure(shape_of(area("a", polygon(across)))) + measure(shape_of(area("a", SQUARE)))
    )

"""Areas as shapes: polygons in WGS 84, and unions of them (judgement.md 17)."""

from typing import Any, Final, TypeAlias

import msgspec
import shapely
from msgspec import UNSET
from shapely import MultiPolygon, Polygon

from schemas.registry import Feature, Names
from services.rules.judging.geometry import LEAST_GROUND, measure, unite
from services.rules.judging.model import Area
from services.rules.registry.domain.date_line import FARTHEST, cut_at_date_line, find_ambiguous_edge
from services.rules.registry.domain.document_reader import DocumentReader
from services.rules.registry.domain.limits import MAX_POINTS, MAX_POINTS_IN_ALL, find_excess

Shape: TypeAlias = Polygon | MultiPolygon
_POLYGONAL: Final = (Polygon, MultiPolygon)
#: Shapes read by one call to GEOS; more would only hold more text in memory at once.
_BATCH: Final = 200


def compile_areas(features: tuple[Feature, ...], reading: DocumentReader, known: dict[str, Area]) -> dict[str, Area]:
    """Every area with its shape, unions united. Faults go to ``reading``; an area without a shape is left out.

    ``known`` holds the areas that are compiled already and have not changed.
    """
    pointer = "/areas/features"
    reading.unique([feature.id for feature in features], pointer)
    drawn = [(n, f) for n, f in enumerate(features) if f.union is UNSET and f.id not in known]
    shapes = {id: area.geometry for id, area in known.items()}
    shapes |= _read_shapes(drawn, pointer, reading)
    by_id = {feature.id: feature for feature in features}
    if _refuse_too_many_points(features, shapes, reading):
        features = tuple(feature for feature in features if feature.union is UNSET)
    for n, feature in enumerate(features):
        if feature.union is not UNSET and feature.id not in known:
            united = _unite(feature, by_id, shapes, f"{pointer}/{n}", reading)
            if united is not None:
                shapes[feature.id] = united
    names = {f.id: _names(f, f"{pointer}/{n}/properties", reading) for n, f in enumerate(features) if f.id not in known}
    return {f.id: known.get(f.id) or Area(f.id, names[f.id], shapes[f.id]) for f in features if f.id in shapes}


def _names(feature: Feature, pointer: str, reading: DocumentReader) -> Any:
    if "name" not in feature.properties:
        reading.fault(f"{pointer}/name", "is required: names by language")
        return {}
    try:
        names = msgspec.convert(feature.properties["name"], Names)
    except msgspec.ValidationError as error:
        reading.fault(f"{pointer}/name", f"must hold names by language: {error}")
        return {}
    reading.names((f"{pointer}/name/{language}", name) for language, name in names.items())
    return names


def _read_shapes(features: list[tuple[int, Feature]], pointer: str, reading: DocumentReader) -> dict[str, Shape]:
    """The shape of each feature; what is no valid polygon is a fault."""
    found: dict[str, Shape] = {}
    for first in range(0, len(features), _BATCH):
        batch = features[first : first + _BATCH]
        shapes = _parse([feature for _, feature in batch])
        excesses = [find_excess(shape) for shape in shapes]
        # Whether a shape crosses itself is asked only of those that are small enough for it.
        shapes[[excess is not None for excess in excesses]] = None
        for (n, feature), shape, excess, is_valid, box in zip(
            batch, shapes, excesses, shapely.is_valid(shapes), shapely.bounds(shapes), strict=True
        ):
            problem = excess or _problem(feature, shape, bool(is_valid), tuple(box))
            cut = None if problem else cut_at_date_line(shape)
            if cut is not None:
                found[feature.id] = cut
            else:
                reading.fault(f"{pointer}/{n}/geometry", problem or "goes round the earth more than once")
    return found


def _parse(features: list[Feature]) -> Any:
    texts = [bytes(feature.geometry).decode() for feature in features]
    return shapely.force_2d(shapely.from_geojson(texts, on_invalid="ignore"))


def _problem(feature: Feature, shape: Any, is_valid: bool, box: tuple[float, ...]) -> str | None:
    if bytes(feature.geometry) == b"null":
        return "is required where there is no union"
    if not isinstance(shape, _POLYGONAL) or shape.is_empty:
        return "is no Polygon or MultiPolygon whose rings are closed and have four positions or more"
    if not is_valid:
        return f"crosses or touches itself: {shapely.is_valid_reason(shape)}"
    west, south, east, north = box
    if west < -FARTHEST or east > FARTHEST or south < -90 or north > 90:
        return "lies beyond the latitudes -90 to 90, or more than a turn beyond the longitudes -180 to 180"
    if east - west > 180 and (ambiguous := find_ambiguous_edge(shape)):
        return ambiguous
    if measure(shape) < LEAST_GROUND:
        return "holds less ground than a circle of 1 cm"
    return None


def _refuse_too_many_points(features: tuple[Feature, ...], shapes: dict[str, Shape], reading: DocumentReader) -> bool:
    """Whether a union, or all areas together, have too many; each is a fault."""
    points = {id: int(shapely.get_num_coordinates(shape)) for id, shape in shapes.items()}
    in_all, refused = 0, False
    for n, feature in enumerate(features):
        union = () if feature.union is UNSET else feature.union
        own = sum(points.get(part, 0) for part in dict.fromkeys(union)) if union else points.get(feature.id, 0)
        in_all += own
        if union and own > MAX_POINTS:
            refused = True
            reading.fault(
                f"/areas/features/{n}/union", f"has {own} points: an area may have at most {MAX_POINTS}; simplify it"
            )
    if in_all > MAX_POINTS_IN_ALL:
        refused = True
        reading.fault("/areas", f"has {in_all} points: all areas together may have at most {MAX_POINTS_IN_ALL}")
    return refused


def _unite(
    feature: Feature, by_id: dict[str, Feature], shapes: dict[str, Shape], pointer: str, reading: DocumentReader
) -> Shape | None:
    assert feature.union is not UNSET
    if bytes(feature.geometry) != b"null":
        reading.fault(f"{pointer}/geometry", "must be null beside a union")
    if not feature.union:
        reading.fault(f"{pointer}/union", "must name an area")
    for n, part in enumerate(feature.union):
        reading.area(part, f"{pointer}/union/{n}")
        if part in by_id and by_id[part].union is not UNSET:
            reading.fault(f"{pointer}/union/{n}", f"{part!r} is a union itself: unions are not nested")
    parts = [shapes[id] for id in feature.union if id in shapes]
    united = unite(parts) if parts else None
    return united if isinstance(united, _POLYGONAL) else None

"""Registry files: everything inside one document, every fault with its file and line."""

import json
from pathlib import Path

import pytest

from services.rules.registry.file import RegistryFileError, load_registry_file
from services.rules.registry.wire import read_document
from tests.scenario import SCENARIO, registry_document
from tests.unit.rules.registry_samples import area, document

YAML = """\
version: 1
timezone: Asia/Damascus
areas_file: areas.geojson
places_file: places.yaml
parties:
  - id: army
    kind: state
    name: {en: Army}
    member_of:
      - nobody
truces:
  - id: calm
    kind: local
    name: {en: Calm}
    area: city
    duties: [{bound: any, toward: any,
              acts: [shelling, shouting]}]
    announcements:
      - {id: d, issuer: army, action: declare, announced_at: 2016-05-01T00:00:00Z,
         starts_at: 2016-05-03, ends_at: 2016-05-02}
"""
AREAS = """\
{"type": "FeatureCollection",
 "features": [
  {"type": "Feature", "id": "city", "properties": {"name": {"en": "City"}},
   "geometry": {"type": "Polygon", "coordinates":
    [[[36, 33], [37, 34], [37, 33], [36, 34], [36, 33]]]}}
]}
"""
PLACES = """\
- {id: a, name: A, lat: 33, lon: 36, radius_km: 1}
- {id: b, name: B, lat: 33, lon: 36,
   radius_km: -1}
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder / "registry.yaml"


def told(path: Path) -> list[str]:
    with pytest.raises(RegistryFileError) as caught:
        load_registry_file(path)
    return [f"{fault.file.name}:{fault.line} {fault.pointer}" for fault in caught.value.faults]


def test_every_fault_has_its_file_and_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, registry_yaml=YAML, areas_geojson=AREAS, places_yaml=PLACES)
    assert told(path) == [
        "areas.geojson:4 /areas/features/0/geometry",
        "places.yaml:3 /places/1/radius_km",
        "registry.yaml:10 /parties/0/member_of/0",
        "registry.yaml:17 /truces/0/duties/0/acts/1",
        "registry.yaml:20 /truces/0/announcements/0/ends_at",
    ]


def test_a_file_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(document(), indent=1), encoding="utf-8-sig")
    assert set(load_registry_file(path).registry.areas) == {"city", "country"}
    path.write_text(json.dumps({"version": 1, "timezone": "Mars", "areas": document()["areas"]}, indent=1))
    assert told(path)[0] == "registry.json:3 /timezone"


def test_a_file_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, registry_yaml=YAML, areas_geojson=AREAS)
    assert told(path) == ["registry.yaml:4 /places_file"]
    assert told(tmp_path / "nothing.yaml") == ["nothing.yaml:None "]


def test_areas_are_given_once(tmp_path: Path) -> None:
    both = json.dumps(document(areas_file="areas.geojson"))
    path = write(tmp_path, registry_yaml=both, areas_geojson=json.dumps({"features": [area("a")]}))
    assert told(path) == ["registry.yaml:1 /areas_file"]


def test_malformed_files_are_told_with_their_line(tmp_path: Path) -> None:
    assert told(write(tmp_path, registry_yaml="version: 1\ntruces: [\n")) == ["registry.yaml:3 "]
    assert told(write(tmp_path, registry_yaml="- 1\n")) == ["registry.yaml:1 "]
    path = write(tmp_path, registry_yaml=YAML, areas_geojson="{\n]", places_yaml=PLACES)
    assert told(path) == ["areas.geojson:2 "]


def test_the_document_is_what_http_wants() -> None:
    loaded = load_registry_file(SCENARIO / "registry.yaml")
    assert json.loads(loaded.data) == registry_document()
    assert read_document(loaded.data) == loaded.document

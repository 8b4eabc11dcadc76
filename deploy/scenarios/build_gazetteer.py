"""Make ``syria_2016/places.json`` from the OpenSyria geography files (CC BY 4.0; see ``syria_2016/NOTICE.md``).

    python deploy/scenarios/build_gazetteer.py SOURCE_FOLDER deploy/scenarios/syria_2016/places.json

SOURCE_FOLDER holds ``governorates.json``, ``districts.json`` and ``subdistricts.json``. Each unit becomes a disc about
its centroid that has the unit's area; a circle is a coarse picture of a district, as judgement.md 16 wants of a
place name: only a point with a radius proves more.

Where a unit shares a name with a wider one whose disc holds its own (Idlib the governorate and the district), the name
alone goes to the widest: whoever writes only "Idlib" has not said which, and the widest disc claims least. The narrower
ones keep the names that tell them apart ("Idlib District"). Any others that share a name
both keep it, and a town's subdistrict at the edge of a large district of its name (Duma, Douma) bears each spelling
that the district does: such a name is ambiguous, and a person decides.
"""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from services.rules.judging.geometry import EARTH_KM
from services.rules.judging.names import normalise

#: Widest first: the file, and what a unit of it is called.
LEVELS: Final = (
    ("governorates.json", "Governorate"),
    ("districts.json", "District"),
    ("subdistricts.json", "Subdistrict"),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One governorate, district or subdistrict as a disc."""

    id: str
    lat: float
    lon: float
    radius_km: float
    holders: frozenset[str]
    written: tuple[str, ...]
    #: Those of its names that do not say what kind of unit it is.
    bare: tuple[str, ...]
    #: Its names as they are compared, with the first spelling of each.
    names: dict[str, str] = field(default_factory=dict)

    def holds(self, other: "Unit") -> bool:
        """Whether the other's disc lies wholly in this one's."""
        return _distance_km(self, other) + other.radius_km <= self.radius_km

    def is_namesake(self, other: "Unit") -> bool:
        return bool({normalise(name) for name in self.bare} & {normalise(name) for name in other.bare})


def build(source: Path) -> list[dict[str, Any]]:
    """The places, widest first, then by id."""
    units: dict[str, Unit] = {}
    for file, level in LEVELS:
        found = json.loads((source / file).read_text(encoding="utf-8"))
        for raw in sorted(found, key=lambda u: str(u["id"])):
            unit = _read(raw, level)
            wider = [units[id] for id in unit.holders if units[id].holds(unit)]
            claimed = {name for one in wider for name in one.names}
            apart = [units[id] for id in unit.holders if not units[id].holds(unit) and units[id].is_namesake(unit)]
            borrowed = [name for one in apart for name in one.bare]
            unit.names.update(_distinct((*unit.written, *borrowed), claimed))
            units[unit.id] = unit
    return [_place(unit) for unit in units.values()]


def _read(raw: dict[str, Any], level: str) -> Unit:
    name, aliases = raw["name"], raw["aliases"]
    bare = (name["en"], name["ar"], *(alias["value"] for alias in aliases if alias["type"] != "formal"))
    formal = (f"{name['en']} {level}", *(alias["value"] for alias in aliases if alias["type"] == "formal"))
    return Unit(
        id=raw["id"],
        lat=round(raw["centroid"]["latitude"], 5),
        lon=round(raw["centroid"]["longitude"], 5),
        radius_km=round(math.sqrt(raw["area"]["value"] / math.pi), 2),
        holders=frozenset(filter(None, (raw.get("governorateId"), raw.get("districtId")))),
        written=(*bare, *formal),
        bare=bare,
    )


def _distinct(written: Iterable[str], claimed: set[str]) -> Iterator[tuple[str, str]]:
    """Each name once, as it is compared, without those that a wider unit claims."""
    seen = set(claimed)
    for name in written:
        key = normalise(name)
        if key and key not in seen:
            seen.add(key)
            yield key, name


def _distance_km(one: Unit, other: Unit) -> float:
    lat1, lon1, lat2, lon2 = map(math.radians, (one.lat, one.lon, other.lat, other.lon))
    chord = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(chord))


def _place(unit: Unit) -> dict[str, Any]:
    name, *aliases = unit.names.values()
    return {
        "id": unit.id,
        "name": name,
        "lat": unit.lat,
        "lon": unit.lon,
        "radius_km": unit.radius_km,
        "aliases": aliases,
    }


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    lines = ",\n".join(json.dumps(place, ensure_ascii=False) for place in build(source))
    target.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()

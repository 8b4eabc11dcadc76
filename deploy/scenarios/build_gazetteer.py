"""Make ``syria_2016/places.json`` from the OpenSyria geography files (CC BY 4.0; see ``syria_2016/NOTICE.md``).

    python deploy/scenarios/build_gazetteer.py SOURCE_FOLDER deploy/scenarios/syria_2016/places.json

SOURCE_FOLDER holds ``governorates.json``, ``districts.json`` and ``subdistricts.json``. Each unit becomes a disc about
its centroid that has the unit's area; a circle is a coarse picture of a district, which is what rules.md 16 wants of a
place name: only a point with a radius proves more.

Where a unit shares a name with a wider one that holds it (Homs the governorate, the district, the subdistrict), the
name alone goes to the widest: whoever writes only "Homs" has not said which, and the widest disc claims least. The
narrower ones keep the names that tell them apart ("Homs District"). Units that share a name and lie apart both keep
it: such a name is ambiguous, and a person decides.
"""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from services.rules.domain.names import normalise

#: Widest first: the file, and what a unit of it is called.
LEVELS = (("governorates.json", "Governorate"), ("districts.json", "District"), ("subdistricts.json", "Subdistrict"))


def build(source: Path) -> list[dict[str, Any]]:
    """The places, widest first, then by id."""
    taken: dict[str, set[str]] = {}
    places = []
    for file, level in LEVELS:
        units = json.loads((source / file).read_text(encoding="utf-8"))
        for unit in sorted(units, key=lambda u: str(u["id"])):
            holders = {unit.get("governorateId"), unit.get("districtId")} - {None}
            claimed = set().union(*(taken[holder] for holder in holders))
            names = list(_distinct(_names(unit, level), claimed))
            taken[unit["id"]] = {normalise(name) for name in names}
            places.append(_place(unit, names))
    return places


def _names(unit: dict[str, Any], level: str) -> Iterator[str]:
    yield unit["name"]["en"]
    yield f"{unit['name']['en']} {level}"
    yield unit["name"]["ar"]
    for alias in unit["aliases"]:
        yield alias["value"]


def _distinct(names: Iterable[str], claimed: set[str]) -> Iterator[str]:
    """Each name once, as it is compared, without those that a wider unit claims."""
    seen = set(claimed)
    for name in names:
        key = normalise(name)
        if key and key not in seen:
            seen.add(key)
            yield name


def _place(unit: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {
        "id": unit["id"],
        "name": names[0],
        "lat": round(unit["centroid"]["latitude"], 5),
        "lon": round(unit["centroid"]["longitude"], 5),
        "radius_km": round(math.sqrt(unit["area"]["value"] / math.pi), 2),
        "aliases": names[1:],
    }


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    lines = ",\n".join(json.dumps(place, ensure_ascii=False) for place in build(source))
    target.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()

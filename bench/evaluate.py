"""Evaluation beside the loop that people write: every report against every prepared geometry, one after the other."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Point, Polygon
from shapely.prepared import prep

from schemas.instants import DAY, HOUR, parse_instant, to_datetime
from schemas.report import Location, Report, Source
from schemas.vocabulary import ACT_GROUPS
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.index import AreaIndex
from services.rules.judging.model import (
    Account,
    Area,
    CompiledDuty,
    CompiledParty,
    CompiledRegistry,
    CompiledTruce,
    Window,
)

BATCH = 100
START = parse_instant("2016-05-01T00:00:00Z")


@dataclass(frozen=True)
class World:
    """``truces`` truces, one area each, of 50 to 500 vertices; half a candidate box for a random point."""

    registry: CompiledRegistry
    side: float


def make_world(truces: int, chance: random.Random) -> World:
    """Areas are strewn over a square so large that a random point lies in half a box on average."""
    size = 0.2
    side = min(math.sqrt(truces * (2 * size) ** 2 / 0.5), 160.0)
    areas, made = {}, {}
    for number in range(truces):
        lon, lat = chance.uniform(-side / 2, side / 2), chance.uniform(-side / 4, side / 4)
        area = Area(f"a{number}", {"en": f"Area {number}"}, _blob(lon, lat, size, chance))
        areas[area.id] = area
        begin = START + chance.randrange(20) * DAY
        account = Account(f"n{number}", "issuer", area.id, begin, begin + 10 * DAY)
        duty = CompiledDuty(None, None, ACT_GROUPS["all_weapons"])
        made[f"t{number}"] = CompiledTruce(
            f"t{number}", {"en": f"Truce {number}"}, "local", area.id, (duty,), (), (Window((account,)),)
        )
    parties = {
        "army": CompiledParty("army", "state", {"en": "army"}),
        "civilians": CompiledParty("civilians", "civilians", {"en": "c"}),
    }
    return World(CompiledRegistry(1, "UTC", parties, (), areas, {}, made), side)


def _blob(lon: float, lat: float, size: float, chance: random.Random) -> Polygon:
    corners = chance.randint(50, 500)
    radii = [size * chance.uniform(0.7, 1.0) for _ in range(corners)]
    turns = [2 * math.pi * n / corners for n in range(corners)]
    return Polygon([(lon + r * math.cos(t), lat + r * math.sin(t)) for r, t in zip(radii, turns, strict=True)])


def make_cases(world: World, count: int, chance: random.Random) -> list[Case]:
    """Reports at random points and times of the world."""
    return [
        Case(
            incident_id=f"i{number}",
            revision=1,
            report=Report(
                external_id=f"x{number}",
                occurred=to_datetime(START + chance.randrange(30 * 24) * HOUR),
                act="shelling",
                location=Location(
                    lat=chance.uniform(-world.side / 4, world.side / 4),
                    lon=chance.uniform(-world.side / 2, world.side / 2),
                    radius_km=1.0,
                ),
                source=Source("bench", "C3"),
                perpetrators=("army",),
                targets=("civilians",),
            ),
            retracted=None,
        )
        for number in range(count)
    ]


def per_item(work: Callable[[], int], least_s: float = 0.5) -> float:
    """Microseconds an item; ``work`` returns how many items it did."""
    work()
    done, begin = 0, time.perf_counter()
    while (passed := time.perf_counter() - begin) < least_s:
        done += work()
    return passed / done * 1e6


@dataclass(frozen=True)
class EvaluationFigures:
    """Microseconds an incident."""

    truces: int
    loop: float
    search: float
    assess: float


def measure(truces: int) -> EvaluationFigures:
    """The loop, the search for areas that hold a point, and the full assessment of discs, on one world."""
    chance = random.Random(truces)
    world = make_world(truces, chance)
    cases = make_cases(world, 20 * BATCH, chance)
    points = [(c.report.location.lon or 0.0, c.report.location.lat or 0.0) for c in cases]
    prepared = [prep(area.geometry) for area in world.registry.areas.values()]
    some = [Point(*point) for point in points[:5]]

    def loop() -> int:
        for point in some:
            [geometry for geometry in prepared if geometry.contains(point)]
        return len(some)

    ground = AreaIndex(world.registry.areas)
    lons, lats = (np.array(axis) for axis in zip(*points, strict=True))

    def search() -> int:
        for start in range(0, len(points), BATCH):
            ground.holding(lons[start : start + BATCH], lats[start : start + BATCH])
        return len(points)

    judge = Judge(world.registry)

    def assess() -> int:
        for start in range(0, len(cases), BATCH):
            judge.assess(cases[start : start + BATCH], START)
        return len(cases)

    _agree(ground, world, points[:200])
    return EvaluationFigures(truces, per_item(loop), per_item(search), per_item(assess))


def _agree(ground: AreaIndex, world: World, points: list[tuple[float, float]]) -> None:
    """The fast search finds what the loop finds."""
    found, areas = ground.holding(np.array([p[0] for p in points]), np.array([p[1] for p in points]))
    fast = set(zip(found.tolist(), areas.tolist(), strict=True))
    shapes = [area.geometry for area in world.registry.areas.values()]
    slow = {(i, j) for i, p in enumerate(points) for j, s in enumerate(shapes) if shapely.intersects_xy(s, *p)}
    if fast != slow:
        raise AssertionError(f"the search differs from the loop: {fast ^ slow}")

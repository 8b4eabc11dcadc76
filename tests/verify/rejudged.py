"""Faults while a change of the registry judges again: reports far from those of the load, each flipped exactly once."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from tests.parts.cluster import Cluster, eventually

#: Reports that one change flips.
COUNT: Final = 400
SETTLED_S: Final = 90.0
#: Between two faults while it judges.
STEP_S: Final = 1.0
_PLACE: Final = {"lat": -40.0, "lon": -120.0, "radius_km": 1.0}
_SQUARE: Final = [[[-121, -41], [-119, -41], [-119, -39], [-121, -39], [-121, -41]]]
_CAUSES: Final = (
    "SELECT incident_id, array_agg(cause ORDER BY sequence) FROM assessments WHERE incident_id = ANY(%s)"
    " GROUP BY incident_id"
)


@dataclass(frozen=True, slots=True)
class ChangedWorld:
    """Reports that no truce covers, in an area of their own."""

    cluster: Cluster
    name: str
    incidents: tuple[str, ...]

    def declare(self, number: int) -> str:
        """A truce there that covers all of them; the id of the reassessment that it causes."""
        id = f"{self.name}-{number}"
        said = {
            "id": id,
            "issuer": "russia",
            "action": "declare",
            "announced_at": "2016-05-01T00:00:00Z",
            "starts_at": "2016-05-01T00:00:00Z",
            "ends_at": "2016-05-10T00:00:00Z",
        }
        duty = {"bound": "any", "toward": "any", "acts": ["all_weapons"]}
        truce = {"kind": "local", "name": {"en": id}, "area": self.name, "duties": [duty], "announcements": [said]}
        return str(_put(self.cluster, f"/v1/truces/{id}", truce)["reassessment"])

    def find_faults(self, reassessments: list[str], changes: int) -> list[str]:
        """The faults found once the reassessments are done: each report judged again, at most once for each change."""
        try:
            eventually(lambda: all(self._state(id) == "done" for id in reassessments), SETTLED_S)
        except TimeoutError as error:
            return [f"a reassessment is not done: {error}"]
        with psycopg.connect(self.cluster.database_uri) as connection:
            rows = connection.execute(_CAUSES.encode(), (list(self.incidents),))
            causes: dict[str, list[str]] = {row[0]: row[1] for row in rows}
        amiss = [found for id in self.incidents if not _is_once(found := causes.get(id, []), changes)]
        return [f"{len(amiss)} of {COUNT} reports were not judged again once, but for {amiss[:3]}"] if amiss else []

    def _state(self, id: str) -> str:
        with self.cluster.client() as client:
            return str(client.get(f"/v1/reassessments/{id}").raise_for_status().json()["state"])


def _is_once(causes: list[str], changes: int) -> bool:
    """Whether one was judged again for the changes, and at most once for each. Links may come between."""
    registry = [cause for cause in causes if cause.startswith("registry/")]
    return 1 <= len(registry) <= changes and len(set(registry)) == len(registry)


def make_changed_world(cluster: Cluster) -> ChangedWorld:
    name = f"sea-{time.monotonic_ns() // 1_000_000}"
    square = {"type": "Polygon", "coordinates": _SQUARE}
    feature = {"type": "Feature", "properties": {"name": {"en": name}}, "geometry": square}
    _put(cluster, f"/v1/areas/{name}", feature)
    reports = [
        {
            "external_id": f"{name}-{n}",
            "occurred": f"2016-05-04T12:{n % 60:02}:00Z",
            "act": "shelling",
            "location": _PLACE,
            "source": {"name": "a ship"},
        }
        for n in range(COUNT)
    ]
    with cluster.client(timeout_s=60) as client:
        results = eventually(lambda: _accepted(client.post("/v1/incidents/batch", json=reports)), SETTLED_S)
    world = ChangedWorld(cluster, name, tuple(result["incident_id"] for result in results))
    eventually(lambda: _count_judged(world) == COUNT, SETTLED_S)
    return world


def at_once(world: ChangedWorld) -> list[str]:
    """Two changes by two operators at the same moment."""
    made: list[str] = []
    both = [threading.Thread(target=lambda n=n: made.append(world.declare(n))) for n in (1, 2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    return made


def while_judging(cluster: Cluster, breaking: Callable[[Cluster], None], changes: int = 1) -> list[str]:
    """A change, or two at once, and ``breaking`` while it judges; what does not hold in the end."""
    world = make_changed_world(cluster)
    made = at_once(world) if changes == 2 else [world.declare(1)]
    breaking(cluster)
    return world.find_faults(made, changes)


def _count_judged(world: ChangedWorld) -> int:
    with psycopg.connect(world.cluster.database_uri) as connection:
        return len(connection.execute(_CAUSES.encode(), (list(world.incidents),)).fetchall())


def _put(cluster: Cluster, path: str, body: Any) -> Any:
    """Sent until it is taken."""
    with cluster.client() as client:
        return eventually(lambda: _taken(client.put(path, json=body)), SETTLED_S)


def _taken(answer: Any) -> Any:
    return answer.json() if answer.is_success else None


def _accepted(answer: Any) -> Any:
    return answer.json()["results"] if answer.status_code == 200 else None

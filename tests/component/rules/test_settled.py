"""Whatever comes in whichever order, the settled state is that of judging everything anew by the registry as it is."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Event
from services.platform.db.engine import Database
from services.platform.settings.config import embedded_url
from services.rules.assessing.domain.alerting import deserves_alert
from services.rules.assessing.domain.keeping import is_same_judgement
from services.rules.assessing.reported import stored_case
from tests.component.rules.rules_process import RulesProcess
from tests.examples import examples
from tests.tables import create_tables
from tests.unit.rules.build import reported
from tests.unit.rules.registry_samples import announcement, area, document, party, truce

HERE = {"type": "Polygon", "coordinates": [[[36, 33], [37, 33], [37, 34], [36, 34], [36, 33]]]}
EAST = {"type": "Polygon", "coordinates": [[[37, 33], [38, 33], [38, 34], [37, 34], [37, 33]]]}
DECLARED = announcement("d", "declare", "01 00", starts_at="2016-05-01T00:00:00Z", ends_at="2016-05-03T00:00:00Z")
ANNOUNCEMENTS = (
    announcement("e", "extend", "04 00", extends="d", ends_at="2016-05-06T00:00:00Z"),
    announcement("r", "restate", "04 01", issuer="russia", restates="d", starts_at="2016-05-02T00:00:00Z"),
    announcement("w", "withdraw", "04 02", withdraws="d"),
)


@st.composite
def registries(draw: st.DrawFn) -> dict[str, Any]:
    """A registry as operators may leave it: truces with their announcements, names, members, places, borders."""
    rebels = draw(st.sampled_from(({}, {"aliases": ["brigade of the hills"]}, {"member_of": ["army"]})))
    places = [{"id": "p", "name": "Old Mill", "lat": 33.5, "lon": 36.5, "radius_km": 1.0}]
    said = draw(st.lists(st.sampled_from(ANNOUNCEMENTS[:2]), unique_by=lambda one: one["id"], max_size=2))
    ended = draw(st.sampled_from(([], [ANNOUNCEMENTS[2]])))
    made = truce("calm", DECLARED, *sorted(said, key=lambda one: one["announced_at"]), *ended)
    if draw(st.booleans()):
        made["exclusions"] = ["army"]
    return document(
        parties=[party("army"), party("rebels", **rebels), party("russia")],
        areas={"type": "FeatureCollection", "features": [
            area("city", draw(st.sampled_from((HERE, EAST)))), area("country", HERE),
        ]},
        places=draw(st.sampled_from(([], places))),
        presence=draw(st.sampled_from(([], [{"party": "army", "area": "city", "control": "held"}]))),
        truces=draw(st.sampled_from(([made], [made], []))),
    )  # fmt: skip


reports = st.builds(
    lambda day, location, perpetrators: {
        "external_id": "r",
        "occurred": {"date": f"2016-05-{day:02}"} if day == 6 else f"2016-05-{day:02}T12:00:00Z",
        "act": "shelling",
        "location": location,
        "perpetrators": perpetrators,
        "source": {"name": "a monitor"},
    },
    st.integers(1, 8),
    st.sampled_from((
        {"lat": 33.5, "lon": 36.5, "radius_km": 1.0}, {"lat": 33.5, "lon": 37.5, "radius_km": 1.0},
        {"lat": 33.5, "lon": 37.0, "radius_km": 200.0}, {"place": "Old Mill"}, {"area": "city"},
    )),
    st.sampled_from(([], ["army"], ["brigade of the hills"])),
)  # fmt: skip


@dataclass(frozen=True)
class Reported:
    incident_id: str
    report: dict[str, Any]


@dataclass(frozen=True)
class Changed:
    registry: dict[str, Any]


@dataclass(frozen=True)
class Crashed:
    """A process that works on the reassessments is killed after so many of its calls of the database."""

    calls: int


steps = st.lists(
    st.one_of(
        st.builds(Reported, st.sampled_from("abcd"), reports),
        st.builds(Changed, registries()),
        st.builds(Crashed, st.integers(0, 6)),
    ),
    min_size=2,
    max_size=10,
)


class KilledError(Exception):
    pass


class Mortal:
    """A port whose calls fail from the n-th on."""

    def __init__(self, port: Any, calls: int) -> None:
        self._port, self._left = port, calls

    def __getattr__(self, name: str) -> Any:
        if self._left == 0:
            raise KilledError
        self._left -= 1
        return getattr(self._port, name)


async def crash(process: RulesProcess, calls: int) -> None:
    reassessments = process.reassessments
    process.reassessments = Mortal(reassessments, calls)  # type: ignore[assignment]
    with suppress(KilledError):
        await process.reassess()
    process.reassessments = reassessments


async def play(database: Database, told: list[Any]) -> dict[str, Event]:
    """Each step by one of two processes, by turns; the last event of each incident."""
    one = RulesProcess(database)
    processes = (one, RulesProcess(database, "other", one.clock))
    last: dict[str, Event] = {}
    revisions: dict[str, int] = {}
    for n, step in enumerate(told):
        process = processes[n % 2]
        match step:
            case Reported(id, report):
                revisions[id] = revisions.get(id, 0) + 1
                last[id] = reported(id, report, revisions[id])
                await process.take(last[id])
            case Changed(registry):
                await process.put_registry(registry)
            case Crashed(calls):
                await crash(process, calls)
                await process.clock.advance(20)
    await one.clock.advance(20)
    await one.reassess()
    return last


@pytest.mark.timeout(1200)
@examples(100)
@given(steps)
async def test_the_settled_state_is_that_of_judging_everything_anew(told: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        database = Database(embedded_url(Path(folder)))
        create_tables(database.engine)
        last = await play(database, told)
        fresh = RulesProcess(database)
        await fresh.judging.current.catch_up()
        judge, current = fresh.judging.current.judge, await fresh.current()
        cases = [stored_case(event.data).case for event in last.values()]
        assert current.keys() == last.keys()
        for anew in judge.assess(cases, fresh.clock.now()):
            assert is_same_judgement(current[anew.incident_id], anew)
        alerts = {alert.incident_id: alert for alert in await fresh.alerts()}
        standing = {id for id, alert in alerts.items() if alert.status != "cancelled"}
        assert standing == {id for id, one in current.items() if deserves_alert(one)}
        await database.close()

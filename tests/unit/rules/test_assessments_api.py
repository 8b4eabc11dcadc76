"""Assessments over HTTP: who reads whose, in pages; a report judged and not kept. Source: the contract."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from schemas.events import KeyChanged
from schemas.vocabulary import Role
from services.rules.api import build_router
from services.rules.domain.document import compile_document
from services.rules.domain.evaluate import Judge
from services.rules.domain.model import Registry
from services.rules.registry_wire import read_document
from services.rules.use_cases import Bench, assess_incidents
from services.shared.config import embedded_url
from services.shared.db.engine import Database
from services.shared.db.tables import metadata
from services.shared.http import install_problems
from services.shared.security import KeyRing, hash_secret
from tests.fakes import DrivenClock
from tests.scenario import registry_document, reports
from tests.unit.rules.build import bench_of, reported

KEYS: Final[dict[str, Role]] = {"theirs": "partner", "others": "partner", "desk": "monitor", "boss": "operator"}
MIDAN = next(r for r in reports() if r["external_id"] == "midan-20160508")


@dataclass
class Api:
    """Assessments over one database; ``ask`` by the name of a key."""

    client: httpx.AsyncClient
    database: Database
    bench: Bench
    clock: DrivenClock

    async def ask(self, key: str, path: str) -> httpx.Response:
        return await self.client.get(path, headers={"authorization": f"Bearer {key}"})

    async def evaluate(self, key: str, body: Any) -> httpx.Response:
        return await self.client.post("/v1/evaluate", json=body, headers={"authorization": f"Bearer {key}"})

    async def take(self, incident_id: str, partner: str, revision: int = 1, **more: Any) -> None:
        event = reported(incident_id, {**MIDAN, **more}, revision, partner=partner)
        await assess_incidents([event], self.bench, self.database, self.clock, lambda _a, _b: None)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    database, clock = Database(embedded_url(tmp_path)), DrivenClock()
    metadata.create_all(database.engine)
    bench = bench_of(compile_document(read_document(msgspec.json.encode(registry_document())), 1))
    app = FastAPI()
    install_problems(app)
    app.state.keys = KeyRing(clock)
    for name, role in KEYS.items():
        app.state.keys.apply(KeyChanged(name, name, role, hash_secret(name), "2016-01-01T00:00:00Z"))
    app.include_router(build_router(bench, database, clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rules") as client:
        yield Api(client, database, bench, clock)
    await database.close()


async def ids(api: Api, key: str, query: str = "") -> list[str]:
    answer = await api.ask(key, f"/v1/assessments{query}")
    assert answer.status_code == 200
    return [one["incident_id"] for one in answer.json()["items"]]


async def test_a_partner_reads_the_assessments_of_its_own_incidents_and_of_no_others(api: Api) -> None:
    await api.take("a", "theirs")
    await api.take("b", "others")
    for key, seen in (("theirs", ["a"]), ("others", ["b"]), ("desk", ["a", "b"]), ("boss", ["a", "b"])):
        assert await ids(api, key) == seen
        for incident in ("a", "b"):
            history = (await api.ask(key, f"/v1/incidents/{incident}/assessments")).json()
            assert len(history["items"]) == (incident in seen)


async def test_what_is_not_yet_assessed_has_an_empty_list(api: Api) -> None:
    for key in KEYS:
        answer = await api.ask(key, "/v1/incidents/nobody-knows/assessments")
        assert (answer.status_code, answer.json()) == (200, {"items": [], "next": None, "has_more": False})


async def test_a_history_comes_newest_first_in_pages(api: Api) -> None:
    for revision in (1, 2, 3):
        await api.take("a", "theirs", revision, casualties={"killed": revision})
    path, seen, after = "/v1/incidents/a/assessments?limit=2", list[int](), ""
    while True:
        page = (await api.ask("theirs", path + after)).json()
        seen += [one["revision"] for one in page["items"]]
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert seen == [3, 2, 1]


async def test_the_list_is_filtered_by_verdict_truce_and_the_time_of_the_incident(api: Api) -> None:
    await api.take("a", "theirs")
    await api.take("b", "theirs", act="protest")
    assert await ids(api, "desk", "?verdict=violation") == ["a"]
    assert await ids(api, "desk", "?verdict=not_covered&truce=aleppo-calm") == ["b"]
    assert await ids(api, "desk", "?truce=aleppo") == []
    assert await ids(api, "desk", "?to=2016-05-07T21:00:00Z") == []
    assert await ids(api, "desk", "?from=2016-05-08T21:00:01Z") == []
    assert await ids(api, "theirs", "?from=2016-05-08T00:00:00%2B03:00&limit=1") == ["a"]
    answer = await api.ask("desk", "/v1/assessments?verdict=guilty&from=yesterday")
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/verdict", "/from"]
    beyond = await api.ask("desk", "/v1/assessments?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z")
    assert [error["pointer"] for error in beyond.json()["errors"]] == ["/from", "/to"]


async def test_evaluating_stores_nothing_and_judges_by_the_registry_as_it_stands(api: Api) -> None:
    api.bench.judge = Judge(Registry(0, "UTC"))
    told = (await api.evaluate("theirs", MIDAN)).json()
    assert told["registry_version"] == 1
    assert await ids(api, "boss") == []
    await api.take("a", "theirs")
    kept = (await api.ask("boss", "/v1/incidents/a/assessments")).json()["items"][0]
    assert told | {"incident_id": "a"} == kept


async def test_evaluating_says_what_of_a_name_and_a_point_was_not_taken_at_its_word(api: Api) -> None:
    doubtful = {
        **MIDAN,
        "perpetrators": ["ISIS (Syria)"],
        "location": {"place": "Al-Hasakah", "lat": 0, "lon": 0},
    }
    told = (await api.evaluate("theirs", doubtful)).json()
    facts = {reason["code"]: reason["fact"] for reason in told["reasons"]}
    assert facts["name_qualified"] == {"reported": "ISIS (Syria)", "read_as": "ISIS", "party": "isis"}
    assert facts["point_placeholder"] == {"lat": 0.0, "lon": 0.0}
    assert told["verdict"] == "excluded"


async def test_evaluating_refuses_what_ingest_refuses_all_faults_at_once(api: Api) -> None:
    wrong = {**MIDAN, "act": "war", "occurred": {"date": "2999-01-01"}, "location": {"lat": 91}, "colour": 1}
    answer = await api.evaluate("theirs", wrong)
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/act", "/occurred/date", "/location/lat", "/location/lon", "/colour"}

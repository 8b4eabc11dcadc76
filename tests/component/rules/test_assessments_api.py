"""Assessments over HTTP: who reads whose, in pages; a report judged and not kept. Source: the contract."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from schemas.assessments import Assessment, Interval, Reason, ResolvedPlace, SourceRef
from schemas.events import KeyChanged
from schemas.report import Casualties
from schemas.vocabulary import Role
from schemas.wording.reasons import retell
from services.platform.db.engine import Database
from services.platform.http.middleware import install_problems
from services.platform.security.keys import KeyRing, hash_secret
from services.platform.settings.config import embedded_url
from services.rules.assessing.api import build_router
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.judge_and_keep import Judging
from services.rules.assessing.reported import assess_incidents
from services.rules.assessing.sql import SqlJudgements
from services.rules.judging.evaluate import Judge
from services.rules.judging.model import CompiledRegistry
from services.rules.registry.domain.document import compile_document
from services.rules.registry.wire import read_document
from tests.fakes import DrivenClock
from tests.scenario import registry_document, reports
from tests.tables import create_tables
from tests.unit.rules.build import current_judge_of, reported

KEYS: Final[dict[str, Role]] = {"theirs": "partner", "others": "partner", "desk": "monitor", "boss": "operator"}
MIDAN = next(r for r in reports() if r["external_id"] == "midan-20160508")


@dataclass
class Api:
    """Assessments over one database; ``ask`` by the name of a key."""

    client: httpx.AsyncClient
    database: Database
    current: CurrentJudge
    clock: DrivenClock

    async def ask(self, key: str, path: str) -> httpx.Response:
        return await self.client.get(path, headers={"authorization": f"Bearer {key}"})

    async def evaluate(self, key: str, body: Any) -> httpx.Response:
        return await self.client.post("/v1/evaluate", json=body, headers={"authorization": f"Bearer {key}"})

    async def take(self, incident_id: str, partner: str, revision: int = 1, **more: Any) -> None:
        event = reported(incident_id, {**MIDAN, **more}, revision, partner=partner)
        judging = Judging(self.current, SqlJudgements(self.database), self.clock.now, lambda _a, _b: None)
        await assess_incidents([event], judging)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    database, clock = Database(embedded_url(tmp_path)), DrivenClock()
    create_tables(database.engine)
    current = current_judge_of(compile_document(read_document(msgspec.json.encode(registry_document())), 1))
    app = FastAPI()
    install_problems(app)
    app.state.keys = KeyRing(clock)
    for name, role in KEYS.items():
        app.state.keys.apply(KeyChanged(name, name, role, hash_secret(name), "2016-01-01T00:00:00Z"))
    app.include_router(build_router(current, database, clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rules") as client:
        yield Api(client, database, current, clock)
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


async def test_all_assessments_are_exported_as_csv_and_as_geojson_page_by_page(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.platform.http.exports.SLICE", 2)
    for number in range(5):
        await api.take(f"i{number}", "theirs")
    await api.take("h", "others", targets=["=HYPERLINK()"])

    async def export(key: str, kind: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}", "accept": kind}
        answer = await api.client.get("/v1/assessments?limit=1", headers=headers)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
        assert answer.headers["vary"].startswith("accept")
        return answer

    names, tags, *rows = csv.reader(io.StringIO((await export("desk", "text/csv")).text))
    assert all(tag.startswith("#") for tag in tags)
    told = [dict(zip(names, row, strict=True)) for row in rows]
    assert [one["incident_id"] for one in told] == ["h", *(f"i{number}" for number in range(5))]
    assert (told[0]["targets"], told[1]["verdict"], told[1]["killed"]) == ("'=HYPERLINK()", "violation", "1")
    assert "aleppo-calm" in told[1]["truces"].split(";")
    assert len((await export("theirs", "text/csv")).text.splitlines()) == 2 + 5

    drawn = (await export("desk", "application/geo+json")).json()
    assert [one["id"] for one in drawn["features"]] == ["h", *(f"i{number}" for number in range(5))]
    listed = (await api.ask("desk", "/v1/assessments")).json()["items"]
    assert [one["properties"] for one in drawn["features"]] == listed
    assert drawn["features"][1]["geometry"] == {"type": "Point", "coordinates": [37.166, 36.214]}


async def test_evaluating_stores_nothing_and_judges_by_the_registry_as_it_stands(api: Api) -> None:
    api.current.judge = Judge(CompiledRegistry(0, "UTC"))
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


async def test_reasons_speak_the_language_of_the_reader(api: Api) -> None:
    await api.take("a", "theirs")

    async def first(path: str, accept: str = "") -> tuple[str, str]:
        headers = {"authorization": "Bearer desk", "accept-language": accept}
        answer = await api.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        assert "accept-language" in answer.headers["vary"]
        finding = answer.json()["items"][0]["findings"][0]
        return answer.headers["content-language"], finding["reasons"][0]["text"]

    for path in ("/v1/assessments", "/v1/incidents/a/assessments"):
        english = await first(path)
        assert english[0] == "en"
        assert english[1].startswith("In force at that time and place")
        assert await first(path, "fr, de;q=0.4") == english
        language, text = await first(path, "ru-RU, en;q=0.5")
        assert (language, text.startswith("В это время и в этом месте действовало «режим")) == ("ru", True)
        language, text = await first(f"{path}?language=ar", "ru")
        assert (language, "ساريًا في ذلك الزمان والمكان" in text, "شباط" in text) == ("ar", True, True)
    refused = await api.ask("desk", "/v1/assessments?language=fr")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/language")
    assert refused.headers["content-language"] == "en"


async def test_an_evaluation_speaks_the_language_of_the_reader(api: Api) -> None:
    headers = {"authorization": "Bearer theirs", "accept-language": "ar"}
    answer = await api.client.post("/v1/evaluate", json=MIDAN, headers=headers)
    assert answer.headers["content-language"] == "ar"
    told = [reason["text"] for finding in answer.json()["findings"] for reason in finding["reasons"]]
    assert told
    assert all("ا" in text for text in told)


async def test_a_reason_kept_without_all_of_its_fact_stays_in_english() -> None:
    kept = Assessment(
        "i", 1, "2016-05-08T00:00:00Z", 1, "not_covered", None, "Minor", (Reason("retracted", {}, "Taken back."),),
        (), (), ResolvedPlace(), (), (), Interval("2016-05-08T00:00:00Z", "2016-05-08T00:00:00Z"), "other",
        Casualties(), SourceRef("x"),
    )  # fmt: skip
    current = current_judge_of(compile_document(read_document(msgspec.json.encode(registry_document())), 1))
    assert retell(kept, current.judge.render, "ru") == kept

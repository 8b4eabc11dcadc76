"""GET /v1/statistics."""

import csv
import io
from typing import Any

import pytest

from schemas import codec
from schemas.assessments import Finding, FoundWindow, Interval, Reason
from schemas.events import RegistryChanged
from schemas.report import Casualties
from schemas.topics import REGISTRY
from tests.component.ingest.running import RunningIngest, judged, report


async def _told(ingest: RunningIngest, *verdicts: str, **changes: Any) -> list[str]:
    ids = []
    for number, verdict in enumerate(verdicts):
        posted = await ingest.partner.post("/v1/incidents", json=report(external_id=f"r{number}"))
        ids.append(posted.json()["incident_id"])
        await ingest.publish([judged(ids[-1], 1, 1, verdict, **changes)])  # type: ignore[arg-type]
    return ids


async def test_incidents_are_counted_by_day_and_verdict(ingest: RunningIngest) -> None:
    await _told(ingest, "violation", "violation", "excluded", casualties=Casualties(2, None))
    answer = await ingest.monitor.get("/v1/statistics")
    at, none = "2016-05-07T00:00:00Z", {"min": 0, "max": 0}
    assert answer.json() == {
        "series": [
            {
                "key": "excluded",
                "points": [{"at": at, "incidents": 1, "killed": {"min": 2, "max": 2}, "injured": none}],
            },
            {
                "key": "violation",
                "points": [{"at": at, "incidents": 2, "killed": {"min": 4, "max": 4}, "injured": none}],
            },
        ],
        "omitted": 0,
    }
    (series,) = (await ingest.monitor.get("/v1/statistics?verdict=excluded&by=month&group=act")).json()["series"]
    assert (series["key"], series["points"][0]["at"]) == ("shelling", "2016-05-01T00:00:00Z")
    assert (await ingest.other.get("/v1/statistics")).json()["series"] == []
    assert len((await ingest.partner.get("/v1/statistics")).json()["series"]) == 2
    assert (await ingest.monitor.get("/v1/statistics?from=2016-05-08T00:00:00Z")).json()["series"] == []


async def test_days_are_local_and_truces_those_of_the_registry(ingest: RunningIngest) -> None:
    await ingest.set_time_zone("Asia/Damascus")
    time = "2016-05-01T00:00:00Z"
    change = RegistryChanged("truces", "calm", 2, time, {"name": {"en": "The calm"}}, True)
    await ingest.runtime.bus.publish([codec.encode(REGISTRY, change, key="truces/calm", id="2", time=time)])
    finding = Finding("calm", "violation", None, FoundWindow(time, None, False, "aleppo", ()), ())
    await _told(ingest, "violation", findings=(finding,))
    answer = await ingest.monitor.get("/v1/statistics?group=truce")
    (series,) = answer.json()["series"]
    assert (series["key"], [point["at"] for point in series["points"]]) == ("calm", ["2016-05-07T21:00:00Z"])


async def test_a_retracted_report_is_not_counted_any_more(ingest: RunningIngest) -> None:
    (id,) = await _told(ingest, "violation", casualties=Casualties(2))
    await ingest.partner.post(f"/v1/incidents/{id}/retraction", json={"reason": "An error."})
    await ingest.publish([judged(id, 2, 2, "not_covered", reasons=(Reason("retracted"),))])
    assert (await ingest.monitor.get("/v1/statistics")).json()["series"] == []


async def test_as_csv_each_point_is_a_row_below_hashtags(ingest: RunningIngest) -> None:
    await _told(ingest, "violation", casualties=Casualties(2, 1))
    answer = await ingest.monitor.get("/v1/statistics", headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    names, tags, row = csv.reader(io.StringIO(answer.text))
    assert tags[:3] == ["#meta+key", "#date+start", "#event+num"]
    assert dict(zip(names, row, strict=True)) == {
        "key": "violation", "at": "2016-05-07T00:00:00Z", "incidents": "1", "killed_min": "2", "killed_max": "2",
        "injured_min": "1", "injured_max": "1",
    }  # fmt: skip


async def test_more_periods_than_a_series_may_have_are_refused(
    ingest: RunningIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.http.statistics.MAX_POINTS", 1)
    await _told(ingest, "violation")
    (id,) = await _told(ingest, "excluded")
    later = Interval("2016-06-07T21:00:00Z", "2016-06-08T09:00:00Z")
    await ingest.publish([judged(id, 1, 2, occurred=later)])
    posted = await ingest.partner.post("/v1/incidents", json=report(external_id="more"))
    await ingest.publish([judged(posted.json()["incident_id"], 1, 1)])
    answer = await ingest.monitor.get("/v1/statistics")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/by")


@pytest.mark.parametrize("query", ["by=year", "group=partner", "limit=5", "by=day&by=week"])
async def test_what_cannot_be_asked_for_is_refused_and_named(ingest: RunningIngest, query: str) -> None:
    answer = await ingest.monitor.get(f"/v1/statistics?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/" + query.partition("=")[0]

"""Metrics under their stated names; the probes."""

from collections.abc import Sequence

import httpx
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from services.platform.metrics import Metrics, make_metrics, probes_router

STATED = {
    "trucewatch_incidents_accepted",
    "trucewatch_assessments",
    "trucewatch_alerts",
    "trucewatch_delivery_attempts",
    "trucewatch_delivery_backlog",
    "trucewatch_consumer_lag",
    "trucewatch_dead_letters",
    "trucewatch_oldest_unassessed_seconds",
    "trucewatch_endpoints_disabled",
    "trucewatch_intake_seconds",
    "trucewatch_commit_seconds",
    "trucewatch_sync_seconds",
}


async def get(
    path: str, metrics: Metrics | None = None, reasons: Sequence[str] = (), accept: str = "*/*"
) -> httpx.Response:
    metrics = metrics or make_metrics()

    async def unready() -> Sequence[str]:
        return reasons

    async def refresh() -> None:
        metrics.delivery_backlog.set(7)

    app = FastAPI()
    app.include_router(probes_router(metrics, unready, refresh))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path, headers={"accept": accept})


async def test_every_stated_metric_is_there() -> None:
    answer = await get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert {family.name for family in parse_text(answer.text)} >= STATED


async def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    answer = await get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = parse_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= STATED


async def test_a_count_shows_under_its_label() -> None:
    metrics = make_metrics()
    metrics.assessments["violation"].inc(3)
    assert 'trucewatch_assessments_total{verdict="violation"} 3.0' in (await get("/metrics", metrics)).text


async def test_gauges_are_refreshed_before_a_scrape() -> None:
    assert "trucewatch_delivery_backlog 7.0" in (await get("/metrics")).text


async def test_two_registries_do_not_add_up() -> None:
    make_metrics().incidents_accepted.inc()
    assert "trucewatch_incidents_accepted_total 0.0" in (await get("/metrics")).text


async def test_alive_is_not_ready() -> None:
    assert (await get("/livez", reasons=["the database is away"])).status_code == 200
    answer = await get("/readyz", reasons=["the database is away"])
    assert answer.status_code == 503
    assert answer.json() == {"status": "unready", "waiting_for": ["the database is away"]}


async def test_ready() -> None:
    answer = await get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"

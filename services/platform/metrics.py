"""Metrics under stated names, and the three probes.

One :class:`Metrics` is made by ``bootstrap`` and passed on: there is no global registry, so two
processes in one test do not add up. Children are bound here once, since looking one up costs more than counting.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, PlatformCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from starlette.responses import Response

from schemas.vocabulary import OUTCOMES, AlertStatus, Outcome
from services.platform.http.connections import REASONS, Reason
from services.platform.http.describe import describe
from services.platform.http.reply import reply
from services.platform.http.routes import make_router

K = TypeVar("K", bound=str)

#: Bucket edges in seconds: a sync to disk is 0.2 ms on a good disk, and five seconds are a broken one.
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
ALERT_STATUSES: Final[tuple[AlertStatus, ...]] = ("raised", "updated", "cancelled")
#: How an attempt to deliver ended: accepted; to be tried again; given up.
DELIVERY_OUTCOMES: Final = ("delivered", "retried", "failed")


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every metric of a process. The values of a mapping are children bound to its keys."""

    registry: CollectorRegistry
    incidents_accepted: Counter
    assessments: Mapping[Outcome, Counter]
    alerts: Mapping[AlertStatus, Counter]
    delivery_attempts: Mapping[str, Counter]
    delivery_backlog: Gauge
    consumer_lag: Gauge
    dead_letters: Gauge
    loop_failures: Counter
    oldest_unassessed_seconds: Gauge
    endpoints_disabled: Gauge
    auth_failures: Counter
    connections_ended: Mapping[Reason, Counter]
    intake_seconds: Histogram
    commit_seconds: Histogram
    sync_seconds: Histogram


def make_metrics() -> Metrics:
    """Fresh metrics on a registry of their own, with those of the process itself beside them."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"trucewatch_{name}", text, labels, registry=registry)

    def histogram(name: str, text: str) -> Histogram:
        return Histogram(f"trucewatch_{name}", text, buckets=SECONDS, registry=registry)

    return Metrics(
        registry=registry,
        incidents_accepted=Counter(
            "trucewatch_incidents_accepted", "Revisions of incident reports made durable.", registry=registry
        ),
        assessments=_children(registry, "assessments", "Assessments kept.", "verdict", OUTCOMES),
        alerts=_children(registry, "alerts", "Alerts decided.", "status", ALERT_STATUSES),
        delivery_attempts=_children(
            registry, "delivery_attempts", "Attempts to deliver a message.", "outcome", DELIVERY_OUTCOMES
        ),
        delivery_backlog=gauge("delivery_backlog", "Messages that are due or will be tried again."),
        consumer_lag=gauge("consumer_lag", "Events on the log that a group has not committed.", "group"),
        dead_letters=gauge("dead_letters", "Events given up on and not yet retried."),
        loop_failures=Counter(
            "trucewatch_loop_failures", "Unforeseen failures of a loop, which goes on.", ("loop",), registry=registry
        ),
        oldest_unassessed_seconds=gauge("oldest_unassessed_seconds", "Age of the oldest report without assessment."),
        endpoints_disabled=gauge("endpoints_disabled", "Endpoints that are disabled."),
        auth_failures=Counter(
            "trucewatch_auth_failures", "Requests with a wrong key or token, throttled or not.", registry=registry
        ),
        connections_ended=_children(
            registry, "connections_ended", "Connections ended or refused at the edge.", "reason", REASONS
        ),
        intake_seconds=histogram("intake_seconds", "From a whole request body to its durable answer."),
        commit_seconds=histogram("commit_seconds", "One group commit; on SQLite without the disk."),
        sync_seconds=histogram("sync_seconds", "Forcing SQLite's log to disk, for all who wait."),
    )


def _children(registry: CollectorRegistry, name: str, text: str, label: str, values: Sequence[K]) -> dict[K, Counter]:
    parent = Counter(f"trucewatch_{name}", text, (label,), registry=registry)
    return {value: parent.labels(value) for value in values}


#: The reasons why this process cannot serve, in words; empty when it is ready.
Unready = Callable[[], Awaitable[Sequence[str]]]
Refresh = Callable[[], Awaitable[None]]


def probes_router(metrics: Metrics, unready: Unready, refresh: Refresh | None = None) -> APIRouter:
    """``/livez``, ``/readyz`` and ``/metrics``. ``refresh`` sets the gauges before each scrape."""
    router = make_router("operators")

    @router.get("/livez")
    @describe("Whether the process is alive", answers={200: None}, example={"status": "ok"}, roles=None)
    async def livez() -> Response:
        return reply({"status": "ok"})

    @router.get("/readyz")
    @describe(
        "Whether the process can do its work now",
        answers={200: None, 503: None},
        example={"status": "ok", "waiting_for": []},
        roles=None,
    )
    async def readyz() -> Response:
        reasons = list(await unready())
        status = "unready" if reasons else "ok"
        return reply({"status": status, "waiting_for": reasons}, 503 if reasons else 200)

    @router.get("/metrics")
    @describe(
        "Metrics for Prometheus; OpenMetrics where the Accept header asks for it",
        answers={200: "text/plain"},
        roles=None,
    )
    async def scrape(request: Request) -> Response:
        if refresh is not None:
            await refresh()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"content-type": content_type})

    return router

"""The client that partners and monitors use, one method an operation."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from json import loads
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from .answers import Answer
from .async_transport import AsyncPages, AsyncTransport, Query, Sleep
from .batches import encode, encode_report, in_batches
from .models import Alert, Subscription
from .patience import Patience
from .server_events import ServerEvent
from .wire import (
    AcceptedReport,
    Assessment,
    AssessmentQuery,
    BatchItem,
    Created,
    Draft,
    Found,
    IncidentQuery,
    IncidentSummary,
    IncidentView,
    Report,
)

TIMEOUT_S: Final = 60.0
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

ReportBody = Report | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An alert from the stream, and the cursor that resumes after it."""

    cursor: str
    alert: Alert


class AsyncClient:
    """One server, asked with one key. Every method raises RefusedError where the server says no, UnreachableError where
    it gives no answer for longer than ``patience`` lasts."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        language: str = "en",
        patience: Patience = Patience(),
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """``key`` is an API key. ``language``: en, ar or ru, of the sentences in answers. ``sleep`` waits between the
        tries; ``transport``, of httpx, connects."""
        headers = {"accept-language": language} | ({"authorization": f"Bearer {key}"} if key else {})
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=timeout_s, trust_env=False, transport=transport
        )
        self._transport = AsyncTransport(self._http, patience, sleep)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def post_report(self, report: ReportBody, *, idempotency_key: str | None = None) -> AcceptedReport:
        """Report an incident. Once this returns, the report is on disk. The same content again changes nothing, other
        content of the same ``external_id`` is its next revision, an older revision's content is refused (409)."""
        return await self._post_once("/v1/incidents", report, idempotency_key)

    async def revise_report(
        self, report: ReportBody, revision: int, *, idempotency_key: str | None = None
    ) -> AcceptedReport:
        """Correct an incident whose latest revision is ``revision``; refused (412) where it is another."""
        return await self._post_once("/v1/incidents", report, idempotency_key, if_match=f'"{revision}"')

    async def retract_report(
        self, incident_id: str, reason: str, *, idempotency_key: str | None = None
    ) -> AcceptedReport:
        """Take an incident back."""
        path = f"/v1/incidents/{_segment(incident_id)}/retraction"
        return await self._post_once(path, {"reason": reason}, idempotency_key)

    async def post_batch(
        self, reports: Sequence[ReportBody | bytes], *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> list[BatchItem]:
        """Post up to 10,000 reports (16 MiB) in one request; one result each, in order. Bytes are a report in JSON.
        ``dry_run``: nothing is kept; a revision of 1 with status 202 would be a new incident."""
        content = b"\n".join(encode_report(report) for report in reports)
        headers = {"content-type": NDJSON} | ({"idempotency-key": idempotency_key} if idempotency_key else {})
        answer = await self._transport.request(
            "POST",
            "/v1/incidents/batch",
            query={"dry_run": "true"} if dry_run else None,
            content=content,
            headers=headers,
            repeatable=True,
        )
        results: list[BatchItem] = answer.body["results"]
        return results

    async def post_reports(self, reports: Iterable[ReportBody | bytes]) -> AsyncIterator[BatchItem]:
        """Post any number of reports, a hundred a request; ``index`` counts over all. A bad report harms no other. A
        run that broke off is run again: what is in already changes nothing."""
        first = 0
        for batch in in_batches((encode_report(report) for report in reports), len):
            for item in await self.post_batch(batch):
                item["index"] += first
                yield item
            first += len(batch)

    async def evaluate_report(self, report: ReportBody) -> Assessment:
        """Judge a report without storing anything."""
        assessment: Assessment = (await self.request("POST", "/v1/evaluate", report, repeatable=True)).body
        return assessment

    async def get_incident(self, incident_id: str) -> IncidentView:
        """An incident with its revisions, its state and its current assessment."""
        incident: IncidentView = await self.get(f"/v1/incidents/{_segment(incident_id)}")
        return incident

    def list_incidents(self, query: IncidentQuery | None = None) -> AsyncPages[IncidentSummary]:
        """Incidents, the latest to occur first; a partner sees its own."""
        return AsyncPages(self._transport, "/v1/incidents", query)

    def list_assessments(self, query: AssessmentQuery | None = None) -> AsyncPages[Assessment]:
        """The current assessments, by the time of the incident."""
        return AsyncPages(self._transport, "/v1/assessments", query)

    def list_assessments_of(self, incident_id: str) -> AsyncPages[Assessment]:
        """Every assessment of an incident, the newest first; none yet where it was not judged."""
        return AsyncPages(self._transport, f"/v1/incidents/{_segment(incident_id)}/assessments", None)

    async def get_alert(self, alert_id: str) -> Alert:
        """The newest revision of an alert."""
        alert: Alert = await self.get(f"/v1/alerts/{_segment(alert_id)}")
        return alert

    def list_alerts(self, after: str | None = None) -> AsyncPages[Alert]:
        """Every revision of every alert in the order of its commit, without gaps, from after the cursor ``after`` on.
        Each page has a ``next`` to come back with. Raises LogRestoredError for a cursor of before a restore."""
        return AsyncPages(self._transport, "/v1/alerts", {"after": after})

    def stream_alerts(self, after: str | None = None) -> AsyncGenerator[AlertEvent, None]:
        """Alerts as they come, without end, from after the cursor ``after`` on, which a page of ``list_alerts`` or an
        event has, or from now on. A connection that is lost is made anew and misses nothing. Raises LogRestoredError
        for a cursor of before a restore."""
        return self._transport.events("/v1/alerts/stream", _read_alert, after=after or "")

    async def create_subscription(self, draft: Draft | Mapping[str, Any]) -> Created:
        """Subscribe. The answer has the secret of a webhook, shown this once; nothing is sent before the channel is
        proved. A request whose answer was lost is not repeated: it may have made a subscription."""
        created: Created = (await self.request("POST", "/v1/subscriptions", draft)).body
        return created

    async def get_subscription(self, subscription_id: str) -> Subscription:
        """One of your subscriptions, with the state of its endpoint."""
        subscription: Subscription = await self.get(f"/v1/subscriptions/{_segment(subscription_id)}")
        return subscription

    def list_subscriptions(self) -> AsyncPages[Subscription]:
        """Your subscriptions; an operator's are all."""
        return AsyncPages(self._transport, "/v1/subscriptions", None)

    async def change_subscription(self, subscription_id: str, changes: Mapping[str, Any]) -> Subscription:
        """Change some fields (a merge patch by RFC 7396)."""
        path = f"/v1/subscriptions/{_segment(subscription_id)}"
        changed: Subscription = (await self.request("PATCH", path, changes, repeatable=True)).body
        return changed

    async def delete_subscription(self, subscription_id: str) -> None:
        """End a subscription: nothing more is sent."""
        await self.request("DELETE", f"/v1/subscriptions/{_segment(subscription_id)}")

    async def look_up(self, id: str) -> Found:
        """The thing that an id names: an alert, an incident, a ``webhook-id``, a ``Message-ID``, a CAP identifier."""
        found: Found = await self.get("/v1/lookup", {"id": id})
        return found

    async def get(self, path: str, query: Query | None = None) -> Any:
        """The decoded answer to a GET of any route."""
        return (await self._transport.request("GET", path, query=query)).body

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Query | None = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """The answer of any route. ``body`` is sent as JSON, bytes as they are. ``repeatable``: doing it twice is the
        same as once, so it is sent again where no answer came; GET, PUT and DELETE always are."""
        content = body if isinstance(body, bytes) or body is None else encode(body)
        given = {} if content is None else {"content-type": content_type}
        return await self._transport.request(
            method, path, query=query, content=content, headers=given | dict(headers or {}), repeatable=repeatable
        )

    def pages(self, path: str, query: Query | None = None) -> AsyncPages[Any]:
        """Any list."""
        return AsyncPages(self._transport, path, query)

    async def _post_once(
        self, path: str, body: ReportBody, idempotency_key: str | None, *, if_match: str | None = None
    ) -> AcceptedReport:
        """One and the same key in every try, so that a try whose answer was lost gets that answer."""
        headers = {"idempotency-key": idempotency_key or secrets.token_hex(16)}
        if if_match is not None:
            headers["if-match"] = if_match
        accepted: AcceptedReport = (await self.request("POST", path, body, headers=headers, repeatable=True)).body
        return accepted


def _read_alert(event: ServerEvent) -> AlertEvent:
    return AlertEvent(event.id, loads(event.data))


def _segment(id: str) -> str:
    return quote(id, safe="")

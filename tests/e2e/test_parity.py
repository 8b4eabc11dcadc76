"""One process on SQLite, and four on Kafka and PostgreSQL: the same reports, the same judgements, the same messages."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from schemas.zones import find_zone
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import read_file
from services.connectors.model import AdapterMap, ReportDraft, RowContext
from services.rules.assessing.domain.alerting import thread_id
from services.rules.linking.domain.score import STRONG
from tests.parts.cluster import PUBLIC_URL, Cluster, eventually, every
from tests.parts.receiver import Delivery, Receiver
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, SCENARIO, bearer, expected, registry_document, reports

UCDP = SCENARIO / "ucdp_ged_20160220_20160601.csv"
#: Moments at which something was done, which differ by nature.
MOMENTS = {"assessed_at", "sent_at", "received_at", "timestamp"}
#: Of reports that are judged at once by several processes: which of two linked ones came first (judgement.md 18).
OF_ORDER = {"cause", "thread"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """One form of the system as a client sees it, and the receiver's endpoint that it delivers to."""

    name: str
    client: httpx.Client
    receiver: Receiver
    path: str

    def judged(self) -> dict[str, Json]:
        """The current assessment of each incident."""
        return {one["incident_id"]: timeless(one) for one in every(self.client, "/v1/assessments")}

    def alerts(self) -> dict[tuple[str, int], Json]:
        """Every revision of every alert."""
        return {(one["id"], one["revision"]): timeless(one) for one in every(self.client, "/v1/alerts")}

    def delivered(self) -> dict[str, list[Json]]:
        """Every message, by incident."""
        found: dict[str, list[Json]] = {}
        for delivery in self.receiver.received(self.path):
            assert delivery.signed is True
            found.setdefault(incident_of(delivery), []).append(timeless(delivery.message))
        return found

    def wait_judged(self, count: int, within_s: float) -> None:
        eventually(lambda: len(self.judged()) >= count, within_s, lambda: len(self.judged()))

    def wait_delivered(self, incidents: set[str], within_s: float) -> None:
        eventually(lambda: self.delivered().keys() >= incidents, within_s, lambda: len(self.delivered()))


def timeless(value: Any) -> Any:
    """The same without the moments at which it was done."""
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if name not in MOMENTS}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def incident_of(delivery: Delivery) -> str:
    return str(delivery.message["data"]["incident_id"])


def prepare(name: str, client: httpx.Client, receiver: Receiver) -> Form:
    client.put("/v1/registry", json=registry_document()).raise_for_status()
    path = f"/{name}"
    body = {
        "name": "desk",
        "channel": {"type": "webhook", "url": receiver.url(path)},
        "filter": {"verdicts": ["violation", "undetermined"]},
        "verified": True,
    }
    made = client.post("/v1/subscriptions", json=body)
    made.raise_for_status()
    receiver.trust(path, made.json()["secret"])
    return Form(name, client, receiver, path)


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Form, Form]]:
    here = tmp_path_factory.mktemp("parity")
    env = {
        "TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY,
        "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8",
        "TRUCEWATCH_PUBLIC_URL": PUBLIC_URL,
    }
    with (
        Receiver() as receiver,
        Service("serve", ["serve", "--data", str(here / "data")], here, env) as service,
        Cluster(here / "cluster", {"ingest": 1, "rules": 2, "notify": 1}) as cluster,
        httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as embedded,
        cluster.client(timeout_s=60) as distributed,
    ):
        yield prepare("embedded", embedded, receiver), prepare("distributed", distributed, receiver)


def test_the_worked_example_is_judged_and_told_alike(forms: tuple[Form, Form]) -> None:
    wanted = {row["external_id"]: row["verdict"] for row in expected()}
    for form in forms:
        ids = {report["external_id"]: post(form, report) for report in reports()}
        form.wait_judged(len(ids), 60)
        judged = form.judged()
        assert {external: judged[incident]["verdict"] for external, incident in ids.items()} == wanted
    assert_alike(*forms)


def test_the_ucdp_file_is_judged_and_told_alike(forms: tuple[Form, Form]) -> None:
    zone = find_zone(registry_document()["timezone"])
    outcomes = read_file(UCDP.read_bytes(), ReadingOptions(), RowContext(AdapterMap(), zone))
    lines = [
        msgspec.json.encode(numbered.outcome.report)
        for numbered in outcomes
        if isinstance(numbered.outcome, ReportDraft)
    ]
    assert len(lines) == 1509
    for form in forms:
        answer = form.client.post(
            "/v1/incidents/batch", content=b"\n".join(lines), headers={"content-type": "application/x-ndjson"}
        )
        assert {result["status"] for result in answer.json()["results"]} == {202}
    for form in forms:
        form.wait_judged(len(lines) + len(reports()), 120)
    assert_alike_save_for_the_order(*forms)


def post(form: Form, report: Json) -> str:
    answer = form.client.post("/v1/incidents", json=report)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["incident_id"])


def assert_alike(embedded: Form, distributed: Form) -> None:
    """Field by field: findings, reasons, links and all."""
    wait_alike(lambda: distributed.judged() == embedded.judged())
    told = told_of(embedded.judged())
    for form in (embedded, distributed):
        form.wait_delivered(told, 60)
    assert distributed.judged() == embedded.judged()
    assert distributed.alerts() == embedded.alerts()
    assert {alert["incident_id"] for alert in embedded.alerts().values()} == told
    assert distributed.delivered() == embedded.delivered()


def assert_alike_save_for_the_order(embedded: Form, distributed: Form) -> None:
    """Field by field, once the ends of links are judged again: but for the fields that the order of judging decides.
    Whichever that was, the thread of an alert is one that an incident linked with it opens."""
    wait_alike(lambda: orderless(distributed.judged()) == orderless(embedded.judged()))
    judged = embedded.judged()
    assert orderless(distributed.judged()) == orderless(judged)
    told = told_of(judged)
    for form in (embedded, distributed):
        form.wait_delivered(told, 60)
    assert orderless(distributed.alerts()) == orderless(embedded.alerts())
    assert {alert["incident_id"] for alert in embedded.alerts().values()} == told
    assert orderless_messages(distributed) == orderless_messages(embedded)
    for form in (embedded, distributed):
        for alert in form.alerts().values():
            assert alert["thread"] in {thread_id(id) for id in linked_with(alert["incident_id"], judged)}, alert


def wait_alike(alike: Callable[[], bool]) -> None:
    """The ends of links are judged again after the reports themselves. What stays different is shown by the caller."""
    with suppress(TimeoutError):
        eventually(alike, 60)


def told_of(judged: dict[str, Json]) -> set[str]:
    """The incidents that an alert is due for."""
    return {i for i, a in judged.items() if a["verdict"] in ("violation", "undetermined") and not a["aggregate"]}


def orderless(items: dict[Any, Json]) -> dict[Any, Json]:
    return {key: {name: value for name, value in one.items() if name not in OF_ORDER} for key, one in items.items()}


def orderless_messages(form: Form) -> dict[str, list[dict[Any, Json]]]:
    """Every message, by incident."""
    found = form.delivered().items()
    return {id: [{**one, **orderless({"data": one["data"]})} for one in sent] for id, sent in found}


def linked_with(incident: str, judged: dict[str, Json]) -> set[str]:
    """The incident, and those that strong links lead to, from one to the next."""
    found, ahead = {incident}, [incident]
    while ahead:
        links = judged[ahead.pop()]["links"]
        fresh = {link["incident_id"] for link in links if link["score"] >= STRONG} - found
        found |= fresh
        ahead += fresh
    return found

"""One process on SQLite, and four on Kafka and PostgreSQL: the same reports, the same judgements, the same messages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from schemas.zones import find_zone
from services.cli.report_files import read_ucdp
from tests.parts.cluster import PUBLIC_URL, Cluster, eventually, every
from tests.parts.receiver import Delivery, Receiver
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, SCENARIO, bearer, expected, registry_document, reports

UCDP = SCENARIO / "ucdp_ged_20160220_20160601.csv"
#: Moments at which something was done, which differ by nature.
MOMENTS = {"assessed_at", "sent_at", "received_at", "timestamp"}

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


@pytest.mark.timeout(180)
def test_the_worked_example_is_judged_and_told_alike(forms: tuple[Form, Form]) -> None:
    wanted = {row["external_id"]: row["verdict"] for row in expected()}
    for form in forms:
        ids = {report["external_id"]: post(form, report) for report in reports()}
        form.wait_judged(len(ids), 60)
        judged = form.judged()
        assert {external: judged[incident]["verdict"] for external, incident in ids.items()} == wanted
    assert_alike(*forms)


@pytest.mark.timeout(300)
def test_the_ucdp_file_is_judged_and_told_alike(forms: tuple[Form, Form]) -> None:
    zone = find_zone(registry_document()["timezone"])
    with UCDP.open(encoding="utf-8-sig", newline="") as file:
        lines = [line.body for line in read_ucdp(file, zone)]
    assert len(lines) == 1509
    for form in forms:
        answer = form.client.post(
            "/v1/incidents/batch", content=b"\n".join(lines), headers={"content-type": "application/x-ndjson"}
        )
        assert {result["status"] for result in answer.json()["results"]} == {202}
    for form in forms:
        form.wait_judged(len(lines) + len(reports()), 120)
    assert_alike(*forms)


def post(form: Form, report: Json) -> str:
    answer = form.client.post("/v1/incidents", json=report)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["incident_id"])


def assert_alike(embedded: Form, distributed: Form) -> None:
    """Field by field: findings, reasons, links and all."""
    judged = embedded.judged()
    assert distributed.judged() == judged
    told = {i for i, a in judged.items() if a["verdict"] in ("violation", "undetermined") and not a["aggregate"]}
    for form in (embedded, distributed):
        form.wait_delivered(told, 60)
    assert distributed.alerts() == embedded.alerts()
    assert {alert["incident_id"] for alert in embedded.alerts().values()} == told
    assert distributed.delivered() == embedded.delivered()

"""The Python client against a served process: what partners and monitors do, cut connections, a restart."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from schemas.examples import REPORT
from services.client import Alert, AsyncClient, Client, RefusedError, Subscription
from tests.e2e.conftest import worked_example
from tests.parts.cluster import eventually
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document, reports

WEBHOOK: Final = {"name": "desk", "channel": {"type": "webhook", "url": "https://example.org/hook"}}
BATCH: Final = 100


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with worked_example(tmp_path_factory.mktemp("client")) as running:
        yield running


def key_of(service: Service, role: str, name: str) -> str:
    made = httpx.post(f"{service.url}/v1/keys", json={"name": name, "role": role}, headers=bearer(), timeout=30)
    return str(made.raise_for_status().json()["key"])


def numbered(name: str, count: int) -> list[dict[str, Any]]:
    return [{**REPORT, "external_id": f"{name}-{n}"} for n in range(count)]


def assert_shape(answer: Any, shape: Any) -> None:
    """The answer has every required field of the type, and no other field."""
    assert shape.__required_keys__ <= answer.keys() <= shape.__required_keys__ | shape.__optional_keys__


def test_a_partner_reports_corrects_takes_back_and_a_monitor_follows(service: Service) -> None:
    with (
        Client(service.url, key_of(service, "partner", "sync")) as partner,
        Client(service.url, key_of(service, "monitor", "sync-desk"), language="ru") as monitor,
    ):
        report = {**reports()[0], "external_id": "sync-1"}
        assert partner.evaluate_report(report)["verdict"] == "violation"
        accepted = partner.post_report(report)
        id = accepted["incident_id"]
        assert partner.post_report(report) == accepted
        corrected = {**report, "casualties": {"killed": 7}}
        assert partner.revise_report(corrected, 1)["revision"] == 2
        with pytest.raises(RefusedError, match="412"):
            partner.revise_report(report, 1)
        eventually(lambda: partner.get_incident(id)["state"] == "assessed", 60)
        assert [one["revision"] for one in partner.list_assessments_of(id)] == [2, 1]
        assert [one["incident_id"] for one in partner.list_incidents({"external_id": "sync-1"})] == [id]
        assert id in {one["incident_id"] for one in partner.list_assessments({"verdict": "violation"})}
        alert = eventually(lambda: [a for a in monitor.list_alerts() if a["incident_id"] == id], 60)[0]
        assert_shape(alert, Alert)
        assert monitor.get_alert(alert["id"])["thread"] == alert["thread"]
        assert any("а" <= letter <= "я" for letter in alert["headline"])
        assert monitor.look_up(id)["alerts"][0]["id"] == alert["id"]
        [*_, page] = monitor.list_alerts().pages()
        assert partner.retract_report(id, "The source withdrew it.")["revision"] == 3
        with closing(monitor.stream_alerts(page.next)) as stream:
            cancelled = next(event for event in stream if event.alert["status"] == "cancelled")
        assert cancelled.alert["incident_id"] == id
        [*_, last] = monitor.list_alerts().pages()
        assert last.next == cancelled.cursor


async def test_a_subscription_is_made_seen_changed_and_ended(service: Service) -> None:
    async with AsyncClient(service.url, key_of(service, "monitor", "async-desk")) as monitor:
        made = await monitor.create_subscription(WEBHOOK)
        assert (made["status"], str(made["secret"])[:6]) == ("pending", "whsec_")
        [seen] = [one async for one in monitor.list_subscriptions()]
        assert_shape(seen, Subscription)
        changed = await monitor.change_subscription(made["id"], {"language": "ar"})
        assert changed["language"] == (await monitor.get_subscription(made["id"]))["language"] == "ar"
        await monitor.delete_subscription(made["id"])
        assert [one async for one in monitor.list_subscriptions()] == []


async def test_a_bad_report_of_many_harms_no_other_and_the_same_again_changes_nothing(service: Service) -> None:
    many = numbered("many", 250)
    many[120] = {**many[120], "act": "juggling"}
    async with AsyncClient(service.url, key_of(service, "partner", "many")) as partner:
        for status in (202, 200):
            results = [item async for item in partner.post_reports(many)]
            assert [item["index"] for item in results] == list(range(250))
            assert [item["index"] for item in results if item["status"] != status] == [120]
            assert results[120]["status"] == 422


@asynccontextmanager
async def cutting(url: str, cuts: list[tuple[int, int]]) -> AsyncIterator[str]:
    """A way to ``url`` that breaks off: of each connection so many bytes go up, and down, from ``cuts`` in turn."""
    port, served = int(url.rsplit(":", 1)[1]), list[Any]()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int) -> None:
        while most > 0 and (data := await reader.read(min(most, 65536))):
            writer.write(data)
            await writer.drain()
            most -= len(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        up, down = cuts.pop(0) if cuts else (1 << 40, 1 << 40)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        ways = {asyncio.ensure_future(pass_on(reader, back, up)), asyncio.ensure_future(pass_on(there, writer, down))}
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (back, writer):
            end.close()
            await end.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*served, return_exceptions=True)


async def no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)


async def test_a_batch_that_is_cut_is_repeated_and_changes_nothing_twice(service: Service) -> None:
    many, body = numbered("cut", BATCH), len(json.dumps(numbered("cut", BATCH)))
    key = key_of(service, "partner", "cut")
    # In the middle of the reports; then in the middle of the answer, when all are in.
    cuts = [(body // 2, 1 << 20), (1 << 20, 200)]
    async with cutting(service.url, cuts) as url, AsyncClient(url, key, sleep=no_wait) as partner:
        results = await partner.post_batch(many)
        assert cuts == []
        assert [item["status"] for item in results] == [200] * BATCH
        assert {item["revision"] async for item in partner.list_incidents()} == {1}
        once = [await partner.post_batch(many, idempotency_key="k1") for _ in range(2)]
        assert once[0] == once[1]


async def test_a_report_whose_answer_was_lost_gets_that_answer(service: Service) -> None:
    cuts = [(1 << 20, 20)]
    key = key_of(service, "partner", "lost")
    async with cutting(service.url, cuts) as url, AsyncClient(url, key, sleep=no_wait) as partner:
        assert (await partner.post_report({**REPORT, "external_id": "lost"}))["revision"] == 1
        assert cuts == []


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_stream_goes_on_over_a_restart_without_loss_or_repetition(tmp_path: Path, kind: str) -> None:
    told: list[str] = []
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}
    with Service("serve", ["serve", "--data", str(tmp_path / "data")], tmp_path, env) as service:
        async with AsyncClient(service.url, OPERATOR_KEY) as operator:
            await operator.request("PUT", "/v1/registry", registry_document())
            [begin] = [page.next async for page in operator.list_alerts().pages()]

        async def follow() -> None:
            async with AsyncClient(service.url, OPERATOR_KEY) as monitor:
                async for event in monitor.stream_alerts(begin):
                    told.append(event.alert["incident_id"])

        def follow_blocking() -> None:
            with Client(service.url, OPERATOR_KEY) as monitor:
                for event in monitor.stream_alerts(begin):
                    told.append(event.alert["incident_id"])
                    if len(told) == 20:
                        return

        following = asyncio.ensure_future(follow()) if kind == "async" else None
        thread = threading.Thread(target=follow_blocking, daemon=True)
        if kind == "sync":
            thread.start()
        async with AsyncClient(service.url, OPERATOR_KEY) as partner:
            await partner.post_batch(numbered("before", 10))
            await until(lambda: len(told) == 10)
            await asyncio.to_thread(service.kill)
            await asyncio.to_thread(service.start)
            await partner.post_batch(numbered("after", 10))
            await until(lambda: len(told) == 20)
            listed = [alert["incident_id"] async for alert in partner.list_alerts()]
        if following is not None:
            following.cancel()
            await asyncio.wait({following})
        else:
            await asyncio.to_thread(thread.join)
    assert told == listed
    assert len(set(told)) == 20


async def until(holds: Any) -> None:
    """Wait for a condition; the test's own time limit ends a wait for nothing."""
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.02)

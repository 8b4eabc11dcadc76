"""Words that a source's terms withhold reach no monitor on any way out, and operators and the partner on each."""

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final

from services.openapi.__main__ import GENERATED
from tests.component.assembled import Assembled, assembled
from tests.parts.mail import Mailbox
from tests.parts.receiver import Delivery, Receiver
from tests.scenario import bearer

#: Begins every withheld word.
MARK: Final = "zqwithheld"
REPORT: Final[dict[str, Any]] = {
    "external_id": "desk-17",
    "occurred": {"date": "2016-05-08"},
    "act": "shelling",
    "location": {"place": "Midan, Aleppo", "lat": 36.2140, "lon": 37.1660},
    "perpetrators": ["syria-gov"],
    "targets": ["civilians"],
    "casualties": {"killed": 1},
    "description": f"{MARK}story of a street",
    "evidence": [f"https://{MARK}evidence.example.org/1"],
    "source": {
        "name": "ACLED", "grade": "C3", "url": f"https://{MARK}url.example.org/", "quotes": [f"{MARK}quoted"],
        "terms": "no_redistribution",
    },
}  # fmt: skip
FORMS: Final = (
    "application/json", "text/csv", "application/geo+json", "application/cap+xml", "application/atom+xml", "text/html",
)  # fmt: skip
HOOKS: Final = ("json", "cap", "slack")
#: Ways to one's own words, which say so by themselves.
SEARCHES: Final = (
    "/v1/incidents?detail=full", f"/v1/incidents?q={MARK}", f"/v1/incidents?q={MARK}quoted",
    "/v1/incidents?q=midan", "/v1/lookup?q=midan", "/v1/alerts?after=",
)  # fmt: skip


def channels(receiver: Receiver) -> list[dict[str, Any]]:
    """A subscription to each form of messages."""
    hooks = [{"channel": {"type": "webhook", "url": receiver.url(f"/{one}"), "format": one}} for one in HOOKS]
    return [*hooks, {"channel": {"type": "email", "to": "desk@example.org"}}]


async def report(running: Assembled, partner: str, **changes: Any) -> str:
    answer = await running.call("POST", "/v1/incidents", {**REPORT, **changes}, key=partner)
    await running.settle()
    return str(answer["incident_id"])


async def retried(running: Assembled, receiver: Receiver) -> list[Delivery]:
    """The messages at the webhooks, once each has both."""
    while len(sent := receiver.received(challenges=True)) < 2 * len(HOOKS):
        await running.at(60)
    return sent


def paths(ids: dict[str, str]) -> list[str]:
    """Every address that can be read, with the ids that there are."""
    found = []
    for path, operations in json.loads((GENERATED / "openapi.json").read_text())["paths"].items():
        if "get" in operations and not path.endswith("/stream"):
            kind = path.split("/")[2] if path.startswith("/v1/") else ""
            filled = path.replace("{incident_id}", ids["incidents"]).replace("{id}", ids.get(kind, "none"))
            found.append(filled.replace("{delivery}", ids["deliveries"]).replace("{token}", ids["token"]))
    return [*found, *SEARCHES, f"/v1/alerts/{ids['alerts']}/trace?subscription={ids['subscriptions']}"]


async def stream(running: Assembled, key: str, cursor: str, until: bytes) -> bytes:
    """The stream of alerts from after ``cursor``, until ``until`` is in it."""
    sent, done = bytearray(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.extend(message.get("body", b""))
        if until in sent:
            done.set()

    scope = {
        "type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET", "path": "/v1/alerts/stream",
        "headers": [(b"authorization", f"Bearer {key}".encode())], "query_string": f"after={cursor}".encode(),
        "http_version": "1.1",
        "scheme": "http", "client": ("127.0.0.1", 1),
    }  # fmt: skip
    task = asyncio.ensure_future(running.assembly.asgi(scope, receive, send))
    async with asyncio.timeout(60):
        await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return bytes(sent)


async def read_all(running: Assembled, key: str, ids: dict[str, str]) -> dict[tuple[str, str], str]:
    """The answer of every address in every form."""
    found = {}
    for path in paths(ids):
        for form in FORMS:
            answer = await running.api.get(path, headers={**bearer(key), "accept": form})
            found[path, form] = answer.text
    return found


async def test_no_way_out_shows_a_monitor_what_terms_withhold(tmp_path: Path) -> None:
    with Receiver() as receiver, Mailbox() as mailbox:
        async with assembled(tmp_path, smtp_url=mailbox.url) as running:
            partner, monitor = [await running.make_key(name, name) for name in ("partner", "monitor")]
            for draft in channels(receiver):
                body = {**draft, "filter": {"verdicts": ["violation", "undetermined"]}, "verified": True}
                made = await running.call("POST", "/v1/subscriptions", body)
            incident = await report(running, partner)
            await report(running, partner, casualties={"killed": 3})
            letters = await mailbox.arrived(2, 5, "desk@example.org")
            sent = {one.path: one.body for one in await retried(running, receiver)}
            assert sent.keys() == {"/json", "/cap", "/slack"}
            for message in sent.values():
                assert b"Midan" in message
                assert MARK.encode() not in message
            for letter in letters:
                parts = [part.get_content() for part in letter.message.walk() if not part.is_multipart()]
                assert not any(MARK in part for part in parts)
            first = await running.call("GET", "/v1/alerts?limit=1", key=monitor)
            [alert] = first["items"]
            deliveries = await running.call("GET", f"/v1/subscriptions/{made['id']}/deliveries")
            link = next(part.get_content() for part in letters[0].message.walk() if not part.is_multipart())
            ids = {
                "incidents": incident, "alerts": alert["id"], "subscriptions": made["id"],
                "deliveries": deliveries["items"][0]["id"], "token": link.partition("/a/")[2].split()[0],
            }  # fmt: skip
            shown = await read_all(running, monitor, ids)
            assert [where for where, text in shown.items() if MARK in text] == []
            assert MARK.encode() not in await stream(running, monitor, first["next"], b"Midan")
            for path in (f"/v1/incidents/{incident}", "/v1/incidents"):
                assert json.loads(shown[path, "application/json"])
            assert not json.loads(shown[f"/v1/incidents?q={MARK}", "application/json"])["items"]
            assert not (await running.call("GET", f"/v1/statistics?q={MARK}", key=monitor))["series"]
            found = json.loads(shown[f"/v1/incidents/{incident}", "application/json"])
            assert [one["report"]["source"] for one in (found, *found["revisions"])] == [
                {"name": "ACLED", "grade": "C3", "terms": "no_redistribution"}
            ] * 3
            assert (found["verdict"], found["report"]["location"]) == ("violation", REPORT["location"])


async def test_operators_and_the_partner_see_all(tmp_path: Path) -> None:
    async with assembled(tmp_path) as running:
        partner, operator = [await running.make_key(name, name) for name in ("partner", "operator")]
        incident = await report(running, partner)
        for key in (partner, operator):
            for path in (f"/v1/incidents/{incident}", "/v1/incidents", f"/v1/incidents?q={MARK}story"):
                text = json.dumps(await running.call("GET", path, key=key))
                assert all(f"{MARK}{word}" in text for word in ("story", "evidence", "url", "quoted")), path
            csv = await running.api.get("/v1/incidents", headers={**bearer(key), "accept": "text/csv"})
            assert f"{MARK}quoted,no_redistribution,https://{MARK}evidence.example.org/1" in csv.text


async def test_terms_that_came_later_withhold_what_was_said_before(tmp_path: Path) -> None:
    async with assembled(tmp_path) as running:
        partner, monitor = [await running.make_key(name, name) for name in ("partner", "monitor")]
        open_source = {name: value for name, value in REPORT["source"].items() if name != "terms"}
        incident = await report(running, partner, source=open_source)
        assert MARK in json.dumps(await running.call("GET", f"/v1/incidents/{incident}", key=monitor))
        await report(running, partner)
        found = await running.call("GET", f"/v1/incidents/{incident}", key=monitor)
        assert len(found["revisions"]) == 2
        assert MARK not in json.dumps(found)
        await report(running, partner, source=open_source, description="May be told.")
        found = await running.call("GET", f"/v1/incidents/{incident}", key=monitor)
        assert [one["report"].get("description", "") for one in found["revisions"]] == [
            "May be told.", "", REPORT["description"],
        ]  # fmt: skip

"""The steps of the demo: load, subscribe, prove, play, and wait for what is due. Everything by the public HTTP API."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from services.cli.receiver import Receiver
from services.client import AsyncClient
from services.demo.due import Desk, Missing, find_missing
from services.demo.mailbox import find_confirmation, find_incident
from services.demo.output import DemoOutput
from services.platform.clock import Clock

T = TypeVar("T")

EVERYTHING: Final = Desk("everything, by webhook", ("violation", "undetermined"))
ALEPPO: Final = Desk("the Aleppo calm, by email", ("violation",), ("aleppo-calm",))
DESKS: Final = (EVERYTHING, ALEPPO)
ADDRESS: Final = "aleppo-desk@example.org"
FORM: Final = "application/x-www-form-urlencoded"
POLL_S: Final = 0.02
#: How long anything may take before the demo gives up on it.
PATIENCE_S: Final = 30.0

Judged = list[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Played:
    """Reports by name with their assessments: all of them, and those that nobody had posted before."""

    judged: Judged
    fresh: Judged


class DemoFailedError(Exception):
    """Something that has to work did not; the text says what."""


class Inbox:
    """The messages that arrived: told as they come, kept as the incidents that each desk was told of."""

    def __init__(self, output: DemoOutput) -> None:
        self._output = output
        self.arrived: dict[str, set[str]] = {desk.name: set() for desk in DESKS}
        #: Incidents whose alert was raised by webhook, and those whose alert was cancelled.
        self.told: set[str] = set()
        self.cancelled: set[str] = set()
        self.confirmation: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def take_message(self, message: Mapping[str, Any]) -> None:
        """A webhook whose signature was good."""
        if message["type"].startswith("alert."):
            self._output.webhook(message)
            incident_id = message["data"]["incident_id"]
            self.arrived[EVERYTHING.name].add(incident_id)
            (self.cancelled if message["type"] == "alert.cancelled" else self.told).add(incident_id)

    def take_letter(self, letter: EmailMessage) -> None:
        """Any email."""
        link = find_confirmation(letter)
        if link is not None and not self.confirmation.done():
            self.confirmation.set_result(link)
        incident_id = find_incident(letter)
        if incident_id is not None:
            self._output.email(letter, incident_id)
            self.arrived[ALEPPO.name].add(incident_id)


@dataclass(frozen=True, slots=True)
class DemoClients:
    """The clients of the demo: one for each key, the clock, and what is printed."""

    operator: AsyncClient
    partner: AsyncClient
    monitor: AsyncClient
    clock: Clock
    output: DemoOutput

    async def until(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The first true answer. Raises DemoFailedError when it takes too long."""
        for _ in range(int(PATIENCE_S / POLL_S)):
            if answer := await ask():
                return answer
            await self.clock.sleep(POLL_S)
        raise DemoFailedError(f"{what}: not within {PATIENCE_S:.0f} s")


async def load_registry(clients: DemoClients, document: Mapping[str, Any]) -> None:
    """Replace the registry."""
    await clients.operator.request("PUT", "/v1/registry", document)
    counts = [len(document[kind]) for kind in ("truces", "parties")]
    counts += [len(document["areas"]["features"]), len(document["places"])]
    told = zip(counts, ("truces", "parties", "areas", "places"), strict=True)
    clients.output.step("the registry is loaded: " + ", ".join(f"{count} {what}" for count, what in told))


async def subscribe(clients: DemoClients, inbox: Inbox, receiver: Receiver) -> None:
    """Subscribe both desks, and prove that both want it: by the echo of a challenge, by the link in an email."""
    hook = await clients.monitor.create_subscription(EVERYTHING.draft({"type": "webhook", "url": receiver.url}))
    receiver.trust(str(hook["secret"]))
    await _active(clients, hook["id"])
    clients.output.step(f"subscribed: {EVERYTHING.name}; the receiver at {receiver.url} echoed the signed challenge")
    mail = await clients.monitor.create_subscription(ALEPPO.draft({"type": "email", "to": ADDRESS}))
    try:
        link = urlsplit(await asyncio.wait_for(asyncio.shield(inbox.confirmation), PATIENCE_S))
    except TimeoutError:
        raise DemoFailedError("no confirmation came by email") from None
    page = f"{link.path}?{link.query}"
    await clients.monitor.get(page)
    await clients.monitor.request("POST", page, b"", content_type=FORM, repeatable=True)
    await _active(clients, mail["id"])
    clients.output.step(f"subscribed: {ALEPPO.name}; {ADDRESS} followed the link and pressed the button")


async def _active(clients: DemoClients, subscription: str) -> None:
    async def ask() -> bool:
        return (await clients.monitor.get_subscription(subscription))["status"] == "active"

    await clients.until(f"subscription {subscription} became active", ask)


async def play_reports(clients: DemoClients, reports: Sequence[Mapping[str, Any]], pace_s: float) -> Played:
    """Post each report, wait for its assessment, print it. Alerts are due for those not known before."""
    known = {item["incident_id"] async for item in clients.partner.list_incidents()}
    played = Played([], [])
    for number, report in enumerate(reports, 1):
        posted = await clients.partner.post_report(report)
        assessment = await assessed(clients, posted["incident_id"])
        clients.output.judged(number, len(reports), report, assessment)
        played.judged.append((str(report["external_id"]), assessment))
        if posted["incident_id"] not in known:
            played.fresh.append(played.judged[-1])
        await clients.clock.sleep(pace_s)
    return played


async def assessed(clients: DemoClients, incident_id: str) -> Mapping[str, Any]:
    """The latest assessment, once there is one."""

    async def ask() -> list[Any]:
        return list((await clients.partner.get(f"/v1/incidents/{incident_id}/assessments", {"limit": 1}))["items"])

    found = await clients.until(f"{incident_id} was assessed", ask)
    assessment: Mapping[str, Any] = found[0]
    return assessment


async def wait_for_alerts(clients: DemoClients, judged: Judged, inbox: Inbox) -> list[Missing]:
    """The alerts still missing: none, or those left when the time is up."""
    for _ in range(int(PATIENCE_S / POLL_S)):
        if not find_missing(judged, DESKS, inbox.arrived):
            return []
        await clients.clock.sleep(POLL_S)
    return find_missing(judged, DESKS, inbox.arrived)


def read_reports(file: Path) -> list[dict[str, Any]]:
    """The bundled reports, in the order in which they are played."""
    return [msgspec.json.decode(line) for line in file.read_bytes().splitlines() if line.strip()]


def count_verdicts(judged: Judged) -> Counter[str]:
    return Counter(str(assessment["verdict"]) for _, assessment in judged)

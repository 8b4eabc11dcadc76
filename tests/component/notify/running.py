"""Notify as one process runs it, on a driven clock: its API, its dispatcher and its sweeper."""

import asyncio
import ipaddress
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI

import services.notify.bootstrap
from schemas.assessments import Alert
from schemas.codec import encode
from schemas.events import AlertDecided, KeyChanged, ReassessmentEnded
from schemas.topics import ALERTS, REASSESSMENTS
from services.notify.sending.dispatch import Dispatcher
from services.notify.sending.sweep import Sweeper
from services.notify.wiring.loops import CHANGES
from services.platform.bus.dead_letters import DeadLetters
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db.engine import Database
from services.platform.faults import Faults
from services.platform.http.middleware import install_problems
from services.platform.http.routes import add_routes
from services.platform.process.runtime import Runtime, Service
from services.platform.security.keys import KeyRing, hash_secret
from services.platform.settings.config import Settings
from tests.fakes import DrivenClock
from tests.parts.mail import Mailbox, ReceivedMail
from tests.parts.receiver import Receiver
from tests.tables import create_tables

KEYS = {"tw_monitor": ("m1", "desk-a", "monitor"), "tw_other": ("m2", "desk-b", "monitor")}
KEYS |= {"tw_operator": ("o1", "duty", "operator"), "tw_partner": ("p1", "partner-a", "partner")}


@dataclass
class RunningNotify:
    """A running notify with its API and its clock."""

    clock: DrivenClock
    runtime: Runtime
    service: Service
    api: httpx.AsyncClient
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def dispatcher(self) -> Dispatcher:
        found: Dispatcher = self.service.state["dispatcher"]
        return found

    @property
    def sweeper(self) -> Sweeper:
        found: Sweeper = self.service.state["sweeper"]
        return found

    async def settle(self) -> None:
        """Until every message that is due has been tried."""
        while await self.sweeper.sweep(self.clock.now()):
            await self.dispatcher.idle()
        await self.dispatcher.idle()

    async def at(self, seconds: float) -> None:
        """Let so much time pass, then do what is due."""
        await self.clock.advance(seconds)
        await self.settle()

    async def push(self, *alerts: Alert) -> None:
        """Alerts decided by rules, taken off the log, and sent where they are due at once."""
        events = [event_of(alert) for alert in alerts]
        if self.runtime.database.is_log:
            await self.runtime.bus.publish(events)
            for loop in self.service.loops:
                while await loop.step(0):
                    pass
        else:
            await self.service.loops[0].handle(events)
        await self.dispatcher.idle()

    async def end_change(self, version: int, alerts: int) -> None:
        """Rules has judged all again that a change of the registry can touch; then all that is due is sent."""
        ended = ReassessmentEnded(f"registry-{version}", version, alerts, "2016-05-08T12:00:00Z")
        event = encode(REASSESSMENTS, ended, key=ended.id, id=ended.id, time=ended.ended_at)
        [loop] = [loop for loop in self.service.loops if loop.name == CHANGES]
        if self.runtime.database.is_log:
            await self.runtime.bus.publish([event])
            while await loop.step(0):
                pass
        else:
            await loop.handle([event])
        await self.settle()

    async def subscribe(self, key: str = "tw_monitor", **draft: Any) -> dict[str, Any]:
        """Subscribe and prove the webhook. The answer to the POST."""
        made = await self.call("POST", "/v1/subscriptions", draft, key=key)
        assert made.status_code == 201, made.text
        await self.settle()
        answer: dict[str, Any] = made.json()
        return answer

    async def confirm(self, mailbox: Mailbox, address: str) -> httpx.Response:
        """Follow the link in the newest mail to the address, and press its button."""
        letter = mailbox.letters(address)[-1]
        return await self.call("POST", link_in(letter, "confirm"), key=None)

    async def call(self, method: str, path: str, body: Any = None, *, key: str | None = "tw_monitor") -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        content = None if body is None else msgspec.json.encode(body)
        return await self.api.request(method, path, content=content, headers=headers)

    async def get(self, path: str, *, key: str = "tw_monitor") -> Any:
        answer = await self.call("GET", path, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()


def link_in(letter: ReceivedMail, page: str) -> str:
    """The path of the link to that page in a mail, from /v1 on."""
    body = letter.message.get_body(("plain",))
    assert body is not None
    found = re.search(rf"/v1/{page}\?token=\S+", body.get_content())
    assert found is not None, body.get_content()
    return found[0]


def hook(receiver: Receiver, path: str = "/hook", **more: Any) -> dict[str, Any]:
    """A subscription by webhook, as it is posted."""
    return {"name": "Desk", "channel": {"type": "webhook", "url": receiver.url(path)}} | more


def event_of(alert: Alert) -> Any:
    return encode(
        ALERTS, AlertDecided(alert), key=alert.id, id=f"{alert.id}-{alert.revision}", time="2016-05-08T12:00:00Z"
    )


@asynccontextmanager
async def running_notify(
    folder: Path, *, clock: DrivenClock | None = None, smtp_url: str | None = None, url: str | None = None, **more: Any
) -> AsyncIterator[RunningNotify]:
    """Notify on the tables in ``folder``, as they stand, with ``more`` settings. Leaving stops it as a process does."""
    clock = clock or DrivenClock()
    database = Database(url or f"sqlite:///{folder}/notify.db")
    create_tables(database.engine)
    keys = KeyRing(clock)
    for secret, (id, name, role) in KEYS.items():
        keys.apply(KeyChanged(id, name, role, hash_secret(secret), "2016-01-01T00:00:00Z"))  # type: ignore[arg-type]
    settings = Settings(
        database_url="", public_url="https://alerts.example.org", smtp_url=smtp_url,
        mail_from="Trucewatch <alerts@example.org>", webhook_allow=(ipaddress.ip_network("127.0.0.0/8"),),
        secret_keys=() if url is None else (b"k" * 32,), **more,
    )  # fmt: skip
    runtime = Runtime(
        settings, clock, database, EmbeddedBus(database), keys, DeadLetters(database, clock), faults=Faults(clock.now)
    )
    service = await services.notify.bootstrap.build(runtime)
    app = FastAPI()
    app.state.keys = keys
    install_problems(app)
    add_routes(app.router, [service.router])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://alerts.example.org") as api:
        await service.state["keep_alive"](clock.now())
        try:
            yield RunningNotify(clock, runtime, service, api)
        finally:
            for ending in service.stop:
                await ending()
            await database.close()


def revised(alert: Alert, revision: int, **changes: Any) -> Alert:
    """The next revision of an alert."""
    return msgspec.structs.replace(alert, revision=revision, **({"status": "updated"} | changes))


def types(messages: Sequence[Any]) -> list[str]:
    return [message.type for message in messages]

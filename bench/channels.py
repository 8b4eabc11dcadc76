"""The capacity of the two channels by themselves: signed webhooks at 50 connections, letters over ten.

Webhooks stand beside httpx as it comes and beside an aiohttp loop that signs nothing and records nothing; what the
attempts cost when they are recorded too is :mod:`bench.recorded`'s. Mail stands beside one ``EmailMessage`` and one
connection for each message.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import aiosmtplib
import uvloop

from bench import httpx_peer
from schemas.instants import parse_instant
from services.notify.channels.smtp import MailRelay, SmtpSender
from services.notify.channels.webhook import WebhookSender
from services.notify.kinds.alert import alert_body, alert_page
from services.notify.render.mail import render
from services.notify.render.mime import Addressing, alert_mail_ids, parse_sender
from services.platform.clock import SystemClock
from services.platform.outbound.address import Policy
from tests.parts.process import Process, free_port, listening
from tests.unit.notify.samples import ALERT

CONNECTIONS = 50
MAIL_CONNECTIONS = 10
ROUNDS = 3
NOW = parse_instant("2016-05-08T09:00:00Z")
URL = "https://truce.example.org"
BODY = alert_body(ALERT, status="raised", language="en", sent_at=NOW, public_url=URL)
SENDER = parse_sender("Trucewatch <alerts@truce.example.org>")
One = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Rates:
    """Messages a second: ours, then each peer's, round by round."""

    ours: list[float]
    peers: dict[str, list[float]]


@contextmanager
def sink(kind: str) -> Iterator[int]:
    port = free_port()
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.sinks", kind, str(port)]
        with Process(f"{kind} sink", command, Path(folder) / "log", lambda: listening(port)):
            yield port


async def rate(count: int, workers: int, one: One) -> float:
    """How many a second, by so many workers who each do one after another."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await one(number)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return count / (time.perf_counter() - started)


async def _webhooks(port: int) -> Rates:
    url, headers = f"http://127.0.0.1:{port}/hook", {"content-type": "application/json"}
    policy = Policy(opened=(ip_network("127.0.0.0/8"),))
    found = Rates([], {"aiohttp": [], "httpx": []})
    async with (
        WebhookSender(policy, SystemClock()) as sender,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session,
    ):

        async def ours(number: int) -> None:
            answer = await sender.send(url, BODY, message_id=f"msg_{number}", keys=[b"k" * 24])
            assert answer.status == 200, answer

        async def by_aiohttp(_: int) -> None:
            async with session.post(url, data=BODY, headers=headers) as response:
                await response.read()

        for _ in range(ROUNDS):
            found.ours.append(await rate(10_000, CONNECTIONS, ours))
            found.peers["aiohttp"].append(await rate(10_000, CONNECTIONS, by_aiohttp))
            found.peers["httpx"].append(await asyncio.to_thread(httpx_peer.rate, url, BODY, 600, CONNECTIONS))
    return found


async def _mail(port: int) -> Rates:
    found = Rates([], {"a message object and a connection each": []})
    async with SmtpSender(MailRelay("127.0.0.1", port, "none"), SENDER, connections=MAIL_CONNECTIONS) as sender:
        letter = render(alert_page(ALERT, status="raised", language="en"), "en")

        async def ours(number: int) -> None:
            to = f"desk{number}@example.org"
            message_id, references = alert_mail_ids(ALERT, to, SENDER.domain)
            own = Addressing(to, message_id, NOW, "Desk", references, f"{URL}/v1/unsubscribe?token={number:040}")
            answer = await sender.send(to, letter.address_to(SENDER, own))
            assert answer.status == 250, answer

        async def plain(number: int) -> None:
            message = EmailMessage()
            message["From"], message["To"] = SENDER.address, f"desk{number}@example.org"
            message["Subject"] = "Violation: shelling, Midan, Aleppo"
            message.set_content("The text. " * 100)
            message.add_alternative("<p>The text.</p>" * 300, subtype="html")
            await aiosmtplib.send(message, hostname="127.0.0.1", port=port, start_tls=False)

        for _ in range(ROUNDS):
            found.ours.append(await rate(6_000, MAIL_CONNECTIONS, ours))
            found.peers["a message object and a connection each"].append(await rate(600, MAIL_CONNECTIONS, plain))
    return found


def measure_webhooks() -> Rates:
    with sink("http") as port:
        return uvloop.run(_webhooks(port))


def measure_mail() -> Rates:
    with sink("smtp") as port:
        return uvloop.run(_mail(port))


def _tell(name: str, rates: Rates) -> None:
    best = max(rates.ours)
    print(f"{name}: {best:,.0f}/s")
    for peer, found in rates.peers.items():
        print(f"  beside {peer}: {max(found):,.0f}/s, {best / max(found):.2f} x")


if __name__ == "__main__":
    _tell("webhooks, 50 connections, signed", measure_webhooks())
    _tell("mail, ten connections", measure_mail())

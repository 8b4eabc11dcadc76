"""The cost of 1,000 hanging endpoints of one owner to the alerts of another: its p99, beside a run without them."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import uvloop

from bench.channels import NOW, SENDER, URL
from bench.recorded import ME, queue_jobs
from services.notify.channels.webhook import WebhookSender
from services.notify.domain.signing import format_secret
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.kinds.catalogue import find_kind
from services.notify.kinds.kind import Job
from services.notify.sending.courier import Courier, Parts
from services.notify.sending.dispatch import Dispatcher
from services.notify.sending.recorder import AttemptResult
from services.notify.sql.alert_log import SqlAlertLog
from services.notify.sql.deliveries import SqlDeliveries
from services.notify.use_cases.take_alerts import Logged
from services.notify.wiring.senders import CONNECTIONS
from services.platform.clock import SystemClock
from services.platform.db.engine import Database
from services.platform.db.tables import metadata
from services.platform.outbound.address import Policy
from services.platform.settings.config import embedded_url
from tests.unit.notify.samples import ALERT

HANGING = 1_000
#: Messages that wait for each of them.
WAITING = 5
#: Together 200 messages a second, a fifth of what the sender can do: near its limit, queues are measured, not fairness.
PROMPT = 4
EVERY_S = 0.02
#: The first ones open the connections, beside hanging endpoints and without, and do not count.
UNCOUNTED = 50
ALERTS = 500
ROUNDS = 5
SETTLE_S = 3.0


def measure() -> list[tuple[float, float]]:
    """The 99th percentile from an alert to its arrival, milliseconds: beside hanging endpoints, and without. Several
    rounds in turn: one slow write of the disk within a round makes its percentile."""
    return [(uvloop.run(_p99(HANGING)), uvloop.run(_p99(0))) for _ in range(ROUNDS)]


class Sink:
    """Answers at once, save under /hang; notes when each message arrived."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                await reader.readexactly(int(headers["content-length"]))
                if head.startswith("post /hang"):
                    await reader.read()
                    return
                self.arrived[headers["webhook-id"]] = time.perf_counter()
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def _p99(hanging: int) -> float:
    sink = Sink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0, backlog=2_048)
    port = server.sockets[0].getsockname()[1]
    desks = {d.id: d for d in [*_desks("hang", hanging, port), *_desks("prompt", PROMPT, port)]}
    with TemporaryDirectory() as directory:
        database, clock = Database(embedded_url(Path(directory))), SystemClock()
        metadata.create_all(database.engine)
        policy = Policy(opened=(ip_network("127.0.0.0/8"),))
        async with WebhookSender(policy, clock, concurrency=CONNECTIONS) as hooks:
            courier = Courier(Parts(hooks, None, SENDER, SqlAlertLog(database), clock, URL))
            queue = SqlDeliveries(database, ME)
            dispatcher = Dispatcher(courier, queue, desks.get, clock, random.random, _observe)
            for n in range(WAITING if hanging else 0):
                await _send(database, courier, dispatcher, f"h{n}", [d for d in desks if d.startswith("hang")])
            await asyncio.sleep(SETTLE_S if hanging else 0)
            sent = await _pace(database, courier, dispatcher, [d for d in desks if d.startswith("prompt")])
            while not sent.keys() <= sink.arrived.keys():  # noqa: ASYNC110 - it is the arrivals that are measured
                await asyncio.sleep(0.01)
            await dispatcher.stop()
        await database.close()
    server.close()
    waits = sorted(sink.arrived[id] - at for id, at in sent.items())
    return waits[int(len(waits) * 0.99)] * 1_000


async def _pace(database: Database, courier: Courier, dispatcher: Dispatcher, desks: Sequence[str]) -> dict[str, float]:
    """An alert to each endpoint, again and again; when each message that counts was handed to the sender."""
    sent: dict[str, float] = {}
    begin = time.perf_counter()
    for n in range(UNCOUNTED + ALERTS):
        await asyncio.sleep(max(0.0, begin + n * EVERY_S - time.perf_counter()))
        at = time.perf_counter()
        messages = await _send(database, courier, dispatcher, f"p{n}", desks)
        sent |= dict.fromkeys(messages if n >= UNCOUNTED else (), at)
    return sent


async def _send(
    database: Database, courier: Courier, dispatcher: Dispatcher, alert: str, desks: Sequence[str]
) -> list[str]:
    courier.remember([Logged(1, msgspec.structs.replace(ALERT, id=alert), NOW)])
    jobs = [Job(f"msg_{alert}_{desk}", desk, find_kind("alert"), NOW, alert, 1) for desk in desks]
    await queue_jobs(database, jobs)
    dispatcher.offer(jobs)
    return [job.id for job in jobs]


async def _observe(_: Sequence[AttemptResult]) -> None: ...


def _desks(owner: str, count: int, port: int) -> list[Subscription]:
    secret = ((format_secret(b"k" * 24), None),)
    return [
        Subscription(
            f"{owner}{n}", owner, Draft(channel=Webhook(f"http://127.0.0.1:{port}/{owner}/{n}")), "active", NOW,
            secrets=secret,
        )
        for n in range(count)
    ]  # fmt: skip

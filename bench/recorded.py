"""Webhooks at 50 connections, signed and every attempt recorded: notify's sending engine on its real tables.

Messages are queued, taken in turn from fifty endpoints' lanes, rendered, signed, sent, judged and recorded; the peers
of :mod:`bench.channels` only send.
"""

import random
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import msgspec
import uvloop
from sqlalchemy import text

from bench.channels import CONNECTIONS, NOW, ROUNDS, SENDER, URL, sink
from services.notify.channels.webhook import WebhookSender
from services.notify.domain.identity import alert_message_id
from services.notify.domain.signing import format_secret
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.kinds.catalogue import find_kind
from services.notify.kinds.kind import Job
from services.notify.sending.courier import Courier, Parts
from services.notify.sending.dispatch import Dispatcher
from services.notify.sending.recorder import AttemptResult
from services.notify.sql.alert_log import SqlAlertLog
from services.notify.sql.deliveries import SqlDeliveries, delivery_row, insert_rows
from services.notify.use_cases.take_alerts import Logged
from services.platform.clock import SystemClock
from services.platform.db.engine import Database
from services.platform.db.tables import metadata
from services.platform.outbound.address import Policy
from services.platform.settings.config import embedded_url
from tests.unit.notify.samples import ALERT

ALERTS = 200
#: Under load, alerts come off the log in batches.
AT_ONCE = 5
ME = "bench"


def measure() -> list[float]:
    """Messages a second, round by round."""
    with sink("http") as port, TemporaryDirectory() as directory:
        return uvloop.run(_rounds(Path(directory), port))


async def _rounds(directory: Path, port: int) -> list[float]:
    database, clock = Database(embedded_url(directory)), SystemClock()
    metadata.create_all(database.engine)
    desks = {desk.id: desk for desk in (_desk(n, port) for n in range(CONNECTIONS))}
    policy = Policy(opened=(ip_network("127.0.0.0/8"),))
    async with WebhookSender(policy, clock, concurrency=CONNECTIONS) as hooks:
        courier = Courier(Parts(hooks, None, SENDER, SqlAlertLog(database), clock, URL))
        queue = SqlDeliveries(database, ME)
        dispatcher = Dispatcher(courier, queue, desks.get, clock, random.random, _observe, places=CONNECTIONS)
        found = [await _round(n, database, courier, dispatcher, desks) for n in range(ROUNDS)]
    await _check(database)
    await database.close()
    return found


async def _round(
    number: int, database: Database, courier: Courier, dispatcher: Dispatcher, desks: dict[str, Subscription]
) -> float:
    alerts = [msgspec.structs.replace(ALERT, id=f"alr_{number}_{n}") for n in range(ALERTS)]
    begin = perf_counter()
    for first in range(0, ALERTS, AT_ONCE):
        some = alerts[first : first + AT_ONCE]
        courier.remember([Logged(first + n, alert, NOW) for n, alert in enumerate(some, 1)])
        jobs = [Job(alert_message_id(id, a.id, 1), id, find_kind("alert"), NOW, a.id, 1) for a in some for id in desks]
        await queue_jobs(database, jobs)
        dispatcher.offer(jobs)
    await dispatcher.idle()
    return ALERTS * len(desks) / (perf_counter() - begin)


async def queue_jobs(database: Database, jobs: Sequence[Job]) -> None:
    rows = [delivery_row(job, NOW, ME) for job in jobs]
    await database.write(lambda c: insert_rows(c, rows), durable=False, rows=len(rows))


async def _observe(_: Sequence[AttemptResult]) -> None:
    """Endpoint states are left out of the measure: nothing follows for them."""


async def _check(database: Database) -> None:
    """Raises RuntimeError unless every message was delivered and recorded at its first attempt."""
    wanted = ROUNDS * ALERTS * CONNECTIONS
    delivered = text("SELECT count(*) FROM deliveries JOIN attempts ON id = delivery_id WHERE state = 'delivered'")
    found = await database.read(lambda c: c.execute(delivered).scalar_one())
    if found != wanted:
        raise RuntimeError(f"{found} of {wanted} messages were delivered and recorded")


def _desk(number: int, port: int) -> Subscription:
    draft = Draft(channel=Webhook(f"http://127.0.0.1:{port}/{number}"))
    return Subscription(f"s{number}", ME, draft, "active", NOW, secrets=((format_secret(b"k" * 24), None),))

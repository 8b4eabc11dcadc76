"""One alert to 10,000 subscribers, signed and every attempt recorded, beside an aiohttp loop that records nothing."""

import json
import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
import uvloop

from bench import httpx_peer
from bench.channels import BODY, rate, sink
from bench.load import Plan, complete, finish, start
from schemas.examples import REPORT
from tests.parts.process import free_port
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document

SUBSCRIBERS = 10_000
REPORTS = 3
CONNECTIONS = 50


@dataclass(frozen=True)
class Measured:
    """Messages a second."""

    ours: float
    aiohttp: float
    httpx: float


def measure(directory: Path) -> Measured:
    """From the first to the last of the messages that one report causes; the median of three reports."""
    port = free_port()
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with Service("serve", ["serve", "--data", str(directory / "data")], directory, env) as service:
        with httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
            _subscribe(client, port)
        ours = statistics.median(_spread(f"{service.url}/v1/incidents", port, n) for n in range(REPORTS))
    with sink("http") as peer:
        httpx_rate = httpx_peer.rate(f"http://127.0.0.1:{peer}/hook", BODY, 600, CONNECTIONS)
    return Measured(ours, aiohttp_rate(), httpx_rate)


def aiohttp_rate() -> float:
    """Messages a second of a loop that only sends, over 50 connections."""
    with sink("http") as port:
        return uvloop.run(_aiohttp(f"http://127.0.0.1:{port}/hook"))


def _spread(url: str, port: int, number: int) -> float:
    """Messages a second that one report causes. The generator names each of them ``bench-0``."""
    place = {**REPORT["location"], "place": "bench-0"}
    body = json.dumps({**REPORT, "external_id": f"report-{number}", "location": place})
    headers = {"content-type": "application/json", **bearer()}
    plan = _every_one(Plan(url, [body], 1, headers=headers, sink_port=port))
    result = complete(finish(start(plan)), SUBSCRIBERS)
    return SUBSCRIBERS / result.until_last_s


def _subscribe(client: httpx.Client, port: int) -> None:
    def one(number: int) -> None:
        channel = {"type": "webhook", "url": f"http://127.0.0.1:{port}/{number}"}
        made = client.post("/v1/subscriptions", json={"name": f"desk {number}", "channel": channel, "verified": True})
        made.raise_for_status()

    with ThreadPoolExecutor(16) as many:
        list(many.map(one, range(SUBSCRIBERS)))


def _every_one(plan: Plan) -> Plan:
    plan.expect, plan.each, plan.timeout_s = SUBSCRIBERS, True, 120
    return plan


async def _aiohttp(url: str) -> float:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(_: int) -> None:
            async with session.post(url, data=BODY, headers={"content-type": "application/json"}) as response:
                await response.read()

        return await rate(SUBSCRIBERS, CONNECTIONS, one)

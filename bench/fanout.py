"""One alert to 10,000 subscribers, signed and every attempt recorded, beside an aiohttp loop that records nothing."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import httpx
import uvloop

from bench.channels import BODY, rate, sink
from bench.load import Plan, complete, finish, start
from schemas.examples import REPORT
from tests.parts.process import free_port
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document

SUBSCRIBERS = 10_000
REPORTS = 3
CONNECTIONS = 50


def measure(directory: Path) -> list[tuple[float, float]]:
    """Messages a second from the first to the last of those that one report causes, and of the bare loop, in turn."""
    port = free_port()
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with Service("serve", ["serve", "--data", str(directory / "data")], directory, env) as service:
        with httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
            _subscribe(client, port)
        url = f"{service.url}/v1/incidents"
        return [(_spread(url, port, number), bare_loop()[0]) for number in range(REPORTS)]


def bare_loop() -> tuple[float, float]:
    """Messages a second of an aiohttp loop that only sends, over 50 connections, and microseconds of CPU for each."""
    with sink("http") as port:
        before = time.process_time()
        found = uvloop.run(_aiohttp(f"http://127.0.0.1:{port}/hook"))
        return found, (time.process_time() - before) / SUBSCRIBERS * 1e6


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

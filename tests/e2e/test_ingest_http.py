"""Ingest over a real socket: what only the server and the wire can get wrong."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.app import serve
from services.platform.http.bodies import MAX_BODY
from services.platform.process.lifecycle import bind
from services.platform.settings.config import Settings, embedded_url
from tests.component.ingest.running import report
from tests.scenario import OPERATOR_KEY, bearer
from tests.unit.ingest.samples import REPORT

CONNECTIONS = 32


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[socket.socket]:
    """The address of everything in one process, on embedded storage."""
    bound = bind("127.0.0.1", 0)
    settings = Settings(embedded_url(tmp_path), "http://test", admin_key=OPERATOR_KEY)
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(
        serve(settings, on_ready=lambda _: ready.set(), stop=stop, listener=bound), name="serve"
    )
    await asyncio.wait({running, asyncio.ensure_future(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
    yield bound
    stop.set()
    await running


def client(listener: socket.socket, key: str = OPERATOR_KEY) -> httpx.AsyncClient:
    host, port = listener.getsockname()
    return httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=bearer(key), timeout=20)


async def test_a_report_goes_in_is_judged_and_read_back(listener: socket.socket) -> None:
    async with client(listener) as operator:
        answer = await operator.post("/v1/incidents", json=REPORT)
        assert answer.status_code == 202
        found = await operator.get(answer.headers["location"])
        assert found.json()["report"]["external_id"] == REPORT["external_id"]
        head = await operator.head(answer.headers["location"])
        assert (head.status_code, head.content) == (200, b"")
        assert (await operator.head("/v1/incidents/none")).status_code == 404


async def test_many_connections_at_once(listener: socket.socket) -> None:
    async with client(listener) as operator:

        async def post_in_turn(number: int) -> list[int]:
            bodies = [report(external_id=f"c{number}-{n}") for n in range(20)]
            return [(await operator.post("/v1/incidents", json=body)).status_code for body in bodies]

        statuses = await asyncio.gather(*(post_in_turn(number) for number in range(CONNECTIONS)))
        assert {status for answers in statuses for status in answers} == {202}


async def test_a_body_in_pieces_and_a_client_that_leaves_in_the_middle(listener: socket.socket) -> None:
    whole = json.dumps(REPORT).encode()
    head = f"POST /v1/incidents HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPERATOR_KEY}\r\n"
    for cut in (0, 1, 100):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(f"{head}content-length: {len(whole)}\r\n\r\n".encode() + whole[:cut])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
    for byte in range(0, len(whole), 50):
        piece = whole[byte : byte + 50]
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    assert b" 202 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_body_over_the_limit_is_refused_before_it_has_come(listener: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(
        f"POST /v1/incidents HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPERATOR_KEY}\r\n"
        f"content-length: {MAX_BODY * 100}\r\n\r\n".encode()
    )
    assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_key_made_now_counts_now_and_one_revoked_no_longer(listener: socket.socket) -> None:
    async with client(listener) as operator:
        made = (await operator.post("/v1/keys", json={"name": "field", "role": "partner"})).json()
        async with client(listener, made["key"]) as partner:
            assert (await partner.post("/v1/incidents", json=REPORT)).status_code == 202
            assert (await operator.delete(f"/v1/keys/{made['id']}")).status_code == 204
            assert (await partner.post("/v1/incidents", json=REPORT)).status_code == 401

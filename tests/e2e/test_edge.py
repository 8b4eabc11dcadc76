"""Clients that are silent, slow or send too much, against a real process: they end themselves, not the service."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.parts.service import Service, answers
from tests.scenario import OPERATOR_KEY

#: Seconds to wait for what takes the process one.
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("edge")
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_REQUEST_GRACE_S": "1"}
    with Service("serve", ["serve", "--data", str(directory / "data")], directory, env) as running:
        yield running


def dial(service: Service, send: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S)
    opened.sendall(send)
    return opened


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def problem(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_eleven_hundred_silent_connections_do_not_end_the_service(service: Service) -> None:
    with ExitStack() as crowd:
        for _ in range(1_100):
            crowd.enter_context(dial(service))
        for path in ("/livez", "/readyz", "/metrics"):
            assert httpx.get(service.url + path, timeout=PATIENCE_S).status_code == 200
    assert service.running


def test_half_a_head_is_answered_408_and_closed(service: Service) -> None:
    with dial(service, b"GET /livez HTTP/1.1\r\nhost:") as connection:
        answer = read_all(connection)
    assert (status(answer), problem(answer)["status"]) == (408, 408)


def test_a_dripping_body_is_answered_408_and_closed(service: Service) -> None:
    head = b"POST /v1/incidents HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n" % OPERATOR_KEY.encode()
    with dial(service, head + b"content-type: application/json\r\ncontent-length: 100000\r\n\r\n{") as connection:
        answer = read_all(connection)
    assert status(answer) == 408


def test_a_header_of_200_mb_is_431_and_takes_no_memory(service: Service) -> None:
    before = service.memory()
    with dial(service, b"GET /livez HTTP/1.1\r\nhost: a\r\nx: ") as connection:
        answer = _send_until_refused(connection, 200_000_000)
    assert status(answer) == 431
    assert service.memory() - before < 20_000_000


def _send_until_refused(connection: socket.socket, size: int) -> bytes:
    part = b"a" * 1_000_000
    try:
        for _ in range(size // len(part)):
            connection.sendall(part)
    except ConnectionError:
        pass
    return read_all(connection)


def test_a_stream_outlives_every_limit_of_a_request(service: Service) -> None:
    request = b"GET /v1/alerts/stream HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n\r\n" % OPERATOR_KEY.encode()
    with dial(service, request) as stream:
        assert status(stream.recv(1000)) == 200
        # By the time that this one is closed, the stream has been silent for longer than any request may be.
        with dial(service, b"GET /livez HTTP/1.1\r\nhost:") as connection:
            assert status(read_all(connection)) == 408
        stream.setblocking(False)
        try:
            rest = stream.recv(1000)
        except BlockingIOError:
            return
        assert rest, "the stream was closed"


def test_an_address_at_its_limit_still_reaches_the_probes(tmp_path: Path) -> None:
    env = {
        "TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY,
        "TRUCEWATCH_CONNECTIONS": "256",
        "TRUCEWATCH_CONNECTIONS_PER_ADDRESS": "40",
    }
    with Service("small", ["serve", "--data", str(tmp_path / "data")], tmp_path, env) as service, ExitStack() as crowd:
        begun = b"POST /v1/incidents HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n"
        connections = [crowd.enter_context(dial(service, begun)) for _ in range(60)]
        deadline = time.monotonic() + PATIENCE_S
        while not answers(f"{service.url}/livez") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert answers(f"{service.url}/metrics")
        gone = read_all(connections[0])
        assert gone == b"" or status(gone) in (401, 408, 503)


def test_more_connections_than_open_files_allow_end_the_start_with_one_sentence(tmp_path: Path) -> None:
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_CONNECTIONS": "999999"}
    service = Service("greedy", ["serve", "--data", str(tmp_path / "data")], tmp_path, env)
    service.start(wait=False)
    assert service.child is not None
    assert service.child.wait(PATIENCE_S) == 2
    assert "TRUCEWATCH_CONNECTIONS: 999999 need a limit of open files of" in service.tail()

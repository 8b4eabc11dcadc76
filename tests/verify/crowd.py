"""A crowd of slow clients: silent, with half a head, with a body that drips, and that read no answer."""

import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import Final

import httpx

from tests.parts.service import Service
from tests.verify.load import ANSWER_S

#: More than one address may have, so that the crowd is always at that limit.
CLIENTS: Final = 600
ROUND_S: Final = 0.5
#: New clients at a time: a crowd is slow, no burst of requests.
ARRIVALS: Final = 60
#: One client in so many reads no answer; its answers are more than the kernel holds.
UNREADING: Final = 150
_UNREAD: Final = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n" * 60
_BEGUN: Final = (
    b"",
    b"POST /v1/incidents HTTP/1.1\r\nhost: a\r\nx: ",
    b"POST /v1/incidents HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{",
)


def crowd(services: Iterable[Service], seconds: float) -> list[str]:
    """Keep a crowd at each service for so long. Returns what was amiss: each time that ``/livez`` gave no answer."""
    amiss: list[str] = []
    with ExitStack() as stack:
        crowds = [(service, stack.enter_context(_Crowd(service))) for service in services]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for service, clients in crowds:
                clients.drip()
                if why := _unanswered(f"{service.url}/livez"):
                    amiss.append(f"{service.name}: /livez gave no answer: {why}")
            time.sleep(ROUND_S)
    return amiss


def _unanswered(url: str) -> str | None:
    """Why it is not answered with 200 in the time that is promised; None where it is."""
    began = time.monotonic()
    try:
        status = httpx.get(url, timeout=ANSWER_S).status_code
    except httpx.TransportError as error:
        return f"{error!r} after {time.monotonic() - began:.1f} s"
    return None if status == 200 else f"{status}"


def _begun(number: int) -> bytes:
    return _BEGUN[number % len(_BEGUN)] if number % UNREADING else _UNREAD


class _Crowd(ExitStack):
    """The slow clients of one service; those that were closed come back."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service
        self._clients: dict[int, socket.socket] = {}
        self.callback(self._close)

    def drip(self) -> None:
        """One byte from each that sends any; those that are gone connect anew."""
        arrivals = ARRIVALS
        for number in range(CLIENTS):
            try:
                if number not in self._clients:
                    arrivals -= 1
                    if arrivals < 0:
                        continue
                    self._clients[number] = self._dial(_begun(number))
                elif number % UNREADING and number % len(_BEGUN):
                    self._clients[number].send(b"a")
            except OSError:
                self._drop(number)

    def _dial(self, begun: bytes) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self._service.port), timeout=2)
        with suppress(OSError):
            client.sendall(begun)
        client.setblocking(False)
        return client

    def _drop(self, number: int) -> None:
        client = self._clients.pop(number, None)
        if client is not None:
            client.close()

    def _close(self) -> None:
        for number in list(self._clients):
            self._drop(number)

"""A webhook receiver that a subscriber might run: it checks signatures, remembers everything, and can misbehave.

It lives in a thread of its own, so that blocking and asynchronous tests use it alike and a busy test does not slow it.
"""

import asyncio
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

import msgspec
from aiohttp import web
from standardwebhooks import Webhook

from tests.parts.machine import exceeds
from tests.parts.process import free_port

#: Longest time that an answer which never comes is waited for.
FOREVER_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How to answer one request: after ``delay_s``, with ``status`` and ``body``.

    ``hang`` never answers; ``drip_s`` sends one byte each so many seconds without end; ``echo_challenge`` answers a
    challenge with its own text, whatever ``body`` says. ``raw`` is sent as it is, in place of an answer, and the
    connection is closed; ``status`` is then what its status line says.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float | None = None
    hang: bool = False
    raw: bytes | None = None
    echo_challenge: bool = True


OK: Final = Answer()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request as it came. ``at`` is seconds of the monotonic clock; ``signed`` is None where no secret is known."""

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    signed: bool | None

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def message(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def type(self) -> str:
        """Empty for a body in the form of Slack, which has none."""
        return str(self.message.get("type", ""))


def signature_holds(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the signatures is right for this id, timestamp and body. Age is the caller's question."""
    try:
        moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz=UTC)
        expected = Webhook(secret).sign(headers["webhook-id"], moment, body.decode())
        return expected in headers["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        return False


class Receiver:
    """Paths are endpoints: each has its own answers, its own secrets and its own history."""

    def __init__(self, port: int | None = None, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port if port is not None else free_port()
        self._answers: dict[str, deque[Answer]] = defaultdict(lambda: deque([OK]))
        self._secrets: dict[str, list[str]] = defaultdict(list)
        self._deliveries: list[Delivery] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._stopped = asyncio.Event()

    def url(self, path: str = "/hook") -> str:
        return f"http://{self.host}:{self.port}{path}"

    def trust(self, path: str, *secrets: str) -> None:
        """From now on, signatures on ``path`` are checked against these."""
        self._secrets[path].extend(secrets)

    def answer(self, path: str, *answers: Answer) -> None:
        """Answer the next requests on ``path`` with these in turn; the last one stays."""
        self._answers[path] = deque(answers)

    def received(self, path: str | None = None, *, challenges: bool = False) -> list[Delivery]:
        """Everything that came, in order; ``challenges`` too only when asked for."""
        with self._changed:
            everything = list(self._deliveries)
        return [d for d in everything if path in (None, d.path) and (challenges or d.type != "challenge")]

    def wait_for(
        self, enough: Callable[[Sequence[Delivery]], bool], within_s: float, path: str | None = None
    ) -> list[Delivery]:
        """The requests received, as soon as they are ``enough``. Raises TimeoutError with those received by then."""
        began = time.monotonic()
        with self._changed:
            while not enough(found := self._matching(path)):
                self._changed.wait(1)
                if exceeds(time.monotonic() - began, within_s):
                    raise TimeoutError(f"within {within_s} s came only {[(d.path, d.status) for d in found]}")
            return found

    async def arrived(self, count: int, within_s: float, path: str | None = None) -> list[Delivery]:
        """At least ``count`` deliveries, without holding up the event loop. Raises TimeoutError."""
        return await asyncio.to_thread(self.wait_for, lambda found: len(found) >= count, within_s, path)

    def forget(self) -> None:
        """Start over: no history, no secrets, every answer 200."""
        with self._changed:
            self._deliveries.clear()
        self._answers.clear()
        self._secrets.clear()

    def start(self) -> Self:
        """Listen. Raises OSError when the port is taken."""
        up: asyncio.Future[None] = self._loop.create_future()
        opened = threading.Event()
        up.add_done_callback(lambda _: opened.set())
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(up),), daemon=True)
        self._thread.start()
        opened.wait()
        up.result()
        return self

    def stop(self) -> None:
        """Stop listening; what hangs is cut off. It may be started again, with its history."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self if self._thread is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.close()

    def _matching(self, path: str | None) -> list[Delivery]:
        return [d for d in self._deliveries if path in (None, d.path) and d.type != "challenge"]

    async def _serve(self, up: asyncio.Future[None]) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError as error:
            up.set_exception(error)
        else:
            up.set_result(None)
            await self._stopped.wait()
        await runner.cleanup()
        await _cut_off()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        answer = self._next_answer(request.path)
        self._remember(request, body, answer.status)
        if answer.hang:
            await asyncio.sleep(FOREVER_S)
        await asyncio.sleep(answer.delay_s)
        if answer.raw is not None and request.transport is not None:
            request.transport.write(answer.raw)
            request.transport.close()
            return web.Response()
        if answer.drip_s is not None:
            return await self._drip(request, answer)
        echo = _challenge(body) if answer.echo_challenge and answer.status < 300 else None
        return web.Response(status=answer.status, body=answer.body if echo is None else echo, headers=answer.headers)

    def _next_answer(self, path: str) -> Answer:
        answers = self._answers[path]
        return answers.popleft() if len(answers) > 1 else answers[0]

    def _remember(self, request: web.Request, body: bytes, status: int) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        secrets = self._secrets.get(request.path)
        signed = any(signature_holds(secret, headers, body) for secret in secrets) if secrets else None
        with self._changed:
            self._deliveries.append(Delivery(time.monotonic(), request.path, headers, body, status, signed))
            self._changed.notify_all()

    async def _drip(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        await response.prepare(request)
        assert answer.drip_s is not None
        while True:
            await response.write(b".")
            await asyncio.sleep(answer.drip_s)


async def _cut_off() -> None:
    """End the requests that still hang; otherwise the loop would complain of them when it closes."""
    hanging = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


def _challenge(body: bytes) -> bytes | None:
    try:
        message = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    if not isinstance(message, dict) or message.get("type") != "challenge":
        return None
    return msgspec.json.encode({"challenge": message["data"]["challenge"]})

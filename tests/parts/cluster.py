"""The distributed form as it runs: a broker and a database of its own, and any number of each service."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, Self

import httpx

from tests.parts.kafka import Kafka
from tests.parts.machine import exceeds
from tests.parts.postgres import Postgres
from tests.parts.service import ROOT, Service
from tests.scenario import OPERATOR_KEY, SECRET_KEY, bearer

Kind = Literal["ingest", "rules", "notify"]
KINDS: Final[tuple[Kind, ...]] = ("ingest", "rules", "notify")
#: Says who owns which paths; what no one owns is ingest's.
GATEWAY: Final = ROOT / "deploy" / "gateway" / "Caddyfile"
PUBLIC_URL: Final = "http://trucewatch.test"


@cache
def owners() -> dict[str, re.Pattern[str]]:
    """The paths of each service but ingest, as the gateway has them."""
    return {kind: re.compile(text) for kind, text in re.findall(r"@(\w+) path_regexp (\S+)", GATEWAY.read_text())}


def owner_of(path: str) -> str:
    """The service that answers for a path."""
    return next((kind for kind, pattern in owners().items() if pattern.search(path)), "ingest")


class Cluster:
    """Everything on loopback, in ``directory``; what the broker and the database hold survives their restarts.

    ``counts`` says how many of each service start with it; with ``durable`` the database syncs each commit to disk.
    """

    def __init__(
        self,
        directory: Path,
        counts: Mapping[Kind, int] | None = None,
        env: Mapping[str, str] | None = None,
        *,
        durable: bool = False,
    ) -> None:
        self.directory = directory
        self.kafka = Kafka(directory / "kafka")
        self.postgres = Postgres(directory / "postgres", durable=durable)
        self.services: list[Service] = []
        self._counts: Mapping[Kind, int] = dict.fromkeys(KINDS, 1) if counts is None else counts
        self._extra = dict(env or {})
        self._numbers: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._stack = ExitStack()
        self.database_uri = ""

    def of(self, kind: str) -> list[Service]:
        """The running services of one kind, the oldest first."""
        return [s for s in self.services if s.name.startswith(f"{kind}-") and s.running]

    def one(self, kind: Kind) -> Service:
        return self.of(kind)[0]

    def add(self, kind: Kind, *, wait: bool = True, env: Mapping[str, str] | None = None) -> Service:
        """One more of a kind. ``env`` is for this one alone."""
        self._numbers[kind] += 1
        name = f"{kind}-{self._numbers[kind]}"
        service = Service(name, [kind], self.directory, {**self.environment, **(env or {})})
        self.services.append(service)
        service.start(wait=wait)
        return service

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every service."""
        return {
            "TRUCEWATCH_KAFKA": self.kafka.bootstrap,
            "TRUCEWATCH_DATABASE_URL": self.database_uri,
            "TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY,
            "TRUCEWATCH_SECRET_KEY": SECRET_KEY,
            "TRUCEWATCH_PUBLIC_URL": PUBLIC_URL,
            "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8",
            **self._extra,
        }

    def client(self, key: str = OPERATOR_KEY, timeout_s: float = 30.0) -> httpx.Client:
        """All services behind one origin, as the gateway puts them: each path goes to one of its owner's processes."""
        return httpx.Client(
            transport=_Gateway(self), base_url="http://cluster", headers=bearer(key), timeout=timeout_s, trust_env=False
        )

    def start(self) -> Self:
        """The broker and the database at once, then the services at once. Raises PartFailedError."""
        self._stack.callback(self.stop)
        self.kafka.process.start(wait=False)
        self.postgres.process.start(wait=False)
        self.postgres.process.wait_ready()
        self.database_uri = self.postgres.create("cluster")
        self.kafka.process.wait_ready()
        started = [self.add(kind, wait=False) for kind in KINDS for _ in range(self._counts.get(kind, 0))]
        for service in started:
            service.wait_ready()
        return self

    def stop(self) -> None:
        """Everything ends; the services first, so that they can say goodbye."""
        for service in self.services:
            service.stop()
        self.kafka.kill()
        self.postgres.stop()

    def __enter__(self) -> Self:
        with ExitStack() as guard:
            guard.callback(self.stop)
            self.start()
            guard.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Gateway(httpx.BaseTransport):
    """Sends each request to the owner of its path, in turn to each of its processes that an orchestrator's probe would
    find alive."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_connections=50))
        self._turn = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        running = self._cluster.of(owner_of(request.url.path))
        candidates = [service for service in running if not service.standing_still] or running
        if not candidates:
            raise httpx.ConnectError("no process of this service runs", request=request)
        self._turn += 1
        target = candidates[self._turn % len(candidates)]
        request.url = request.url.copy_with(host="127.0.0.1", port=target.port)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def every(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        answer = client.get(path, params={"limit": 1000, **query, **after})
        answer.raise_for_status()
        page = answer.json()
        found += page["items"]
        if not page["has_more"]:
            return found
        after = {"after": page["next"]}


def eventually(question: Callable[[], Any], within_s: float, said: Callable[[], object] = lambda: "") -> Any:
    """The first true answer. Raises TimeoutError; an HTTP error counts as no."""
    began = time.monotonic()
    while True:
        try:
            found = question()
        except httpx.HTTPError as error:
            found, last = None, repr(error)
        else:
            last = ""
        if found:
            return found
        if exceeds(time.monotonic() - began, within_s):
            raise TimeoutError(f"not within {within_s} s: {last or said()}")
        time.sleep(0.05)


def incident_ids(items: Iterable[Mapping[str, Any]]) -> set[str]:
    return {item["incident_id"] for item in items}


def tails(services: Sequence[Service]) -> str:
    """The last words of each, for a failure that needs them."""
    return "\n".join(f"--- {service.name}\n{service.tail(1500)}" for service in services)

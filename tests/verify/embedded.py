"""The embedded form under faults: a full disk, a clock that jumps, hostile answers; all is accounted for."""

import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from tests.parts.cluster import eventually
from tests.parts.hostile import HOSTILE
from tests.parts.jumping_clock import jump
from tests.parts.process import Process, free_port
from tests.parts.receiver import Answer, Receiver
from tests.parts.service import ROOT, answers
from tests.scenario import OPERATOR_KEY, bearer, registry_document
from tests.verify.account import Account, Kept, balance, wait_settled
from tests.verify.faults import WELL
from tests.verify.load import Partner

HOUR_S: Final = 3600
PAGE: Final = 4096
#: How long a fault lasts.
LASTS_S: Final = 4.0
PATIENCE_S: Final = 60.0
#: A message not taken for delivered would be sent again within so long: five seconds, and a bit.
SENT_AGAIN_S: Final = 7.0


@dataclass(frozen=True, slots=True)
class Machine:
    """One ``trucewatch serve`` with its data directory and the file that sets its clock."""

    process: Process
    url: str
    data: Path
    clock: Path

    def client(self, key: str = OPERATOR_KEY, timeout_s: float = 30.0) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=bearer(key), timeout=timeout_s, trust_env=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts that a fault may touch. ``path`` is the receiver's endpoint."""

    machine: Machine
    receiver: Receiver
    partner: Partner
    path: str


def fill_disk(stage: Stage) -> None:
    """Writes beyond the first page of a file are refused, as on a full disk. Then there is room."""
    running = psutil.Process(stage.machine.process.pid)
    running.rlimit(resource.RLIMIT_FSIZE, (PAGE, resource.RLIM_INFINITY))
    try:
        time.sleep(LASTS_S)
    finally:
        running.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def jump_both_ways(stage: Stage) -> None:
    """An hour on, two hours back, and right again."""
    for seconds in (HOUR_S, -HOUR_S, 0):
        jump(stage.machine.clock, seconds)
        time.sleep(LASTS_S)


def answer_hostilely(stage: Stage) -> None:
    """Each hostile answer once with 200 and once with 204; what was answered so is delivered, and never sent again."""
    hostile = [
        Answer(status=status, raw=reply.replace(b"{}", b"%d" % status))
        for status in (200, 204)
        for reply in HOSTILE.values()
    ]
    before = len(stage.receiver.received(stage.path))
    stage.receiver.answer(stage.path, *hostile, WELL)
    stage.receiver.wait_for(lambda found: len(found) >= before + len(hostile), PATIENCE_S, stage.path)
    time.sleep(SENT_AGAIN_S)
    times = Counter(delivery.id for delivery in stage.receiver.received(stage.path))
    stage.partner.answers.odd.extend(f"{id} was sent {count} times" for id, count in times.items() if count > 1)


FAULTS: Final[Mapping[str, Callable[[Stage], None]]] = {
    "disk-full": fill_disk,
    "clock-jumps": jump_both_ways,
    "hostile-answers": answer_hostilely,
}


@contextmanager
def machine(directory: Path) -> Iterator[Machine]:
    """A service that judges by the worked example."""
    port, clock, data = free_port(), directory / "clock", directory / "data"
    jump(clock, 0)
    url = f"http://127.0.0.1:{port}"
    command = ["serve", "--data", str(data), "--port", str(port)]
    process = Process(
        name="serve",
        command=[sys.executable, "-m", "tests.parts.jumping_clock", str(clock), *command],
        log=directory / "serve.log",
        ready=lambda: answers(f"{url}/readyz"),
        env={"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"},
        cwd=ROOT,
    )
    with process:
        made = Machine(process, url, data, clock)
        with made.client() as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
        yield made


def run_faults(directory: Path, rate: float, seconds: float, names: Sequence[str]) -> Iterator[Account]:
    """One account a fault, each on a machine of its own."""
    for name in names:
        (directory / name).mkdir(parents=True)
        with machine(directory / name) as one, Receiver() as receiver:
            yield run_fault(one, receiver, name, rate, seconds)


def run_fault(machine: Machine, receiver: Receiver, name: str, rate: float, seconds: float) -> Account:
    """Load, the fault, load again for as long; then everything is accounted for."""
    path = f"/{name}"
    body = {"name": name, "channel": {"type": "webhook", "url": receiver.url(path)}, "verified": True}
    with machine.client() as client:
        receiver.trust(path, client.post("/v1/subscriptions", json=body).raise_for_status().json()["secret"])
    receiver.answer(path, WELL)
    partner = Partner(machine, name, rate)
    partner.start()
    time.sleep(seconds / 2)
    began = time.monotonic()
    FAULTS[name](Stage(machine, receiver, partner, path))
    took = time.monotonic() - began
    time.sleep(seconds / 2)
    partner.finish(PATIENCE_S)
    settled = wait_settled(receiver, path, set(partner.answers.accepted.values()), PATIENCE_S)
    return draw_up(machine, receiver, path, partner, (took, settled))


def draw_up(machine: Machine, receiver: Receiver, path: str, partner: Partner, times: tuple[float, float]) -> Account:
    """The account, by what the API and the receiver say."""
    with machine.client() as client:
        status: Any = eventually(lambda: _at_rest(client), PATIENCE_S)
        counts = {i: _count(client, f"/v1/incidents/{i}/assessments") for i in partner.answers.accepted.values()}
        kept = Kept(
            assessed={i: count == 1 for i, count in counts.items() if count},
            alerted={i: revisions == 1 for i, revisions in _alerts(client).items()},
            lag=_lag(status),
            dead_letters=status["dead_letters"],
        )
    died = [] if machine.process.running else ["serve"]
    return balance(path[1:], partner.posted, partner.answers, receiver.received(path), kept, died, times)


def _at_rest(client: httpx.Client) -> Any:
    """``/status`` once nothing is under way."""
    status = client.get("/status", headers={"accept": "application/json"}).json()
    return status if _lag(status) == 0 else None


def _lag(status: Any) -> int:
    lags = [status["components"][kind].get("lag", 0) for kind in ("rules", "notify")]
    return int(sum(lags) + status["deliveries"]["backlog"])


def _count(client: httpx.Client, path: str) -> int:
    return len(client.get(path).raise_for_status().json()["items"])


def _alerts(client: httpx.Client) -> dict[str, int]:
    """How many revisions of alerts each incident has."""
    found: dict[str, int] = {}
    after: dict[str, str] = {}
    while True:
        page = client.get("/v1/alerts", params={"limit": 1000, **after}).raise_for_status().json()
        for alert in page["items"]:
            found[alert["incident_id"]] = found.get(alert["incident_id"], 0) + 1
        if not page["has_more"]:
            return found
        after = {"after": page["next"]}

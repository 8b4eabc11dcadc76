"""Rounds: load, one fault in the midst of it, the account."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.parts.cluster import Cluster, eventually
from tests.parts.receiver import Receiver
from tests.scenario import registry_document
from tests.verify.account import Account, ask_status, draw_up, wait_settled
from tests.verify.faults import WELL, Fault, Stage
from tests.verify.load import Partner

#: For everything to be as it was, after the worst: a claim's lease and a breaker's rest are in it.
PATIENCE_S: Final = 150.0


@dataclass(frozen=True, slots=True)
class Plan:
    """``rate`` reports a second for at least ``seconds``, the fault after a quarter of them."""

    rate: float = 20.0
    seconds: float = 20.0
    each: int = 2


@contextmanager
def stage(directory: Path, plan: Plan) -> Iterator[tuple[Cluster, Receiver]]:
    """A cluster that judges by the worked example, and a receiver."""
    with Cluster(directory, {"ingest": plan.each, "rules": plan.each, "notify": plan.each}) as cluster:
        with cluster.client() as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
        with Receiver() as receiver:
            yield cluster, receiver


def run_rounds(cluster: Cluster, receiver: Receiver, plan: Plan, faults: Sequence[Fault]) -> Iterator[Account]:
    """One account a fault. What is broken stays broken for the next: each fault mends what it broke."""
    for fault in faults:
        yield run_round(cluster, receiver, plan, fault)


def run_round(cluster: Cluster, receiver: Receiver, plan: Plan, fault: Fault) -> Account:
    """Load, the fault, load again for as long; then everything is accounted for."""
    name = f"{fault.name}-{time.monotonic_ns() // 1_000_000}"
    path = f"/{name}"
    subscription = subscribe(cluster, receiver, path)
    _, dead_before = ask_status(cluster)
    partner = Partner(cluster, name, plan.rate)
    partner.start()
    time.sleep(plan.seconds / 4)
    began = time.monotonic()
    fault.inject(Stage(cluster, receiver, partner, path))
    took = time.monotonic() - began
    time.sleep(max(plan.seconds / 4, plan.seconds * 3 / 4 - took))
    partner.finish(PATIENCE_S)
    settled = wait_settled(receiver, path, set(partner.answers.accepted.values()), PATIENCE_S)
    account = draw_up(
        fault.name, cluster, receiver, path, partner.answers, partner.posted, dead_before, (took, settled)
    )
    with cluster.client() as client:
        eventually(lambda: client.delete(f"/v1/subscriptions/{subscription}").status_code in (204, 404), 30)
    return account


def subscribe(cluster: Cluster, receiver: Receiver, path: str) -> str:
    """A subscription to everything, at an endpoint that is proved."""
    body = {"name": path, "channel": {"type": "webhook", "url": receiver.url(path)}, "verified": True}
    with cluster.client() as client:
        made = eventually(lambda: _made(client.post("/v1/subscriptions", json=body)), 60)
    receiver.trust(path, made["secret"])
    receiver.answer(path, WELL)
    return str(made["id"])


def _made(answer: httpx.Response) -> Any:
    return answer.json() if answer.status_code == 201 else None

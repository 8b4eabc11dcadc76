"""The fault "a revoked key": deliveries of its subscriptions stop, and others lose and repeat nothing.

What it finds amiss is raised: the verifier takes it for an answer that nobody promised. Once the subscription is given
to another key, it is sent all that was alerted meanwhile, once.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, Protocol

import psycopg

from services.platform.clock import SystemClock
from tests.parts.cluster import Cluster, eventually
from tests.parts.receiver import Delivery, Receiver

#: The contract: a revoked key has ended everywhere within so long; and what was then under way has been answered.
ENDED_WITHIN_S: Final = 2.0
UNDER_WAY_S: Final = 1.0
#: How long nothing may come.
SILENT_S: Final = 4.0
PATIENCE_S: Final = 60.0
#: An attempt that a busy machine let run out of time is tried again, and again.
RETRIED_S: Final = 200.0
_ALERTED: Final = "SELECT incident_id FROM alert_log WHERE recorded_at >= %s AND recorded_at < %s"
_FATES: Final = (
    "SELECT incident_id, recorded_at, d.state, d.created_at, d.due_at, d.attempts, d.claimed_by FROM alert_log"
    " LEFT JOIN deliveries d ON d.alert_id = alert_log.alert_id AND d.subscription_id = %s WHERE incident_id = ANY(%s)"
)


class Stage(Protocol):
    """The parts of a round that the fault touches."""

    @property
    def cluster(self) -> Cluster: ...

    @property
    def receiver(self) -> Receiver: ...

    @property
    def path(self) -> str: ...

    def note(self, what: str) -> None: ...


def revoke_a_key(stage: Stage) -> None:
    """A monitor subscribes and is told; its key is revoked, and later its subscription is given to another's."""
    path = f"{stage.path}-revoked"
    with stage.cluster.client() as operator:
        made = operator.post("/v1/keys", json={"name": path, "role": "monitor"}).json()
        heir = operator.post("/v1/keys", json={"name": f"{path}-heir", "role": "monitor"}).json()
        with stage.cluster.client(made["key"]) as monitor:
            id = eventually(lambda: _subscribe(monitor, stage.receiver.url(path)), PATIENCE_S)
            eventually(lambda: monitor.get(f"/v1/subscriptions/{id}").json()["status"] == "active", PATIENCE_S)
            # Alerts that are decided from now on are for it, in whichever process.
            time.sleep(ENDED_WITHIN_S)
            began = SystemClock().now()
            eventually(lambda: _told(stage, path), PATIENCE_S)
            operator.delete(f"/v1/keys/{made['id']}").raise_for_status()
            time.sleep(ENDED_WITHIN_S + UNDER_WAY_S)
            if monitor.get("/v1/subscriptions").status_code != 401:
                stage.note("a revoked key was answered")
        before = len(_told(stage, path))
        time.sleep(SILENT_S)
        if extra := len(_told(stage, path)) - before:
            stage.note(f"{extra} messages were sent for a revoked key")
        given = operator.post(f"/v1/subscriptions/{id}/owner", json={"key": heir["id"]})
        if given.status_code != 200:
            stage.note(f"the subscription could not be given away: {given.text}")
        if missing := _missing(stage, path, began, SystemClock().now()):
            stage.note(f"{len(missing)} alerts of a held subscription were lost: {_fates(stage, id, missing)}")
        ids = {(incident, found.id) for found, incident in _pairs(_told(stage, path))}
        if repeated := len(ids) - len({incident for incident, _ in ids}):
            stage.note(f"{repeated} alerts of a held subscription came under two ids")
        operator.delete(f"/v1/subscriptions/{id}")


def _subscribe(monitor: Any, url: str) -> str | None:
    answer = monitor.post("/v1/subscriptions", json={"name": "revoked", "channel": {"type": "webhook", "url": url}})
    return str(answer.json()["id"]) if answer.status_code == 201 else None


def _told(stage: Stage, path: str) -> list[Delivery]:
    return [found for found in stage.receiver.received(path) if 200 <= found.status < 300]


def _missing(stage: Stage, path: str, began: int, ended: int) -> set[str]:
    """The incidents alerted in that time whose alert does not come, tried again as a busy machine may need."""
    with psycopg.connect(stage.cluster.database_uri) as connection:
        expected = {row[0] for row in connection.execute(_ALERTED, (began, ended))}
    try:
        eventually(lambda: expected <= set(_incidents(_told(stage, path))), RETRIED_S)
    except TimeoutError:
        return expected - set(_incidents(_told(stage, path)))
    return set()


def _fates(stage: Stage, subscription: str, incidents: set[str]) -> list[tuple[Any, ...]]:
    """When each was alerted, and what became of its message, if there is one."""
    with psycopg.connect(stage.cluster.database_uri) as connection:
        return list(connection.execute(_FATES, (subscription, list(incidents))))


def _pairs(deliveries: Sequence[Delivery]) -> list[tuple[Delivery, str]]:
    return list(zip(deliveries, _incidents(deliveries), strict=True))


def _incidents(deliveries: Sequence[Delivery]) -> list[str]:
    return [found.message["data"]["incident_id"] for found in deliveries]

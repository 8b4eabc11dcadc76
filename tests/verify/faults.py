"""The faults, each a plain function of the stage: it breaks something under load, and mends it before it returns."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psutil
import psycopg

from services.platform.db.postgres_outbox import LOCK
from services.platform.process.open_files import raise_open_files
from tests.parts.cluster import KINDS, Cluster, Kind
from tests.parts.receiver import Answer, Receiver
from tests.parts.service import Service
from tests.verify.crowd import crowd
from tests.verify.load import Partner
from tests.verify.rejudged import STEP_S, while_judging
from tests.verify.revoked import revoke_a_key

#: Between breaking and mending; long enough for load to meet the fault.
GAP_S: Final = 2.0
#: A member that has not been heard of for this long has left its group (aiokafka's session timeout, and a bit).
SESSION_S: Final = 15.0
#: Messages that notify had claimed are anybody's once its lease of 30 s has ended.
LEASE_S: Final = 45.0
#: A session of the relay that is silent for 30 s is ended by the database.
RELAY_S: Final = 40.0
STOPPED_S: Final = 60.0
#: Within the five seconds after which a message is tried again.
OUTAGE_S: Final = 3.0
HELD_BACK_S: Final = 10.0
#: Longer than a head or a body may take.
CROWDED_S: Final = 25.0
BURST: Final = 400
#: A receiver that is well takes its time, so that at every moment some message is under way.
WELL: Final = Answer(delay_s=0.2)


@dataclass(frozen=True, slots=True)
class Stage:
    """The things that a fault may touch. ``path`` is the receiver's endpoint of this round."""

    cluster: Cluster
    receiver: Receiver
    partner: Partner
    path: str

    def note(self, what: str) -> None:
        """Something that was not promised: the round does not hold."""
        self.partner.answers.odd.append(what)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way of breaking things. ``short``: also part of the short form."""

    name: str
    what: str
    inject: Callable[[Stage], None]
    short: bool = False


def _nothing(_stage: Stage) -> None:
    time.sleep(GAP_S)


def _kill(kind: Kind) -> Callable[[Stage], None]:
    def inject(stage: Stage) -> None:
        for service in stage.cluster.of(kind):
            service.kill()
            time.sleep(GAP_S)
            service.start()

    return inject


def _kill_all(stage: Stage) -> None:
    running = list(stage.cluster.services)
    for service in running:
        service.kill()
    for service in running:
        service.start(wait=False)
    for service in running:
        service.wait_ready()


def _broker_killed(stage: Stage) -> None:
    stage.cluster.kafka.kill()
    time.sleep(GAP_S)
    stage.cluster.kafka.start()


def _broker_stopped(stage: Stage) -> None:
    with stage.cluster.kafka.paused():
        time.sleep(STOPPED_S)


def _database_restarted(stage: Stage) -> None:
    stage.cluster.postgres.stop()
    time.sleep(GAP_S)
    stage.cluster.postgres.start()


def _database_killed(stage: Stage) -> None:
    stage.cluster.postgres.kill()
    stage.cluster.postgres.start()


def _rebalance(stage: Stage) -> None:
    """Processes of each service come and go while a burst is being worked off."""
    cluster = stage.cluster
    for kind in KINDS:
        stage.partner.burst(BURST)
        one_more = cluster.add(kind)
        stage.partner.burst(BURST)
        one_more.stop()
        cluster.services.remove(one_more)


def _two_on_one_backlog(stage: Stage) -> None:
    """No notify for a while; then two at once find what has piled up."""
    both = stage.cluster.of("notify")
    for service in both:
        service.kill()
    time.sleep(HELD_BACK_S)
    for service in both:
        service.start(wait=False)
    for service in both:
        service.wait_ready()


def _receiver(*, status: int, retry_after: int | None = None, hang: bool = False) -> Callable[[Stage], None]:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    def inject(stage: Stage) -> None:
        # Hanging requests are noted down under a status that says that it was not taken.
        stage.receiver.answer(stage.path, Answer(status=status, headers=headers, hang=hang))
        time.sleep(OUTAGE_S)
        stage.receiver.answer(stage.path, WELL)

    return inject


def _freeze(kind: Kind, seconds: float) -> Callable[[Stage], None]:
    """Alive, holding its partitions and its connections, doing nothing; then it goes on where it was."""

    def inject(stage: Stage) -> None:
        with stage.cluster.one(kind).paused():
            time.sleep(seconds)

    return inject


def _slow_crowd(stage: Stage) -> None:
    """Slow clients at every process, more of them than one address may have connections."""
    raise_open_files()
    stage.partner.answers.odd.extend(crowd(stage.cluster.services, CROWDED_S))


def _freeze_relay(stage: Stage) -> None:
    """The process that has the right to relay stands still: its session with the database has to end first."""
    with relaying(stage.cluster).paused():
        time.sleep(RELAY_S)


def relaying(cluster: Cluster) -> Service:
    """The process whose session holds the lock of the one relay."""
    with psycopg.connect(cluster.database_uri) as connection:
        (port,) = connection.execute(_RELAY.encode(), (LOCK >> 32, LOCK & 0xFFFFFFFF)).fetchone() or (None,)
    for service in cluster.services:
        if port in {found.laddr.port for found in psutil.Process(service.pid).net_connections("tcp")}:
            return service
    raise LookupError("no process of ours relays")


_RELAY: Final = (
    "SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s"
)


def _kill_rules(cluster: Cluster) -> None:
    """Each in turn, so that the one that judges again is among them."""
    for service in cluster.of("rules"):
        time.sleep(STEP_S)
        service.kill()
        time.sleep(STEP_S)
        service.start()


def _move_rules(cluster: Cluster) -> None:
    """One more process comes, and goes again."""
    one_more = cluster.add("rules")
    time.sleep(STEP_S)
    one_more.stop()
    cluster.services.remove(one_more)


def _rejudging(breaking: Callable[[Cluster], None], changes: int = 1) -> Callable[[Stage], None]:
    def inject(stage: Stage) -> None:
        for found in while_judging(stage.cluster, breaking, changes):
            stage.note(found)

    return inject


FAULTS: Final = (
    Fault("nothing", "no fault: the measure of the others", _nothing),
    Fault("kill-ingest", "kill -9 of each ingest in turn", _kill("ingest")),
    Fault("kill-rules", "kill -9 of each rules in turn", _kill("rules"), short=True),
    Fault("kill-notify", "kill -9 of each notify in turn", _kill("notify")),
    Fault("kill-all", "kill -9 of every service at once", _kill_all),
    Fault("broker-killed", "kill -9 of the broker, and a restart", _broker_killed, short=True),
    Fault("broker-stopped", "SIGSTOP of the broker for 60 s", _broker_stopped),
    Fault("database-restarted", "PostgreSQL stopped and started", _database_restarted, short=True),
    Fault("database-killed", "kill -9 of PostgreSQL, and a restart", _database_killed),
    Fault("rebalance", "processes of each service come and go during a burst", _rebalance),
    Fault("two-notify", "two notify find one backlog", _two_on_one_backlog),
    Fault("receiver-500", "the receiver answers 500", _receiver(status=500)),
    Fault("receiver-429", "the receiver answers 429 with Retry-After", _receiver(status=429, retry_after=7)),
    Fault("receiver-hangs", "the receiver does not answer", _receiver(status=504, hang=True)),
    Fault("key-revoked", "a monitor's key is revoked, and its subscription given to another", revoke_a_key, short=True),
    Fault("rejudging-killed", "kill -9 of each rules while a change judges again", _rejudging(_kill_rules)),
    Fault("rejudging-twice", "two changes at once by two operators", _rejudging(lambda _: None, changes=2)),
    Fault("rejudging-moved", "a rebalance while two changes judge again", _rejudging(_move_rules, changes=2)),
    Fault("slow-loris", "600 silent, dripping and unreading clients at every process", _slow_crowd),
    Fault("rules-frozen", "SIGSTOP of a rules process beyond its session", _freeze("rules", SESSION_S)),
    Fault("relay-frozen", "SIGSTOP of the process that relays, beyond its session", _freeze_relay),
    Fault("notify-frozen", "SIGSTOP of a notify process beyond its lease", _freeze("notify", LEASE_S)),
)

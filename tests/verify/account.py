"""The account of one round: every accepted report followed through assessment, alert and delivery."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import psycopg

from tests.parts.cluster import Cluster
from tests.parts.receiver import Delivery, Receiver
from tests.verify.load import Answers

LOOK_S: Final = 0.25
#: A message that came twice may come late: nothing is counted before so much quiet has passed.
QUIET_S: Final = 2.0
#: Messages claimed by a process that was killed are another's after half a minute, and is looked for every ten seconds.
CAUGHT_UP_S: Final = 90.0

#: A change of the registry gives a report a further assessment, in the rounds that make one.
_ASSESSED: Final = (
    "SELECT incident_id, count(*), count(DISTINCT revision) FROM assessments"
    " WHERE cause NOT LIKE 'registry/%' GROUP BY incident_id"
)
_ALERTED: Final = "SELECT incident_id, count(DISTINCT alert_id), count(*) FROM alert_log GROUP BY incident_id"


class Account(msgspec.Struct, frozen=True):
    """The fate of the reports of one round.

    ``lost``: accepted, and not assessed, alerted and delivered. ``repeated``: assessed more than once, alerted more
    than once, or delivered under more than one webhook-id. ``redelivered`` came again under the same id, which a
    receiver recognises. ``unsigned``: deliveries whose signature does not hold. ``settled_s``: from the last report to
    the last delivery. ``lag`` (of the consumers, and messages still to be sent): what ``/status`` says in the end;
    ``dead_letters``: how many more it says than before the round. ``died``: processes that ended of their own accord.
    """

    fault: str
    posted: int
    accepted: int
    assessed: int
    alerted: int
    delivered: int
    lost: list[str]
    repeated: list[str]
    redelivered: int
    unsigned: int
    put_off: int
    unanswered: int
    odd: list[str]
    slowest_answer_s: float
    settled_s: float
    fault_s: float
    lag: int
    dead_letters: int
    died: list[str]

    @property
    def holds(self) -> bool:
        """Nothing lost, nothing repeated, no answer but those that are promised, and all is as it was before."""
        amiss = self.lost or self.repeated or self.unsigned or self.odd or self.died or self.lag or self.dead_letters
        return not amiss and self.posted == self.accepted


def delivered_ids(deliveries: Sequence[Delivery]) -> dict[str, Counter[str]]:
    """By incident: how often each webhook-id came and was taken, of a message about it or of one that gathers many."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for delivery in deliveries:
        if 200 <= delivery.status < 300:
            data = delivery.message["data"]
            for alert in data.get("alerts", [data]):
                found[alert["incident_id"]][delivery.id] += 1
    return found


def wait_settled(receiver: Receiver, path: str, expected: set[str], within_s: float) -> float:
    """Seconds until every expected incident was delivered and nothing more came for a while; at most ``within_s``."""
    began = quiet_since = time.monotonic()
    count, complete = -1, False
    while (now := time.monotonic()) - began < within_s:
        deliveries = receiver.received(path)
        if len(deliveries) != count:
            count, quiet_since = len(deliveries), now
            complete = expected <= set(delivered_ids(deliveries))
        if complete and now - quiet_since > QUIET_S:
            return quiet_since - began
        time.sleep(LOOK_S)
    return within_s


def wait_caught_up(cluster: Cluster, dead_before: int, within_s: float) -> tuple[int, int]:
    """The messages still under way, and the dead letters beyond ``dead_before``, once there is neither; at most
    ``within_s`` are waited."""
    deadline = time.monotonic() + within_s
    while True:
        lag, dead = ask_status(cluster)
        if (lag, dead) == (0, dead_before) or time.monotonic() > deadline:
            return lag, dead - dead_before
        time.sleep(LOOK_S)


def ask_status(cluster: Cluster) -> tuple[int, int]:
    """The messages still under way, and the dead letters."""
    status = _read_status(cluster)
    lags = [status["components"][kind].get("lag", 0) for kind in ("rules", "notify")]
    return sum(lags) + status["deliveries"]["backlog"], status["dead_letters"]


def where_under_way(cluster: Cluster) -> str:
    """The consumers, and the messages to be sent, as ``/status`` has them."""
    status = _read_status(cluster)
    return f"{status['components']}, {status['deliveries']}"


def _read_status(cluster: Cluster) -> Any:
    with cluster.client() as client:
        return client.get("/status", headers={"accept": "application/json"}).json()


def counted(cluster: Cluster, statement: str) -> dict[str, tuple[int, int]]:
    with psycopg.connect(cluster.database_uri) as connection:
        return {row[0]: (row[1], row[2]) for row in connection.execute(statement.encode())}


def draw_up(
    fault: str,
    cluster: Cluster,
    receiver: Receiver,
    path: str,
    answers: Answers,
    posted: int,
    dead_before: int,
    times: tuple[float, float],
) -> Account:
    """The account once nothing is under way any more. ``dead_before``: dead letters of earlier rounds. ``times``: how
    long the fault took, and how long settling."""
    lag, dead = wait_caught_up(cluster, dead_before, CAUGHT_UP_S)
    if lag:
        answers.odd.append(f"still under way: {where_under_way(cluster)}")
    assessed, alerted = (
        {incident: found == (1, 1) for incident, found in counted(cluster, statement).items()}
        for statement in (_ASSESSED, _ALERTED)
    )
    died = [service.name for service in cluster.services if not service.running]
    kept = Kept(assessed, alerted, lag, dead)
    return balance(fault, posted, answers, receiver.received(path), kept, died, times)


@dataclass(frozen=True, slots=True)
class Kept:
    """The system's own account once nothing is under way: of each incident assessed, or alerted of, whether that
    was once; the lag of its consumers; its dead letters."""

    assessed: Mapping[str, bool]
    alerted: Mapping[str, bool]
    lag: int
    dead_letters: int


def balance(
    fault: str,
    posted: int,
    answers: Answers,
    deliveries: Sequence[Delivery],
    kept: Kept,
    died: list[str],
    times: tuple[float, float],
) -> Account:
    """Hold the accepted reports against what became of them."""
    told = delivered_ids(deliveries)
    accepted = {incident: external for external, incident in answers.accepted.items()}
    done = [set(kept.assessed), set(kept.alerted), set(told)]
    return Account(
        fault=fault,
        posted=posted,
        accepted=len(accepted),
        assessed=len(done[0] & accepted.keys()),
        alerted=len(done[1] & accepted.keys()),
        delivered=len(done[2] & accepted.keys()),
        lost=sorted(accepted[i] for i in accepted.keys() - set.intersection(*done)),
        repeated=sorted(
            external
            for i, external in accepted.items()
            if not (kept.assessed.get(i, True) and kept.alerted.get(i, True)) or len(told.get(i, ())) > 1
        ),
        redelivered=sum(sum(ids.values()) - len(ids) for ids in told.values()),
        unsigned=sum(delivery.signed is not True for delivery in deliveries),
        put_off=answers.put_off,
        unanswered=answers.unanswered,
        odd=answers.odd[:20],
        slowest_answer_s=round(answers.slowest_s, 2),
        fault_s=round(times[0], 1),
        lag=kept.lag,
        dead_letters=kept.dead_letters,
        died=died,
        settled_s=round(times[1], 1),
    )

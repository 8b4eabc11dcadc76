"""The pipeline's decisions about one alert for each subscription that it concerns, with the message to be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from schemas.assessments import Alert
from schemas.vocabulary import AlertStatus
from services.notify.decisions.groups import WaitingAlert, net_status
from services.notify.domain.grouping import is_gathered, read_group
from services.notify.domain.identity import alert_message_id
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.pipeline import AlertCase, decide
from services.notify.domain.silence import Silence
from services.notify.domain.subscription import Email, Subscription
from services.notify.kinds.alert import ALERT
from services.notify.kinds.kind import Job
from services.notify.render.mime import alert_mail_id

#: A group of alerts: the subscription, and what its alerts have in common as canonical JSON.
GroupName = tuple[str, str]


@dataclass(frozen=True, slots=True)
class AlertAction:
    """The action taken on an alert for a subscription. ``state`` and ``job`` are of a message of its own; ``ahead``:
    that of an earlier revision, which waited to be gathered and does no more (``frees``). ``change``: the change of the
    registry whose other alerts it waits for."""

    action: Literal["send", "gather", "silence"]
    subscription: Subscription
    due: int
    state: DeliveryState = "pending"
    job: Job | None = None
    group: str | None = None
    silence: str | None = None
    change: int | None = None
    ahead: Job | None = None
    frees: bool = False


@dataclass(frozen=True, slots=True)
class Concerned:
    """The subscriptions that a revision of an alert may be for, and the silences in force that it meets, at ``now``.

    ``is_matched``: the filters of those that were not told of it before let it pass; else that is still to be seen.
    """

    alert: Alert
    now: int
    subscriptions: Sequence[Subscription]
    silences: tuple[Silence, ...] = ()
    is_matched: bool = False


def decide_alert(
    concerned: Concerned,
    told: Mapping[str, int],
    waiting: Mapping[str, WaitingAlert],
    last_sent: Mapping[GroupName, int],
    mail_domain: str,
) -> list[AlertAction]:
    """The actions for one revision of an alert. ``told``: the newest revision that each subscription was told of, or
    waits to be; ``waiting``: what waits to be gathered; ``last_sent``: when each group last went out; ``mail_domain``:
    the one that our mail comes from."""
    alert, found = concerned.alert, list[AlertAction]()
    for subscription in concerned.subscriptions:
        group = group_of(subscription, alert)
        case = AlertCase(
            alert,
            subscription,
            concerned.now,
            told.get(subscription.id, 0),
            concerned.silences,
            None if group is None else last_sent.get((subscription.id, group)),
            concerned.is_matched,
        )
        action = _act(case, group, waiting.get(subscription.id), mail_domain)
        if action is not None:
            found.append(action)
    return found


def group_of(subscription: Subscription, alert: Alert) -> str | None:
    """The group that an alert falls into, where the subscription gathers alerts."""
    return name_group(subscription, alert) if is_gathered(subscription.draft) else None


def name_group(subscription: Subscription, alert: Alert) -> str:
    """The values that an alert shares with the others of its group, as canonical JSON."""
    return msgspec.json.encode(read_group(subscription.draft.group_by, alert), order="sorted").decode()


def find_intervals(concerned: Concerned) -> list[GroupName]:
    """The groups of the alert whose next message depends on when the one before went out."""
    gathering = (s for s in concerned.subscriptions if s.draft.group_by and s.draft.mode == "immediate")
    return [(s.id, name_group(s, concerned.alert)) for s in gathering]


def _act(case: AlertCase, group: str | None, waiting: WaitingAlert | None, mail_domain: str) -> AlertAction | None:
    decision, subscription, alert = decide(case), case.subscription, case.alert
    match decision.action:
        case "skip":
            return None
        case "gather" if decision.change is not None:
            return AlertAction("gather", subscription, decision.due, change=decision.change)
        case "gather":
            return AlertAction("gather", subscription, decision.due, group=group)
        case "silence":
            return AlertAction("silence", subscription, decision.due, silence=decision.silence)
        case "send":
            state: DeliveryState = "pending" if subscription.state in SENT_TO else "held"
            job = make_job(subscription, alert.id, alert.revision, decision.status, case.now, mail_domain)
            if waiting is None:
                return AlertAction("send", subscription, decision.due, state, job)
            ahead = tell_apart(subscription, waiting, case.now, mail_domain)
            return AlertAction("send", subscription, decision.due, state, job, ahead=ahead, frees=True)


def tell_apart(subscription: Subscription, waiting: WaitingAlert, now: int, mail_domain: str) -> Job | None:
    """The message of its own of an alert that waited to be gathered; None where there is nothing to be told."""
    if not is_news(waiting):
        return None
    return make_job(subscription, waiting.alert, waiting.revision, net_status(waiting), now, mail_domain)


def is_news(waiting: WaitingAlert) -> bool:
    """Nobody hears the end of what they never heard begin."""
    return waiting.told_before or waiting.status != "cancelled"


def make_job(
    subscription: Subscription, alert: str, revision: int, status: AlertStatus, now: int, mail_domain: str
) -> Job:
    """The message about one revision of an alert, with the Message-ID that it goes out under where it is mail."""
    is_mail, target = isinstance(subscription.draft.channel, Email), subscription.target
    return Job(
        id=alert_message_id(subscription.id, alert, revision),
        subscription=subscription.id,
        kind=ALERT,
        created_at=now,
        alert=alert,
        revision=revision,
        status=status,
        mail_id=alert_mail_id(alert, revision, target, mail_domain) if is_mail else None,
    )

"""The pipeline's decisions about one alert for each subscription that it concerns, with the message to be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from schemas.assessments import Alert
from services.notify.domain.grouping import is_gathered, read_group
from services.notify.domain.identity import alert_message_id
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.pipeline import AlertCase, decide
from services.notify.domain.silence import Silence
from services.notify.domain.subscription import Email, Subscription
from services.notify.kinds.alert import ALERT
from services.notify.kinds.kind import Job
from services.notify.render.mime import alert_mail_ids

#: A group of alerts: the subscription, and what its alerts have in common as canonical JSON.
GroupName = tuple[str, str]


@dataclass(frozen=True, slots=True)
class AlertAction:
    """The action taken on an alert for a subscription. ``state`` and ``job`` are of a message of its own."""

    action: Literal["send", "gather", "silence"]
    subscription: Subscription
    due: int
    state: DeliveryState = "pending"
    job: Job | None = None
    group: str | None = None
    silence: str | None = None


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
    concerned: Concerned, told: Mapping[str, int], last_sent: Mapping[GroupName, int], mail_domain: str
) -> list[AlertAction]:
    """The actions for one revision of an alert. ``told``: the newest revision that each subscription was told of, or
    waits to be; ``last_sent``: when each group last went out; ``mail_domain``: the one that our mail comes from."""
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
        action = _act(case, group, mail_domain)
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


def _act(case: AlertCase, group: str | None, mail_domain: str) -> AlertAction | None:
    decision, subscription = decide(case), case.subscription
    match decision.action:
        case "skip":
            return None
        case "gather":
            return AlertAction("gather", subscription, decision.due, group=group)
        case "silence":
            return AlertAction("silence", subscription, decision.due, silence=decision.silence)
        case "send":
            job = Job(
                id=alert_message_id(subscription.id, case.alert.id, case.alert.revision),
                subscription=subscription.id,
                kind=ALERT,
                created_at=case.now,
                alert=case.alert.id,
                revision=case.alert.revision,
                status=decision.status,
                mail_id=_mail_id(case, mail_domain),
            )
            state: DeliveryState = "pending" if subscription.state in SENT_TO else "held"
            return AlertAction("send", subscription, decision.due, state, job)


def _mail_id(case: AlertCase, domain: str) -> str | None:
    """The Message-ID that the alert will go out under, where it goes by mail."""
    if not isinstance(case.subscription.draft.channel, Email):
        return None
    return alert_mail_ids(case.alert, case.subscription.target, domain)[0]

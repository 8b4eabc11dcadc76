"""The content of ``/status``, composed from each service's report on itself. Source: the contract, "Operators".

Pure: the parts come in as plain mappings, so that it does not matter whether they were asked in this process or read
from the ``service-status`` topic.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from schemas.wording.words import Words, words

State = Literal["ok", "degraded", "down"]
SERVICES: Final = ("ingest", "rules", "notify")

#: A report without an assessment for this long needs attention, seconds.
LATE_S: Final = 60.0
#: From this share of failed attempts on, delivery as a whole is in question.
FAILING: Final = 0.5
#: How many failing subscriptions are named among what needs attention.
NAMED: Final = 5
#: How many truces the status names at most, those that end soonest first.
MOST_TRUCES: Final = 100


class Component(msgspec.Struct, frozen=True, omit_defaults=True):
    """``lag`` is in events on the log not yet worked off; ``detail`` says why where the state is not ok."""

    state: State
    lag: int | msgspec.UnsetType = msgspec.UNSET
    detail: str = ""


class Components(msgspec.Struct, frozen=True):
    ingest: Component
    rules: Component
    notify: Component
    bus: Component
    database: Component


class Deliveries(msgspec.Struct, frozen=True):
    """``failure_rate`` is the share, 0 to 1, of recent attempts that failed; null where there was no attempt."""

    backlog: int = 0
    failure_rate: float | None = None
    disabled_endpoints: int = 0


class FailingSubscription(msgspec.Struct, frozen=True):
    """One subscription that does not get what it asked for. ``since`` RFC 3339 UTC, null where it is not known;
    ``reason`` says no more than that an answer or a failure of which kind came."""

    id: str
    name: str
    since: str | None
    reason: str


class Subscriptions(msgspec.Struct, frozen=True):
    """``failing``: the longest first, at most a hundred, those that are disabled or held among them."""

    active: int = 0
    failing: tuple[FailingSubscription, ...] = ()
    disabled: int = 0


class MailStatus(msgspec.Struct, frozen=True):
    """``off``: there is no relay, and nobody asked for mail. ``degraded``: somebody did, or the relay does not take
    it."""

    state: Literal["ok", "degraded", "off"] = "off"
    detail: str = ""


class Silences(msgspec.Struct, frozen=True):
    active: int = 0


class Review(msgspec.Struct, frozen=True):
    """``open``: incidents whose assessment is to be reviewed (docs/judgement.md)."""

    open: int = 0


class ReassessmentCounts(msgspec.Struct, frozen=True):
    running: int = 0


class FailingAdapter(msgspec.Struct, frozen=True):
    """An adapter whose source is not read, or has been silent for longer than is usual. ``since`` RFC 3339 UTC."""

    id: str
    since: str | None
    reason: str


class Adapters(msgspec.Struct, frozen=True):
    """``failing``: the longest first, at most a hundred."""

    active: int = 0
    failing: tuple[FailingAdapter, ...] = ()


class TruceNow(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """One truce in force: the stretch that holds now, RFC 3339 UTC, ``to`` null when open."""

    id: str
    name: dict[str, str]
    start: str
    end: str | None
    disputed: bool = False
    timezone: str = "UTC"


class Truces(msgspec.Struct, frozen=True):
    """``ending_next`` are those of ``in_force`` that have an end, the soonest first."""

    in_force: tuple[TruceNow, ...] = ()
    ending_next: tuple[TruceNow, ...] = ()


class Status(msgspec.Struct, frozen=True):
    """The whole answer. ``last_heartbeat`` is RFC 3339 UTC; null where no subscription asks for heartbeats.
    ``last_report_at``: when the last report was taken in; null before the first."""

    status: State
    version: str
    components: Components
    oldest_unassessed_s: float | None
    last_report_at: str | None
    deliveries: Deliveries
    subscriptions: Subscriptions
    mail: MailStatus
    silences: Silences
    review: Review
    reassessments: ReassessmentCounts
    adapters: Adapters
    dead_letters: int
    truces: Truces
    last_heartbeat: str | None


class Said(msgspec.Struct, frozen=True):
    """The report of a service on itself. Every field is optional: each service knows its own part, and what it adds
    beyond these is not ours to show."""

    state: State = "ok"
    detail: str = ""
    lag: int | None = None
    oldest_unassessed_s: float | None = None
    backlog: int = 0
    failure_rate: float | None = None
    disabled_endpoints: int = 0
    truces: Truces = Truces()
    last_heartbeat: str | None = None
    missed_heartbeats: int = 0
    last_report_at: str | None = None
    subscriptions: Subscriptions = Subscriptions()
    mail: MailStatus = MailStatus()
    silences: Silences = Silences()
    review: Review = Review()
    reassessments: ReassessmentCounts = ReassessmentCounts()
    adapters: Adapters = Adapters()


def compose_status(
    parts: Mapping[str, Mapping[str, Any]],
    *,
    version: str,
    bus: bool,
    database: bool,
    dead_letters: int,
) -> Status:
    """The status from ``parts`` by service name; a service that is silent is down.

    ``down``: alerts cannot flow, since a component is down. ``degraded``: they flow, and something needs attention
    (:func:`explain` says what). Raises msgspec.ValidationError for a part that says what cannot be.
    """
    said = {name: msgspec.convert(dict(parts[name]), Said) for name in SERVICES if name in parts}
    components = Components(
        **{name: _component(said.get(name), lagging=name != "ingest") for name in SERVICES},
        bus=_answering(bus, "the log does not answer"),
        database=_answering(database, "the database does not answer"),
    )
    rules, notify = said.get("rules", Said()), said.get("notify", Said())
    status = Status(
        status="ok",
        version=version,
        components=components,
        oldest_unassessed_s=_oldest(said),
        last_report_at=said.get("ingest", Said()).last_report_at,
        deliveries=Deliveries(notify.backlog, notify.failure_rate, notify.disabled_endpoints),
        subscriptions=notify.subscriptions,
        mail=notify.mail,
        silences=notify.silences,
        review=rules.review,
        reassessments=rules.reassessments,
        adapters=said.get("ingest", Said()).adapters,
        dead_letters=dead_letters,
        truces=Truces(rules.truces.in_force[:MOST_TRUCES], rules.truces.ending_next[:MOST_TRUCES]),
        last_heartbeat=notify.last_heartbeat,
    )
    return msgspec.structs.replace(status, status=_overall(status))


def by_name(components: Components) -> list[tuple[str, Component]]:
    """The components in the order in which a report passes them."""
    return [(name, getattr(components, name)) for name in components.__struct_fields__]


def explain(status: Status, say: Words) -> list[str]:
    """The things that need attention, in words, the gravest first; empty when all is well."""
    reasons = [
        _component_worry(name, component, say)
        for wanted in ("down", "degraded")
        for name, component in by_name(status.components)
        if component.state == wanted
    ]
    return reasons + _worries(status, say)


def _component_worry(name: str, component: Component, say: Words) -> str:
    state = say.name("state", component.state)
    if not component.detail:
        return say.say("worry.component", name=say.foreign(name), state=state)
    detail = say.foreign(component.detail)
    return say.say("worry.component_detail", name=say.foreign(name), state=state, detail=detail)


def _worries(status: Status, say: Words) -> list[str]:
    worries = []
    if status.oldest_unassessed_s is not None and status.oldest_unassessed_s > LATE_S:
        worries.append(say.say("worry.waited", seconds=say.number(round(status.oldest_unassessed_s))))
    if status.deliveries.failure_rate is not None and status.deliveries.failure_rate >= FAILING:
        worries.append(say.say("worry.failed", share=say.percent(round(status.deliveries.failure_rate, 2))))
    worries += [
        say.say(
            "worry.subscription", name=say.foreign(one.name), id=say.foreign(one.id), reason=say.foreign(one.reason)
        )
        for one in status.subscriptions.failing[:NAMED]
    ]
    if (more := len(status.subscriptions.failing) - NAMED) > 0:
        worries.append(say.count("worry.more", more))
    worries += [
        say.say("worry.adapter", id=say.foreign(one.id), reason=say.foreign(one.reason))
        for one in status.adapters.failing[:NAMED]
    ]
    if status.mail.state == "degraded":
        worries.append(say.say("worry.mail", detail=say.foreign(status.mail.detail)))
    if status.review.open:
        worries.append(say.count("worry.review", status.review.open))
    if status.dead_letters:
        worries.append(say.count("worry.dead_letters", status.dead_letters))
    return worries


def _overall(status: Status) -> State:
    states = [component.state for _, component in by_name(status.components)]
    if "down" in states:
        return "down"
    return "degraded" if "degraded" in states or _worries(status, words("en")) else "ok"


def _oldest(said: Mapping[str, Said]) -> float | None:
    """The oldest of all services; None where no report waits."""
    return max((s.oldest_unassessed_s for s in said.values() if s.oldest_unassessed_s is not None), default=None)


def _component(said: Said | None, *, lagging: bool) -> Component:
    """Ingest stands at the head of the flow: what it follows of the others keeps no report waiting, so no lag is
    shown of it."""
    if said is None:
        return Component("down", detail="silent")
    return Component(said.state, said.lag if lagging and said.lag is not None else msgspec.UNSET, _detail(said))


def _detail(said: Said) -> str:
    missed = f"{said.missed_heartbeats} subscriptions did not get their heartbeat" if said.missed_heartbeats else ""
    return "; ".join(part for part in (said.detail, missed) if part)


def _answering(answers: bool, otherwise: str) -> Component:
    return Component("ok") if answers else Component("down", detail=otherwise)

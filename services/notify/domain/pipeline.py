"""The way of one alert for one subscription: match → silence → quiet hours → group → dedup → send → record.

Each stage is a function of an :class:`AlertCase` that says whether the alert goes on, and why. :func:`decide` runs them
in order and stops at the first that holds it back; what :mod:`services.notify.sending.dispatch` then sends is recorded
attempt by attempt. Delivery, the trace and the backtest all run it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from schemas.assessments import Alert
from schemas.instants import format_instant
from schemas.vocabulary import AlertStatus
from services.notify.domain.grouping import CHANGE_WAIT, awaited_change, due_at, is_gathered
from services.notify.domain.lifecycle import SENT_TO
from services.notify.domain.matching import find_mismatch
from services.notify.domain.quiet import breaks_through, quiet_until
from services.notify.domain.silence import Silence
from services.notify.domain.subscription import Subscription

StepName = Literal["match", "silence", "quiet_hours", "group", "dedup", "send", "record"]


class TraceStep(msgspec.Struct, frozen=True):
    """One stage's word: whether it let the alert pass, and why, for a person to read."""

    step: StepName
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class AlertCase:
    """One revision of an alert before one subscription, at ``now``.

    ``told``: the newest revision that its owner was told of, 0 for none; ``silences``: those in force that the alert
    meets; ``last_sent``: when its group last went out. ``is_matched``: the index of all filters let the alert pass.
    """

    alert: Alert
    subscription: Subscription
    now: int
    told: int = 0
    silences: tuple[Silence, ...] = ()
    last_sent: int | None = None
    is_matched: bool = False

    @property
    def change(self) -> int | None:
        """The change of the registry whose other alerts it waits for."""
        return awaited_change(self.subscription.draft, self.alert)


@dataclass(frozen=True, slots=True)
class Decision:
    """``action``: ``send`` a message of its own at ``due``, ``gather`` it into one due then, ``silence`` it until
    then, or ``skip`` it. ``status`` is what the recipient is told that it is; ``silence`` is which one holds it;
    ``change``: it is gathered with the others of this change of the registry, which are due earlier if all are there.
    """

    action: Literal["send", "gather", "silence", "skip"]
    steps: tuple[TraceStep, ...]
    due: int = 0
    status: AlertStatus = "raised"
    silence: str | None = None
    change: int | None = None


def match(case: AlertCase) -> TraceStep:
    """The recipient of an alert gets what follows, also if the filter would now keep it out."""
    if case.told:
        return _TOLD_BEFORE
    if case.is_matched:
        return _MATCHES
    if not case.subscription.is_matched:
        return TraceStep("match", False, f"the subscription is {case.subscription.state}")
    mismatch = find_mismatch(case.subscription.draft.filter, case.alert)
    return _MATCHES if mismatch is None else TraceStep("match", False, mismatch)


def silence(case: AlertCase) -> TraceStep:
    """A silence holds back an alert that its recipient has not heard of."""
    if case.told or not case.silences:
        return _NOT_SILENCED
    found = _last_silence(case)
    if found is None:
        return _NOT_SILENCED
    return TraceStep(
        "silence", False, f"held by silence {found.id} until {format_instant(found.ends_at)}: {found.reason}"
    )


def quiet_hours(case: AlertCase) -> TraceStep:
    """Quiet hours never drop: they move the hour of sending."""
    until = _quiet_end(case)
    if until is None:
        return _NOT_QUIET
    return TraceStep("quiet_hours", True, f"held until the quiet hours end at {format_instant(until)}")


def group(case: AlertCase) -> TraceStep:
    if case.change is not None:
        latest = format_instant(case.now + CHANGE_WAIT)
        return TraceStep("group", True, f"waits for the others of the same change of the registry, at most to {latest}")
    if not is_gathered(case.subscription.draft):
        return _ALONE
    due = due_at(case.subscription.draft, case.now, case.last_sent)
    return TraceStep("group", True, f"gathered into the message due at {format_instant(due)}")


def dedup(case: AlertCase) -> TraceStep:
    """Nobody hears a revision twice, and nobody hears the end of what they never heard begin."""
    if case.told >= case.alert.revision:
        return TraceStep("dedup", False, f"told already, up to revision {case.told}")
    if case.alert.status == "cancelled" and not case.told:
        return TraceStep("dedup", False, "cancelled before anything was said of it")
    return _NEWS


def send(case: AlertCase) -> TraceStep:
    state = case.subscription.state
    return _SENDABLE if state in SENT_TO else TraceStep("send", True, f"held while the endpoint is {state}")


STAGES: Final[tuple[Callable[[AlertCase], TraceStep], ...]] = (match, silence, quiet_hours, group, dedup, send)


def decide(case: AlertCase) -> Decision:
    """Run the alert through the stages, to the first that does not let it pass."""
    steps: list[TraceStep] = []
    for stage in STAGES:
        steps.append(stage(case))
        if not steps[-1].passed:
            return _stopped(case, tuple(steps))
    quiet_end = _quiet_end(case) or case.now
    status = case.alert.status if case.told or case.alert.status == "cancelled" else "raised"
    if case.change is not None:
        return Decision("gather", tuple(steps), case.now + CHANGE_WAIT, status, change=case.change)
    if is_gathered(case.subscription.draft):
        due = max(due_at(case.subscription.draft, case.now, case.last_sent), quiet_end)
        return Decision("gather", tuple(steps), due, status)
    return Decision("send", tuple(steps), quiet_end, status)


def _stopped(case: AlertCase, steps: tuple[TraceStep, ...]) -> Decision:
    found = _last_silence(case) if steps[-1].step == "silence" else None
    if found is None or case.alert.status == "cancelled":
        return Decision("skip", steps)
    return Decision("silence", steps, found.ends_at, silence=found.id)


def _last_silence(case: AlertCase) -> Silence | None:
    """Of the silences that hold the alert back now, the one that ends last."""
    found = [s for s in case.silences if s.owner in (None, case.subscription.owner)]
    return max(found, key=lambda s: s.ends_at, default=None)


def _quiet_end(case: AlertCase) -> int | None:
    quiet = case.subscription.draft.quiet_hours
    if quiet is None or breaks_through(quiet, case.alert.severity):
        return None
    return quiet_until(quiet, case.now)


_MATCHES: Final = TraceStep("match", True, "every field of the filter lets it pass")
_TOLD_BEFORE: Final = TraceStep("match", True, "its owner was told of this alert before, so what follows is told too")
_NOT_SILENCED: Final = TraceStep("silence", True, "no silence holds it back")
_NOT_QUIET: Final = TraceStep("quiet_hours", True, "not within quiet hours")
_ALONE: Final = TraceStep("group", True, "sent by itself")
_NEWS: Final = TraceStep("dedup", True, "not told yet")
_SENDABLE: Final = TraceStep("send", True, "handed to the sender")

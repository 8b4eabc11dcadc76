"""Why somebody got an alert, or did not."""

from collections.abc import Sequence
from typing import Final

from schemas.instants import format_instant
from services.notify.domain.pipeline import AlertCase, TraceStep, decide
from services.notify.domain.silence import Silence, find_silences
from services.notify.domain.subscription import Subscription
from services.notify.use_cases.history import Delivered
from services.notify.use_cases.take_alerts import Logged
from services.platform.turns import Turns


async def trace_alert(
    revisions: Sequence[Logged],
    subscription: Subscription,
    silences: Sequence[Silence],
    deliveries: Sequence[Delivered],
) -> list[TraceStep]:
    """The steps of the pipeline for one alert, to the first that did not let it pass.

    They are those of the first revision that got through, of the newest where none did. Filters are read as they are
    today; what was really sent has the last word. ``deliveries``: the messages that told of the alert.
    """
    steps = _before_matching(revisions[-1], subscription)
    if steps is None:
        steps = await _first_passed(revisions, subscription, silences)
    if deliveries:
        steps = [step if step.passed else _overruled(step) for step in steps]
    return [*steps, _record(deliveries)] if all(step.passed for step in steps) else steps


def trace_revision(
    entry: Logged,
    subscription: Subscription,
    silences: Sequence[Silence],
    told: int,
    deliveries: Sequence[Delivered],
) -> list[TraceStep]:
    """The steps of one revision of an alert. ``told``: the newest revision before it that the subscription was told of,
    0 for none; ``deliveries``: the messages that told of this revision, or of a later one in its place."""
    steps = None if told else _before_matching(entry, subscription)
    if steps is None:
        found = find_silences(silences, entry.alert, entry.recorded_at)
        steps = list(decide(AlertCase(entry.alert, subscription, entry.recorded_at, told, found)).steps)
    if deliveries:
        steps = [step if step.passed else _overruled(step) for step in steps]
    return [*steps, _record(deliveries)] if all(step.passed for step in steps) else steps


#: The steps of a report that raised no alert.
NOT_RAISED: Final = (
    TraceStep(
        "match",
        False,
        "the incident was judged and raised no alert; GET /v1/incidents/{id}/explain says why it did not",
    ),
)


async def _first_passed(
    revisions: Sequence[Logged], subscription: Subscription, silences: Sequence[Silence]
) -> list[TraceStep]:
    """The steps of the first revision that got through, of the newest where none did."""
    turns, steps = Turns(), list[TraceStep]()
    for entry in revisions:
        found = find_silences(silences, entry.alert, entry.recorded_at)
        decision = decide(AlertCase(entry.alert, subscription, entry.recorded_at, 0, found))
        steps = list(decision.steps)
        if decision.action in ("send", "gather"):
            break
        await turns.give()
    return steps


def _before_matching(entry: Logged, subscription: Subscription) -> list[TraceStep] | None:
    """The reason why a subscription is not looked at; None where there is none."""
    proved = subscription.proved_at
    if proved is None:
        return [TraceStep("match", False, "the subscription has not been proved")]
    if entry.recorded_at < proved:
        when = f"proved at {format_instant(proved)}, after the alert of {format_instant(entry.recorded_at)}"
        return [TraceStep("match", False, f"the subscription was {when}")]
    if not subscription.is_matched:
        return [TraceStep("match", False, f"the subscription is {subscription.state}")]
    return None


def _overruled(step: TraceStep) -> TraceStep:
    return TraceStep(step.step, True, f"it passed when it was decided; as things are today: {step.reason}")


def _record(deliveries: Sequence[Delivered]) -> TraceStep:
    """The fate of the messages, in words: of the first one, which decides whether the reader heard of it."""
    if not deliveries:
        return TraceStep("record", False, "waits to be gathered, or for quiet hours to end; no message was made yet")
    first = deliveries[0]
    last = first.attempts[-1] if first.attempts else None
    told = f"attempt {last.number}: {last.reason}" if last else "not attempted yet"
    if first.state == "delivered":
        return TraceStep("record", True, f"delivered by {told}")
    if first.state == "pending" and first.due_at is not None:
        return TraceStep("record", False, f"{told}; the next attempt is due at {format_instant(first.due_at)}")
    return TraceStep("record", False, f"{first.state}: {told}")

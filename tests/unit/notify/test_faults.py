"""Faults raised at every await of the sender: that message has a recorded failure, and everything else goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from services.notify.decisions.attempts import Outcome, endpoint_event
from services.notify.domain.delivery import RETRY_DELAYS_S, AttemptAnswer, Judgement, parse_retry_after
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.kinds.alert import ALERT
from services.notify.kinds.challenge import echoes
from services.notify.kinds.kind import Job
from services.notify.sending.dispatch import Dispatcher
from services.notify.sending.recorder import AttemptResult
from tests.fakes import DrivenClock

ERRORS = [
    Exception("secret"), OverflowError("secret"), RecursionError("secret"), ValueError("secret"),
    asyncio.CancelledError("secret"),
]  # fmt: skip
SUBSCRIPTION = Subscription(
    id="s1", owner="desk", draft=Draft(name="desk", channel=Webhook("https://example.org/hook")), state="active",
    created_at=0,
)  # fmt: skip
POISON = "m1"


@dataclass
class Sending:
    """The collaborators of a dispatcher. The one named ``at`` raises ``error`` whenever the poison is among what it is
    given, ``times`` times."""

    at: str
    error: BaseException
    times: int = 1
    outcomes: list[Outcome] = field(default_factory=list)
    noted: list[AttemptResult] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    async def attempt(self, job: Job, subscription: Subscription) -> tuple[AttemptAnswer, Judgement]:
        self._meet("attempt", [job])
        self.sent.append(job.id)
        return AttemptAnswer("webhook", 1, status=200, excerpt=b"fine"), Judgement("delivered", "answered 200")

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        self._meet("record", [outcome.job for outcome in outcomes])
        self.outcomes += outcomes

    async def observe(self, batch: Sequence[AttemptResult]) -> None:
        self._meet("observe", [noted.outcome.job for noted in batch])
        self.noted += batch

    def on_fault(self, part: str, _error: BaseException) -> None:
        self.faults.append(part)

    def _meet(self, place: str, jobs: Sequence[Job]) -> None:
        if place == self.at and self.times and any(job.id == POISON for job in jobs):
            self.times -= 1
            raise self.error


def dispatcher_of(sending: Sending, clock: DrivenClock) -> Dispatcher:
    return Dispatcher(
        sending, sending, {"s1": SUBSCRIPTION}.get, clock, lambda: 0.0, sending.observe, on_fault=sending.on_fault
    )


def job(id: str, alert: str, revision: int) -> Job:
    return Job(id, "s1", ALERT, 0, alert=alert, revision=revision)


async def run(sending: Sending) -> dict[str, Outcome]:
    """Offer the poison, a later revision of its alert, and another alert; what was recorded last of each."""
    dispatcher = dispatcher_of(sending, DrivenClock())
    dispatcher.offer([job(POISON, "a1", 1), job("m2", "a1", 2), job("m3", "a2", 1)])
    async with asyncio.timeout(60):
        await dispatcher.idle()
    assert dispatcher.size == 0
    assert not dispatcher.holds(POISON)
    # The next one is handled as well.
    dispatcher.offer([job("m4", "a3", 1)])
    async with asyncio.timeout(60):
        await dispatcher.idle()
    await dispatcher.stop()
    return {outcome.job.id: outcome for outcome in sending.outcomes}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_an_attempt_that_raises_is_a_failed_attempt_and_the_others_go_on(error: BaseException) -> None:
    sending = Sending("attempt", error)
    found = await run(sending)
    poison = found[POISON]
    assert (poison.state, poison.failures) == ("pending", 1)
    assert poison.due_at is not None
    assert poison.answer is not None
    assert poison.answer.failure == "internal"
    assert poison.reason == f"not sent: an internal error ({type(error).__name__})"
    assert "secret" not in repr(poison)
    assert found["m2"].state == "pending"  # put back until the earlier revision is decided
    assert (found["m3"].state, found["m4"].state) == ("delivered", "delivered")
    assert sending.faults == ["attempt"]
    assert [n.judgement.meaning for n in sending.noted if n.outcome.job.id == POISON and n.judgement] == ["retry"]
    assert endpoint_event(SUBSCRIPTION, poison, Judgement("retry", "")) is None


async def test_an_attempt_that_always_raises_ends_as_failed_and_later_revisions_go_on() -> None:
    clock, sending = DrivenClock(), Sending("attempt", OverflowError("secret"), times=1_000)
    dispatcher, next_job = dispatcher_of(sending, clock), job(POISON, "a1", 1)
    for attempt in range(len(RETRY_DELAYS_S)):
        dispatcher.offer([next_job, job("m2", "a1", 2)] if attempt == len(RETRY_DELAYS_S) - 1 else [next_job])
        async with asyncio.timeout(60):
            await dispatcher.idle()
        last = [outcome for outcome in sending.outcomes if outcome.job.id == POISON][-1]
        next_job = Job(POISON, "s1", ALERT, 0, alert="a1", revision=1, failures=last.failures)
    assert last.state == "failed"
    assert sending.outcomes[-1].job.id == "m2"
    assert sending.outcomes[-1].state == "delivered"
    await dispatcher.stop()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_an_outcome_that_cannot_be_recorded_stops_no_other(error: BaseException, times: int) -> None:
    sending = Sending("record", error, times=times)
    found = await run(sending)
    assert {found[id].state for id in ("m2", "m3", "m4")} == {"delivered"}
    if times == 1:
        assert (found[POISON].state, sending.faults) == ("delivered", [])
    elif times == 2:
        assert found[POISON].state == "delivered"
        assert found[POISON].reason == f"recorded without its details: an internal error ({type(error).__name__})"
        assert sending.faults == ["record attempts"]
    else:
        assert POISON not in found  # it stays claimed, and is queued again as stranded
        assert sending.faults == ["record attempts"] * 2
    assert sending.sent.count(POISON) == 1


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_recording_goes_on_when_what_follows_from_attempts_raises(error: BaseException) -> None:
    sending = Sending("observe", error)
    found = await run(sending)
    assert {outcome.state for outcome in found.values()} == {"delivered"}
    assert sending.faults == ["follow attempts"]


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 01 Jan 99999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2016 00:00:00 +99999999999999999",
        "Mon, 99 Jan 2016 99:99:99 GMT",
        "[" * 1_024,
    ],
)
def test_an_absurd_retry_after_asks_for_nothing(text: str) -> None:
    assert parse_retry_after(text, 0) in (None, 0)


def test_an_answer_nested_too_deep_does_not_echo_the_challenge() -> None:
    assert not echoes("c", b"[" * 1_024)

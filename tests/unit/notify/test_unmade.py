"""A message that cannot be made yet, since what it is made from cannot be read: nothing is sent, nothing is lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.instants import SECOND
from services.notify.decisions.attempts import Outcome
from services.notify.domain.delivery import AttemptAnswer, Judgement
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.kinds.alert import ALERT
from services.notify.kinds.kind import Job
from services.notify.sending.dispatch import LATER_S, Dispatcher
from services.notify.sending.recorder import AttemptResult
from services.platform.failures import RetryLaterError
from tests.fakes import DrivenClock

SUBSCRIPTION = Subscription(
    id="s1",
    owner="desk",
    draft=Draft(name="desk", channel=Webhook("https://example.org/hook")),
    state="active",
    created_at=0,
)


@dataclass
class FailingCourier:
    """Cannot make a message while the database is away."""

    away: bool = True

    async def attempt(self, job: Job, subscription: Subscription) -> tuple[AttemptAnswer, Judgement]:
        if self.away:
            raise RetryLaterError("database: away")
        return AttemptAnswer("webhook", 1, status=200), Judgement("delivered", "answered 200")


@dataclass
class Queue:
    outcomes: list[Outcome] = field(default_factory=list)

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes


async def observe(_batch: Sequence[AttemptResult]) -> None:
    return None


async def test_it_goes_back_to_the_table_and_its_lane_goes_on() -> None:
    clock, courier, queue = DrivenClock(), FailingCourier(), Queue()
    dispatcher = Dispatcher(courier, queue, {"s1": SUBSCRIPTION}.get, clock, lambda: 0.0, observe)
    job = Job("m1", "s1", ALERT, 0, alert="a1", revision=1)
    dispatcher.offer([job])
    assert dispatcher.holds("m1")
    async with asyncio.timeout(60):
        await dispatcher.idle()
    (outcome,) = queue.outcomes
    assert (outcome.state, outcome.due_at, outcome.failures) == ("pending", clock.now() + LATER_S * SECOND, 0)
    assert outcome.answer is None
    assert (dispatcher.size, dispatcher.holds("m1")) == (0, False)
    courier.away = False
    dispatcher.offer([job])
    async with asyncio.timeout(60):
        await dispatcher.idle()
    assert queue.outcomes[-1].state == "delivered"
    await dispatcher.stop()

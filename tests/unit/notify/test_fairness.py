"""Endpoints of one owner that hang, however many, keep no other owner waiting. Steps of the loop decide, no clock."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.decisions.attempts import Outcome
from services.notify.domain.delivery import AttemptAnswer, Judgement
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.kinds.alert import ALERT
from services.notify.kinds.kind import Job
from services.notify.kinds.test import TEST
from services.notify.sending.dispatch import IN_FLIGHT, MOST, PROMPT, Dispatcher
from services.notify.sending.fair_queue import SPARE, FairQueue
from services.notify.sending.lane import Lane
from services.notify.sending.recorder import AttemptResult
from tests.driven_loop import driven
from tests.fakes import DrivenClock

#: Steps of the event loop within which attempts are to be begun; no timer fires in them.
STEPS = 50


class Endpoints:
    """Those of owners named ``hang…`` never answer, the others at once."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    async def attempt(self, job: Job, subscription: Subscription) -> tuple[AttemptAnswer, Judgement]:
        self.begun[subscription.owner] += 1
        if subscription.owner.startswith("hang"):
            await asyncio.Event().wait()
        return AttemptAnswer("webhook", 1, status=200), Judgement("delivered", "answered 200")

    async def record(self, outcomes: Sequence[Outcome]) -> None: ...

    async def observe(self, batch: Sequence[AttemptResult]) -> None: ...

    def dispatcher(self) -> Dispatcher:
        return Dispatcher(self, self, subscription_of, DrivenClock(), lambda: 0.0, self.observe)


def subscription_of(id: str) -> Subscription:
    """Its owner stands before the slash."""
    draft = Draft(name=id, channel=Webhook(f"https://example.org/{id}"))
    return Subscription(id=id, owner=id.split("/")[0], draft=draft, state="active", created_at=0)


def jobs(owner: str, endpoints: int, each: int = 1) -> list[Job]:
    return [
        Job(f"{owner}-{n}-{m}", f"{owner}/{n}", ALERT, 0, alert=f"a{m}", revision=1)
        for m in range(each)
        for n in range(endpoints)
    ]


async def step(times: int = STEPS) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


@pytest.mark.parametrize("owners", [["hang"], ["hang1", "hang2", "hang3"]])
@driven
async def test_hanging_endpoints_of_others_delay_no_attempt(owners: list[str]) -> None:
    endpoints = Endpoints()
    dispatcher = endpoints.dispatcher()
    for owner in owners:
        dispatcher.offer(jobs(owner, 1_000))
        await step()
        dispatcher._find_slow()
    # As after a second: what hangs gave its prompt places back, and took as many again until its share was used up.
    for _ in range(20):
        for lane, place in [(lane, place) for place, (lane, _) in dispatcher._prompt.items()]:
            del dispatcher._prompt[place]
            dispatcher._queue.turn_slow(lane)
        dispatcher._pump()
        await step(2)
    assert sum(endpoints.begun.values()) == IN_FLIGHT
    dispatcher.offer(jobs("prompt", 200))
    await step()
    assert endpoints.begun["prompt"] == 200
    await dispatcher.stop(grace_s=0)


@driven
async def test_a_long_queue_of_one_owner_fills_no_memory_of_the_others() -> None:
    dispatcher = Endpoints().dispatcher()
    dispatcher.pause(False)
    first = jobs("hang", 400, each=256)
    dispatcher.offer(first[:MOST])
    assert dispatcher.room("hang/0") == 0
    assert dispatcher.full(["hang/0"])
    assert dispatcher.room("prompt/0") > 0
    assert not dispatcher.full(["prompt/0"])
    await dispatcher.stop(grace_s=0)


@driven
async def test_an_owner_alone_has_every_place() -> None:
    endpoints = Endpoints()
    dispatcher = endpoints.dispatcher()
    dispatcher.offer(jobs("hang", 1_000))
    await step()
    assert endpoints.begun["hang"] == PROMPT
    await dispatcher.stop(grace_s=0)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["offer", "begin", "slow", "end"])), max_size=200))
def test_no_owner_takes_more_than_its_share_and_counts_come_out_even(steps: list[tuple[int, str]]) -> None:
    shares, under_way = FairQueue(places=8, most=16, room=100), list[tuple[Lane, bool]]()
    number = 0
    for owner, action in steps:
        if action == "offer":
            number += 1
            lane = Lane(f"{owner}/{number}", str(owner))
            lane.queue.append(Job(str(number), lane.name, TEST, 0))
            shares.enlist(lane)
        elif action == "begin":
            if (taken := shares.take(0)) is not None:
                under_way.append((taken[0], False))
                active = sum(1 for one in shares.owners.values() if one.is_active)
                assert shares.owners[taken[0].owner].prompt <= max(1, 8 // active)
                assert shares.owners[taken[0].owner].in_flight <= max(1, 16 // active)
        elif under_way:
            lane, slow = under_way.pop(owner % len(under_way))
            if action == "slow" and not slow:
                shares.turn_slow(lane)
                under_way.append((lane, True))
            else:
                shares.end(lane, slow=slow)
        assert shares.prompt <= 8 + 8 // SPARE
        assert shares.in_flight == len(under_way) <= 16 + 16 // SPARE
    for lane, slow in under_way:
        shares.end(lane, slow=slow)
    assert (shares.in_flight, shares.prompt) == (0, 0)

"""The consequences of a batch of recorded attempts: the state of endpoints, and the counts that operators see."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from schemas.instants import MINUTE, format_instant
from services.notify.decisions import endpoints
from services.notify.decisions.attempts import Outcome, endpoint_event
from services.notify.domain.delivery import general_reason
from services.notify.domain.known import KnownIds
from services.notify.domain.lifecycle import EndpointEvent
from services.notify.domain.standing import count_silences, tell_mail, tell_subscriptions
from services.notify.domain.subscription import Subscription
from services.notify.sending.dispatch import Dispatcher
from services.notify.sending.recorder import AttemptResult
from services.notify.use_cases.change_subscription import SubscriptionStore, change_stored
from services.notify.use_cases.directory import Directory, UnknownError
from services.platform import audit
from services.platform.bus.consume import Loop
from services.platform.clock import Clock
from services.platform.failures import RetryLaterError
from services.platform.faults import Faults
from services.platform.metrics import Metrics

log = logging.getLogger(__name__)

#: The failure rate is that of the attempts of this long.
RATE_OVER: Final = 15 * MINUTE


class ObservedSubscriptions(SubscriptionStore, Protocol):
    async def answered(self, ids: Sequence[str]) -> Sequence[Outcome]:
        """The challenges of these subscriptions that were answered, whatever follows from it."""
        ...


class BacklogSource(Protocol):
    async def backlog(self) -> int: ...


class Beats(Protocol):
    async def overdue(self) -> tuple[int | None, set[str]]: ...


class AttemptObserver:
    """Told of every batch once it is recorded."""

    def __init__(
        self,
        store: ObservedSubscriptions,
        directory: Directory,
        clock: Clock,
        metrics: Metrics,
        faults: Faults,
        *,
        relay: bool,
    ) -> None:
        self._store, self._directory, self._clock, self._metrics = store, directory, clock, metrics
        self._faults, self._relay = faults, relay
        self._mail_failure: str | None = None
        self._owed: dict[str, tuple[EndpointEvent, Outcome]] = {}
        self._minutes: deque[list[int]] = deque()
        self.last_heartbeat: int | None = None
        self.late_heartbeats: set[str] = set()
        self.backlog = self.lag = 0

    async def observe(self, batch: Sequence[AttemptResult]) -> None:
        """Count, and let each endpoint follow what its attempts said."""
        for noted in batch:
            self._count(noted)
            self._note_heartbeat(noted)
            event = self._event(noted)
            if event is not None:
                self._owe(event, noted.outcome)
        await self.follow_up()

    async def follow_up(self, _now: int = 0) -> None:
        """Let endpoints follow what attempts said of them. What cannot be kept yet is kept later: at the next call."""
        if self._owed:
            owed, self._owed = self._owed, {}
            # At once, so that they are committed together: each commit has every process read the directory again.
            await asyncio.gather(*(self._follow(event, outcome) for event, outcome in owed.values()))
            await self._directory.refresh()

    async def find_proofs(self, _now: int = 0) -> None:
        """Prove the subscriptions whose challenge was answered, where that was recorded and the process ended before
        it could keep what follows."""
        waiting = [s.id for s in self._directory.subscriptions.values() if s.state == "pending" and s.nonce is not None]
        if waiting:
            for outcome in await self._store.answered(waiting):
                found = self._directory.subscriptions.get(outcome.job.subscription)
                if found is not None and outcome.job.proves(found):
                    self._owe("proved", outcome)
            await self.follow_up()

    def _owe(self, event: EndpointEvent, outcome: Outcome) -> None:
        """The newest event of an endpoint counts; a proof is said but once, so nothing takes its place."""
        id = outcome.job.subscription
        if event == "proved" or id not in self._owed or self._owed[id][0] != "proved":
            self._owed[id] = (event, outcome)

    def _event(self, noted: AttemptResult) -> EndpointEvent | None:
        outcome, judgement = noted.outcome, noted.judgement
        subscription = self._directory.subscriptions.get(outcome.job.subscription)
        if subscription is None or judgement is None:
            return None
        if outcome.job.kind.proves is not None and judgement.meaning == "delivered":
            return "proved"
        return endpoint_event(subscription, outcome, judgement)

    async def _follow(self, event: EndpointEvent, outcome: Outcome) -> None:
        turned_off: list[str] = []
        id, at, reason, answer = outcome.job.subscription, outcome.at, outcome.reason, outcome.answer
        # Its owner, and whoever reads the status, are told no more than that.
        told = reason if answer is None else general_reason(answer.status, answer.failure, reason)

        def decide(s: Subscription) -> endpoints.Decided:
            if event == "proved":
                # The address may have changed while the old one was answering.
                return endpoints.prove(s, at) if outcome.job.proves(s) else (s, [])
            after, jobs = endpoints.note(s, event, at, told)
            turned_off[:] = [after.state] if after.state != s.state and after.state in ("disabled", "gone") else []
            return after, jobs

        def tell_operators(connection: Any) -> None:
            for state in turned_off:
                audit.record(
                    connection, at=at, actor=audit.by_system("notify"), action=f"subscription.{state}",
                    resource=f"subscriptions/{id}", detail={"reason": reason},
                )  # fmt: skip

        try:
            await change_stored(id, decide, self._store, tell_operators)
        except UnknownError:
            return
        except RetryLaterError as error:
            log.warning("the state of endpoint %s cannot be kept yet: %s", id, error)
            if id not in self._owed:
                self._owe(event, outcome)
            return
        except Exception as error:  # noqa: BLE001 - recorded, counted and shown; the others follow theirs
            self._faults.note("notify.follow_attempts", error)
            return
        for state in turned_off:
            log.error("the endpoint of subscription %s is %s: %s", id, state, reason)

    def _count(self, noted: AttemptResult) -> None:
        if noted.judgement is None:
            return
        delivered = noted.judgement.meaning == "delivered"
        answer = noted.outcome.answer
        if answer is not None and answer.channel == "email":
            failed = f"the relay does not take mail: {answer.failure}" if answer.failure is not None else None
            self._mail_failure = failed
        kind = "delivered" if delivered else "retried" if noted.outcome.state == "pending" else "failed"
        self._metrics.delivery_attempts[kind].inc()
        minute = noted.outcome.at // MINUTE
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append([minute, 0, 0])
        self._minutes[-1][1] += 1
        self._minutes[-1][2] += not delivered

    def _note_heartbeat(self, noted: AttemptResult) -> None:
        if noted.judgement is None or not noted.outcome.job.tells_heartbeat:
            return
        if noted.judgement.meaning == "delivered":
            self.last_heartbeat = noted.outcome.at
            self.late_heartbeats.discard(noted.outcome.job.subscription)
        else:
            self.late_heartbeats.add(noted.outcome.job.subscription)

    async def recount(self, queue: BacklogSource, beats: Beats, loops: Sequence[Loop]) -> None:
        """Count anew what only the store can tell."""
        self.backlog = await queue.backlog()
        if self.last_heartbeat is None and self._directory.beating:
            self.last_heartbeat, self.late_heartbeats = await beats.overdue()
        self.lag = sum([await loop.consumer.lag() for loop in loops])

    def failure_rate(self) -> float:
        """The part of the recent attempts that failed; 0 where there were none."""
        oldest = (self._clock.now() - RATE_OVER) // MINUTE
        while self._minutes and self._minutes[0][0] < oldest:
            self._minutes.popleft()
        made = sum(minute[1] for minute in self._minutes)
        return sum(minute[2] for minute in self._minutes) / made if made else 0.0

    def status(self, dispatcher: Dispatcher, directory: Directory, known: KnownIds) -> Mapping[str, Any]:
        """For ``/status``, from memory. A heartbeat that did not arrive is a line that may be dead."""
        disabled = directory.count("disabled") + directory.count("gone")
        backlog = max(self.backlog, dispatcher.size)
        self._metrics.delivery_backlog.set(backlog)
        self._metrics.endpoints_disabled.set(disabled)
        subscriptions, now = directory.subscriptions.values(), self._clock.now()
        return {
            "state": "degraded" if self.late_heartbeats else "ok",
            "subscriptions": tell_subscriptions(subscriptions, known),
            "mail": tell_mail(subscriptions, self._mail_failure, relay=self._relay),
            "silences": {"active": count_silences(directory.silences.values(), now)},
            "lag": self.lag,
            "backlog": backlog,
            "failure_rate": round(self.failure_rate(), 4),
            "disabled_endpoints": disabled,
            "last_heartbeat": None if self.last_heartbeat is None else format_instant(self.last_heartbeat),
            "missed_heartbeats": len(self.late_heartbeats),
        }

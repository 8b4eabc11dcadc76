"""Decide about an incident, and take decisions back: each makes a new assessment, and the alerts that follow."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from schemas.assessments import Assessment
from schemas.causes import Actor, Cause
from schemas.decisions import OperatorDecision
from schemas.events import OperatorActed
from schemas.instants import format_instant
from schemas.report import Report
from services.platform.clock import Clock
from services.platform.failures import RetryLaterError
from services.platform.paging import PageQuery
from services.rules.assessing.domain.decisions import DecisionChange, KeptDecision, TakenBack, decision_id
from services.rules.assessing.domain.keeping import NewAssessment, ReportedCase
from services.rules.assessing.judge_and_keep import Judging, judge_and_keep
from services.rules.judging.decided import kind_of
from services.rules.judging.evaluate import Judge
from services.rules.registry.domain.faults import DocumentFault
from services.rules.registry.use_cases import (
    Author,
    ChangeRefusedError,
    Edit,
    FindReach,
    RegistryCache,
    RegistryStore,
    Snapshot,
    change_registry,
)
from services.rules.review.domain.aliases import with_aliases, without_aliases
from services.rules.review.domain.candidates import Candidates
from services.rules.review.domain.request import DecisionFault, DecisionRequest, party_faults, place_faults

#: How often an incident that others judge at the same moment is tried.
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class ReviewedIncident:
    """An incident as it was judged last, and every decision on it. ``opened_at``: since when it needs a person, for the
    reasons ``why``; None while it does not."""

    case: ReportedCase
    assessment: Assessment
    decisions: Sequence[KeptDecision] = ()
    opened_at: int | None = None
    why: tuple[str, ...] = ()

    @property
    def standing(self) -> list[OperatorDecision]:
        return [one.decision for one in self.decisions if one.taken_back is None]


class ReviewedIncidents(Protocol):
    """Incidents that were judged, for those who review them. Each method raises RetryLaterError."""

    async def load(self, incident_id: str) -> ReviewedIncident | None:
        """The incident; None where none of that id was judged."""
        ...

    async def page(self, query: PageQuery) -> Sequence[ReviewedIncident]:
        """One page of those that need a person, and one more, without their decisions."""
        ...


class ChangeRegistry(Protocol):
    """Changes the registry; whether anything changed. Raises ChangeRefusedError, RetryLaterError."""

    async def __call__(self, author: Author, edit: Edit) -> bool: ...


@dataclass(frozen=True, slots=True)
class RegistryChanges:
    """The port ChangeRegistry on the registry's own use case; ``adopt`` is told of each new version, and what
    ``find_reach`` finds is judged again."""

    store: RegistryStore
    cache: RegistryCache
    clock: Clock
    adopt: Callable[[Snapshot], Awaitable[None]]
    find_reach: FindReach

    async def __call__(self, author: Author, edit: Edit) -> bool:
        parts = (self.store, self.cache, self.clock)
        snapshot, changes = await change_registry(*parts, author, edit, find_reach=self.find_reach)
        if changes:
            await self.adopt(snapshot)
        return bool(changes)


@dataclass(slots=True)
class Reviewing:
    """The parts of the use cases."""

    incidents: ReviewedIncidents
    judging: Judging
    change_registry: ChangeRegistry
    _candidates: tuple[int, Candidates] | None = field(default=None, init=False)

    async def candidates(self) -> Candidates:
        """Those of the current registry, made off the event loop once for each version."""
        registry = self.judging.current.judge.registry
        if self._candidates is None or self._candidates[0] != registry.version:
            self._candidates = (registry.version, await asyncio.to_thread(Candidates, registry))
        return self._candidates[1]


class NoSuchIncidentError(LookupError):
    """No incident of that id was judged."""


class NoSuchDecisionError(LookupError):
    """No decision of that id stands, or none at all."""


class DecisionRefusedError(ValueError):
    """A decision cannot be made: a JSON pointer and a sentence for each fault."""

    def __init__(self, faults: Sequence[DecisionFault]) -> None:
        super().__init__(str(faults))
        self.faults = faults


async def decide(
    incident_id: str, wanted: DecisionRequest, actor: Actor, parts: Reviewing
) -> tuple[str, Assessment, bool]:
    """The id of the decision, the assessment that follows from it, and whether it is new: the same that stands already
    is made once. Raises NoSuchIncidentError, DecisionRefusedError, RetryLaterError."""
    await parts.judging.current.catch_up()
    found = await _find(incident_id, parts)
    await _check(wanted, found, parts)
    aliased = await _add_aliases(wanted, actor, parts)
    for _ in range(_ATTEMPTS):
        last = _last_about(found.standing, wanted)
        if last is not None and _is_same(last, wanted):
            return last.id, found.assessment, False
        made = _decision(found, wanted, actor, parts.judging.now(), aliased=aliased)
        new = await _judge(found, _made(made), made.by, made.reason, (f"decisions/{made.id}",), parts)
        if new is not None:
            return made.id, new.assessment, True
        found = await _find(incident_id, parts)
    raise RetryLaterError("this incident is being judged elsewhere")


async def take_back(
    incident_id: str, id: str | None, reason: str | None, actor: Actor, parts: Reviewing
) -> tuple[Sequence[str], Assessment]:
    """Take back one decision on an incident, or (``id`` None) all that stand: their ids, and the assessment that
    follows. Raises NoSuchIncidentError, NoSuchDecisionError, RetryLaterError."""
    for _ in range(_ATTEMPTS):
        found = await _find(incident_id, parts)
        ended = [one for one in found.standing if id is None or one.id == id]
        if not ended:
            raise NoSuchDecisionError
        await _remove_aliases(ended, actor, reason, parts)
        at = format_instant(parts.judging.now())
        ids = tuple(one.id for one in ended)
        act = OperatorActed(at, actor, "decision.taken_back", f"incidents/{incident_id}", _detail(ids, reason))
        change = DecisionChange(incident_id, act, ended=ids, taken_back=TakenBack(actor, at, reason))
        new = await _judge(found, change, actor, reason, tuple(f"decisions/{one}/taken_back" for one in ids), parts)
        if new is not None:
            return ids, new.assessment
    raise RetryLaterError("this incident is being judged elsewhere")


async def _find(incident_id: str, parts: Reviewing) -> ReviewedIncident:
    found = await parts.incidents.load(incident_id)
    if found is None:
        raise NoSuchIncidentError
    return found


async def _judge(
    found: ReviewedIncident,
    change: DecisionChange,
    actor: Actor,
    reason: str | None,
    resources: tuple[str, ...],
    parts: Reviewing,
) -> NewAssessment | None:
    """None where another process judged the incident, or decided on it, since it was read."""
    cause = Cause("decision", actor, reason, resources)
    try:
        batch = await judge_and_keep([found.case], cause, parts.judging, change)
    except RetryLaterError:
        return None
    return batch[0] if batch else None


# --- what is decided


async def _check(wanted: DecisionRequest, found: ReviewedIncident, parts: Reviewing) -> None:
    candidates, judge = await parts.candidates(), parts.judging.current.judge
    faults = await asyncio.to_thread(_find_faults, wanted, found.case.case.report, candidates, judge)
    if (link := wanted.link) is not None:
        faults += await _link_faults(link.incident_id, found, parts)
    if faults:
        raise DecisionRefusedError(faults)


def _find_faults(wanted: DecisionRequest, report: Report, candidates: Candidates, judge: Judge) -> list[DecisionFault]:
    faults: list[DecisionFault] = []
    if wanted.parties is not None:
        faults += party_faults(wanted.parties, report, judge.registry.parties, candidates)
    if wanted.place is not None:
        faults += place_faults(wanted.place, judge.locate(wanted.place), judge.registry.areas, candidates)
    return faults


async def _link_faults(other: str, found: ReviewedIncident, parts: Reviewing) -> list[DecisionFault]:
    if other == found.assessment.incident_id:
        return [DecisionFault("/link/incident_id", "is this incident")]
    if await parts.incidents.load(other) is None:
        return [DecisionFault("/link/incident_id", "no incident of this id was judged")]
    return []


def _last_about(standing: Sequence[OperatorDecision], wanted: DecisionRequest) -> OperatorDecision | None:
    """The last decision about the same thing: of names, about any of them; of a link, to the same incident."""
    for one in reversed(standing):
        if (
            (wanted.verdict is not None and one.verdict is not None)
            or (wanted.place is not None and one.place is not None)
            or (wanted.parties is not None and not wanted.parties.keys().isdisjoint(one.parties))
            or (wanted.link is not None and one.link is not None and one.link.incident_id == wanted.link.incident_id)
        ):
            return one
    return None


def _is_same(one: OperatorDecision, wanted: DecisionRequest) -> bool:
    return (one.place, one.parties, one.verdict, one.certainty, one.link) == (
        wanted.place, wanted.parties or {}, wanted.verdict, wanted.certainty, wanted.link,
    )  # fmt: skip


def _decision(
    found: ReviewedIncident, wanted: DecisionRequest, actor: Actor, now: int, *, aliased: bool
) -> OperatorDecision:
    incident_id, number = found.assessment.incident_id, len(found.decisions) + 1
    return OperatorDecision(
        id=decision_id(incident_id, number),
        incident_id=incident_id,
        number=number,
        by=actor,
        at=format_instant(now),
        reason=wanted.reason,
        place=wanted.place,
        parties=wanted.parties or {},
        verdict=wanted.verdict,
        certainty=wanted.certainty,
        link=wanted.link,
        alias=wanted.alias if aliased else None,
    )


def _made(decision: OperatorDecision) -> DecisionChange:
    detail = {**_detail((decision.id,), decision.reason), "kind": kind_of(decision)}
    act = OperatorActed(decision.at, decision.by, "decision.made", f"incidents/{decision.incident_id}", detail)
    return DecisionChange(decision.incident_id, act, made=decision)


def _detail(ids: Sequence[str], reason: str | None) -> dict[str, Any]:
    return {"decisions": list(ids), "reason": reason}


# --- aliases


async def _add_aliases(wanted: DecisionRequest, actor: Actor, parts: Reviewing) -> bool:
    """Whether the registry has an alias more: only then taking the decision back takes it away."""
    if wanted.alias is None or wanted.parties is None:
        return False
    names, period = wanted.parties, wanted.alias
    author = Author(actor, "parties.aliased", _parties_of(names), wanted.reason)
    try:
        return await parts.change_registry(author, lambda held: with_aliases(held, names, period))
    except ChangeRefusedError as error:
        raise DecisionRefusedError([_fault_of_alias(fault) for fault in error.faults]) from None


async def _remove_aliases(
    ended: Sequence[OperatorDecision], actor: Actor, reason: str | None, parts: Reviewing
) -> None:
    for one in ended:
        if (period := one.alias) is not None:
            author = Author(actor, "parties.alias_removed", _parties_of(one.parties), reason)
            await parts.change_registry(author, partial(without_aliases, names=one.parties, period=period))


def _parties_of(names: Mapping[str, str]) -> str:
    """The resource that the audit names."""
    ids = sorted(set(names.values()))
    return f"parties/{ids[0]}" if len(ids) == 1 else "parties"


def _fault_of_alias(fault: DocumentFault) -> DecisionFault:
    """A fault of the registry as it would become, as one of the request: the alias is all that would change."""
    field = fault.pointer.rpartition("/")[2]
    return DecisionFault(f"/alias/{field}" if field in ("from", "to") else "/alias", fault.detail)

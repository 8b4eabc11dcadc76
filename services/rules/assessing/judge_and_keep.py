"""Judging incidents and keeping their assessments, one way for every cause."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from types import MappingProxyType
from typing import Final, Protocol

import msgspec

from schemas.assessments import Assessment
from schemas.causes import Cause
from schemas.events import IncidentReported
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.domain.alert_wording import AlertWording
from services.rules.assessing.domain.alerting import AlertState
from services.rules.assessing.domain.decisions import DecisionChange, with_decisions
from services.rules.assessing.domain.keeping import (
    CurrentAssessment,
    KeyedCause,
    LastJudgement,
    NewAssessment,
    Rekeyed,
    ReportedCase,
    cause_of,
    decide_batch,
    is_same_judgement,
    key_of,
    select_unjudged,
)
from services.rules.assessing.domain.linked import Linked
from services.rules.judging.evaluate import Case, Judge

Observe = Callable[[Sequence[Assessment], Sequence[AlertState]], None]
REPORT = Cause("report")


class StaleRegistryError(Exception):
    """A newer version of the registry is current than the one that was judged by."""


class Judgements(Protocol):
    """The assessments of all incidents. Each method raises RetryLaterError."""

    async def last(self, incident_ids: Collection[str]) -> Mapping[str, LastJudgement]:
        """Of each of these incidents that was judged before."""
        ...

    async def judged_for(self, causes: Mapping[str, str]) -> Collection[tuple[str, int]]:
        """Which revisions of these incidents were judged for the cause (:func:`key_of`) that each is given with."""
        ...

    async def current(self, incident_ids: Collection[str]) -> Mapping[str, CurrentAssessment]:
        """The last assessment of each of these incidents that was judged before."""
        ...

    async def save(
        self,
        batch: Sequence[NewAssessment],
        registry_version: int,
        rekeyed: Sequence[Rekeyed] = (),
        change: DecisionChange | None = None,
    ) -> None:
        """Keep a batch, with the change of decisions that it follows from, and publish its events, or nothing. Raises
        StaleRegistryError, and RetryLaterError where another process judged one of the incidents, or decided on it,
        since they were read."""
        ...


class Linking(Protocol):
    """The links between reports of what may be one event (judgement.md 18)."""

    async def link(self, judge: Judge, cases: Sequence[Case], cause: Cause) -> Mapping[str, Linked]:
        """By incident, for each that is linked; of several cases of one the last counts. The links of others change
        with these, and they are judged again later, for ``cause``. Raises RetryLaterError."""
        ...


class NoLinks:
    """Links nothing."""

    async def link(self, judge: Judge, cases: Sequence[Case], cause: Cause) -> Mapping[str, Linked]:
        return {}


NO_LINKS: Final = NoLinks()


@dataclass(frozen=True, slots=True)
class Judging:
    """The parts of :func:`judge_and_keep`. ``now`` is in microseconds, UTC; ``observe`` is told what was kept."""

    current: CurrentJudge
    judgements: Judgements
    now: Callable[[], int]
    observe: Observe
    linking: Linking = NO_LINKS


async def judge_and_keep(
    cases: Sequence[ReportedCase],
    cause: Cause,
    judging: Judging,
    change: DecisionChange | None = None,
    own: Mapping[str, KeyedCause] = MappingProxyType({}),
) -> list[NewAssessment]:
    """Judge each case by the current registry and the decisions that stand on it, keep its assessment, and publish it
    with the alert that follows. A ``change`` of decisions is kept with them; without a case to judge it is not made.

    Idempotent by (incident, revision, cause), which :func:`key_of` tells apart. ``own`` has, by incident, causes that
    say more than ``cause`` does, of its kind and by the same actor. A case older than the revision judged last is
    passed over. What is judged after a change of the registry was answered is judged by that change, whichever process
    made it. For a change of the registry that leaves an assessment as it is, none is kept. Raises RetryLaterError.
    """
    causes = {id: own.get(id) or KeyedCause(cause, key_of(cause)) for id in {one.case.incident_id for one in cases}}
    while True:
        current = judging.current
        if cause.kind == "registry" and current.judge.registry.version < (cause.registry_version or 0):
            await current.catch_up()
        judge, wording = current.judge, current.wording
        fresh, last = await _load(cases, causes, judging.judgements, change)
        if not fresh:
            return []
        linked = await judging.linking.link(judge, [one.case for one in fresh], cause)
        last = {**last, **await _load_threads(fresh, last, linked, judging.judgements)}
        before = await _load_compared(fresh, cause, judging.judgements)
        judged = [_with_links(one, linked) for one in fresh]
        parts = (judge, wording, judged, last, before, {id: its.thread for id, its in linked.items()}, causes)
        batch, rekeyed = await asyncio.to_thread(_decide, *parts, judging.now())
        try:
            await judging.judgements.save(batch, judge.registry.version, rekeyed, change)
        except StaleRegistryError:
            await current.catch_up()
            continue
        judging.observe([new.assessment for new in batch], [new.alert for new in batch if new.alert and new.alerts])
        return batch


async def _load(
    cases: Sequence[ReportedCase],
    causes: Mapping[str, KeyedCause],
    judgements: Judgements,
    change: DecisionChange | None,
) -> tuple[list[ReportedCase], Mapping[str, LastJudgement]]:
    last = await judgements.last({one.case.incident_id for one in cases})
    again = {
        one.case.incident_id
        for one in cases
        if (known := last.get(one.case.incident_id)) is not None and known.revision == one.case.revision
    }
    judged = await judgements.judged_for({id: causes[id].key for id in again}) if again else ()
    return [_as_decided(one, last, change) for one in select_unjudged(cases, last, judged)], last


def _as_decided(one: ReportedCase, last: Mapping[str, LastJudgement], change: DecisionChange | None) -> ReportedCase:
    known = last.get(one.case.incident_id)
    standing = () if known is None else known.decisions
    if change is not None and change.incident_id == one.case.incident_id:
        standing = change.applied_to(standing)
    return with_decisions(one, standing)


async def _load_threads(
    cases: Sequence[ReportedCase],
    last: Mapping[str, LastJudgement],
    linked: Mapping[str, Linked],
    judgements: Judgements,
) -> Mapping[str, LastJudgement]:
    """The incidents whose thread one of these may join: only the first alert of an incident chooses."""
    first = {
        one.case.incident_id
        for one in cases
        if (known := last.get(one.case.incident_id)) is None or known.alert is None
    }
    wanted = {id for incident_id in first if incident_id in linked for id in linked[incident_id].thread} - last.keys()
    return await judgements.last(wanted) if wanted else {}


def _with_links(one: ReportedCase, linked: Mapping[str, Linked]) -> ReportedCase:
    its = linked.get(one.case.incident_id)
    if its is None:
        return one
    return replace(one, case=replace(one.case, links=its.links, corroborating=its.corroborating))


async def _load_compared(
    cases: Sequence[ReportedCase], cause: Cause, judgements: Judgements
) -> Mapping[str, CurrentAssessment]:
    """The assessments of which no second one like them is kept: a change of the registry may leave them as they are."""
    return await judgements.current([one.case.incident_id for one in cases]) if cause.kind == "registry" else {}


def _decide(
    judge: Judge,
    wording: AlertWording,
    cases: Sequence[ReportedCase],
    last: Mapping[str, LastJudgement],
    before: Mapping[str, CurrentAssessment],
    threads: Mapping[str, Sequence[str]],
    causes: Mapping[str, KeyedCause],
    now: int,
) -> tuple[list[NewAssessment], list[Rekeyed]]:
    """Off the event loop and outside every transaction: a large registry takes a while, and so do the sentences."""
    version = judge.registry.version
    assessments = judge.assess([one.case for one in cases], now)
    keys = judge.keys_of([one.case for one in cases])
    stands = [_stands(before.get(one.incident_id), one) for one in assessments]
    rekeyed = [
        Rekeyed(one.incident_id, last[one.incident_id].sequence, its)
        for one, its in zip(compress(assessments, stands), compress(keys, stands), strict=True)
        if before[one.incident_id].keys != its
    ]
    new = [not one for one in stands]
    kept = list(compress(cases, new))
    caused = [
        msgspec.structs.replace(assessment, cause=cause_of(causes[one.case.incident_id].cause, one.case, version))
        for one, assessment in zip(kept, compress(assessments, new), strict=True)
    ]
    its_keys, surround = list(compress(keys, new)), wording.surroundings_of
    names = [causes[one.case.incident_id].key for one in kept]
    return decide_batch(kept, caused, its_keys, last, names, surround, judge.areas_of, threads), rekeyed


def _stands(before: CurrentAssessment | None, assessment: Assessment) -> bool:
    return before is not None and is_same_judgement(before.assessment, assessment)


def case_of(reported: IncidentReported) -> Case:
    """The case that a reported revision makes."""
    return Case(
        incident_id=reported.incident_id,
        revision=reported.revision,
        report=reported.report,
        retracted=reported.retracted,
    )

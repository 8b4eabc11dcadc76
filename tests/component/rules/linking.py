"""Rules with links and nothing around them but a database: reports in, assessments out."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import codec
from schemas.assessments import Alert, Assessment
from schemas.causes import Actor, Cause
from schemas.decisions import DecidedLink, LinkState, OperatorDecision
from schemas.envelope import Event
from schemas.events import AlertDecided, IncidentReported, OperatorActed
from schemas.instants import format_instant
from schemas.report import Report
from schemas.topics import ALERTS, ASSESSMENTS, INCIDENTS
from services.platform.bus.embedded import EmbeddedBus
from services.platform.db.engine import Database
from services.platform.paging import PageQuery
from services.rules.assessing import sql
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.domain.decisions import DecisionChange, TakenBack, decision_id
from services.rules.assessing.judge_and_keep import Judging, judge_and_keep
from services.rules.assessing.reported import assess_incidents
from services.rules.assessing.sql import SqlJudgements
from services.rules.assessing.sql_review import load_decisions
from services.rules.linking.recheck import RecheckParts, recheck_assessed
from services.rules.linking.sql import SqlProfiles, SqlRechecks
from services.rules.linking.use_cases import ReportLinking
from tests.fakes import DrivenClock

OPERATOR = Actor("o1", "desk")


@dataclass
class LinkingRules:
    """One process of rules, with its own consumer of assessments."""

    database: Database
    current: CurrentJudge
    clock: DrivenClock = field(default_factory=DrivenClock)

    @functools.cached_property
    def parts(self) -> RecheckParts:
        judgements, profiles = SqlJudgements(self.database), SqlProfiles(self.database)
        judging = Judging(self.current, judgements, self.clock.now, lambda _a, _b: None, ReportLinking(profiles))
        return RecheckParts(judging, judgements, profiles, SqlRechecks(self.database))

    async def take(self, *events: Event) -> None:
        await assess_incidents(events, self.parts.judging)

    async def recheck(self, events: Sequence[Event]) -> None:
        await recheck_assessed(events, self.parts)

    async def decide(self, incident_id: str, other_id: str, state: LinkState | None, reason: str = "seen") -> None:
        """Decide on a link, or take back what was decided on this incident about it. Each takes a second."""
        await self.clock.advance(1)
        at = format_instant(self.clock.now())
        case = (await self.parts.judged.reports([incident_id]))[incident_id].case
        kept = await self.database.read(lambda c: load_decisions(c, incident_id))
        ended = tuple(
            one.decision.id
            for one in kept
            if one.taken_back is None and one.decision.link and one.decision.link.incident_id == other_id
        )
        made = None
        if state is not None:
            id, number = decision_id(incident_id, len(kept) + 1), len(kept) + 1
            link = DecidedLink(other_id, state)
            made = OperatorDecision(id, incident_id, number, OPERATOR, at, reason, link=link)
        act = OperatorActed(at, OPERATOR, "decide", f"incidents/{incident_id}")
        change = DecisionChange(incident_id, act, made, ended, TakenBack(OPERATOR, at, reason))
        name = made.id if made is not None else ",".join(ended)
        cause = Cause("decision", OPERATOR, reason, (f"decisions/{name}", at))
        await judge_and_keep([case], cause, self.parts.judging, change)

    async def history(self, incident_id: str) -> list[Assessment]:
        """Newest first."""
        found = await self.database.read(lambda c: sql.load_history(c, incident_id, PageQuery()))
        return [assessment for _, assessment in found]

    async def now(self, incident_id: str) -> Assessment:
        return (await self.history(incident_id))[0]


@dataclass
class EmbeddedLinkingRules(LinkingRules):
    """On the embedded log, which it follows."""

    @functools.cached_property
    def bus(self) -> EmbeddedBus:
        return EmbeddedBus(self.database)

    async def settle(self) -> None:
        """Until every assessment that was published has been looked at."""
        reader = await self.bus.consumer(ASSESSMENTS, "links")
        while batch := await reader.fetch(50, 0):
            await self.recheck([one.event for one in batch])
            await reader.commit(batch)

    async def told(self) -> list[Alert]:
        """Every alert that was put out, in order."""
        reader = await self.bus.consumer(ALERTS, "test")
        decided: list[AlertDecided] = [codec.decode(r.event) for r in await reader.fetch(1000, 0)]
        return [one.alert for one in decided]


def event_of(incident_id: str, report: Report, revision: int = 1, retracted: str | None = None) -> Event:
    at = "2016-05-08T12:00:00Z"
    fact = IncidentReported(incident_id, revision, "desk", at, report, retracted)
    return codec.encode(INCIDENTS, fact, key=incident_id, id=f"{incident_id}-{revision}", time=at)


def links_of(assessment: Assessment) -> dict[str, float]:
    return {link.incident_id: link.score for link in assessment.links}


def fact_of(assessment: Assessment, code: str) -> Mapping[str, Any] | None:
    return next((reason.fact for reason in assessment.reasons if reason.code == code), None)

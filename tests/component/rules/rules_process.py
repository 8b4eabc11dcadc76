"""Rules as one of several processes has it, with its registry and its reassessments, on a real database."""

from functools import partial
from typing import Any

import msgspec
from sqlalchemy import select

from schemas.assessments import Alert, Assessment
from schemas.causes import Actor
from schemas.codec import decode_kept
from schemas.envelope import Event
from schemas.events import ReassessmentEnded
from schemas.topics import ALERTS, REASSESSMENTS, Topic
from services.platform.db.engine import Database
from services.platform.db.tables import outbox
from services.platform.paging import PageQuery
from services.rules.assessing import sql, sql_reassessments
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.domain.reach import find_reach
from services.rules.assessing.domain.reassessment import Reassessment
from services.rules.assessing.judge_and_keep import Judging
from services.rules.assessing.reassess import reassess
from services.rules.assessing.reported import assess_incidents
from services.rules.registry.domain.resources import split
from services.rules.registry.sql import SqlRegistry
from services.rules.registry.use_cases import Author, RegistryCache, change_registry, newest_registry
from services.rules.registry.wire import read_document
from tests.fakes import DrivenClock

OPERATOR = Actor("o1", "desk")


class RulesProcess:
    """Told of no change that another process makes."""

    def __init__(self, database: Database, name: str = "one", clock: DrivenClock | None = None) -> None:
        self.database, self.cache, self.clock = database, RegistryCache(), clock or DrivenClock()
        self.store = SqlRegistry(database, sql_reassessments.plan)
        self.judgements = sql.SqlJudgements(database)
        self.reassessments = sql_reassessments.SqlReassessments(database, name, self.clock.now)
        current = CurrentJudge(self.cache.current.registry, partial(newest_registry, self.store, self.cache))
        self.judging = Judging(current, self.judgements, self.clock.now, lambda _a, _b: None)
        self.failures: list[Exception] = []

    async def put_registry(self, document: dict[str, Any], reason: str | None = None) -> str | None:
        """The id of the reassessment that it caused."""
        posted = split(read_document(msgspec.json.encode(document)))
        author = Author(OPERATOR, "registry.replaced", "registry", reason)
        snapshot, changes = await change_registry(
            self.store, self.cache, self.clock, author, lambda _: posted, find_reach=find_reach
        )
        return snapshot.reassessment if changes else None

    async def take(self, *events: Event) -> None:
        await assess_incidents(events, self.judging)

    async def reassess(self) -> None:
        await reassess(self.reassessments, self.judgements, self.judging, self.failures.append)

    async def shown(self, id: str | None) -> Reassessment:
        assert id is not None
        found = await self.database.read(partial(sql_reassessments.load_reassessment, id=id))
        assert found is not None
        return found

    async def command(self, id: str | None, command: Any) -> Reassessment | None:
        work = partial(sql_reassessments.command, id=str(id), command=command, actor=OPERATOR, now=self.clock.now())
        return await self.database.write(work)

    async def history(self, incident_id: str) -> list[Assessment]:
        """Newest first."""
        found = await self.database.read(partial(sql.load_history, incident_id=incident_id, query=PageQuery()))
        return [assessment for _, assessment in found]

    async def current(self) -> dict[str, Assessment]:
        """The current assessment of every incident."""
        ids = await self.database.read(lambda c: list(c.execute(select(sql.judged.c.incident_id)).scalars()))
        return {id: one.assessment for id, one in (await self.judgements.current(ids)).items()}

    async def alerts(self) -> list[Alert]:
        """Every alert revision that was published, in order."""
        return [decided.alert for decided in await self._published(ALERTS)]

    async def ended(self) -> list[ReassessmentEnded]:
        """Every end of a reassessment that was published, in order."""
        return await self._published(REASSESSMENTS)

    async def _published(self, topic: Topic) -> list[Any]:
        rows = select(outbox.c.data).where(outbox.c.topic == topic.name).order_by(outbox.c.seq)
        return [
            decode_kept(topic, data) for data in await self.database.read(lambda c: c.execute(rows).scalars().all())
        ]

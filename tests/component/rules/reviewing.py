"""Rules as they judge, with the API of reviewing, on a database of any kind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx
import msgspec
from fastapi import FastAPI
from sqlalchemy import select

from schemas.assessments import Alert, Assessment
from schemas.causes import Actor, Cause
from schemas.events import AlertDecided, KeyChanged, OperatorActed
from schemas.vocabulary import Role
from services.platform.db.engine import Database
from services.platform.db.tables import outbox
from services.platform.http.middleware import install_problems
from services.platform.paging import PageQuery
from services.platform.security.keys import KeyRing, hash_secret
from services.rules.assessing import sql
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.assessing.judge_and_keep import Judging, judge_and_keep
from services.rules.assessing.reported import assess_incidents
from services.rules.registry.domain.resources import split
from services.rules.registry.sql import SqlRegistry
from services.rules.registry.use_cases import Author, Edit, RegistryCache, change_registry, newest_registry
from services.rules.registry.wire import read_document
from services.rules.review.api import build_review_router
from services.rules.review.sql import SqlReviewedIncidents
from services.rules.review.use_cases import RegistryChanges, Reviewing
from tests.fakes import DrivenClock
from tests.scenario import registry_document
from tests.unit.rules.build import reported

KEYS: Final[dict[str, Role]] = {"theirs": "partner", "desk": "monitor", "boss": "operator"}
OPERATOR: Final = Actor("boss", "boss")


@dataclass
class ReviewApi:
    """One process of rules. ``ask`` answers a request of an operator, or of another key."""

    database: Database
    clock: DrivenClock = field(default_factory=DrivenClock)

    def __post_init__(self) -> None:
        self.store, self.cache = SqlRegistry(self.database), RegistryCache()
        self.current = CurrentJudge(self.cache.current.registry, partial(newest_registry, self.store, self.cache))
        self.judgements = sql.SqlJudgements(self.database)
        self.judging = Judging(self.current, self.judgements, self.clock.now, lambda _a, _b: None)
        changes = RegistryChanges(
            self.store, self.cache, self.clock, lambda held: self.current.adopt(held.registry), lambda _b, _a: None
        )
        app = FastAPI()
        install_problems(app)
        app.state.keys = KeyRing(self.clock)
        for name, role in KEYS.items():
            app.state.keys.apply(KeyChanged(name, name, role, hash_secret(name), "2016-01-01T00:00:00Z"))
        parts = Reviewing(SqlReviewedIncidents(self.database), self.judging, changes)
        app.include_router(build_review_router(parts))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://rules")

    async def load_registry(self) -> None:
        posted = split(read_document(msgspec.json.encode(registry_document())))
        await self.change_registry(lambda _: posted)

    async def change_registry(self, edit: Edit) -> None:
        """By another request than one of reviewing; what follows is another's to judge."""
        await change_registry(self.store, self.cache, self.clock, Author(OPERATOR, "put", "registry"), edit)
        await self.current.catch_up()

    async def judge_again(self, *incident_ids: str) -> None:
        """Judge incidents by the current registry, as a change of it does."""
        cases = [case for case, _ in await self.judgements.cases_of(incident_ids)]
        version = self.current.judge.registry.version
        await judge_and_keep(cases, Cause("registry", OPERATOR, None, (), version), self.judging)

    async def take(self, incident_id: str, report: dict[str, Any], revision: int = 1, **more: Any) -> None:
        """A second later, the revision arrives."""
        await self.clock.advance(1)
        await assess_incidents([reported(incident_id, report, revision, **more)], self.judging)

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = "boss") -> httpx.Response:
        await self.clock.advance(1)
        headers = {"authorization": f"Bearer {key}"}
        return await self.client.request(method, f"/v1/review{path}", json=body, headers=headers)

    async def decide(self, incident_id: str, **decision: Any) -> str:
        """The id of a decision that is taken."""
        answer = await self.ask("POST", f"/{incident_id}/decision", {"reason": "two patrols saw it", **decision})
        assert answer.is_success, answer.text
        id: str = answer.json()["id"]
        return id

    async def errors(self, incident_id: str, **decision: Any) -> dict[str, str]:
        """The errors, by pointer, of a decision that is refused."""
        body = {"reason": "two patrols saw it", **decision}
        answer = await self.ask("POST", f"/{incident_id}/decision", {k: v for k, v in body.items() if v is not None})
        assert answer.status_code == 422, answer.text
        return {one["pointer"]: one["detail"] for one in answer.json()["errors"]}

    async def queue(self, query: str = "") -> list[Any]:
        answer = await self.ask("GET", query)
        assert answer.status_code == 200, answer.text
        items: list[Any] = answer.json()["items"]
        return items

    async def history(self, incident_id: str) -> list[Assessment]:
        """The assessments of an incident, the newest first."""
        found = await self.database.read(partial(sql.load_history, incident_id=incident_id, query=PageQuery()))
        return [assessment for _, assessment in found]

    async def alerts(self) -> list[Alert]:
        return [one.alert for one in await self._published("alerts", AlertDecided)]

    async def audited(self) -> list[OperatorActed]:
        return await self._published("audit", OperatorActed)

    async def _published(self, topic: str, form: Any) -> list[Any]:
        statement = select(outbox.c.data).where(outbox.c.topic == topic).order_by(outbox.c.seq)
        rows = await self.database.read(lambda connection: list(connection.execute(statement).scalars()))
        return [msgspec.json.decode(row, type=form) for row in rows]


@asynccontextmanager
async def reviewing(database: Database) -> AsyncIterator[ReviewApi]:
    """With the worked example as its registry."""
    api = ReviewApi(database)
    await api.load_registry()
    yield api
    await api.client.aclose()

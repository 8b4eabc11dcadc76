"""Long work is done in a thread, so that the event loop goes on answering."""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from schemas.instants import parse_instant
from schemas.report import Location, Occurrence
from services.rules.assessing.domain.alert_wording import AlertWording
from services.rules.assessing.domain.decisions import DecisionChange
from services.rules.assessing.domain.keeping import (
    CurrentAssessment,
    LastJudgement,
    NewAssessment,
    Rekeyed,
    ReportedCase,
)
from services.rules.assessing.judge_and_keep import REPORT, Judging, judge_and_keep
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.model import CompiledRegistry
from services.rules.registry import api as registry_api
from services.rules.registry import truces_in_force as standing
from services.rules.registry.domain.document import compile_document
from services.rules.registry.request_parsing import PostedDocument
from services.rules.registry.truces_in_force import TrucesInForce, truces_now
from tests.component.rules.test_registry_api import CALM, Api, api, errors, loaded  # noqa: F401 - fixtures
from tests.unit.rules.build import current_judge_of, report
from tests.unit.rules.registry_samples import announcement, document, read, truce
from tests.unit.rules.registry_samples import compiled as compiled_truce

MAY = parse_instant("2016-05-01T12:00:00Z")


class Threads:
    """Where something ran: on the event loop's thread, or off it."""

    def __init__(self) -> None:
        self.on_loop: list[bool] = []

    def watch(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def watched(*given: Any, **more: Any) -> Any:
            self.on_loop.append(threading.current_thread() is threading.main_thread())
            return real(*given, **more)

        patch.setattr(owner, name, watched)


class Nothing:
    """The port Judgements where nothing was judged before and nothing is kept."""

    async def last(self, _incident_ids: Collection[str]) -> Mapping[str, LastJudgement]:
        return {}

    async def judged_for(self, _causes: Mapping[str, str]) -> Collection[tuple[str, int]]:
        return ()

    async def current(self, _incident_ids: Collection[str]) -> Mapping[str, CurrentAssessment]:
        return {}

    async def save(
        self,
        batch: Sequence[NewAssessment],
        registry_version: int,
        rekeyed: Sequence[Rekeyed] = (),
        change: DecisionChange | None = None,
    ) -> None:
        pass


async def test_reports_are_judged_and_their_alerts_worded_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, current = Threads(), current_judge_of(compile_document(read(document(truces=[CALM])), 1))
    threads.watch(monkeypatch, Judge, "assess")
    threads.watch(monkeypatch, AlertWording, "surroundings_of")
    judging = Judging(current, Nothing(), lambda: MAY, lambda _a, _b: None)
    unresolved = report(location=Location(place="anywhere"), at=Occurrence(date="2016-05-02"))
    (new,) = await judge_and_keep([ReportedCase(Case("a", 1, unresolved), "p", b"{}")], REPORT, judging)
    assert (new.assessment.verdict, new.alerts) == ("undetermined", True)
    assert threads.on_loop == [False, False]


async def test_why_a_document_is_refused_is_found_off_the_loop(
    loaded: Api,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = Threads()
    threads.watch(monkeypatch, PostedDocument, "refusal")
    answer = await loaded.ask("PUT", "/v1/registry", document(timezone="Mars"))
    assert answer.status_code == 422
    assert "/timezone" in errors(answer)
    assert threads.on_loop == [False]


async def test_windows_and_documents_are_made_off_the_loop(
    loaded: Api,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = Threads()
    for name in ("windows_of", "write_document", "truce_at"):
        threads.watch(monkeypatch, registry_api, name)
    for path in ("/v1/truces/calm/windows", "/v1/truces/calm?at=2016-05-02T00:00:00Z", "/v1/registry",
                 "/v1/truces?at=2016-05-02T00:00:00Z"):  # fmt: skip
        assert (await loaded.ask("GET", path)).status_code == 200
    assert threads.on_loop == [False] * 4


def registry(*announcements: dict[str, Any]) -> CompiledRegistry:
    return CompiledRegistry(1, "UTC", truces={"calm": compiled_truce(*announcements)})


async def test_truces_in_force_are_looked_for_again_only_when_one_begins_or_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = announcement("d", "declare", "01 00", starts_at="2016-05-02", ends_at="2016-05-03")
    now, held, threads = MAY, registry(said), Threads()
    monkeypatch.setattr(standing, "_SMALL", 0)
    threads.watch(monkeypatch, standing, "truces_now")
    in_force = TrucesInForce(lambda: held, lambda: now)
    seen = []
    for day in ("01", "02", "03"):
        for hour in ("00", "06", "23"):
            now = parse_instant(f"2016-05-{day}T{hour}:00:00Z")
            await in_force.refresh()
            seen.append(len(in_force.answer()["in_force"]))
    assert seen == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert threads.on_loop == [False] * 3
    held = registry()
    await in_force.refresh()
    assert threads.on_loop == [False] * 4


async def test_a_small_registry_is_always_told_as_it_is() -> None:
    said = announcement("d", "declare", "01 00", starts_at="2016-05-01")
    held = registry(said)
    told = TrucesInForce(lambda: held, lambda: MAY).answer()
    assert told == truces_now(held, MAY)
    assert len(told["in_force"]) == 1


async def test_a_page_of_long_resources_is_cut_short(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    await api.ask("PUT", "/v1/registry", document(truces=[CALM, truce("next"), truce("other")]))
    monkeypatch.setattr("services.rules.registry.endpoint.MAX_PAGE_BYTES", 10)
    ids, after = [], ""
    while True:
        page = (await api.ask("GET", f"/v1/truces?limit=2{after}")).json()
        ids += [item["id"] for item in page["items"]]
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert ids == ["calm", "next", "other"]

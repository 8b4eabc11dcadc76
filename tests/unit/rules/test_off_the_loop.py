"""Long work is done in a thread, so that the event loop goes on answering."""

import threading
from typing import Any

import pytest

from schemas.instants import parse_instant
from services.rules import registry_api, standing
from services.rules.domain.evaluate import Case, Judge
from services.rules.domain.model import Registry
from services.rules.registry_requests import Posted
from services.rules.standing import TrucesInForce, truces_now
from services.rules.use_cases import assess
from tests.unit.rules.build import report
from tests.unit.rules.registry_samples import announcement, document, truce
from tests.unit.rules.registry_samples import compiled as compiled_truce
from tests.unit.rules.test_registry_api import CALM, Api, api, errors, loaded  # noqa: F401 - fixtures

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


async def test_reports_are_judged_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, judge = Threads(), Judge(Registry(1, "UTC"))
    threads.watch(monkeypatch, Judge, "assess")
    await assess(judge, [Case("a", 1, report())], MAY)
    assert threads.on_loop == [False]


async def test_what_alerts_ask_of_a_place_was_measured_when_it_was_judged() -> None:
    judge = Judge(Registry(1, "UTC"))
    [judged] = await assess(judge, [Case("a", 1, report())], MAY)
    with judge._turn:  # another judgement is under way
        assert judge.areas_of(judged.place) == ()


async def test_why_a_document_is_refused_is_found_off_the_loop(
    loaded: Api,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = Threads()
    threads.watch(monkeypatch, Posted, "refusal")
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


def registry(*announcements: dict[str, Any]) -> Registry:
    return Registry(1, "UTC", truces={"calm": compiled_truce(*announcements)})


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
            seen.append(len(in_force.tell()["in_force"]))
    assert seen == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert threads.on_loop == [False] * 3
    held = registry()
    await in_force.refresh()
    assert threads.on_loop == [False] * 4


async def test_a_small_registry_is_always_told_as_it_is() -> None:
    said = announcement("d", "declare", "01 00", starts_at="2016-05-01")
    held = registry(said)
    told = TrucesInForce(lambda: held, lambda: MAY).tell()
    assert told == truces_now(held, MAY)
    assert len(told["in_force"]) == 1


async def test_a_page_of_long_resources_is_cut_short(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    await api.ask("PUT", "/v1/registry", document(truces=[CALM, truce("next"), truce("other")]))
    monkeypatch.setattr("services.rules.registry_desk.MAX_PAGE_BYTES", 10)
    ids, after = [], ""
    while True:
        page = (await api.ask("GET", f"/v1/truces?limit=2{after}")).json()
        ids += [item["id"] for item in page["items"]]
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert ids == ["calm", "next", "other"]

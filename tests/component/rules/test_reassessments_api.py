"""Reassessments over HTTP, from a change to what subscribers would be told."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.component.assembled import Assembled, assembled
from tests.scenario import OPERATOR_KEY, bearer, registry_document, reports

MIDAN = next(report for report in reports() if report["external_id"] == "midan-20160508")


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Assembled]:
    async with assembled(tmp_path) as running:
        yield running


def without_truces() -> dict[str, Any]:
    return {**registry_document(), "truces": []}


async def test_a_change_is_answered_with_its_reassessment_which_cancels_and_shows_its_progress(
    system: Assembled,
) -> None:
    monitor = await system.make_key("monitor", "monitor")
    incident = (await system.call("POST", "/v1/incidents", MIDAN))["incident_id"]
    await system.settle()
    changed = await system.call("PUT", "/v1/registry?reason=All+ended", without_truces())
    assert (changed["reassessment"], changed["resource"]) == ("registry-2", None)
    await system.settle()
    shown = await system.call("GET", "/v1/reassessments/registry-2", key=monitor)
    assert (shown["state"], shown["candidates"], shown["done"], shown["changed"], shown["flips"]) == (
        "done",
        1,
        1,
        1,
        1,
    )
    assert (shown["cause"]["kind"], shown["cause"]["reason"]) == ("registry", "All ended")
    listed = (await system.call("GET", "/v1/reassessments?state=done&order=started", key=monitor))["items"]
    assert [one["id"] for one in listed] == ["registry-1", "registry-2"]
    now, before = (await system.call("GET", f"/v1/incidents/{incident}/assessments"))["items"]
    assert (before["verdict"], now["verdict"], now["cause"]) == ("violation", "not_covered", shown["cause"])
    (cancelled,) = [a for a in (await system.call("GET", "/v1/alerts"))["items"] if a["status"] == "cancelled"]
    assert cancelled["cause"]["registry_version"] == 2
    again = await system.call("PUT", "/v1/registry", without_truces())
    assert again["reassessment"] is None


async def test_only_operators_stop_and_resume_and_what_is_done_stays_so(system: Assembled) -> None:
    partner = await system.make_key("partner", "partner")
    monitor = await system.make_key("monitor", "monitor")
    await system.call("POST", "/v1/incidents", MIDAN)
    await system.settle()
    assert (await system.call("PUT", "/v1/registry", without_truces()))["reassessment"] == "registry-2"
    path = "/v1/reassessments/registry-2"
    assert (await system.api.post(f"{path}/stop", headers=bearer(monitor))).status_code == 403
    assert (await system.api.get(path, headers=bearer(partner))).status_code == 403
    assert (await system.call("POST", f"{path}/stop"))["state"] == "stopped"
    await system.settle()
    assert (await system.call("GET", path))["done"] == 0
    assert (await system.call("POST", f"{path}/resume"))["state"] == "running"
    await system.settle()
    assert (await system.call("GET", path))["state"] == "done"
    assert (await system.api.post(f"{path}/stop", headers=bearer(OPERATOR_KEY))).status_code == 409
    assert (await system.api.get("/v1/reassessments/none", headers=bearer(OPERATOR_KEY))).status_code == 404
    acts = [one["action"] for one in (await system.call("GET", "/v1/audit"))["items"]]
    assert {"reassessments.stop", "reassessments.resume"} <= set(acts)

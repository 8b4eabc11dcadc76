"""Reviewing with all services: what a decision does beyond its incident."""

from pathlib import Path
from typing import Any, Final

from tests.component.assembled import Assembled, assembled
from tests.scenario import reports

MIDAN: Final = next(r for r in reports() if r["external_id"] == "midan-20160508")
UNNAMED: Final = {**MIDAN, "perpetrators": ["The Tuesday Brigade"]}


async def report(system: Assembled, external_id: str, body: dict[str, Any]) -> str:
    """The id of the incident, once it is judged."""
    posted = await system.call("POST", "/v1/incidents", {**body, "external_id": external_id})
    await system.settle()
    id: str = posted["incident_id"]
    return id


async def test_every_incident_that_bears_a_mapped_name_is_judged_again_and_again_when_it_is_taken_back(
    tmp_path: Path,
) -> None:
    async with assembled(tmp_path) as system:
        decided, other = [await report(system, name, UNNAMED) for name in ("one", "two")]
        body = {
            "parties": {"The Tuesday Brigade": "nusra"},
            "alias": {"from": "2016-03-01"},
            "reason": "their own word",
        }
        made = await system.call("POST", f"/v1/review/{decided}/decision", body)
        await system.settle()
        newest = (await system.call("GET", f"/v1/incidents/{other}/assessments"))["items"][0]
        assert (newest["verdict"], newest["revision"]) == ("excluded", 1)
        assert (newest["cause"]["kind"], newest["cause"]["reason"]) == ("registry", "their own word")
        assert (await system.call("GET", "/v1/review?why=unresolved_party"))["items"] == []
        await system.call("DELETE", f"/v1/review/{decided}/decision/{made['id']}")
        await system.settle()
        for id in (decided, other):
            newest = (await system.call("GET", f"/v1/incidents/{id}/assessments"))["items"][0]
            assert newest["verdict"] == "violation"
        waiting = [one["incident_id"] for one in (await system.call("GET", "/v1/review?why=unresolved_party"))["items"]]
        assert {decided, other} == set(waiting)

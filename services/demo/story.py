"""The end of the demo: an extension that is announced late, by which reports are judged again, and a report that was
sent by mistake, whose alert is cancelled."""

import asyncio
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from services.demo.play import DemoClients, Inbox, Judged, Played, assessed

#: The announcement that the operator takes down only once the reports are in, and its truce.
TRUCE: Final = "aleppo-calm"
LATE: Final = "russia-20160506"
#: Of nobody's words: it says itself that it is made up.
MISTAKEN: Final[Mapping[str, Any]] = {
    "external_id": "demo-mistaken",
    "occurred": "2016-05-08T12:00:00+03:00",
    "act": "shelling",
    "location": {"place": "Aleppo (made up by the demo)", "lat": 36.2, "lon": 37.13, "radius_km": 1.0},
    "perpetrators": ["Syrian army"],
    "targets": ["civilians"],
    "description": "Made up by the demo, to be taken back: nothing of the kind was reported.",
    "source": {"name": "demo", "grade": "B2"},
    "language": "en",
}
REASON: Final = "sent by mistake"


def hold_back(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The registry without the announcement that comes late, and that announcement."""
    shown = deepcopy(dict(document))
    (truce,) = (one for one in shown["truces"] if one["id"] == TRUCE)
    (late,) = (one for one in truce["announcements"] if one["id"] == LATE)
    truce["announcements"].remove(late)
    return shown, late


async def tell_story(clients: DemoClients, inbox: Inbox, played: Played, late: Mapping[str, Any] | None) -> Played:
    """``late`` None: it was announced before. Returns what was played, as it stands after the extension."""
    after = played
    if late is not None:
        after = await _announce(clients, played, late)
    known = await clients.partner.get("/v1/incidents", {"external_id": str(MISTAKEN["external_id"])})
    if not known["items"]:
        await _send_by_mistake(clients, inbox)
    return after


async def _announce(clients: DemoClients, played: Played, late: Mapping[str, Any]) -> Played:
    clients.output.step(f"the operator takes down what was announced meanwhile: “{late['text']}”")
    made = (await clients.operator.request("POST", f"/v1/truces/{TRUCE}/announcements", late)).body
    path = f"/v1/reassessments/{made['reassessment']}"

    async def ended() -> Any:
        found = await clients.operator.get(path)
        return found if found["state"] == "done" else None

    done = await clients.until("the reports were judged again", ended)
    clients.output.step(f"{done['candidates']} reports were judged again by it, {done['changed']} of them otherwise")
    fresh = {name for name, _ in played.fresh}
    judged: Judged = [(name, await assessed(clients, one["incident_id"])) for name, one in played.judged]
    return Played(judged, [one for one in judged if one[0] in fresh])


async def _send_by_mistake(clients: DemoClients, inbox: Inbox) -> None:
    clients.output.step("a partner sends a report by mistake, and takes it back")
    posted = await clients.partner.post_report(MISTAKEN)
    incident_id = posted["incident_id"]
    clients.output.judged(1, 1, MISTAKEN, await assessed(clients, incident_id))

    async def told(incidents: set[str]) -> bool:
        await asyncio.sleep(0)
        return incident_id in incidents

    await clients.until("its alert arrived", lambda: told(inbox.told))
    await clients.partner.retract_report(incident_id, REASON)
    await clients.until("its alert was cancelled", lambda: told(inbox.cancelled))

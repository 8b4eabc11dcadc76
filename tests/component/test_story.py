"""The told story on a driven clock, each step at its hour: see :mod:`tests.story`."""

from pathlib import Path
from typing import Any

from schemas.instants import parse_instant
from tests.component.assembled import Assembled, assembled
from tests.fakes import DrivenClock
from tests.parts.mail import Mailbox
from tests.story import (
    CALM,
    READER,
    STORY,
    SUBSCRIPTION,
    Step,
    opening_registry,
    tell_mail,
    tell_verdicts,
    tell_windows,
)


async def test_aleppo_hour_by_hour(tmp_path: Path, smtp: Mailbox) -> None:
    clock = DrivenClock(parse_instant("2016-05-04T12:00:00Z"))
    async with assembled(tmp_path, clock=clock, document=opening_registry(), smtp_url=smtp.url) as system:
        partner = await system.make_key("partner-a", "partner")
        await system.call("POST", "/v1/subscriptions", SUBSCRIPTION)
        await system.settle()
        incidents, mails = dict[str, str](), list[tuple[str, str]]()
        for step in STORY:
            await system.at((parse_instant(f"2016-{step.at}:00Z") - clock.now()) / 1_000_000)
            await take(system, step, partner, incidents)
            await system.at(1)
            mails += step.mails
            assert [tell_mail(letter.message["Subject"]) for letter in smtp.letters(READER)] == mails, step.told
            if step.windows is not None:
                windows = await system.call("GET", f"/v1/truces/{CALM}/windows")
                assert tell_windows(windows) == step.windows, step.told
            assert await verdicts(system, incidents) == step.verdicts, step.told


async def take(system: Assembled, step: Step, partner: str, incidents: dict[str, str]) -> None:
    if step.report is not None:
        posted = await system.call("POST", "/v1/incidents", step.report, key=partner)
        incidents[step.report["external_id"]] = posted["incident_id"]
    if step.announcement is not None:
        await system.call("POST", f"/v1/truces/{CALM}/announcements", step.announcement)


async def verdicts(system: Assembled, incidents: dict[str, str]) -> dict[str, str]:
    async def current(incident: str) -> Any:
        return (await system.call("GET", f"/v1/incidents/{incident}/assessments?limit=1"))["items"][0]

    return tell_verdicts({id: await current(incident) for id, incident in incidents.items()})

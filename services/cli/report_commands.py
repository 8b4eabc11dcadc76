"""``trucewatch retract``, a report taken back by its external id, and ``trucewatch report``, the bulletin."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import click
from rich.markup import escape

from schemas.instants import format_instant, parse_instant
from schemas.local_time import read_moment
from schemas.zones import find_zone
from services.cli.ask import FILE_REFUSED, ask, client_options, complain, say, told_in_one_sentence
from services.cli.bulletin import Bulletin, BulletinData, ReportedPeriod, make_bulletin
from services.cli.bulletin_formats import FORMATS
from services.cli.language import spoken_language, spoken_words
from services.cli.registry_text import as_registry_time
from services.client import AsyncClient, IncidentSummary
from services.client.wire import AssessmentQuery


@click.command()
@click.argument("external_id")
@click.option("--reason", required=True, help="Why; kept with the incident and told to whoever got its alert.")
@click.option("--partner", help="Whose report it is, where several partners used the id: the name of the key.")
@client_options
def retract(external_id: str, reason: str, partner: str | None, url: str, key: str | None) -> None:
    """Take the report EXTERNAL_ID back. Its alerts are cancelled; sent again with changed content it counts again."""

    async def work(api: AsyncClient) -> bool:
        found = [item async for item in api.list_incidents({"external_id": external_id})]
        named = [item for item in found if partner in (None, item["partner"])]
        if len(named) != 1:
            complain(escape(_not_one(external_id, found)))
            return False
        return await _retract(api, named[0], reason)

    if not ask(url, key, work):
        sys.exit(FILE_REFUSED)


async def _retract(api: AsyncClient, incident: IncidentSummary, reason: str) -> bool:
    id = incident["incident_id"]
    if incident["state"] == "retracted":
        say(escape(spoken_words().say("retract.before", id=id)))
        return True
    answer = await api.retract_report(id, reason)
    say(escape(spoken_words().say("retract.done", id=id, revision=answer["revision"])))
    return True


def _not_one(external_id: str, found: list[IncidentSummary]) -> str:
    spoken = spoken_words()
    if not found:
        return spoken.say("retract.unknown", external_id=external_id)
    partners = spoken.join(sorted(item["partner"] for item in found))
    return spoken.say("retract.several", external_id=external_id, partners=partners)


@click.command()
@click.option("--from", "start", required=True, help="When the period begins.")
@click.option("--to", "end", required=True, help="When it ends.")
@click.option("--format", "form", type=click.Choice(tuple(FORMATS)), default="md", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file, instead of standard output.")
@client_options
def report(start: str, end: str, form: str, out: Path | None, url: str, key: str | None) -> None:
    """The bulletin of a period: verdicts, casualties as claimed, and each violation, in the language of the command.

    Times are local to the registry ("2016-05-08 06:00", a date for its first instant) or RFC 3339. As CSV it has every
    incident of the period, a row each.
    """
    made = ask(url, key, lambda api: _bulletin(api, start, end))
    text = FORMATS[form](made)
    if out is None:
        click.echo(text, nl=False)
    else:
        with told_in_one_sentence():
            out.write_bytes(text.encode())


async def _bulletin(api: AsyncClient, start: str, end: str) -> Bulletin:
    registry = await api.get("/v1/registry")
    zone = find_zone(registry["timezone"])
    period = ReportedPeriod(_moment("--from", start, zone), _moment("--to", end, zone), zone)
    if period.end <= period.start:
        raise click.BadParameter("must be after --from", param_hint="--to")
    edges: AssessmentQuery = {"from": format_instant(period.start), "to": format_instant(period.end)}
    assessments = [one async for one in api.list_assessments(edges)]
    kinds = (registry["parties"], registry["truces"])
    names = {one["id"]: one["name"] for kind in kinds for one in kind}
    names |= {one["id"]: one["properties"]["name"] for one in registry["areas"]["features"]}
    windows = {truce["id"]: await _windows(api, truce["id"], period) for truce in registry["truces"]}
    return make_bulletin(BulletinData(assessments, names, windows), period, spoken_language())


async def _windows(api: AsyncClient, truce: str, period: ReportedPeriod) -> list[Any]:
    """Those that meet the period."""
    found = await api.get(f"/v1/truces/{quote(truce, safe='')}/windows")
    return [
        window
        for window in found
        if parse_instant(window["from"]) < period.end
        and (window["to"] is None or parse_instant(window["to"]) > period.start)
    ]


def _moment(option: str, text: str, zone: ZoneInfo) -> int:
    try:
        return read_moment(as_registry_time(text), zone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error

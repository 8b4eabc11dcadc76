"""``trucewatch announce``: an announcement of a truce, with what it changes shown before it is sent."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args
from urllib.parse import quote
from zoneinfo import ZoneInfo

import click
from rich.markup import escape

from schemas.instants import SECOND, format_instant
from schemas.local_time import read_moment
from schemas.registry import Action
from services.cli.ask import FILE_REFUSED, SERVER_REFUSED, ask, client_options, complain, say
from services.cli.language import spoken_words
from services.cli.registry_load import registry_zone
from services.cli.registry_text import as_registry_time, flip_lines, local, windows_of_change_lines
from services.client import Answer, AsyncClient, RefusedError
from services.platform.clock import SystemClock

#: The flips of which the reports are looked up, to name them.
NAMED_FLIPS: Final = 10
#: Options that name a field of the announcement.
_OPTIONS: Final = {
    "id": "--id", "issuer": "--issuer", "announced_at": "--announced-at", "text": "--words", "area": "--area",
    "starts_at": "--from", "ends_at": "--until", "duration": "--for",
    "extends": "--extends", "restates": "--restates", "withdraws": "--withdraws",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rehearsed:
    """An announcement with the dry run of it; ``truce`` as it was then."""

    path: str
    announcement: dict[str, Any]
    truce: Answer
    zone: ZoneInfo
    effect: Any
    named: dict[str, str]


@click.command()
@click.argument("truce")
@click.argument("action", type=click.Choice(get_args(Action)))
@click.option("--issuer", required=True, help="Id of the party that announced it.")
@click.option("--words", default="", help="What was said, word by word.")
@click.option("--from", "starts_at", help="When it begins.")
@click.option("--until", "ends_at", help="When it ends; 'open' for no end.")
@click.option("--for", "duration", help="How long, instead of --until: PT48H, P3D.")
@click.option("--area", help="Id of the area; the truce's by default.")
@click.option("--announced-at", help="When it was announced; now by default.")
@click.option("--extends", help="Id of the announcement that it extends; the latest by default.")
@click.option("--restates", help="Id of the announcement of which it is another issuer's account.")
@click.option("--withdraws", help="Id of the announcement that it takes back.")
@click.option("--id", "id", help="Its own id; made of issuer and day by default.")
@click.option("--reason", help="Why; kept in the history and told with every message that follows.")
@click.option("--dry-run", is_flag=True, help="Only show what it would change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@client_options
def announce(truce: str, action: Action, url: str, key: str | None, **options: Any) -> None:
    """Add an announcement to TRUCE: declare, extend, restate, end or withdraw it.

    Times are local to the registry ("2016-05-10 00:01", a date for its first instant, 24:00 for its end) or RFC 3339.
    First it shows the windows before and after and the verdicts that would change, then it asks.
    """
    spoken = spoken_words()
    rehearsed = _ask(url, key, lambda api: _rehearse(api, truce, action, options))
    _show(rehearsed)
    if options["dry_run"]:
        say(spoken.say("announce.unchanged"))
        return
    if not options["yes"] and not click.confirm(spoken.say("announce.question")):
        sys.exit(FILE_REFUSED)
    answer = _ask(url, key, lambda api: _send(api, rehearsed, options["reason"]))
    told = [spoken.say("announce.done", id=rehearsed.announcement["id"], version=answer["registry_version"])]
    if answer.get("reassessment"):
        told.append(spoken.say("announce.reassessment", id=answer["reassessment"]))
    say(escape("; ".join(told)))


def _ask(url: str, key: str | None, job: Any) -> Any:
    """As ``ask``, with faults of the announcement told by the options that they are about."""

    async def work(api: AsyncClient) -> Any:
        try:
            return await job(api)
        except RefusedError as error:
            return error

    answer = ask(url, key, work)
    if not isinstance(answer, RefusedError):
        return answer
    spoken = spoken_words()
    complain(f"[red]{spoken.say('cli.refused')}:[/] {escape(str(answer))}")
    for fault in answer.faults:
        name = _OPTIONS.get(fault.pointer.removeprefix("/"), fault.pointer)
        complain(escape(f"  {name}: {fault.detail}" if name else f"  {fault.detail}"))
    if answer.status == 412:
        complain(spoken.say("announce.changed"))
    sys.exit(SERVER_REFUSED)


async def _rehearse(api: AsyncClient, truce: str, action: Action, options: dict[str, Any]) -> _Rehearsed:
    path = f"/v1/truces/{quote(truce, safe='')}"
    found, zone = await api.request("GET", path), await registry_zone(api)
    announcement = make_announcement(action, options, found.body, zone, SystemClock().now())
    effect = await _post(api, f"{path}/announcements", announcement, found, {"dry_run": True})
    named = {
        flip["incident_id"]: await _name_incident(api, flip["incident_id"], zone)
        for flip in effect["flips"][:NAMED_FLIPS]
    }
    return _Rehearsed(path, announcement, found, zone, effect, named)


async def _send(api: AsyncClient, rehearsed: _Rehearsed, reason: str | None) -> Any:
    query = {"reason": reason} if reason else {}
    return await _post(api, f"{rehearsed.path}/announcements", rehearsed.announcement, rehearsed.truce, query)


async def _post(
    api: AsyncClient, path: str, announcement: dict[str, Any], truce: Answer, query: Mapping[str, object]
) -> Any:
    """Sent again where no answer came: once made, it is refused as made from another truce."""
    headers = {"if-match": truce.etag}
    return (await api.request("POST", path, announcement, query=query, headers=headers, repeatable=True)).body


def make_announcement(
    action: Action, options: dict[str, Any], truce: dict[str, Any], zone: ZoneInfo, now: int
) -> dict[str, Any]:
    """The announcement that the options describe. ``now`` is when it was announced, unless they say."""
    announced_at = _written(options["announced_at"]) or format_instant(now // SECOND * SECOND)
    said: dict[str, Any] = {
        "id": options["id"] or _free_id(options["issuer"], announced_at, truce, zone, now),
        "issuer": options["issuer"],
        "action": action,
        "announced_at": announced_at,
        "starts_at": _written(options["starts_at"]),
        "text": options["words"],
    }
    said |= {name: options[name] for name in ("duration", "area", "extends", "restates", "withdraws")}
    given = {name: value for name, value in said.items() if value}
    if options["ends_at"]:
        given["ends_at"] = None if options["ends_at"] == "open" else _written(options["ends_at"])
    return given


def _written(time: str | None) -> str | None:
    return None if time is None else as_registry_time(time)


def _free_id(issuer: str, announced_at: str, truce: dict[str, Any], zone: ZoneInfo, now: int) -> str:
    """``russia-20160509``, with a number where the truce has one of that day."""
    try:
        at = read_moment(announced_at, zone)
    except ValueError:
        at = now
    day = local(format_instant(at), zone)[:10].replace("-", "")
    taken = {said["id"] for said in truce.get("announcements", ())}
    first = f"{issuer}-{day}"
    return next(id for n in range(1, len(taken) + 2) if (id := first if n == 1 else f"{first}-{n}") not in taken)


async def _name_incident(api: AsyncClient, id: str, zone: ZoneInfo) -> str:
    """Its reporter's name for it, the act, the place and the time."""
    try:
        report = (await api.get(f"/v1/incidents/{id}"))["report"]
    except (RefusedError, KeyError):
        return id
    location, occurred = report.get("location") or {}, report.get("occurred")
    where = location.get("place") or location.get("area") or f"{location.get('lat')}, {location.get('lon')}"
    start = occurred.get("from") or occurred.get("date") if isinstance(occurred, dict) else occurred
    when = local(start, zone) if isinstance(start, str) and "T" in start else start
    return f"{report['external_id']} ({report['act'].replace('_', ' ')}, {where}, {when})"


def _show(rehearsed: _Rehearsed) -> None:
    effect = rehearsed.effect
    for line in windows_of_change_lines(effect["windows"], rehearsed.zone):
        say(escape(line))
    for line in flip_lines(effect["flips"], effect["flip_count"], rehearsed.named):
        say(escape(line))
    headed = f"[yellow]{spoken_words().say('announce.warning')}:[/]"
    for warning in effect.get("warnings", ()):
        name = _OPTIONS.get(warning["pointer"].removeprefix("/"), warning["pointer"])
        complain(f"{headed} {escape(name)} {escape(warning['detail'])}")

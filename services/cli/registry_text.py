"""The registry's windows and changes as lines that people read. They come as the API answers them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET

from schemas.instants import parse_instant, to_datetime
from services.rules.registry.domain.field_changes import compare_fields

#: Longer values are shown by their beginning.
_LONGEST: Final = 160
_SIGNS: Final = {"add": "+", "remove": "-", "replace": "~"}


def local(text: str | None, zone: ZoneInfo) -> str:
    """An RFC 3339 time in the registry's zone, as ``announce`` takes it; ``open`` for none."""
    if text is None:
        return "open"
    moment = to_datetime(parse_instant(text)).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second or moment.microsecond else f"{moment:%Y-%m-%d %H:%M}"


def as_registry_time(text: str) -> str:
    """A typed time as the registry writes it, between its day and its hour a T."""
    return re.sub(r"(?<=\d) +(?=\d)", "T", text.strip())


def window_lines(windows: Sequence[Mapping[str, Any]], other: Sequence[Any], sign: str, zone: ZoneInfo) -> list[str]:
    """One line for each window, and one for each account where they differ; ``sign`` before those not in ``other``."""
    lines: list[str] = []
    for window in windows:
        mark, accounts = " " if window in other else sign, window["accounts"]
        areas = ", ".join(dict.fromkeys(account["area"] for account in accounts))
        told = f"{local(window['from'], zone)} to {local(window['to'], zone)}, {areas}: "
        lines.append(f"  {mark} {told}{', '.join(window['announcements'])}{_dispute(window)}")
        if len({(a["from"], a["to"], a["area"]) for a in accounts}) > 1:
            lines += [f"      {_account(account, zone)}" for account in accounts]
    return lines or ["    none"]


def _dispute(window: Mapping[str, Any]) -> str:
    if window["disputed"]:
        return " (disputed)"
    return " (disputed in part)" if any(stretch["disputed"] for stretch in window["stretches"]) else ""


def _account(account: Mapping[str, Any], zone: ZoneInfo) -> str:
    times = f"{local(account['from'], zone)} to {local(account['to'], zone)}"
    return f"{account['issuer']} ({account['announcement']}): {times}, {account['area']}"


def windows_of_change_lines(changes: Iterable[Mapping[str, Any]], zone: ZoneInfo) -> Iterator[str]:
    """``windows`` of a dry run: those of each truce before and after, in local time of the registry."""
    for change in changes:
        before, after = change["before"], change["after"]
        yield f"windows of {change['truce']} before ({zone.key}):"
        yield from window_lines(before, after, "-", zone)
        yield f"windows of {change['truce']} after:"
        yield from window_lines(after, before, "+", zone)


def change_lines(changes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """``changes`` of a dry run, resource by resource and field by field."""
    for change in changes:
        yield f"{_SIGNS[change['op']]} {change['resource']}"
        if change["op"] == "replace":
            for found in compare_fields(change["before"], change["after"]):
                yield f"    {field_line(found.field, found.before, found.after)}"


def field_line(field: str, before: Any, after: Any) -> str:
    """One value that changed; UNSET where it is not there."""
    if field == "/geometry":
        return "its polygon"
    if field.startswith("/announcements/") and field.count("/") == 2 and UNSET in (before, after):
        sign, said = ("-", before) if after is UNSET else ("+", after)
        return f"{sign} announcement {_announcement(said)}"
    if before is UNSET or after is UNSET:
        sign, value = ("+", after) if before is UNSET else ("-", before)
        return f"{sign} {field[1:] or 'all of it'}: {_value(value)}"
    return f"{field[1:]}: {_value(before)} → {_value(after)}"


def _announcement(said: Mapping[str, Any]) -> str:
    plain = {"id", "issuer", "action", "announced_at", "text"}
    rest = "".join(f", {name} {'open' if v is None else v}" for name, v in said.items() if name not in plain)
    words = f": “{_short(said['text'])}”" if said.get("text") else ""
    return f"{said['id']} ({said['action']} by {said['issuer']}, announced {said['announced_at']}{rest}){words}"


def _value(value: Any) -> str:
    return _short(msgspec.json.encode(value).decode())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def flip_lines(flips: Sequence[Mapping[str, Any]], count: int, named: Mapping[str, str]) -> Iterator[str]:
    """How many reports would be judged otherwise, from which verdict to which, and the first by their names."""
    if not count:
        yield "no verdict would change"
        return
    yield f"{count} {'verdict' if count == 1 else 'verdicts'} would change:"
    for (before, after), n in Counter((flip["from"], flip["to"]) for flip in flips).most_common():
        yield f"  {n} from {_words(before)} to {_words(after)}"
    for flip in flips:
        if flip["incident_id"] in named:
            yield f"    {named[flip['incident_id']]}: {_words(flip['from'])} → {_words(flip['to'])}"
    if count > len(named):
        yield f"    and {count - len(named)} more"


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")


def version_line(version: Mapping[str, Any], zone: ZoneInfo) -> str:
    """The author of a version, its time and its reason."""
    reason = f": “{version['reason']}”" if version["reason"] else ""
    return (
        f"version {version['registry_version']}, {local(version['recorded_at'], zone)}, {version['by']['name']}{reason}"
    )


def history_lines(items: Iterable[Mapping[str, Any]], zone: ZoneInfo) -> Iterator[str]:
    """The history of a resource, or of the registry."""
    for item in items:
        yield version_line(item, zone)
        for change in item["changes"]:
            if "field" in change:
                yield f"    {field_line(change['field'], *(change.get(side, UNSET) for side in ('before', 'after')))}"
            else:
                yield f"  {_SIGNS[change['op']]} {change['resource']}"
        if item.get("change_count", 0) > len(item["changes"]):
            yield f"    and {item['change_count'] - len(item['changes'])} more"
        if item.get("valid"):
            yield f"    about {local(item['valid']['from'], zone)} to {local(item['valid']['to'], zone)}"

"""An alert in words of one language: the headline, when and where, who, why. Nothing here knows a channel."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.assessments import Alert, Change, Interval, ResolvedParty, ResolvedPlace
from schemas.causes import Cause
from schemas.instants import parse_instant, to_datetime
from schemas.report import Casualties
from schemas.vocabulary import AlertStatus, Language
from schemas.wording.lines import clean
from schemas.wording.words import Words, begins_a_day, words, zone_label
from schemas.zones import UTC, find_zone

#: A name or a reason longer than this is cut in messages to people; reports may carry 300 characters and more.
MAX_NAME: Final = 120
MAX_NAMES: Final = 8


def headline(alert: Alert, language: Language) -> str:
    """One line that says what is judged to have happened, where and when; of a report that was retracted, that its
    source withdrew it, which "not covered" would not say (judgement.md 19)."""
    given = alert.texts.get(language)
    if given is not None and given.headline:
        return clean(given.headline)
    say = words(language)
    line = say.say(
        "headline",
        verdict=say.say("withdrawn") if _is_withdrawn(alert) else say.title("verdict", alert.verdict),
        act=say.name("act", alert.act),
        place=place_name(alert, say),
        day=days(alert.occurred, zone_of(alert), say),
    )
    toll = casualties(alert.casualties, say, zeros=False)
    return say.say("headline_toll", headline=line, toll=toll) if toll else line


def _is_withdrawn(alert: Alert) -> bool:
    return any(reason.code == "retracted" for reason in alert.reasons)


def titled(alert: Alert, status: AlertStatus, language: Language) -> str:
    """The headline, behind the word for an update or a cancellation."""
    line = headline(alert, language)
    return line if status == "raised" else f"{words(language).name('status', status)}: {line}"


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return find_zone(name)
    except ValueError:
        return UTC


def zone_of(alert: Alert) -> ZoneInfo:
    """The zone of the place, UTC where the alert names none that this machine knows."""
    return _zone(alert.timezone)


def id_name(alert: Alert, language: Language, resource: str) -> str:
    """The display name of a party, a truce or an area; in English, then the id, where the language has none."""
    for code in (language, "en"):
        name = alert.names.get(code, {}).get(resource)
        if name:
            return _short(name)
    return _short(resource)


def _short(text: str) -> str:
    line = clean(text) or "?"
    return line if len(line) <= MAX_NAME else line[: MAX_NAME - 1] + "…"


def place_name(alert: Alert, say: Words) -> str:
    """The place in a word or two."""
    return _place_name(alert, alert.place, say)


def _place_name(alert: Alert, place: ResolvedPlace, say: Words) -> str:
    if place.name and clean(place.name):
        return say.foreign(_short(place.name))
    if place.area:
        return say.foreign(id_name(alert, say.language, place.area))
    if place.lat is not None and place.lon is not None:
        return f"{place.lat:.4f}, {place.lon:.4f}"
    return say.say("unknown_place")


def place(alert: Alert, found: ResolvedPlace, say: Words) -> str:
    """The place with its coordinates, where there are any."""
    name = _place_name(alert, found, say)
    if found.lat is None or found.lon is None:
        return name
    radius = f"{found.radius_km or 0:g}"
    return say.say("near", name=name, lat=f"{found.lat:.4f}", lon=f"{found.lon:.4f}", radius=radius)


def days(occurred: Interval, zone: ZoneInfo, say: Words) -> str:
    """The local day or days of an interval whose end is exclusive."""
    start, end = parse_instant(occurred.start), parse_instant(occurred.end)
    first = say.day(start, zone)
    last = first if end <= start else say.day(end - 1, zone)
    return first if first == last else say.say("day.span", first=first, last=last)


def when(occurred: Interval, zone: ZoneInfo, say: Words) -> str:
    """The time in the zone of the place and in UTC; whole local days as days."""
    start, end = parse_instant(occurred.start), parse_instant(occurred.end)
    label = zone_label(start, zone)
    bare = "_utc" if zone is UTC else ""
    if start == end:
        return say.say(f"when.moment{bare}", local=say.moment(start, zone), zone=label, utc=say.moment(start, UTC))
    if all(begins_a_day(to_datetime(edge).astimezone(zone)) for edge in (start, end)):
        first, last = say.day(start, zone), say.day(end - 1, zone)
        if first == last:
            return say.say("when.day", day=first, zone=label)
        return say.say("when.days", first=first, last=last, zone=label)
    return say.say(
        f"when.span{bare}",
        start=say.moment(start, zone),
        end=say.moment(end, zone),
        zone=label,
        start_utc=say.moment(start, UTC),
        end_utc=say.moment(end, UTC),
    )


def casualties(counts: Casualties, say: Words, *, zeros: bool = True) -> str:
    """``3 killed, 1 injured``; what the source does not say is left out, and a nought unless ``zeros``."""
    given = [("killed", counts.killed), ("injured", counts.injured)]
    return say.join([say.count(kind, n) for kind, n in given if n is not None and (n or zeros)])


def parties(alert: Alert, side: Sequence[ResolvedParty], say: Words) -> str:
    """The parties of one side with the names they were reported under."""
    if not side:
        return say.say("unknown_party")
    named = [_party(alert, party, say) for party in side[:MAX_NAMES]]
    return say.join(named if len(side) <= MAX_NAMES else [*named, "…"])


def _party(alert: Alert, party: ResolvedParty, say: Words) -> str:
    reported = _short(party.reported)
    if party.party is None:
        return say.say("unknown_name", reported=say.foreign(reported))
    name = id_name(alert, say.language, party.party)
    if name.casefold() == reported.casefold() or party.party == party.reported:
        return say.foreign(name)
    return say.say("party_as_reported", name=say.foreign(name), reported=say.foreign(reported))


def truces(alert: Alert, ids: Sequence[str], say: Words) -> str:
    return say.join([say.foreign(id_name(alert, say.language, truce)) for truce in ids]) or say.say("none")


def source(alert: Alert, say: Words) -> str:
    name = say.foreign(_short(alert.source.name))
    if alert.source.grade is None:
        return say.say("source_ungraded", name=name)
    return say.say("source_graded", name=name, grade=alert.source.grade)


def reason_texts(alert: Alert, language: Language) -> list[str]:
    """One sentence for each reason; English where the language has none."""
    given = alert.texts.get(language)
    translated = given.reasons if given is not None else ()
    sentences = (
        translated[i] if i < len(translated) and translated[i] else reason.text
        for i, reason in enumerate(alert.reasons)
    )
    return [clean(sentence) for sentence in sentences if sentence]


def facts(alert: Alert, language: Language) -> list[tuple[str, str]]:
    """The alert as labelled lines, in the order in which a desk wants them."""
    say = words(language)
    certainty = say.name("certainty", alert.certainty) if alert.certainty else say.say("none")
    lines = [
        ("severity", say.name("severity", alert.severity)),
        ("certainty", certainty),
        ("act", say.name("act", alert.act)),
        ("occurred", when(alert.occurred, zone_of(alert), say)),
        ("place", place(alert, alert.place, say)),
        ("perpetrators", parties(alert, alert.perpetrators, say)),
        ("targets", parties(alert, alert.targets, say)),
        ("casualties", casualties(alert.casualties, say)),
        ("truces", truces(alert, alert.truces, say)),
        ("source", source(alert, say)),
    ]
    return [(say.name("field", field), value) for field, value in lines if value]


def changes(alert: Alert, language: Language) -> list[tuple[str, str, str]]:
    """Field, before, after, for each material change."""
    say = words(language)
    return [(say.name("field", c.field), _value(alert, c, c.before, say), _after(alert, c, say)) for c in alert.changes]


def _after(alert: Alert, change: Change, say: Words) -> str:
    if change.field == "verdict" and _is_withdrawn(alert):
        return say.say("withdrawn")
    return _value(alert, change, change.after, say)


def _value(alert: Alert, change: Change, value: Any, say: Words) -> str:
    """One side of a change in words. A value of an unforeseen shape is shown as it is, cut short."""
    if value is None or value == []:
        return say.say("none")
    try:
        return _known_value(alert, change.field, value, say)
    except (msgspec.ValidationError, ValueError, TypeError):
        return _short(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _known_value(alert: Alert, field: str, value: Any, say: Words) -> str:
    if field == "verdict":
        return say.title(field, msgspec.convert(value, str))
    if field in ("certainty", "severity", "act"):
        return say.name(field, msgspec.convert(value, str))
    if field == "truces":
        return truces(alert, msgspec.convert(value, list[str]), say)
    if field in ("perpetrators", "targets", "parties"):
        return parties(alert, msgspec.convert(value, list[ResolvedParty], from_attributes=True), say)
    if field == "place":
        return place(alert, msgspec.convert(value, ResolvedPlace, from_attributes=True), say)
    if field == "occurred":
        return when(msgspec.convert(value, Interval, from_attributes=True), zone_of(alert), say)
    if field == "casualties":
        return casualties(msgspec.convert(value, Casualties, from_attributes=True), say) or say.say("none")
    raise ValueError(field)


def change_facts(cause: Cause, say: Words) -> tuple[tuple[str, str], ...]:
    """The author of a change of the registry, and the reason, as far as they are known."""
    facts = (
        ("truce.changed_by", "" if cause.by is None else clean(cause.by.name)),
        ("truce.reason", clean(cause.reason or "")),
    )
    return tuple((say.say(key), value) for key, value in facts if value)

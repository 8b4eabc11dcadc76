"""A small world for the rules: square areas on the equator, two armies, an excluded group, a truce or two.

One degree is about 111 km. Times are hours after ``T0``, midnight UTC, in a registry on UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import shapely

from schemas.assessments import Assessment, Finding
from schemas.causes import Actor
from schemas.codec import encode
from schemas.decisions import OperatorDecision
from schemas.envelope import Event
from schemas.events import IncidentReported
from schemas.instants import HOUR, parse_instant, to_datetime
from schemas.report import Casualties, Location, Occurrence, Report, Source
from schemas.topics import INCIDENTS
from schemas.vocabulary import expand_acts
from services.rules.assessing.current_judge import CurrentJudge
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.model import (
    ALWAYS,
    Account,
    Area,
    CompiledAlias,
    CompiledDuty,
    CompiledParty,
    CompiledPlace,
    CompiledPresence,
    CompiledRegistry,
    CompiledTruce,
    PartyRef,
    Period,
    Window,
)

UTC_ZONE = ZoneInfo("UTC")
T0 = parse_instant("2030-03-01T00:00:00Z")


def hour(hours: float) -> int:
    return T0 + round(hours * HOUR)


def square(west: float, south: float, size: float) -> Any:
    return shapely.box(west, south, west + size, south + size)


def area(id: str, geometry: Any) -> Area:
    return Area(id, {"en": f"{id} area", "ar": f"منطقة {id}", "ru": f"район {id}"}, geometry)


def party(id: str, **fields: Any) -> CompiledParty:
    names = {"en": f"{id} forces", "ar": f"قوات {id}", "ru": f"силы {id}"}
    return CompiledParty(id, fields.pop("kind", "armed_group"), fields.pop("names", names), **fields)


def refs(*ids: str | PartyRef) -> tuple[PartyRef, ...]:
    return tuple(PartyRef(id) if isinstance(id, str) else id for id in ids)


def account(id: str, start: float, end: float | None, area: str = "city", issuer: str = "red") -> Account:
    return Account(id, issuer, area, hour(start), None if end is None else hour(end))


def truce(id: str = "calm", windows: Iterable[Sequence[Account]] = (), **fields: Any) -> CompiledTruce:
    """By default red and blue toward each other, all weapons, black excluded, from hour 0 to hour 240 in the city."""
    told = tuple(Window(tuple(accounts)) for accounts in windows) or (Window((account("first", 0, 240),)),)
    both = refs("red", "blue")
    return CompiledTruce(
        id,
        {"en": f"{id} truce", "ar": f"هدنة {id}", "ru": f"перемирие {id}"},
        "local",
        fields.pop("area", "city"),
        fields.pop("duties", (CompiledDuty(both, both, expand_acts(("all_weapons", "territory"))),)),
        fields.pop("exclusions", refs("black")),
        told,
        **fields,
    )


PARTIES = (
    party("red", aliases=(CompiledAlias("Reds"),), kind="coalition"),
    party("blue", aliases=(CompiledAlias("Blues"),), kind="coalition"),
    party("navy", member_of=refs("blue")),
    party("black", cannot=frozenset({"airstrike"}), aliases=(CompiledAlias("New Black", Period(hour(1000), None)),)),
    party("grey", umbrella=True, member_of=refs("blue")),
    party("green"),
    party("people", kind="civilians", aliases=(CompiledAlias("residents"),)),
)
AREAS = (
    area("city", square(0, 0, 1)),
    area("suburb", square(1, 0, 1)),
    area("province", square(-2, -2, 6)),
    area("abroad", square(20, 20, 1)),
)


def registry(*truces: CompiledTruce, **fields: Any) -> CompiledRegistry:
    parties: Sequence[CompiledParty] = fields.pop("parties", PARTIES)
    areas: Sequence[Area] = fields.pop("areas", AREAS)
    places: Sequence[CompiledPlace] = fields.pop("places", ())
    return CompiledRegistry(
        fields.pop("version", 1),
        fields.pop("timezone", "UTC"),
        parties={one.id: one for one in parties},
        areas={one.id: one for one in areas},
        places={one.id: one for one in places},
        truces={one.id: one for one in truces or (truce(),)},
        **fields,
    )


def presence(party: str, area: str, control: Any = "present", period: Period = ALWAYS) -> CompiledPresence:
    return CompiledPresence(f"{party}.{area}", party, area, control, period)


def interval(start: float, end: float) -> Occurrence:
    return Occurrence(to_datetime(hour(start)), to_datetime(hour(end)))


def report(**fields: Any) -> Report:
    """By default red shells blue in the middle of the city at hour 24; the source is as good as can be."""
    at = fields.pop("at", 24)
    given: dict[str, Any] = {
        "external_id": "r1",
        "occurred": at if isinstance(at, Occurrence) else to_datetime(T0) + timedelta(hours=at),
        "act": "shelling",
        "location": Location(lat=0.5, lon=0.5, radius_km=1.0),
        "source": Source("a monitor", fields.pop("grade", "A1")),
        "perpetrators": ("red",),
        "targets": ("blue",),
    }
    killed, injured = fields.pop("killed", None), fields.pop("injured", None)
    return Report(**{**given, "casualties": Casualties(killed, injured), **fields})


def decision(number: int, **decided: Any) -> OperatorDecision:
    """The n-th decision on the incident."""
    fields = {"id": f"dec_{number}", "incident_id": "i1", "number": number, "by": Actor("o1", "desk"),
              "at": "2030-03-02T00:00:00Z", "reason": "two patrols saw it"}  # fmt: skip
    return OperatorDecision(**{**fields, **decided})


def assess(registry: CompiledRegistry, one: Report, **case: Any) -> Assessment:
    return Judge(registry).assess([Case("i1", 1, one, **case)], now=hour(10_000))[0]


def finding(registry: CompiledRegistry, one: Report, truce: str = "calm", **case: Any) -> Finding:
    return next(f for f in assess(registry, one, **case).findings if f.truce == truce)


def codes(told: Assessment | Finding) -> list[str]:
    return [reason.code for reason in told.reasons]


def fact(told: Assessment | Finding, code: str) -> Mapping[str, Any]:
    return next(reason.fact for reason in told.reasons if reason.code == code)


def changed(one: CompiledTruce, **fields: Any) -> CompiledTruce:
    return replace(one, **fields)


def current_judge_of(registry: CompiledRegistry) -> CurrentJudge:
    """A judge whose registry no other process changes."""

    async def newest() -> CompiledRegistry:
        return registry

    return CurrentJudge(registry, newest)


def reported(
    incident_id: str,
    report: Mapping[str, Any],
    revision: int = 1,
    *,
    partner: str = "desk",
    retracted: str | None = None,
) -> Event:
    """One revision of a report as it comes on the log. ``report``: as it is posted."""
    at = "2016-05-08T12:00:00Z"
    fact = IncidentReported(incident_id, revision, partner, at, msgspec.convert(report, Report), retracted)
    return encode(INCIDENTS, fact, key=incident_id, id=f"{incident_id}-{revision}", time=at)

"""What ingest decides: an incident's name, what two reports have in common, which revision comes next, its state.

Values in, values out. Source: the contract, "Incident reports"; rules.md 12 and 19.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.instants import MINUTE, to_datetime, to_instant
from schemas.local_time import day_bounds
from schemas.report import DEFAULT_RADIUS_KM, Occurrence, Report
from schemas.vocabulary import IncidentState

#: How far ahead of our clock a partner's may run.
CLOCK_TOLERANCE: Final = 5 * MINUTE

_encode = msgspec.json.Encoder().encode
_replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of a report: a JSON pointer into it, and a sentence."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Span:
    """When an incident took place, half-open; ``start == end`` is an instant. Microseconds, UTC."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Latest:
    """What is known of the newest revision of an incident. ``retracted`` is the reason of a retraction."""

    revision: int
    identity: bytes
    retracted: str | None


def name_incident(partner: str, external_id: str) -> str:
    """The id of a partner's incident: 32 hex digits, a function of both names and of nothing else."""
    owner = partner.encode()
    return hashlib.blake2b(b"%d:%b%b" % (len(owner), owner, external_id.encode()), digest_size=16).hexdigest()


def identify(report: Report, span: Span) -> bytes:
    """A digest of what a report means: equal for equal instants in other offsets, for defaults given or left out.

    A whole day is its date and not ``span``, so that a corrected time zone makes no new content of it.
    """
    return hashlib.blake2b(_encode(_canonical(report, span)), digest_size=16).digest()


def _canonical(report: Report, span: Span) -> Report:
    location = report.location
    if location.radius_km == DEFAULT_RADIUS_KM:
        location = _replace(location, radius_km=None)
    if location.lat == 0 or location.lon == 0:
        # Minus zero is written differently, and is no other place.
        location = _replace(location, lat=_unsigned(location.lat), lon=_unsigned(location.lon))
    occurred = report.occurred
    if isinstance(occurred, datetime) or occurred.date is None:
        occurred = Occurrence(to_datetime(span.start), to_datetime(span.end))
    return _replace(report, location=location, occurred=occurred)


def _unsigned(degrees: float | None) -> float | None:
    return None if degrees is None else degrees + 0.0


def locate_in_time(occurred: datetime | Occurrence, zone: ZoneInfo) -> Span:
    """The moments that a valid ``occurred`` means. Raises ValueError where it means none."""
    if isinstance(occurred, datetime):
        moment = _moment(occurred)
        return Span(moment, moment)
    if occurred.date is not None:
        return Span(*_day(occurred.date, zone))
    assert occurred.start is not None
    assert occurred.end is not None
    return Span(_moment(occurred.start), _moment(occurred.end))


def _moment(moment: datetime) -> int:
    instant = to_instant(moment)
    to_datetime(instant)
    return instant


@lru_cache(maxsize=4096)
def _day(text: str, zone: ZoneInfo) -> tuple[int, int]:
    if not text.isascii():
        raise ValueError("is no date")
    return day_bounds(date.fromisoformat(text), zone)


def find_time_faults(occurred: datetime | Occurrence, now: int, zone: ZoneInfo) -> list[Fault]:
    """Why the time of a report is refused; an empty list where it is not."""
    if isinstance(occurred, Occurrence) and (faults := list(_form_faults(occurred))):
        return faults
    try:
        span = locate_in_time(occurred, zone)
    except (ValueError, OverflowError) as error:
        pointer = "/occurred/date" if isinstance(occurred, Occurrence) and occurred.date is not None else "/occurred"
        return [Fault(pointer, f"is no time that can be judged: {error}")]
    return list(_order_faults(occurred, span, now))


def _form_faults(occurred: Occurrence) -> Iterator[Fault]:
    if occurred.date is not None:
        for name, value in (("from", occurred.start), ("to", occurred.end)):
            if value is not None:
                yield Fault(f"/occurred/{name}", "cannot stand beside date")
        return
    for name, value in (("from", occurred.start), ("to", occurred.end)):
        if value is None:
            yield Fault(f"/occurred/{name}", "is required (from and to, or date)")


def _order_faults(occurred: datetime | Occurrence, span: Span, now: int) -> Iterator[Fault]:
    if span.end < span.start:
        yield Fault("/occurred/to", "lies before from")
    interval = isinstance(occurred, Occurrence) and occurred.date is None
    if (span.end if interval else span.start) > now + CLOCK_TOLERANCE:
        name = "/occurred/to" if interval else "/occurred" if isinstance(occurred, datetime) else "/occurred/date"
        yield Fault(name, "lies more than 5 minutes in the future")


def find_place_faults(given: Collection[str]) -> list[Fault]:
    """Why the place of a report is refused, from the names of the fields of ``location`` that are not null."""
    faults = []
    for name, other in (("lat", "lon"), ("lon", "lat")):
        if name in given and other not in given:
            faults.append(Fault(f"/location/{other}", f"is required beside {name}"))
    if "radius_km" in given and "lat" not in given and "lon" not in given:
        faults.append(Fault("/location/radius_km", "needs lat and lon"))
    if not {"lat", "lon", "area", "place"}.intersection(given):
        faults.append(Fault("/location", "needs lat and lon, an area or a place"))
    return faults


def find_faults(report: Report, now: int, zone: ZoneInfo) -> list[Fault]:
    """Everything that the types alone do not refuse."""
    place = report.location
    if place.lat is not None and place.lon is not None:
        return find_time_faults(report.occurred, now, zone)
    given = {name for name in place.__struct_fields__ if getattr(place, name) is not None}
    return [*find_time_faults(report.occurred, now, zone), *find_place_faults(given)]


def next_revision(latest: Latest | None, identity: bytes) -> int | None:
    """The revision that a report becomes; None where its content is that of the latest one, retracted or not."""
    if latest is None:
        return 1
    return None if latest.identity == identity else latest.revision + 1


def next_retraction(latest: Latest, reason: str) -> int | None:
    """The revision that a retraction becomes; None where the incident is retracted for that reason already."""
    return None if latest.retracted == reason else latest.revision + 1


def state_of(revision: int, *, retracted: bool, assessed: int, dead: int) -> IncidentState:
    """The state of an incident whose newest revision is ``revision``.

    ``assessed`` and ``dead`` are the newest revisions that rules judged, and gave up on; 0 for none.
    """
    if retracted:
        return "retracted"
    if assessed >= revision:
        return "assessed"
    return "dead_lettered" if dead >= revision else "accepted"

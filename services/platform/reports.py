"""Reading a report at the edge: what its types refuse and what its meaning refuses, all errors at once.

Ingest admits reports by it, and rules evaluates unstored ones by it, so that both refuse the same. Source: the
contract, "Incident reports"; judgement.md 12.
"""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.instants import MINUTE, settle_leap_second
from schemas.report import Location, Occurrence, Report
from schemas.text import NO_NAME, says_something
from schemas.time_span import TimeSpan, locate_in_time
from services.platform.http.bodies import parse_json, refuse_deep
from services.platform.http.problems import MAX_ERRORS, FieldError, Problem, pointer_to
from services.platform.http.validation import find_errors, first_error, is_crowded

#: How far ahead of our clock a partner's may run.
CLOCK_TOLERANCE: Final = 5 * MINUTE

_decode = msgspec.json.Decoder(Report).decode
_OCCURRED: Final = Report.__annotations__["occurred"]
_NUL: Final = b"\\u0000"


@dataclass(frozen=True, slots=True)
class ReportFault:
    """The fault of one field of a report: a JSON pointer into it, and a sentence."""

    pointer: str
    detail: str


def read_report(body: bytes, now: int, zone: ZoneInfo) -> Report:
    """The bytes of one report. Raises Problem 400 for no JSON, 422 with every error; ``now`` is an instant, and a date
    means a day of ``zone``."""
    return read_located(body, now, zone)[0]


def read_located(body: bytes, now: int, zone: ZoneInfo) -> tuple[Report, TimeSpan]:
    """As :func:`read_report`, with the moments that the report means."""
    refuse_deep(body)
    try:
        report = _decode(body)
    except msgspec.ValidationError as error:
        if is_crowded(body):
            raise Problem(422, "Not valid", errors=[first_error(error)]) from None
        return _read_again(body, now, zone)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_again(body, now, zone)
    span = None if _NUL in body else _locate_if_valid(report, now, zone)
    return _read_again(body, now, zone) if span is None else (report, span)


def _locate_if_valid(report: Report, now: int, zone: ZoneInfo) -> TimeSpan | None:
    """The moments of a report with which nothing is wrong beyond its types; None where something is."""
    occurred, place = report.occurred, report.location
    if (place.lat is None or place.lon is None) and find_place_faults(_given(place)):
        return None
    if list(_name_faults(place.place)):
        return None
    if isinstance(occurred, Occurrence) and list(_form_faults(occurred)):
        return None
    try:
        span = locate_in_time(occurred, zone)
    except (ValueError, OverflowError):
        return None
    return None if list(_order_faults(occurred, span, now)) else span


def _given(place: Location) -> set[str]:
    return {name for name in place.__struct_fields__ if getattr(place, name) is not None}


def _read_again(body: bytes, now: int, zone: ZoneInfo) -> tuple[Report, TimeSpan]:
    """The slow path: every error of the report, or the report if there is none."""
    raw = _with_leap_seconds(_with_whole_counts(parse_json(body)))
    errors = find_all_errors(raw, now, zone)
    if errors:
        raise Problem(422, "Not valid", errors=errors)
    report = msgspec.convert(raw, Report)
    return report, locate_in_time(report.occurred, zone)


def find_all_errors(raw: Any, now: int, zone: ZoneInfo) -> list[FieldError]:
    """Every error of decoded JSON as a report, of form and of meaning, once each."""
    errors = find_errors(raw, Report)
    if isinstance(raw, dict):
        refused = {error.pointer for error in errors}
        errors += [
            FieldError(fault.pointer, fault.detail)
            for fault in _faults_of(raw, now, zone)
            if fault.pointer not in refused
        ]
    errors += [FieldError(pointer, "holds a NUL character") for pointer in _nul_pointers(raw)]
    return errors


def _faults_of(raw: dict[str, Any], now: int, zone: ZoneInfo) -> list[ReportFault]:
    faults = []
    # A value of the wrong form is among the errors already.
    with contextlib.suppress(msgspec.ValidationError):
        faults += find_time_faults(msgspec.convert(raw.get("occurred"), _OCCURRED), now, zone)
    location = raw.get("location")
    if isinstance(location, dict):
        faults += find_place_faults({name for name, value in location.items() if value is not None})
        faults += list(_name_faults(location.get("place")))
    return faults


def _nul_pointers(raw: Any) -> list[str]:
    """Where texts hold the one character that a database refuses. Not recursive: unknown fields nest at will.

    A pointer is written only where something is found: one long key above many leaves costs its length once.
    """
    found: list[str] = []
    left: list[_Place] = [(None, "", raw)]
    while left and len(found) <= MAX_ERRORS:
        place = left.pop()
        value = place[2]
        if isinstance(value, str) and "\0" in value:
            found.append(_pointer_of(place))
        elif isinstance(value, dict):
            left += [(place, key, item) for key, item in value.items() if isinstance(item, _MAY_HOLD_TEXT)]
            found += [_pointer_of((place, key, None)) for key in islice(_nul_keys(value), MAX_ERRORS + 1)]
        elif isinstance(value, list):
            left += [(place, index, item) for index, item in enumerate(value) if isinstance(item, _MAY_HOLD_TEXT)]
    return found


#: The place that holds it, its key or index there, and the value.
_Place = tuple[Any, str | int, Any]
_MAY_HOLD_TEXT: Final = (str, dict, list)


def _nul_keys(value: dict[str, Any]) -> Iterator[str]:
    return (key for key in value if "\0" in key)


def _pointer_of(place: _Place) -> str:
    parts: list[str] = []
    while place[0] is not None:
        parts.append(pointer_to("", place[1]))
        place = place[0]
    return "".join(reversed(parts))


def _with_whole_counts(raw: Any) -> Any:
    """1.0 is a whole number in JSON, as it is in JSON Schema."""
    casualties = raw.get("casualties") if isinstance(raw, dict) else None
    if not isinstance(casualties, dict):
        return raw
    whole = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in casualties.items()
    }
    return {**raw, "casualties": whole}


def _with_leap_seconds(raw: Any) -> Any:
    """A leap second is the last moment before midnight; RFC 3339 has them, and datetimes do not."""
    occurred = raw.get("occurred") if isinstance(raw, dict) else None
    if isinstance(occurred, str):
        return {**raw, "occurred": _settled(occurred)}
    if isinstance(occurred, dict):
        return {**raw, "occurred": {name: _settled(value) for name, value in occurred.items()}}
    return raw


def _settled(value: Any) -> Any:
    try:
        return settle_leap_second(value) if isinstance(value, str) else value
    except ValueError:
        return value  # found again as an error of form


def find_time_faults(occurred: datetime | Occurrence, now: int, zone: ZoneInfo) -> list[ReportFault]:
    """Why the time of a report is refused; an empty list where it is not."""
    if isinstance(occurred, Occurrence) and (faults := list(_form_faults(occurred))):
        return faults
    try:
        span = locate_in_time(occurred, zone)
    except (ValueError, OverflowError) as error:
        pointer = "/occurred/date" if isinstance(occurred, Occurrence) and occurred.date is not None else "/occurred"
        return [ReportFault(pointer, f"cannot be used as a time: {error}")]
    return list(_order_faults(occurred, span, now))


def _name_faults(place: Any) -> Iterator[ReportFault]:
    """A place cannot have a name without a letter or digit; a party so named is unknown (judgement.md 20)."""
    if isinstance(place, str) and place and not says_something(place):
        yield ReportFault("/location/place", NO_NAME)


def _form_faults(occurred: Occurrence) -> Iterator[ReportFault]:
    if occurred.date is not None:
        for name, value in (("from", occurred.start), ("to", occurred.end)):
            if value is not None:
                yield ReportFault(f"/occurred/{name}", "cannot be combined with date")
        return
    for name, value in (("from", occurred.start), ("to", occurred.end)):
        if value is None:
            yield ReportFault(f"/occurred/{name}", "is required (from and to, or date)")


def _order_faults(occurred: datetime | Occurrence, span: TimeSpan, now: int) -> Iterator[ReportFault]:
    if span.end < span.start:
        yield ReportFault("/occurred/to", "is before from")
    interval = isinstance(occurred, Occurrence) and occurred.date is None
    if (span.end if interval else span.start) > now + CLOCK_TOLERANCE:
        name = "/occurred/to" if interval else "/occurred" if isinstance(occurred, datetime) else "/occurred/date"
        yield ReportFault(name, "is more than 5 minutes in the future")


def find_place_faults(given: Collection[str]) -> list[ReportFault]:
    """Why the place of a report is refused, from the names of the fields of ``location`` that are not null."""
    faults = []
    for name, other in (("lat", "lon"), ("lon", "lat")):
        if name in given and other not in given:
            faults.append(ReportFault(f"/location/{other}", f"is required with {name}"))
    if "radius_km" in given and "lat" not in given and "lon" not in given:
        faults.append(ReportFault("/location/radius_km", "needs lat and lon"))
    if not {"lat", "lon", "area", "place"}.intersection(given):
        faults.append(ReportFault("/location", "needs lat and lon, an area or a place"))
    return faults

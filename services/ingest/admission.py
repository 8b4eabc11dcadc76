"""From the bytes of one report to a command, or to the problem that says all that is wrong with it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.report import Report
from services.ingest.domain import (
    Fault,
    find_faults,
    find_place_faults,
    find_time_faults,
    identify,
    locate_in_time,
    name_incident,
)
from services.ingest.use_cases import Filing
from services.shared.http import FieldError, Problem, parse_json
from services.shared.validation import find_errors, pointer_to

#: Errors that one answer lists; what is wrong in more places than this is no report.
MAX_ERRORS: Final = 200

_decode = msgspec.json.Decoder(Report).decode
_OCCURRED: Final = Report.__annotations__["occurred"]
_NUL: Final = b"\\u0000"


@dataclass(slots=True)
class LocalTime:
    """The registry's time zone as ingest knows it; UTC until the registry has said."""

    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Admission:
    """Admits reports. ``now`` is a clock's; a date means a day of ``local``'s zone at that moment."""

    now: Callable[[], int]
    local: LocalTime

    def admit(self, body: bytes, partner: str, traceparent: str | None = None) -> Filing:
        """A valid report as the command to file it. Raises Problem 400 for no JSON, 422 with every error."""
        now = self.now()
        report = self._read(body, now)
        span = locate_in_time(report.occurred, self.local.zone)
        incident_id = name_incident(partner, report.external_id)
        return Filing(incident_id, partner, report, identify(report, span), span, now, traceparent)

    def fingerprint(self, body: bytes, partner: str) -> bytes:
        """What the bytes of one report mean, whether it is valid or not; of what is no report, the bytes."""
        try:
            report = _decode(body)
            return name_incident(partner, report.external_id).encode() + identify(
                report, locate_in_time(report.occurred, self.local.zone)
            )
        except (ValueError, OverflowError, AssertionError, RecursionError):
            return body

    def _read(self, body: bytes, now: int) -> Report:
        try:
            report = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._read_again(body, now)
        if _NUL in body or find_faults(report, now, self.local.zone):
            return self._read_again(body, now)
        return report

    def _read_again(self, body: bytes, now: int) -> Report:
        """The slow second look: find all errors, or that there is none."""
        raw = _with_whole_counts(parse_json(body))
        errors = find_all_errors(raw, now, self.local.zone)
        if errors:
            raise Problem(422, "Not valid", errors=errors[:MAX_ERRORS])
        return msgspec.convert(raw, Report)


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


def _faults_of(raw: dict[str, Any], now: int, zone: ZoneInfo) -> list[Fault]:
    faults = []
    # What is not even of the right form is among the errors already.
    with contextlib.suppress(msgspec.ValidationError):
        faults += find_time_faults(msgspec.convert(raw.get("occurred"), _OCCURRED), now, zone)
    location = raw.get("location")
    if isinstance(location, dict):
        faults += find_place_faults({name for name, value in location.items() if value is not None})
    return faults


def _nul_pointers(raw: Any) -> list[str]:
    """Where texts hold the one character that a database refuses. Not recursive: unknown fields nest at will."""
    found, left = [], [("", raw)]
    while left:
        pointer, value = left.pop()
        if isinstance(value, str) and "\0" in value:
            found.append(pointer)
        elif isinstance(value, dict):
            left += [(pointer_to(pointer, key), item) for key, item in value.items()]
            found += [pointer_to(pointer, key) for key in value if "\0" in key]
        elif isinstance(value, list):
            left += [(pointer_to(pointer, index), item) for index, item in enumerate(value)]
    return found


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

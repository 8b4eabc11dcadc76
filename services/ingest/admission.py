"""From the bytes of one report to the command that files it."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from schemas.report import Report
from services.ingest.domain import identify, name_incident
from services.ingest.use_cases import Filing
from services.platform.clock import LocalTime
from services.platform.reports import read_located

_decode = msgspec.json.Decoder(Report).decode


@dataclass(frozen=True, slots=True)
class Admission:
    """Admits reports. ``now`` is a clock's; a date means a day of ``local``'s zone at that moment."""

    now: Callable[[], int]
    local: LocalTime

    def admit(self, body: bytes, partner: str, traceparent: str | None = None) -> Filing:
        """A valid report as the command to file it. Raises Problem 400 for no JSON, 422 with every error."""
        now = self.now()
        report, span = read_located(body, now, self.local.zone)
        return Filing(name_incident(partner, report.external_id), partner, report, span, now, traceparent)

    def fingerprint(self, body: bytes, partner: str) -> bytes:
        """The meaning of one report's bytes, valid or not; the bytes themselves where they are no report."""
        try:
            report = _decode(body)
            return name_incident(partner, report.external_id).encode() + identify(report)
        except (ValueError, OverflowError, RecursionError):
            return body

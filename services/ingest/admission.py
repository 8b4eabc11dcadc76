"""From the bytes of one report to the command that files it."""

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from schemas.report import Report
from services.ingest.domain import identify, name_incident
from services.ingest.use_cases import Filing
from services.shared.reports import read_located

_decode = msgspec.json.Decoder(Report).decode


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
        report, span = read_located(body, now, self.local.zone)
        return Filing(name_incident(partner, report.external_id), partner, report, span, now, traceparent)

    def fingerprint(self, body: bytes, partner: str) -> bytes:
        """What the bytes of one report mean, whether it is valid or not; of what is no report, the bytes."""
        try:
            report = _decode(body)
            return name_incident(partner, report.external_id).encode() + identify(report)
        except (ValueError, OverflowError, RecursionError):
            return body

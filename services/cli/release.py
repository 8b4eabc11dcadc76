"""The events that a newer, full release of UCDP no longer has: those that the server knows and the file lacks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from schemas.instants import parse_instant
from services.cli.sending import Summary
from services.client import AsyncClient
from services.connectors import ucdp
from services.connectors.model import NumberedOutcome, ReportDraft


@dataclass(slots=True)
class Release:
    """The ids of a release, and the months in which its events ended (YYYY-MM)."""

    ids: set[str] = field(default_factory=set)
    months: set[str] = field(default_factory=set)


def note_events(outcomes: Iterable[NumberedOutcome], release: Release, zone: ZoneInfo) -> Iterator[NumberedOutcome]:
    """The outcomes themselves; what the release holds is noted on the way, refused rows too."""
    for numbered in outcomes:
        if external_id := numbered.outcome.external_id:
            release.ids.add(external_id)
        # Only UCDP's own have a time as that connector writes it.
        if isinstance(numbered.outcome, ReportDraft) and ucdp.is_of_release(numbered.outcome):
            release.months.add(ucdp.month_of_report(numbered.outcome.report["occurred"], zone))
        yield numbered


async def find_missing_events(
    api: AsyncClient, release: Release, sent: Summary, zone: ZoneInfo
) -> list[NumberedOutcome]:
    """The withdrawals of what the same partner sent before. A file of which nothing was taken withdraws nothing."""
    kept: dict[str, str] = {}
    partners: set[str] = set()
    found: list[tuple[str, str, str]] = []
    async for item in api.list_incidents():
        if item["incident_id"] in sent.taken:
            partners.add(item["partner"])
        if item["external_id"].startswith(ucdp.PREFIX) and item["state"] != "retracted":
            month = ucdp.month_of(parse_instant(item["occurred"]["to"]), zone)
            found.append((item["partner"], item["external_id"], month))
    kept = {external_id: month for partner, external_id, month in found if partner in partners}
    return [NumberedOutcome(0, gone) for gone in ucdp.find_missing(kept, release.ids, release.months)]

"""What ingest decides: an incident's name, what two reports have in common, which revision comes next, its state.

Values in, values out. Source: the contract, "Incident reports"; rules.md 12 and 19.
"""

import hashlib
from datetime import datetime

import msgspec

from schemas.instants import to_datetime
from schemas.report import DEFAULT_RADIUS_KM, Occurrence, Report
from schemas.vocabulary import IncidentState

_encode = msgspec.json.Encoder().encode
_replace = msgspec.structs.replace


class Latest(msgspec.Struct, frozen=True):
    """What is known of the newest revision of an incident. ``retracted`` is the reason of a retraction."""

    revision: int
    identity: bytes
    retracted: str | None


def name_incident(partner: str, external_id: str) -> str:
    """The id of a partner's incident: 32 hex digits, a function of both names and of nothing else."""
    owner = partner.encode()
    return hashlib.blake2b(b"%d:%b%b" % (len(owner), owner, external_id.encode()), digest_size=16).hexdigest()


def identify(report: Report, start: int, end: int) -> bytes:
    """A digest of what a report means: equal for equal instants in other offsets, for defaults given or left out.

    ``start`` and ``end`` are the instants of its interval. A whole day is its date instead, so that a corrected time
    zone makes no new content of it.
    """
    return hashlib.blake2b(_encode(_canonical(report, start, end)), digest_size=16).digest()


def _canonical(report: Report, start: int, end: int) -> Report:
    location = report.location
    if location.radius_km == DEFAULT_RADIUS_KM:
        location = _replace(location, radius_km=None)
    if location.lat == 0 or location.lon == 0:
        # Minus zero is written differently, and is no other place.
        location = _replace(location, lat=_unsigned(location.lat), lon=_unsigned(location.lon))
    occurred = report.occurred
    if isinstance(occurred, datetime) or occurred.date is None:
        occurred = Occurrence(to_datetime(start), to_datetime(end))
    return _replace(report, location=location, occurred=occurred)


def _unsigned(degrees: float | None) -> float | None:
    return None if degrees is None else degrees + 0.0


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

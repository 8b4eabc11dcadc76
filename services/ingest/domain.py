"""The decisions of ingest: an incident's name, what two reports have in common, which revision comes next, its state.

Values in, values out. Source: the contract, "Incident reports"; judgement.md 12 and 19.
"""

import hashlib
from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.report import DEFAULT_RADIUS_KM, Occurrence, Report
from schemas.vocabulary import IncidentState

#: The digits of an incident's id that a map names it by; two in a million incidents share them by chance.
SHORT_ID: Final = 10

_encode = msgspec.json.Encoder().encode
_replace = msgspec.structs.replace
_NONE_STATED: Final = next(f.default for f in msgspec.structs.fields(Report) if f.name == "casualties")


def name_incident(partner: str, external_id: str) -> str:
    """The id of a partner's incident: 32 hex digits, a function of both names and of nothing else."""
    owner = partner.encode()
    return hashlib.blake2b(b"%d:%b%b" % (len(owner), owner, external_id.encode()), digest_size=16).hexdigest()


def identify(report: Report) -> bytes:
    """A digest of what a report means: equal for equal instants in other offsets, for defaults given or left out."""
    return hashlib.blake2b(_encode(_canonical(report)), digest_size=16).digest()


def _canonical(report: Report) -> Report:
    location = report.location
    if location.radius_km == DEFAULT_RADIUS_KM:
        location = _replace(location, radius_km=None)
    if location.lat == 0 or location.lon == 0:
        # Minus zero is written differently, and is no other place.
        location = _replace(location, lat=_unsigned(location.lat), lon=_unsigned(location.lon))
    occurred = report.occurred
    if isinstance(occurred, datetime):
        occurred = Occurrence(occurred, occurred)
    if occurred.start is not None and occurred.end is not None:
        occurred = Occurrence(occurred.start.astimezone(UTC), occurred.end.astimezone(UTC))
    # Only the default itself is left out when it is written, no equal of it.
    casualties = _NONE_STATED if report.casualties == _NONE_STATED else report.casualties
    return _replace(report, location=location, occurred=occurred, casualties=casualties)


def _unsigned(degrees: float | None) -> float | None:
    return None if degrees is None else degrees + 0.0


def next_revision(latest: int, before: Report, after: Report) -> int | None:
    """The revision that a report becomes whose incident is at ``latest`` with the content ``before``, retracted or
    not; None where its content is the same."""
    return None if identify(before) == identify(after) else latest + 1


def next_retraction(latest: int, retracted: str | None, reason: str) -> int | None:
    """The revision that a retraction becomes; None where the incident is ``retracted`` for that reason already."""
    return None if retracted == reason else latest + 1


def state_of(revision: int, *, retracted: bool, assessed: int, dead: int) -> IncidentState:
    """The state of an incident whose newest revision is ``revision``.

    ``assessed`` and ``dead`` are the newest revisions that rules judged, and gave up on; 0 for none.
    """
    if retracted:
        return "retracted"
    if assessed >= revision:
        return "assessed"
    return "dead_lettered" if dead >= revision else "accepted"


def is_outdated(mark: str, read_at: int | None, known: str, noted_at: int, *, current: bool) -> bool:
    """Whether the state of a submission that a source tells is older than what is ``known`` since ``noted_at``.

    Marks are the source's, digits or text that sorts; an empty one says nothing. A list that was asked for before the
    known state came (``read_at``, microseconds) must have a newer mark; a ``current`` list asked for later is right
    whatever its mark, where a source's marks can fall.
    """
    if read_at is not None and read_at < noted_at:
        return not _is_older(known, mark)
    return not current and _is_older(mark, known)


def _is_older(mark: str, than: str) -> bool:
    if not mark or not than:
        return False
    if mark.isdecimal() and than.isdecimal():
        return int(mark) < int(than)
    return mark < than

"""Decisions of operators on single reports. Source: the public contract, "Assessments (rules)"."""

from typing import Literal

import msgspec

from schemas.causes import Actor
from schemas.registry import Moment
from schemas.report import Location
from schemas.vocabulary import Certainty, Outcome

LinkState = Literal["confirmed", "cut"]
DecisionKind = Literal["place", "parties", "verdict", "link"]


class DecidedLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another report, and whether it speaks of the same event (``confirmed``) or does not (``cut``)."""

    incident_id: str
    state: LinkState


class AliasPeriod(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """The time in which a name was used, half-open, in times of the registry; open on each side that is null."""

    start: Moment | None = None
    end: Moment | None = None


class OperatorDecision(msgspec.Struct, frozen=True, omit_defaults=True):
    """The decision of an operator about one incident: one of ``place``, ``parties``, ``verdict`` and ``link``.

    ``number`` counts the decisions on the incident from 1, those that were taken back included. ``at`` is RFC 3339 UTC.
    ``parties`` maps names as reported to ids of parties; ``alias`` is the time for which they became aliases of the
    registry with it. ``certainty`` is that of a decided violation.
    """

    id: str
    incident_id: str
    number: int
    by: Actor
    at: str
    reason: str
    place: Location | None = None
    parties: dict[str, str] = {}
    verdict: Outcome | None = None
    certainty: Certainty | None = None
    link: DecidedLink | None = None
    alias: AliasPeriod | None = None


class StandingDecision(msgspec.Struct, frozen=True):
    """A decision that an assessment was made with, until it is taken back."""

    id: str
    kind: DecisionKind
    by: Actor
    at: str
    reason: str


class RulesVerdict(msgspec.Struct, frozen=True):
    """The verdict of the rules, beside one that an operator decided."""

    verdict: Outcome
    certainty: Certainty | None

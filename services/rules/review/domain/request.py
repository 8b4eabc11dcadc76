"""A decision as an operator asks for it, and why it is refused. Source: the contract, "Assessments (rules)"."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from schemas.decisions import AliasPeriod, DecidedLink
from schemas.report import MAX_LIST, MAX_TEXT, Location, Name, Report
from schemas.text import visible
from schemas.vocabulary import Certainty, Outcome
from services.rules.judging.footprint import UnresolvedPlace
from services.rules.judging.names import normalise
from services.rules.judging.place import Located
from services.rules.review.domain.candidates import Candidates

_CONTENTS: Final = ("place", "parties", "verdict", "link")
#: Names of the report that one error lists.
_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class DecisionFault:
    """A fault of one field of a request: a JSON pointer to it, and a sentence."""

    pointer: str
    detail: str


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of ``place`` (as a report's ``location``), ``parties`` (reported name: id of the party), ``verdict`` and
    ``link``. ``certainty`` is that of a violation, ``Likely`` if absent. With ``alias``, each of the names becomes an
    alias of its party in the registry, for that time, and every incident that bears it is judged again."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
    place: Location | None = None
    parties: Annotated[dict[Name, Name], msgspec.Meta(min_length=1, max_length=MAX_LIST)] | None = None
    verdict: Outcome | None = None
    certainty: Certainty | None = None
    link: DecidedLink | None = None
    alias: AliasPeriod | None = None


def form_faults(wanted: DecisionRequest) -> Iterator[DecisionFault]:
    """The faults that need neither the report nor the registry to be seen."""
    given = [name for name in _CONTENTS if getattr(wanted, name) is not None]
    if not given:
        yield DecisionFault("", "needs one of place, parties, verdict and link")
    for name in given[1:]:
        yield DecisionFault(f"/{name}", f"cannot be combined with {given[0]}")
    if wanted.certainty is not None and wanted.verdict != "violation":
        yield DecisionFault("/certainty", "only the verdict violation has one")
    if wanted.alias is not None and wanted.parties is None:
        yield DecisionFault("/alias", "needs parties")
    if not wanted.reason.strip():
        yield DecisionFault("/reason", "must not be empty")
    if "\0" in wanted.reason:
        yield DecisionFault("/reason", "holds a NUL character")


def party_faults(
    wanted: Mapping[str, str], report: Report, known: Container[str], candidates: Candidates
) -> Iterator[DecisionFault]:
    """Names that the report does not bear, and ids that the registry does not have."""
    names = list(dict.fromkeys((*report.perpetrators, *report.targets)))
    borne = {normalise(name) or name for name in names}
    for reported, party in wanted.items():
        if (normalise(reported) or reported) not in borne:
            listed = ", ".join(repr(name) for name in names[:_LISTED]) or "nobody"
            yield DecisionFault(_pointer(reported), f"the report does not name it; it names {listed}")
        elif party not in known:
            yield DecisionFault(_pointer(reported), _not_there(party, candidates.nearest_party(party)))


def place_faults(
    wanted: Location, located: Located, areas: Container[str], candidates: Candidates
) -> Iterator[DecisionFault]:
    """A place that the registry does not have, or that leaves open where it was."""
    if located.has_placeholder:
        yield DecisionFault("/place/lat", "a point within 0.01 degrees of latitude 0, longitude 0 counts as not given")
    if wanted.area is not None and visible(wanted.area) not in areas:
        yield DecisionFault("/place/area", _not_there(wanted.area, candidates.nearest_area(wanted.area)))
    elif isinstance(located.shape, UnresolvedPlace) and wanted.place is not None:
        if located.candidates:
            yield DecisionFault("/place/place", f"several bear this name: {', '.join(located.candidates[:_LISTED])}")
        else:
            yield DecisionFault("/place/place", _not_there(wanted.place, candidates.nearest_place(wanted.place)))
    if located.disagreeing:
        yield DecisionFault(
            f"/place/{_FIELD[located.disagreeing[-1]]}", f"lies apart from the {located.disagreeing[0]}"
        )


_FIELD: Final = {"point": "lat", "area": "area", "place": "place"}


def _not_there(given: str, nearest: str | None) -> str:
    return "not in the registry" + ("" if nearest is None else f"; the nearest is {nearest!r}")


def _pointer(reported: str) -> str:
    """The JSON pointer (RFC 6901) of a name in ``parties``."""
    return f"/parties/{reported.replace('~', '~0').replace('/', '~1')}"

"""The published registry document, compiled for judging, or every fault at once. Source: judgement.md 1-4, 13-17."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import UNSET

from schemas import registry as published
from schemas.registry import Document
from schemas.vocabulary import Language
from services.rules.judging.model import (
    Area,
    CompiledAlias,
    CompiledDuty,
    CompiledParty,
    CompiledPlace,
    CompiledPresence,
    CompiledRegistry,
    CompiledTruce,
    PartyRef,
)
from services.rules.registry.domain.areas import compile_areas
from services.rules.registry.domain.document_reader import DocumentReader
from services.rules.registry.domain.faults import DocumentFault, InvalidRegistryError
from services.rules.registry.domain.limits import MAX_COALITIONS, find_excess_of
from services.rules.registry.domain.memberships import Coalitions, Membership, find_circular
from services.rules.registry.domain.windows import derive_windows


@dataclass(frozen=True, slots=True)
class CompiledDocument:
    """A document beside what it compiles to, so that the next one need only compile what differs."""

    document: Document
    registry: CompiledRegistry


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Ids of the document in parts too malformed to read: references to them are no faults."""

    parties: frozenset[str] = field(default_factory=frozenset)
    areas: frozenset[str] = field(default_factory=frozenset)


def compile_document(document: Document, version: int = 0, before: CompiledDocument | None = None) -> CompiledRegistry:
    """The registry that a document describes. Raises InvalidRegistryError with all faults, in document order."""
    registry, faults = check_document(document, version, before)
    if faults:
        raise InvalidRegistryError(faults)
    return registry


def check_document(
    document: Document, version: int = 0, before: CompiledDocument | None = None, elsewhere: Elsewhere | None = None
) -> tuple[CompiledRegistry, list[DocumentFault]]:
    """The registry compiled from a document, and its faults. Parts equal to those of ``before`` are taken from it."""
    elsewhere = elsewhere or Elsewhere()
    reading = DocumentReader(
        document.timezone,
        elsewhere.parties | {party.id for party in document.parties},
        elsewhere.areas | {feature.id for feature in document.areas.features},
    )
    if (excess := find_excess_of(document)) is not None:
        reading.fault("", excess)
        return CompiledRegistry(version, document.timezone), reading.faults
    parties = _parties(document.parties, reading)
    presence = _presence(document.presence, reading)
    areas = compile_areas(document.areas.features, reading, _unchanged_areas(document, before))
    places = _places(document.places, reading)
    truces = _truces(document, reading, before)
    registry = CompiledRegistry(version, document.timezone, parties, presence, areas, places, truces)
    return registry, reading.faults


def _names(names: dict[Language, str]) -> dict[Language, str]:
    return dict(names)


def _parties(parties: tuple[published.Party, ...], reading: DocumentReader) -> dict[str, CompiledParty]:
    reading.unique([party.id for party in parties], "/parties")
    compiled = [_party(party, f"/parties/{n}", reading) for n, party in enumerate(parties)]
    _refuse_circles(compiled, reading)
    return {party.id: party for party in compiled}


def _party(party: published.Party, pointer: str, reading: DocumentReader) -> CompiledParty:
    reading.names((f"{pointer}/name/{language}", name) for language, name in party.name.items())
    return CompiledParty(
        id=party.id,
        kind=party.kind,
        names=_names(party.name),
        aliases=tuple(_alias(alias, f"{pointer}/aliases/{n}", reading) for n, alias in enumerate(party.aliases)),
        member_of=reading.terms(party.member_of, f"{pointer}/member_of"),
        cannot=reading.acts(party.cannot, f"{pointer}/cannot"),
        umbrella=party.umbrella,
    )


def _alias(alias: str | published.Alias, pointer: str, reading: DocumentReader) -> CompiledAlias:
    if isinstance(alias, str):
        reading.names([(pointer, alias)])
        return CompiledAlias(alias)
    reading.names([(f"{pointer}/name", alias.name)])
    return CompiledAlias(alias.name, reading.period(alias.start, alias.end, pointer))


def _refuse_circles(parties: list[CompiledParty], reading: DocumentReader) -> None:
    """Membership is transitive, so a circle of members at one moment would make each a member of itself."""
    stood = [(n, m) for n, party in enumerate(parties) for m in range(len(party.member_of))]
    terms = [(parties[n].id, parties[n].member_of[m]) for n, m in stood]
    circular = find_circular([Membership(id, term.party, term.period) for id, term in terms])
    for n, m in (stood[number] for number in sorted(circular)):
        reading.fault(f"/parties/{n}/member_of/{m}", f"{parties[n].id!r} would be a member of itself")
    reach = Coalitions({party.id: [term.party for term in party.member_of] for party in parties})
    for n, party in enumerate(parties):
        if len(reach.of(party.id)) > MAX_COALITIONS:
            reading.fault(
                f"/parties/{n}/member_of",
                f"{party.id!r} would be in more than {MAX_COALITIONS} coalitions, those of its coalitions included",
            )


def presence_ids(entries: Iterable[published.Presence]) -> list[str]:
    """The id of each entry: its own, or ``party.area.n``, n counted from 1 per party and area and free of others."""
    entries = list(entries)
    taken = {entry.id for entry in entries if entry.id is not None}
    counts: dict[tuple[str, str], int] = {}
    ids: list[str] = []
    for entry in entries:
        id = entry.id
        while id is None:
            n = counts[entry.party, entry.area] = counts.get((entry.party, entry.area), 0) + 1
            derived = f"{entry.party}.{entry.area}.{n}"
            id = None if derived in taken else derived
        ids.append(id)
    return ids


def _presence(entries: tuple[published.Presence, ...], reading: DocumentReader) -> tuple[CompiledPresence, ...]:
    ids = presence_ids(entries)
    reading.unique(ids, "/presence")
    return tuple(
        _one_presence(entry, id, f"/presence/{n}", reading)
        for n, (entry, id) in enumerate(zip(entries, ids, strict=True))
    )


def _one_presence(entry: published.Presence, id: str, pointer: str, reading: DocumentReader) -> CompiledPresence:
    reading.party(entry.party, f"{pointer}/party")
    reading.area(entry.area, f"{pointer}/area")
    return CompiledPresence(id, entry.party, entry.area, entry.control, reading.period(entry.start, entry.end, pointer))


def _places(places: tuple[published.Place, ...], reading: DocumentReader) -> dict[str, CompiledPlace]:
    reading.unique([place.id for place in places], "/places")
    for n, place in enumerate(places):
        reading.names([(f"/places/{n}/name", place.name)])
        reading.names((f"/places/{n}/aliases/{m}", alias) for m, alias in enumerate(place.aliases))
    return {p.id: CompiledPlace(p.id, p.name, p.lat, p.lon, p.radius_km, p.aliases) for p in places}


def _truces(document: Document, reading: DocumentReader, before: CompiledDocument | None) -> dict[str, CompiledTruce]:
    reading.unique([truce.id for truce in document.truces], "/truces")
    known = _unchanged_truces(document, before)
    return {
        truce.id: known.get(truce.id) or _truce(truce, f"/truces/{n}", reading)
        for n, truce in enumerate(document.truces)
    }


def _truce(truce: published.Truce, pointer: str, reading: DocumentReader) -> CompiledTruce:
    reading.area(truce.area, f"{pointer}/area")
    for n, guarantor in enumerate(truce.guarantors):
        reading.party(guarantor, f"{pointer}/guarantors/{n}")
    return CompiledTruce(
        id=truce.id,
        names=_names(truce.name),
        kind=truce.kind,
        area=truce.area,
        duties=tuple(_duty(duty, f"{pointer}/duties/{n}", reading) for n, duty in enumerate(truce.duties)),
        exclusions=reading.terms(truce.exclusions, f"{pointer}/exclusions"),
        windows=derive_windows(truce, pointer, reading),
        guarantors=truce.guarantors,
    )


def _duty(duty: published.Duty, pointer: str, reading: DocumentReader) -> CompiledDuty:
    def side(terms: str | tuple[str | published.PartyTerm, ...], name: str) -> tuple[PartyRef, ...] | None:
        return None if isinstance(terms, str) else reading.terms(terms, f"{pointer}/{name}")

    return CompiledDuty(
        side(duty.bound, "bound"), side(duty.toward, "toward"), reading.acts(duty.acts, f"{pointer}/acts")
    )


def _unchanged_areas(document: Document, before: CompiledDocument | None) -> dict[str, Area]:
    """Drawn areas whose feature is the same; a union is always united anew."""
    if before is None:
        return {}
    old = {f.id: f for f in before.document.areas.features if f.union is UNSET}
    same = (f.id for f in document.areas.features if old.get(f.id) == f)
    return {id: before.registry.areas[id] for id in same if id in before.registry.areas}


def _unchanged_truces(document: Document, before: CompiledDocument | None) -> dict[str, CompiledTruce]:
    """Truces whose source is the same, in the same zone, with no party or area gone that they could name."""
    if before is None or before.document.timezone != document.timezone:
        return {}
    parties, areas = {p.id for p in document.parties}, {f.id for f in document.areas.features}
    if not (before.registry.parties.keys() <= parties and before.registry.areas.keys() <= areas):
        return {}
    old = {truce.id: truce for truce in before.document.truces}
    return {t.id: before.registry.truces[t.id] for t in document.truces if old.get(t.id) == t}

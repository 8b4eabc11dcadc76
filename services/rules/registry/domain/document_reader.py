"""Reading one document: its zone, the ids that it defines, and the faults found on the way."""

from collections.abc import Callable, Collection, Iterable
from typing import Final, TypeVar

from schemas.local_time import read_moment
from schemas.registry import PartyTerm
from schemas.text import NO_NAME, says_something
from schemas.vocabulary import ACT_GROUPS, ACTS, expand_acts
from schemas.zones import UTC, find_zone
from services.rules.judging.model import ALWAYS, PartyRef, Period
from services.rules.registry.domain.faults import DocumentFault
from services.rules.registry.domain.limits import MAX_FAULTS

T = TypeVar("T")
_KNOWN_ACTS: Final[frozenset[str]] = frozenset(ACTS) | frozenset(ACT_GROUPS)


class DocumentReader:
    """Collects faults while a document is read; a value that makes no sense comes back as ``None``.

    ``parties`` and ``areas`` are the ids that references may lead to.
    """

    def __init__(self, timezone: str, parties: Collection[str], areas: Collection[str]) -> None:
        self.faults: list[DocumentFault] = []
        self.found = 0
        self.parties, self.areas = parties, areas
        self.zone = self.tried("/timezone", lambda: find_zone(timezone)) or UTC

    def fresh(self) -> "DocumentReader":
        """A reader of the same document with no faults yet."""
        return DocumentReader(self.zone.key, self.parties, self.areas)

    def fault(self, pointer: str, detail: str) -> None:
        """Keep a fault; beyond MAX_FAULTS it only counts."""
        self.found += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(DocumentFault(pointer, detail))

    def tried(self, pointer: str, read: Callable[[], T]) -> T | None:
        """The result of ``read``, or its ValueError as a fault."""
        try:
            return read()
        except ValueError as error:
            self.fault(pointer, str(error))
            return None

    def instant(self, text: str | None, pointer: str) -> int | None:
        return None if text is None else self.tried(pointer, lambda: read_moment(text, self.zone))

    def period(self, start: str | None, end: str | None, pointer: str) -> Period:
        if start is None and end is None:
            return ALWAYS
        period = Period(self.instant(start, f"{pointer}/from"), self.instant(end, f"{pointer}/to"))
        if period.start is not None and period.end is not None and period.end <= period.start:
            self.fault(f"{pointer}/to", "must be after the start")
        return period

    def names(self, names: Iterable[tuple[str, str]]) -> None:
        """Pairs of a pointer and the name there: a name without a letter or digit is a fault."""
        for pointer, name in names:
            if not says_something(name):
                self.fault(pointer, NO_NAME)

    def party(self, id: str, pointer: str) -> None:
        if id not in self.parties:
            self.fault(pointer, f"no party has the id {id!r}")

    def area(self, id: str, pointer: str) -> None:
        if id not in self.areas:
            self.fault(pointer, f"no area has the id {id!r}")

    def term(self, term: str | PartyTerm, pointer: str) -> PartyRef:
        """A party named alone, or with a period."""
        if isinstance(term, str):
            self.party(term, pointer)
            return PartyRef(term)
        self.party(term.party, f"{pointer}/party")
        return PartyRef(term.party, self.period(term.start, term.end, pointer), term.basis)

    def terms(self, terms: tuple[str | PartyTerm, ...], pointer: str) -> tuple[PartyRef, ...]:
        return tuple(self.term(term, f"{pointer}/{n}") for n, term in enumerate(terms))

    def acts(self, names: tuple[str, ...], pointer: str) -> frozenset[str]:
        """The acts named, groups expanded."""
        for n, name in enumerate(names):
            if name not in _KNOWN_ACTS:
                self.fault(f"{pointer}/{n}", f"no act and no group of acts is named {name!r}")
        return expand_acts(names)

    def unique(self, ids: list[str], pointer: str) -> None:
        """An id is used once in its kind; the second use is the fault."""
        seen: set[str] = set()
        for n, id in enumerate(ids):
            if id in seen:
                self.fault(f"{pointer}/{n}/id", f"the id {id!r} is used twice")
            seen.add(id)

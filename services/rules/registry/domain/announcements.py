"""Announcements in order: which have a form that makes sense, and which were taken back. Source: judgement.md 13.

They take effect in the order in which they were announced, ties in the document's.
"""

from dataclasses import dataclass

from msgspec import UNSET

from schemas.local_time import read_duration
from schemas.registry import Announcement, Truce
from services.rules.registry.domain.document_reader import DocumentReader

#: Which fields an action takes, beyond those that every announcement has.
_FIELDS = {
    "declare": {"starts_at", "ends_at", "duration", "area"},
    "extend": {"starts_at", "ends_at", "duration", "area", "extends"},
    "restate": {"starts_at", "ends_at", "duration", "area", "restates"},
    "end": {"ends_at"},
    "withdraw": {"withdraws"},
}


@dataclass(frozen=True, slots=True)
class AnnouncementStep:
    """An announcement with its place in the order of announcing; ``at`` is when it was announced."""

    order: int
    at: int
    said: Announcement
    pointer: str


@dataclass(frozen=True, slots=True)
class OrderedAnnouncements:
    """``in_effect`` in order; ``withdrawn`` with the order of the withdrawal that took it back."""

    in_effect: list[AnnouncementStep]
    withdrawn: list[tuple[AnnouncementStep, int]]


def read_steps(truce: Truce, pointer: str, reading: DocumentReader) -> OrderedAnnouncements:
    """The announcements, and which of them are in effect. A malformed one is a fault and left out."""
    steps = {step.said.id: step for step in _in_order(truce, pointer, reading) if _well_formed(step, reading)}
    withdrawn = _withdrawn(steps, {said.id for said in truce.announcements}, reading)
    return OrderedAnnouncements(
        [step for id, step in steps.items() if id not in withdrawn],
        [(step, withdrawn[id]) for id, step in steps.items() if id in withdrawn],
    )


def _in_order(truce: Truce, pointer: str, reading: DocumentReader) -> list[AnnouncementStep]:
    said = truce.announcements
    reading.unique([one.id for one in said], pointer)
    timed = [
        (at, n)
        for n, one in enumerate(said)
        if (at := reading.instant(one.announced_at, f"{pointer}/{n}/announced_at")) is not None
    ]
    return [AnnouncementStep(order, at, said[n], f"{pointer}/{n}") for order, (at, n) in enumerate(sorted(timed))]


def _well_formed(step: AnnouncementStep, reading: DocumentReader) -> bool:
    said, before = step.said, reading.found
    reading.party(said.issuer, f"{step.pointer}/issuer")
    if said.area is not None:
        reading.area(said.area, f"{step.pointer}/area")
    for field in sorted(_given_fields(said) - _FIELDS[said.action]):
        reading.fault(f"{step.pointer}/{field}", f"has no meaning in {said.action!r}")
    for field in _missing_fields(said):
        reading.fault(f"{step.pointer}/{field}", f"is required in {said.action!r}")
    if said.ends_at is not UNSET and said.duration is not None:
        reading.fault(f"{step.pointer}/duration", "cannot be combined with ends_at")
    if said.action == "end" and said.ends_at is None:
        reading.fault(f"{step.pointer}/ends_at", "an end needs an instant")
    _read_times(step, reading)
    return reading.found == before


def _read_times(step: AnnouncementStep, reading: DocumentReader) -> None:
    said = step.said
    reading.instant(said.starts_at, f"{step.pointer}/starts_at")
    reading.instant(said.ends_at or None, f"{step.pointer}/ends_at")
    if said.duration is not None:
        text = said.duration
        reading.tried(f"{step.pointer}/duration", lambda: read_duration(text))


def _given_fields(said: Announcement) -> set[str]:
    optional = ("starts_at", "duration", "area", "restates", "extends", "withdraws")
    given = {name for name in optional if getattr(said, name) is not None}
    return given | ({"ends_at"} if said.ends_at is not UNSET else set())


def _missing_fields(said: Announcement) -> list[str]:
    needed = {"declare": "starts_at", "restate": "restates", "withdraw": "withdraws"}.get(said.action)
    return [needed] if needed is not None and getattr(said, needed) is None else []


def _withdrawn(steps: dict[str, AnnouncementStep], ids: set[str], reading: DocumentReader) -> dict[str, int]:
    """Announcements as if never made, with the order of the latest withdrawal: those it names, and those that restate
    or by name extend them."""
    gone: dict[str, int] = {}
    for step in sorted(steps.values(), key=lambda s: -s.order):
        target = step.said.withdraws
        if target is None or step.said.id in gone:
            continue
        if target not in ids:
            reading.fault(f"{step.pointer}/withdraws", f"no announcement of this truce has the id {target!r}")
        elif target in steps and steps[target].said.action == "withdraw" and steps[target].order >= step.order:
            reading.fault(f"{step.pointer}/withdraws", "a withdrawal can only be taken back by a later one")
        else:
            gone = dict.fromkeys(_dependent(target, steps), step.order) | gone
    return gone


def _dependent(target: str, steps: dict[str, AnnouncementStep]) -> set[str]:
    found, fresh = {target}, [target]
    while fresh:
        one = fresh.pop()
        more = {id for id, s in steps.items() if one in (s.said.restates, s.said.extends)} - found
        found |= more
        fresh += more
    return found

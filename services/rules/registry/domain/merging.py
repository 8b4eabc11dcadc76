"""Two changes of the same registry as one: what an operator's file changed, and what others changed meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import structs

from schemas.registry import Announcement, Resource, Truce
from services.rules.registry.domain.resources import Key, Resources


@dataclass(frozen=True, slots=True)
class Merged:
    """``resources`` with both changes; ``conflicts``: what both changed, each to something else."""

    resources: dict[Key, Resource]
    conflicts: list[Key]


def merge(base: Resources, ours: Resources, theirs: Resources) -> Merged:
    """``theirs`` with what differs between ``base`` and ``ours``. In a truce that both changed, announcements are
    merged one by one and the other fields too; of a conflict, theirs is kept."""
    result, conflicts = dict(theirs), list[Key]()
    for key in sorted(base.keys() | ours.keys()):
        was, mine, other = base.get(key), ours.get(key), theirs.get(key)
        if mine in (was, other):
            continue
        if other != was:
            mine = _merge_truces(was, mine, other)
            if mine is None:
                conflicts.append(key)
                continue
        if mine is None:
            del result[key]
        else:
            result[key] = mine
    return Merged(result, conflicts)


def _merge_truces(base: Resource | None, ours: Resource | None, theirs: Resource | None) -> Resource | None:
    """None where both changed the same field, or the same announcement, each to something else."""
    if not (isinstance(base, Truce) and isinstance(ours, Truce) and isinstance(theirs, Truce)):
        return None
    fields: dict[str, object] = {}
    for name in base.__struct_fields__:
        was, mine, other = (getattr(truce, name) for truce in (base, ours, theirs))
        if name == "announcements":
            continue
        if mine != was and other not in (was, mine):
            return None
        fields[name] = other if mine == was else mine
    said = _merge_announcements(*(_by_id(truce) for truce in (base, ours, theirs)))
    return None if said is None else structs.replace(theirs, **fields, announcements=said)


def _merge_announcements(
    base: Mapping[str, Announcement], ours: Mapping[str, Announcement], theirs: Mapping[str, Announcement]
) -> tuple[Announcement, ...] | None:
    result = dict(theirs)
    for id in (*base, *(id for id in ours if id not in base)):
        was, mine, other = base.get(id), ours.get(id), theirs.get(id)
        if mine in (was, other):
            continue
        if other != was:
            return None
        if mine is None:
            del result[id]
        else:
            result[id] = mine
    return tuple(result.values())


def _by_id(truce: Truce) -> dict[str, Announcement]:
    return {said.id: said for said in truce.announcements}

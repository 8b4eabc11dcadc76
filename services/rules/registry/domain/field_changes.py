"""The differences between two forms of a resource, field by field."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET

from schemas.registry import Resource
from services.rules.registry.domain.resources import ResourceChange

#: Compared and shown as a whole.
_WHOLE: Final = frozenset({"geometry"})


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value before and after as plain JSON values, UNSET where it is not there. ``field`` is a pointer that names
    items by their ids (``/announcements/us-0506/text``); empty for the resource itself."""

    field: str
    before: Any
    after: Any


def changed_fields(change: ResourceChange) -> list[FieldChange]:
    """The fields that differ, in the order of the resource; one for all of a resource that was added or removed."""
    return compare_fields(_plain(change.before), _plain(change.after))


def compare_fields(before: Any, after: Any) -> list[FieldChange]:
    """As :func:`changed_fields`, of the resource as plain JSON values; UNSET where it is not there."""
    return list(_differences("", before, after))


def _plain(resource: Resource | None) -> Any:
    return UNSET if resource is None else msgspec.json.decode(msgspec.json.encode(resource))


def _differences(pointer: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after:
        return
    members = None if pointer.rpartition("/")[2] in _WHOLE else _members(before, after)
    if members is None:
        yield FieldChange(pointer, before, after)
        return
    old, new = members
    for name in dict.fromkeys((*old, *new)):
        yield from _differences(f"{pointer}/{name}", old.get(name, UNSET), new.get(name, UNSET))


def _members(before: Any, after: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The members of two objects, or the items of two lists by their ids; None for what has neither."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before, after
    lists = [[] if value is UNSET else value for value in (before, after)]
    if UNSET not in (before, after) or isinstance(before, list) or isinstance(after, list):
        old, new = map(_by_id, lists)
        return None if old is None or new is None else (old, new)
    return None


def _by_id(items: Any) -> dict[str, Any] | None:
    if not isinstance(items, list):
        return None
    named = {item["id"]: item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)}
    return named if len(named) == len(items) else None

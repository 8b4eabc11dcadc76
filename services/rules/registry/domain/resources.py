"""The document as resources, each with a kind and an id; what differs between two; one changed at a time.

The settings are one resource, ``settings/registry``. A document put together from resources holds them by id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import structs

from schemas.registry import (
    Announcement,
    Document,
    Feature,
    FeatureCollection,
    Kind,
    Party,
    Place,
    Presence,
    RegistrySettings,
    Resource,
    Truce,
)
from services.rules.registry.domain.document import presence_ids
from services.rules.registry.domain.faults import DocumentFault, InvalidRegistryError

Key = tuple[Kind, str]
Resources = Mapping[Key, Resource]
Op = Literal["add", "replace", "remove"]
SETTINGS: Final[Key] = ("settings", "registry")


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource before and after; None where it is not there."""

    key: Key
    before: Resource | None
    after: Resource | None

    @property
    def op(self) -> Op:
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "replace"


class NoSuchResourceError(LookupError):
    """There is no resource of that kind and id."""


def split(document: Document) -> dict[Key, Resource]:
    """Every resource of a valid document, in its order; each presence entry with its id."""
    ids = presence_ids(document.presence)
    resources: dict[Key, Resource] = {SETTINGS: RegistrySettings(document.version, document.timezone)}
    resources |= {("parties", party.id): party for party in document.parties}
    resources |= {
        ("presence", id): structs.replace(entry, id=id) for id, entry in zip(ids, document.presence, strict=True)
    }
    resources |= {("areas", feature.id): feature for feature in document.areas.features}
    resources |= {("places", place.id): place for place in document.places}
    resources |= {("truces", truce.id): truce for truce in document.truces}
    return resources


def join(resources: Resources) -> Document:
    """The document of these resources, by id. An empty registry reads its times in UTC."""
    settings = resources.get(SETTINGS)
    assert settings is None or isinstance(settings, RegistrySettings)
    ordered = [resources[key] for key in sorted(resources)]
    return Document(
        version=1,
        timezone="UTC" if settings is None else settings.timezone,
        parties=tuple(r for r in ordered if isinstance(r, Party)),
        presence=tuple(r for r in ordered if isinstance(r, Presence)),
        areas=FeatureCollection(features=tuple(r for r in ordered if isinstance(r, Feature))),
        places=tuple(r for r in ordered if isinstance(r, Place)),
        truces=tuple(r for r in ordered if isinstance(r, Truce)),
    )


def diff(before: Resources, after: Resources) -> list[ResourceChange]:
    """The changes that turn one into the other, by kind and id."""
    return [
        ResourceChange(key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def apply(resources: Resources, changes: Iterable[ResourceChange]) -> dict[Key, Resource]:
    result = dict(resources)
    for change in changes:
        if change.after is None:
            result.pop(change.key, None)
        else:
            result[change.key] = change.after
    return result


def named(resource: Resource, id: str) -> Resource:
    """The resource under the id of its address. Raises InvalidRegistryError where its own id is another one."""
    if isinstance(resource, Presence) and resource.id is None:
        resource = structs.replace(resource, id=id)
    if not isinstance(resource, RegistrySettings) and resource.id != id:
        raise InvalidRegistryError([DocumentFault("/id", f"must be {id!r}, as in the address")])
    return resource


def put(resources: Resources, kind: Kind, id: str, resource: Resource) -> dict[Key, Resource]:
    """One resource added or replaced. Raises as :func:`named` does."""
    return {**resources, (kind, id): named(resource, id)}


def delete(resources: Resources, kind: Kind, id: str) -> dict[Key, Resource]:
    """One resource less. Raises NoSuchResourceError. Compiling finds references to it."""
    if (kind, id) not in resources:
        raise NoSuchResourceError(f"{kind}/{id}")
    return {key: resource for key, resource in resources.items() if key != (kind, id)}


def announce(resources: Resources, truce_id: str, announcement: Announcement) -> dict[Key, Resource]:
    """A truce with one announcement more. Raises NoSuchResourceError."""
    truce = resources.get(("truces", truce_id))
    if not isinstance(truce, Truce):
        raise NoSuchResourceError(f"truces/{truce_id}")
    longer = structs.replace(truce, announcements=(*truce.announcements, announcement))
    return {**resources, ("truces", truce_id): longer}


def pointer_of(document: Document, key: Key) -> str:
    """The JSON pointer of a resource in its document."""
    kind, id = key
    if kind == "settings":
        return ""
    if kind == "areas":
        return f"/areas/features/{[f.id for f in document.areas.features].index(id)}"
    return f"/{kind}/{[one.id for one in getattr(document, kind)].index(id)}"


def rebase(faults: Iterable[DocumentFault], document: Document, head: str) -> list[DocumentFault]:
    """Faults of a document as faults of the part at ``head``; those that lie elsewhere are named in words."""
    return [
        DocumentFault(fault.pointer.removeprefix(head), fault.detail)
        if fault.pointer == head or fault.pointer.startswith(f"{head}/")
        else DocumentFault("", f"{name_of(document, fault.pointer)}: {fault.detail}")
        for fault in faults
    ]


def name_of(document: Document, pointer: str) -> str:
    """A pointer into a document in the words of its addresses: ``truces/aleppo-calm/area``."""
    parts = pointer.removeprefix("/").replace("areas/features/", "areas/").split("/")
    if len(parts) < 2 or not parts[1].isdigit():
        return "/".join(parts)
    items = document.areas.features if parts[0] == "areas" else getattr(document, parts[0])
    return "/".join([parts[0], str(items[int(parts[1])].id), *parts[2:]])

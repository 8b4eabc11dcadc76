"""The registry document as JSON bytes, read once at the edge; where it is refused, everything that is wrong with it.

The fast path decodes straight into the published structs. The slow path is taken only for what was refused: it reads
what is well-formed, checks that too, and so reports all faults at once.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from schemas import registry as published
from schemas.registry import KINDS, MAX_RESOURCES, Document, Feature, FeatureCollection, Geometry, Kind, Resource
from services.platform.http.raw_body import MAX_DEPTH, find_commas
from services.platform.http.validation import find_errors, first_error
from services.rules.registry.domain.document import Elsewhere, check_document
from services.rules.registry.domain.faults import DocumentFault, InvalidRegistryError
from services.rules.registry.geojson_areas import SentDocument, SentFeature, write_id
from services.rules.registry.yaml_json import UnreadableTextError, read_json

_document: Final = msgspec.json.Decoder(SentDocument)
_resources: Final[dict[str, msgspec.json.Decoder[Any]]] = {k: msgspec.json.Decoder(t) for k, t in KINDS.items()}
_announcement: Final = msgspec.json.Decoder(published.Announcement)
_sent_feature: Final = msgspec.json.Decoder(SentFeature)
_encode: Final = msgspec.json.Encoder().encode
#: Values (counted as commas and brackets) beyond which a refused document is not read again: the
#: answer has the first fault only.
MAX_LOOKED: Final = 1_000_000
#: Commas in one resource that is no area: each may part two ids, and each id is held against a pattern.
MAX_VALUES: Final = 50_000
#: Commas in all that is no area.
MAX_VALUES_IN_ALL: Final = 1_000_000
_BYTES_AN_ITEM: Final = 16
_LISTS: Final[tuple[Kind, ...]] = ("parties", "presence", "places", "truces")


def read_document(data: bytes) -> Document:
    """Raises UnreadableTextError for what is no JSON, InvalidRegistryError with every fault."""
    try:
        return _read_pieces(data)
    except (msgspec.ValidationError, _MalformedError) as error:
        first = error.fault if isinstance(error, _MalformedError) else _first_fault(error)
        if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_LOOKED:
            raise InvalidRegistryError([first]) from None
        raise InvalidRegistryError(_all_faults(read_json(data)) or [first]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read_json(data)
        raise UnreadableTextError("not valid UTF-8 JSON") from None


class _MalformedError(Exception):
    """One resource of a document is not of its type, or there are too many."""

    def __init__(self, fault: DocumentFault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class _Frame(msgspec.Struct, forbid_unknown_fields=True):
    """A document whose lists are not decoded yet."""

    version: Literal[1]
    timezone: published.Name
    parties: msgspec.Raw = msgspec.Raw(b"[]")
    presence: msgspec.Raw = msgspec.Raw(b"[]")
    areas: msgspec.Raw = msgspec.Raw(b'{"type":"FeatureCollection"}')
    places: msgspec.Raw = msgspec.Raw(b"[]")
    truces: msgspec.Raw = msgspec.Raw(b"[]")


class _Areas(msgspec.Struct):
    type: Literal["FeatureCollection"]
    features: msgspec.Raw = msgspec.Raw(b"[]")


def _read_pieces(data: bytes) -> Document:
    """Resource by resource: the whole in one call would hold up every other thread until it is done."""
    frame = msgspec.json.decode(data, type=_Frame)
    areas = msgspec.json.decode(frame.areas, type=_Areas)
    if sum(bytes(getattr(frame, kind)).count(b",") for kind in _LISTS) > MAX_VALUES_IN_ALL:
        raise _MalformedError(DocumentFault("", f"holds more than {MAX_VALUES_IN_ALL} values beside its areas"))
    return Document(
        version=1,
        timezone=frame.timezone,
        parties=_read_list(frame.parties, "parties", "/parties"),
        presence=_read_list(frame.presence, "presence", "/presence"),
        areas=FeatureCollection(features=_read_list(areas.features, "areas", "/areas/features")),
        places=_read_list(frame.places, "places", "/places"),
        truces=_read_list(frame.truces, "truces", "/truces"),
    )


def _read_list(raw: msgspec.Raw, kind: Kind, pointer: str) -> tuple[Any, ...]:
    items = bytes(raw)
    # Each element costs 72 bytes before anything is known of it: where they may be many they are counted first.
    if items.count(b",") > max(MAX_RESOURCES, len(items) // _BYTES_AN_ITEM) and _holds_more(items, MAX_RESOURCES):
        raise _MalformedError(DocumentFault(pointer, f"may hold at most {MAX_RESOURCES} items"))
    decoded = msgspec.json.decode(items, type=list[msgspec.Raw])
    if len(decoded) > MAX_RESOURCES:
        raise _MalformedError(DocumentFault(pointer, f"may hold at most {MAX_RESOURCES} items"))
    return tuple(_read_item(item, kind, f"{pointer}/{n}") for n, item in enumerate(decoded))


def _holds_more(items: bytes, most: int) -> bool:
    count = 0
    for commas in find_commas(items):
        count += len(commas)
        if count >= most:
            return True
    return False


def _read_item(item: msgspec.Raw, kind: Kind, pointer: str) -> Any:
    _refuse_crowded(bytes(item), kind, pointer)
    try:
        return _sent_feature.decode(item).settle() if kind == "areas" else _resources[kind].decode(item)
    except msgspec.ValidationError as error:
        fault = _first_fault(error)
        raise _MalformedError(DocumentFault(pointer + fault.pointer, fault.detail)) from None


def _refuse_crowded(data: bytes, kind: Kind, pointer: str) -> None:
    """Raises _MalformedError for what holds too many values to be decoded in one go. Of areas their points count."""
    if kind != "areas" and data.count(b",") > MAX_VALUES:
        raise _MalformedError(DocumentFault(pointer, f"holds more than {MAX_VALUES} values"))


def read_resource(kind: Kind, data: bytes) -> Resource:
    """One resource. Raises UnreadableTextError, or InvalidRegistryError with pointers into this resource."""
    try:
        _refuse_crowded(data, kind, "")
        if kind == "areas":
            return _sent_feature.decode(data).settle()
        resource: Resource = _resources[kind].decode(data)
        return resource
    except _MalformedError as error:
        raise InvalidRegistryError([error.fault]) from None
    except msgspec.ValidationError as error:
        raise InvalidRegistryError(_item_faults(read_json(data), kind, "") or [DocumentFault("", str(error))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read_json(data)
        raise UnreadableTextError("not valid UTF-8 JSON") from None


def read_announcement(data: bytes) -> published.Announcement:
    """One announcement. Raises as :func:`read_resource` does."""
    value = read_json(data)
    try:
        return _announcement.decode(data)
    except msgspec.ValidationError as error:
        faults = [DocumentFault(found.pointer, found.detail) for found in find_errors(value, published.Announcement)]
        raise InvalidRegistryError(faults or [DocumentFault("", str(error))]) from None


def read_stored(kind: Kind, data: bytes) -> Resource:
    """A resource that we wrote ourselves."""
    resource: Resource = _resources[kind].decode(data)
    if isinstance(resource, Feature):
        properties = resource.properties
        if is_nested_beyond(properties, MAX_DEPTH):
            # Kept before nesting had a limit: it could be read, and no answer could hold it.
            properties = {name: value for name, value in properties.items() if name == "name"}
        return msgspec.structs.replace(resource, geometry=resource.geometry.copy(), properties=properties)
    return resource


def write_document(document: Document) -> bytes:
    """As :func:`write` does, one resource at a time, so that a thread that writes a large one holds nobody up."""
    parts = [b'{"version":1,"timezone":', _encode(document.timezone)]
    lists: dict[str, Sequence[Any]] = {
        ',"parties":[': document.parties,
        ',"presence":[': document.presence,
        ',"areas":{"type":"FeatureCollection","features":[': document.areas.features,
        ',"places":[': document.places,
        ',"truces":[': document.truces,
    }
    for head, items in lists.items():
        if not items and "areas" not in head:
            continue
        parts += [head.encode(), b",".join(map(_encode, items)), b"]}" if "areas" in head else b"]"]
    return b"".join([*parts, b"}"])


def is_nested_beyond(value: Any, depth: int) -> bool:
    """Whether decoded JSON nests deeper than ``depth``. Not recursive: that is what is to be found out."""
    level = [value]
    while level and depth >= 0:
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        depth -= 1
    return bool(level)


def write(value: Any) -> bytes:
    """A document, resource or announcement as JSON."""
    return _encode(value)


# --- the slow path


def _first_fault(error: msgspec.ValidationError) -> DocumentFault:
    found = first_error(error)
    return DocumentFault(found.pointer, found.detail)


def _all_faults(value: Any) -> list[DocumentFault]:
    """The malformed parts, and the faults of those that are not."""
    if not isinstance(value, dict):
        return [DocumentFault("", "must be a mapping: version, timezone, parties, areas, truces")]
    lists = {kind: value.get(kind, []) for kind in _LISTS}
    areas = value.get("areas", {"type": "FeatureCollection", "features": []})
    features = areas.get("features", []) if isinstance(areas, dict) else []
    frame = {**value, **{kind: [] if isinstance(items, list) else items for kind, items in lists.items()}}
    if isinstance(areas, dict) and isinstance(features, list):
        frame["areas"] = {**areas, "features": []}
    faults = [DocumentFault(error.pointer, error.detail) for error in find_errors(frame, Document)]
    sorted_out = {
        **{kind: _sort_out(items, kind, f"/{kind}") for kind, items in lists.items()},
        "areas": _sort_out(features, "areas", "/areas/features"),
    }
    for part in sorted_out.values():
        faults += part.faults
    return faults + _meaning_faults(value, sorted_out)


class _Sorted(msgspec.Struct):
    """The well-formed items of one list with where they stood, the ids of the others, and their faults."""

    good: list[tuple[int, Any]]
    bad_ids: set[str]
    faults: list[DocumentFault]


def _sort_out(items: Any, kind: Kind, pointer: str) -> _Sorted:
    result = _Sorted([], set(), [])
    for n, item in enumerate(items if isinstance(items, list) else []):
        faults = _item_faults(item, kind, f"{pointer}/{n}")
        result.faults += faults
        if not faults:
            result.good.append((n, read_resource(kind, _encode(item))))
        elif isinstance(item, dict) and isinstance(item.get("id"), str):
            result.bad_ids.add(item["id"])
    return result


def _item_faults(item: Any, kind: Kind, pointer: str) -> list[DocumentFault]:
    if kind == "areas" and isinstance(item, dict) and type(item.get("id")) in (int, float):
        item = {**item, "id": write_id(item["id"])}
    errors = find_errors(item, KINDS[kind], pointer)
    if kind == "areas" and isinstance(item, dict) and item.get("geometry") is not None:
        errors += find_errors(item["geometry"], Geometry, f"{pointer}/geometry")
    return [DocumentFault(error.pointer, error.detail) for error in errors]


def _meaning_faults(value: dict[str, Any], parts: dict[Kind, _Sorted]) -> list[DocumentFault]:
    good = {kind: tuple(item for _, item in part.good) for kind, part in parts.items()}
    timezone = value.get("timezone")
    document = Document(
        version=1,
        timezone=timezone if isinstance(timezone, str) else "UTC",
        parties=good["parties"],
        presence=good["presence"],
        areas=FeatureCollection(features=good["areas"]),
        places=good["places"],
        truces=good["truces"],
    )
    elsewhere = Elsewhere(frozenset(parts["parties"].bad_ids), frozenset(parts["areas"].bad_ids))
    _, faults = check_document(document, elsewhere=elsewhere)
    return [DocumentFault(_where_it_stood(fault.pointer, parts), fault.detail) for fault in faults]


def _where_it_stood(pointer: str, parts: dict[Kind, _Sorted]) -> str:
    """A pointer into the well-formed parts as a pointer into the whole."""
    for kind, part in parts.items():
        head = "/areas/features/" if kind == "areas" else f"/{kind}/"
        if pointer.startswith(head):
            n, slash, rest = pointer.removeprefix(head).partition("/")
            return f"{head}{part.good[int(n)][0]}{slash}{rest}"
    return pointer

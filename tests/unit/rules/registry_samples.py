"""Small registry documents, and ways to read what became of them."""

from typing import Any

import msgspec

from schemas.instants import format_instant
from schemas.registry import Document
from services.rules.judging.model import CompiledTruce
from services.rules.registry.domain.document import compile_document
from services.rules.registry.domain.faults import InvalidRegistryError
from services.rules.registry.wire import read_document

SQUARE = {"type": "Polygon", "coordinates": [[[36, 33], [37, 33], [37, 34], [36, 34], [36, 33]]]}


def area(id: str, geometry: Any = SQUARE, **more: Any) -> dict[str, Any]:
    return {"type": "Feature", "id": id, "properties": {"name": {"en": id}}, "geometry": geometry, **more}


def party(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "kind": "armed_group", "name": {"en": id}, **more}


def truce(id: str, *announcements: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {"id": id, "kind": "local", "name": {"en": id}, "area": "city"}
    duty = {"bound": "any", "toward": "any", "acts": ["all_weapons"]}
    return {**base, "duties": [duty], "announcements": list(announcements), **more}


def document(**more: Any) -> dict[str, Any]:
    """A valid document: three parties, two areas, no truce."""
    parties = [party("army"), party("rebels"), party("russia")]
    areas = {"type": "FeatureCollection", "features": [area("city"), area("country")]}
    return {"version": 1, "timezone": "Asia/Damascus", "parties": parties, "areas": areas, **more}


def announcement(id: str, action: str, at: str, issuer: str = "army", **more: Any) -> dict[str, Any]:
    """``at`` is an hour of the first days of May, UTC: ``"01 12"``."""
    day, hour = at.split()
    return {"id": id, "issuer": issuer, "action": action, "announced_at": f"2016-05-{day}T{hour}:00:00Z", **more}


def read(value: dict[str, Any]) -> Document:
    return read_document(msgspec.json.encode(value))


def faults(value: Any) -> dict[str, str]:
    """Every fault of a document, by pointer."""
    try:
        compile_document(read_document(msgspec.json.encode(value)))
    except InvalidRegistryError as error:
        return {fault.pointer: fault.detail for fault in error.faults}
    return {}


def compiled(*announcements: dict[str, Any], timezone: str = "UTC") -> CompiledTruce:
    """The truce that these announcements make, times in UTC unless told."""
    value = document(timezone=timezone, truces=[truce("calm", *announcements)])
    return compile_document(read(value)).truces["calm"]


def told(compiled: CompiledTruce) -> list[list[str]]:
    """Each window's accounts as ``announcement start..end [area]``, days and hours of May 2016, UTC."""
    return [
        [
            f"{a.announcement} {_short(a.start)}..{_short(a.end)}" + (f" {a.area}" if a.area != "city" else "")
            for a in window.accounts
        ]
        for window in compiled.windows
    ]


def _short(instant: int | None) -> str:
    return "" if instant is None else format_instant(instant)[8:13].replace("T", " ")

"""Rules of CAP 1.2 that its XML Schema does not check: references, open polygons, ids, the likeness of blocks.

Source: the prose of the standard, sections 3.2 and 3.3. To be used beside the schema, not instead of it.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element, fromstring

from services.notify.render.cap import NAMESPACE

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
_BAD_ID: Final = re.compile(r"[\s,<&]")
_REPLACING: Final = frozenset({"Update", "Cancel", "Ack", "Error"})
#: The elements that every language must have alike.
_SAME: Final = ("category", "urgency", "severity", "certainty", "effective", "onset", "expires", "eventCode", "web")


def check_cap(message: bytes) -> list[str]:
    """Everything that is wrong with a message of ours, in words; an empty list when nothing is."""
    alert = fromstring(message)
    infos = _all(alert, "info")
    faults = [*_check_ids(alert), *_check_times(alert), *_check_references(alert), *_check_scope(alert)]
    if _text(alert, "msgType") in ("Alert", "Update") and not infos:
        faults.append("an alert or an update has an info block")
    faults += _check_likeness(infos)
    for info in infos:
        faults += _check_info(info)
    return faults


def _all(parent: Element, name: str) -> list[Element]:
    return parent.findall(f"{{{NAMESPACE}}}{name}")


def _text(parent: Element, name: str) -> str:
    return (parent.findtext(f"{{{NAMESPACE}}}{name}") or "").strip()


def _check_ids(alert: Element) -> Iterator[str]:
    for name in ("identifier", "sender"):
        value = _text(alert, name)
        if not value or _BAD_ID.search(value):
            yield f"{name}: empty, or with a space, a comma, < or &"


def _check_times(alert: Element) -> Iterator[str]:
    for name in ("sent", "effective", "onset", "expires"):
        for element in alert.iter(f"{{{NAMESPACE}}}{name}"):
            if not _TIME.fullmatch(element.text or ""):
                yield f"{name}: not whole seconds with a numeric offset"


def _check_references(alert: Element) -> Iterator[str]:
    kind, references = _text(alert, "msgType"), _text(alert, "references").split()
    if kind in _REPLACING and not references:
        yield f"references: {kind} refers to nothing"
    own = (_text(alert, "sender"), _text(alert, "identifier"))
    for reference in references:
        parts = reference.split(",")
        if len(parts) != 3 or not all(parts) or not _TIME.fullmatch(parts[2]):
            yield "references: not sender,identifier,sent"
        elif tuple(parts[:2]) == own:
            yield "references: the message refers to itself"
        elif _moment(parts[2]) > _moment(_text(alert, "sent")):
            yield "references: to a message sent later"


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() if _TIME.fullmatch(text) else float("inf")


def _check_scope(alert: Element) -> Iterator[str]:
    scope = _text(alert, "scope")
    if scope == "Private" and not _text(alert, "addresses"):
        yield "scope: Private needs addresses"
    if (scope == "Restricted") != bool(_text(alert, "restriction")):
        yield "scope: Restricted, and only it, has a restriction"


def _check_likeness(infos: list[Element]) -> Iterator[str]:
    languages = [_text(info, "language") for info in infos]
    if len(set(languages)) != len(languages):
        yield "info: a language twice"
    for name in _SAME:
        if len({tuple("".join(e.itertext()) for e in _all(info, name)) for info in infos}) > 1:
            yield f"{name}: differs between languages"


def _check_info(info: Element) -> Iterator[str]:
    for name in ("event", "headline", "description"):
        if not _text(info, name):
            yield f"{name}: empty"
    expires = _text(info, "expires")
    if expires and _moment(expires) <= _moment(_text(info, "effective")):
        yield "expires: not after effective"
    for area in _all(info, "area"):
        yield from _check_area(area)


def _check_area(area: Element) -> Iterator[str]:
    if not _text(area, "areaDesc"):
        yield "areaDesc: empty"
    if _all(area, "ceiling") and not _all(area, "altitude"):
        yield "ceiling: without altitude"
    for polygon in _all(area, "polygon"):
        points = (polygon.text or "").split()
        if len(points) < 4 or points[0] != points[-1]:
            yield "polygon: not closed, or fewer than four points"
        if not all(_is_point(point) for point in points):
            yield "polygon: not lat,lon pairs"
    for circle in _all(area, "circle"):
        point, _, radius = (circle.text or "").partition(" ")
        if not _is_point(point) or not _within(radius, 0, 21_000):
            yield "circle: not lat,lon radius"


def _is_point(text: str) -> bool:
    lat, _, lon = text.partition(",")
    return _within(lat, -90, 90) and _within(lon, -180, 180)


def _within(text: str, low: float, high: float) -> bool:
    try:
        return low <= float(text) <= high
    except ValueError:
        return False

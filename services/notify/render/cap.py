"""An alert as Common Alerting Protocol 1.2 XML. http://docs.oasis-open.org/emergency/cap/v1.2/CAP-v1.2-os.html

One ``info`` block for each language, alike in everything but the words. A message is a function of (alert, revision,
status): its ``sent`` is when that revision was decided, so that later ones can refer to it without a record of it.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from schemas.assessments import Alert
from schemas.instants import DAY, format_instant, parse_instant, to_datetime
from schemas.vocabulary import LANGUAGES, AlertStatus, Language
from schemas.wording.lines import clean
from schemas.wording.words import words
from services.notify.render import wording
from services.notify.render.json import links

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
CONTENT_TYPE: Final = "application/cap+xml"
#: Longitude, latitude, as in GeoJSON.
Ring = Sequence[tuple[float, float]]
#: How long a message holds after it was decided; what it tells of is past, and an update comes with a later one.
EXPIRES_AFTER: Final = DAY
#: The outer rings of an area of the registry, by its id.
RingsOf = Callable[[str], Sequence[Ring]]
_TYPES: Final[dict[AlertStatus, str]] = {"raised": "Alert", "updated": "Update", "cancelled": "Cancel"}
_NOT_IN_IDS: Final = re.compile(r"[\s,<&]+")


def no_rings(_area: str) -> Sequence[Ring]:
    """Where no registry is known."""
    return ()


def cap_id(alert_id: str, revision: int) -> str:
    """The identifier of one revision: without space, comma, ``<`` or ``&``."""
    return _NOT_IN_IDS.sub("-", f"trucewatch-{alert_id}-{revision}")


def cap_time(text: str) -> str:
    """An RFC 3339 time in CAP's form: whole seconds, a numeric offset, never ``Z``."""
    return to_datetime(parse_instant(text)).strftime("%Y-%m-%dT%H:%M:%S-00:00")


def cap_xml(
    alert: Alert,
    *,
    status: AlertStatus,
    sender: str,
    public_url: str,
    earlier: Sequence[tuple[int, str]] = (),
    polygons: Sequence[Ring] = (),
) -> bytes:
    """The CAP message of one revision of an alert.

    ``sender`` names the installation, such as its domain. ``earlier``: revision and ``sent_at`` of the messages that
    an update or a cancellation replaces; raises ValueError when there are none. ``polygons`` are the shape of a place
    that has no point.
    """
    if status != "raised" and not earlier:
        raise ValueError("an update or a cancellation replaces something")
    sender = _NOT_IN_IDS.sub("-", sender)
    root = Element("alert", xmlns=NAMESPACE)
    _add(root, "identifier", cap_id(alert.id, alert.revision))
    _add(root, "sender", sender)
    _add(root, "sent", cap_time(alert.sent_at))
    _add(root, "status", "Actual")
    _add(root, "msgType", _TYPES[status])
    _add(root, "scope", "Restricted")
    _add(root, "restriction", "Subscribers of this installation")
    if status != "raised":
        replaced = (f"{sender},{cap_id(alert.id, n)},{cap_time(sent)}" for n, sent in earlier)
        _add(root, "references", " ".join(replaced))
    _add(root, "incidents", _NOT_IN_IDS.sub("-", alert.thread))
    for language in LANGUAGES:
        _add_info(root, alert, language, status, public_url, polygons)
    xml: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return xml


def cap_of(
    alert: Alert, status: AlertStatus, revisions: Sequence[Alert], public_url: str, rings_of: RingsOf = no_rings
) -> bytes:
    """The CAP message of one revision. ``revisions``: all of the alert; an update replaces the earlier ones. A place
    that is known by its area alone has the area's shape, as the registry has it now."""
    place = alert.place
    earlier = [(other.revision, other.sent_at) for other in revisions if other.revision < alert.revision]
    return cap_xml(
        alert,
        status=status if earlier else "raised",
        sender=urlsplit(public_url).hostname or "trucewatch",
        public_url=public_url,
        earlier=earlier if status != "raised" else (),
        polygons=rings_of(place.area) if place.area is not None and place.lat is None else (),
    )


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = clean(text)


def _add_info(
    root: Element, alert: Alert, language: Language, status: AlertStatus, public_url: str, polygons: Sequence[Ring]
) -> None:
    """Elements in the schema's order."""
    info = SubElement(root, "info")
    _add(info, "language", language)
    _add(info, "category", "Security")
    if alert.act == "chemical":
        _add(info, "category", "CBRNE")
    _add(info, "event", words(language).name("act", alert.act))
    _add(info, "responseType", "None" if status == "cancelled" else "Monitor")
    _add(info, "urgency", "Past")
    _add(info, "severity", alert.severity)
    _add(info, "certainty", alert.certainty or "Unknown")
    _add_pair(info, "eventCode", "trucewatch:act", alert.act)
    _add(info, "effective", cap_time(alert.sent_at))
    _add(info, "onset", cap_time(alert.occurred.start))
    _add(info, "expires", cap_time(format_instant(parse_instant(alert.sent_at) + EXPIRES_AFTER)))
    _add(info, "senderName", "Trucewatch")
    _add(info, "headline", wording.headline(alert, language))
    _add_description(info, alert, language)
    _add(info, "web", links(alert, public_url)["self"])
    for name, value in _parameters(alert):
        _add_pair(info, "parameter", f"trucewatch:{name}", value)
    _add_area(info, alert, language, polygons)


def _add_pair(parent: Element, name: str, key: str, value: str) -> None:
    pair = SubElement(parent, name)
    _add(pair, "valueName", key)
    _add(pair, "value", value)


def _add_description(info: Element, alert: Alert, language: Language) -> None:
    """Facts and reasons, one per line: the only element with meaningful line breaks."""
    lines = [f"{label}: {value}" for label, value in wording.facts(alert, language)]
    description = SubElement(info, "description")
    description.text = "\n".join([*lines, *wording.reason_texts(alert, language)])


def _parameters(alert: Alert) -> list[tuple[str, str]]:
    """Machine-readable values of the alert."""
    return [
        ("verdict", alert.verdict),
        ("alert", alert.id),
        ("revision", str(alert.revision)),
        ("incident", alert.incident_id),
        ("thread", alert.thread),
        *(("truce", truce) for truce in alert.truces),
        *(("perpetrator", party.party) for party in alert.perpetrators if party.party),
        *(("target", party.party) for party in alert.targets if party.party),
    ]


def _add_area(info: Element, alert: Alert, language: Language, polygons: Sequence[Ring]) -> None:
    place = alert.place
    area = SubElement(info, "area")
    _add(area, "areaDesc", wording.place_name(alert, words(language)))
    for ring in polygons:
        closed = [*ring, ring[0]] if ring[0] != ring[-1] else ring
        _add(area, "polygon", " ".join(f"{lat:.6f},{lon:.6f}" for lon, lat in closed))
    if place.lat is not None and place.lon is not None:
        _add(area, "circle", f"{place.lat:.6f},{place.lon:.6f} {place.radius_km or 0:g}")
    for name in dict.fromkeys([*([place.area] if place.area else []), *alert.areas]):
        _add_pair(area, "geocode", "trucewatch:area", name)

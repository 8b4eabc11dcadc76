"""Alerts as an Atom feed (RFC 4287): one entry for each revision, newest first."""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from schemas.assessments import Alert
from schemas.vocabulary import Language
from schemas.wording.lines import clean
from services.notify.render import cap, wording
from services.notify.render.json import links

NAMESPACE: Final = "http://www.w3.org/2005/Atom"
CONTENT_TYPE: Final = "application/atom+xml"


def entry_id(alert_id: str, revision: int) -> str:
    """The id of the entry of one revision; it never changes."""
    return f"urn:trucewatch:alert:{alert_id}:{revision}"


def atom_feed(alerts: Sequence[Alert], *, language: Language, public_url: str, updated: str) -> bytes:
    """The feed of these revisions, in the order given.

    ``updated`` (RFC 3339) is that of an empty feed; otherwise the feed is as new as its newest entry. No link in it
    carries a reader's token.
    """
    url = f"{public_url}/v1/alerts/feed.atom"
    feed = Element("feed", {"xmlns": NAMESPACE, "xml:lang": language})
    _add(feed, "id", f"{url}#{language}")
    _add(feed, "title", "Trucewatch")
    _add(feed, "updated", max((alert.sent_at for alert in alerts), default=updated))
    _link(feed, "self", url, CONTENT_TYPE)
    author = SubElement(feed, "author")
    _add(author, "name", "Trucewatch")
    _add(author, "uri", public_url)
    for alert in alerts:
        _add_entry(feed, alert, language, public_url)
    xml: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return xml


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = clean(text)


def _link(parent: Element, relation: str, url: str, kind: str | None = None) -> None:
    SubElement(parent, "link", {"rel": relation, "href": url} | ({"type": kind} if kind else {}))


def _add_entry(feed: Element, alert: Alert, language: Language, public_url: str) -> None:
    url = links(alert, public_url)
    entry = SubElement(feed, "entry")
    _add(entry, "id", entry_id(alert.id, alert.revision))
    _add(entry, "title", wording.titled(alert, alert.status, language))
    _add(entry, "updated", alert.sent_at)
    _link(entry, "alternate", url["self"])
    _link(entry, "related", url["incident"], "application/json")
    _link(entry, "enclosure", url["self"], cap.CONTENT_TYPE)
    for term in (alert.status, alert.verdict, alert.severity, alert.act):
        SubElement(entry, "category", {"term": term})
    summary = SubElement(entry, "summary", {"type": "text"})
    lines = [f"{label}: {value}" for label, value in wording.facts(alert, language)]
    summary.text = "\n".join([*lines, *wording.reason_texts(alert, language)])

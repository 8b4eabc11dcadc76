"""The Atom feed, read by feedparser."""

import feedparser
import msgspec
import pytest

from schemas.assessments import ResolvedPlace
from schemas.vocabulary import LANGUAGES, Language
from services.notify.render.atom import atom_feed
from tests.unit.notify.samples import ALERT, NASTY

URL = "https://truce.example.org"
NOW = "2016-05-08T12:00:00Z"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_feed_is_well_formed_and_says_what_it_should(language: Language) -> None:
    update = msgspec.structs.replace(ALERT, revision=2, status="updated", sent_at="2016-05-08T10:00:00Z")
    feed = feedparser.parse(atom_feed([update, ALERT], language=language, public_url=URL, updated=NOW))
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    assert feed.feed.language == language
    assert feed.feed.updated == "2016-05-08T10:00:00Z"
    assert feed.feed.links[0].href == f"{URL}/v1/alerts/feed.atom"
    newest, first = feed.entries
    assert newest.id == f"urn:trucewatch:alert:{ALERT.id}:2"
    assert first.id == f"urn:trucewatch:alert:{ALERT.id}:1"
    assert newest.title.endswith(first.title)
    assert newest.title != first.title
    assert first.link == f"{URL}/v1/alerts/{ALERT.id}"
    assert {tag.term for tag in first.tags} == {"raised", "violation", "Severe", "shelling"}
    assert "C3" in first.summary


def test_an_empty_feed_is_a_feed() -> None:
    feed = feedparser.parse(atom_feed([], language="en", public_url=URL, updated=NOW))
    assert not feed.bozo
    assert (feed.entries, feed.feed.updated) == ([], NOW)


def test_nasty_text_stays_text() -> None:
    nasty = msgspec.structs.replace(ALERT, place=ResolvedPlace(NASTY))
    raw = atom_feed([nasty], language="en", public_url=URL, updated=NOW)
    feed = feedparser.parse(raw)
    assert not feed.bozo
    assert b"<script" not in raw
    assert "]]>" in feed.entries[0].title

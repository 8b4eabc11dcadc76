"""The JSON of incoming webhooks: every message for people, in every language; no text mentions or links."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Alert, ResolvedPlace, SourceRef
from schemas.vocabulary import LANGUAGES, AlertStatus, Language
from services.notify.kinds.alert import alert_page
from services.notify.render.page import DigestRow, MessagePage
from services.notify.render.slack import MAX_ROWS, escape_slack, slack_body
from tests.unit.notify.samples import ALERT, NASTY, UPDATE_CHANGES

URL = "https://truce.example.org"
LINK = URL + "/a/aToken"
STATUSES: tuple[AlertStatus, ...] = ("raised", "updated", "cancelled")


def message(alert: Alert = ALERT, status: AlertStatus = "raised", language: Language = "en") -> Any:
    page = alert_page(alert, status=status, language=language)
    return json.loads(slack_body(page, language, alert_url=LINK))


def test_an_alert_has_a_fallback_its_facts_and_its_link() -> None:
    told = message()
    assert told["text"].startswith("Violation: shelling, Midan, Aleppo")
    [shown] = told["attachments"]
    assert shown["fallback"] == told["text"]
    assert shown["title_link"] == LINK
    assert {"title": "Severity", "value": "severe", "short": True} in [
        field | {"value": field["value"].lower(), "title": field["title"].capitalize()} for field in shown["fields"]
    ]
    assert "The Aleppo regime of calm was in force" in shown["text"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_became_of_an_alert_is_told_in_each_language(language: Language) -> None:
    changed = msgspec.structs.replace(ALERT, revision=2, changes=UPDATE_CHANGES)
    texts = [message(changed, status, language)["text"] for status in STATUSES]
    assert len(set(texts)) == 3
    assert all(texts[0] in text for text in texts[1:])
    assert all("→" in message(changed, s, language)["attachments"][0]["text"] for s in STATUSES[1:])


HOSTILE = [
    NASTY, "<!channel>", "<@U024BE7LH>", "<https://evil.example|State media>", "&lt;!here&gt;", "@everyone", "@all",
    "[State media](https://evil.example)", "http://evil.example", "www.evil.example", "mailto:a@evil.example",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_neither_mentions_nor_links(text: str) -> None:
    hostile = msgspec.structs.replace(ALERT, place=ResolvedPlace(text), source=SourceRef(text))
    check(message(hostile))


@given(st.text(max_size=80) | st.lists(st.sampled_from([*"<>&@[]():/|!", "www.", "http://", "a"])).map("".join))
def test_any_text_comes_out_without_marks_and_reads_as_before(text: str) -> None:
    escaped = escape_slack(text)
    check({"text": escaped})
    read = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert read.replace("\u2060", "") == text.replace("\u2060", "")


def check(value: Any) -> None:
    """No text but a link of ours holds anything that one of the receivers reads as a mention or a link."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key != "title_link":
                check(one)
    elif isinstance(value, list):
        for one in value:
            check(one)
    elif isinstance(value, str):
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)|@[^\s\u2060]|\]\(|://|(?i:www\.)|(?i:mailto:)", value), value


@pytest.mark.parametrize("letter", ["x", "&", "\U0001f525", '"'])
def test_the_worst_page_stays_under_twenty_kilobytes(letter: str) -> None:
    long = letter * 5_000
    page = MessagePage(
        long, long, long, badge=long, lead=(long,) * 5, facts=((long, long),) * 10, reasons=(long,) * 90,
        changes=((long, long, long),) * 9, rows=(DigestRow(long, long, URL),) * 90, notes=(long,) * 4,
        links=((long, URL),),
    )  # fmt: skip
    assert len(slack_body(page, "ar")) < 20_000


def test_a_digest_shows_its_first_alerts_and_counts_the_rest() -> None:
    rows = tuple(DigestRow(f"alert {number}", "severe", f"{URL}/{number}") for number in range(30))
    told = json.loads(slack_body(MessagePage("30 alerts", "30 alerts", "", rows=rows), "en"))
    first, *shown = told["attachments"]
    assert [one["title_link"] for one in shown] == [f"{URL}/{number}" for number in range(MAX_ROWS)]
    assert "21 more alerts" in first["text"]

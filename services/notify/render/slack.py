"""A message as the JSON of Slack's incoming webhooks, which Mattermost, Rocket.Chat and Discord's ``/slack`` take, too.

``text`` is what a notification shows; the rest is in attachments, which all of them render. No text can mention anybody
or make a link: ``&``, ``<`` and ``>`` are escaped, as Slack asks, and marks of mentions and links that the others read
in plain text are parted by a word joiner. https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from schemas.vocabulary import Language
from schemas.wording.words import words
from services.notify.render.json import MAX_BODY
from services.notify.render.mime import ALERT_SLOT, NAME_SLOT
from services.notify.render.page import TONES, MessagePage

#: Attachments of a message: Discord shows ten. The first is the message itself.
MAX_ROWS: Final = 9
MAX_LINES: Final = 20
#: Characters of each text; shorter, until the body is small enough.
_LENGTHS: Final = (1_000, 400, 150, 40)
#: A field of at most this many characters stands beside another.
_SHORT: Final = 40
_MARKS: Final = re.compile(r"@(?=\S)|(?<=\]):?(?=\()|(?<=:)(?=//)|(?i:(?<=www)(?=\.))|(?i:(?<=mailto)(?=:))")
_JOINER: Final = "\u2060"
_encode = msgspec.json.Encoder().encode


def slack_body(page: MessagePage, language: Language, name: str = "", alert_url: str = "") -> bytes:
    """The body of a page, under 20 kB: long texts are cut. ``name`` is the subscription's, ``alert_url`` its own link
    to the alert."""
    body = b""
    for length in _LENGTHS:
        body = _encode(_Writer(length, name, alert_url).message(page, language))
        if len(body) <= MAX_BODY:
            break
    return body


def escape_slack(text: str) -> str:
    """Text that mentions nobody and makes no link."""
    harmless = _MARKS.sub(lambda mark: mark[0] + _JOINER, text)
    return harmless.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Writer:
    def __init__(self, length: int, name: str, alert_url: str) -> None:
        self._length, self._name, self._alert_url = length, name, alert_url

    def message(self, page: MessagePage, language: Language) -> dict[str, Any]:
        """The name and the place of each key as Slack documents them; ``mrkdwn`` off shows asterisks as they are."""
        rows = [
            {"fallback": self._text(row.headline), "title": self._text(row.headline), "title_link": row.url,
             "text": self._text(row.detail), "mrkdwn_in": []}
            for row in page.rows[:MAX_ROWS]
        ]  # fmt: skip
        return {
            "text": self._text(page.subject),
            "mrkdwn": False,
            "parse": "none",
            "link_names": 0,
            "attachments": [self._first(page, language), *rows],
        }

    def _first(self, page: MessagePage, language: Language) -> dict[str, Any]:
        link = page.button or next(iter(page.links), None)
        title = page.badge or (page.title if page.title != page.subject or link is None else link[0])
        return {
            "fallback": self._text(page.subject),
            "color": TONES[page.tone].light,
            "title": self._text(title),
            **({} if link is None else {"title_link": link[1].replace(ALERT_SLOT, self._alert_url)}),
            "text": "\n".join(self._lines(page, language)),
            "fields": [self._field(label, value) for label, value in page.facts],
            "mrkdwn_in": [],
        }

    def _lines(self, page: MessagePage, language: Language) -> Sequence[str]:
        say = words(language)
        changes = (f"{field}: {before} → {after}" for field, before, after in page.changes)
        more = len(page.rows) - MAX_ROWS
        omitted = [say.count("omitted", more)] if more > 0 else []
        lines = [*page.lead, *changes, *page.reasons]
        kept = [*lines[: MAX_LINES - len(page.notes) - len(omitted)], *omitted, *page.notes]
        return [self._text(line) for line in kept]

    def _field(self, label: str, value: str) -> dict[str, Any]:
        return {"title": self._text(label), "value": self._text(value), "short": len(value) <= _SHORT}

    def _text(self, text: str) -> str:
        whole = text.replace(NAME_SLOT, self._name)
        return escape_slack(whole if len(whole) <= self._length else whole[: self._length - 1] + "…")

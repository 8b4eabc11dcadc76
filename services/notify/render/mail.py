"""The content of a mail, and the templates that render it as text and HTML."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from schemas.vocabulary import Language
from schemas.wording.words import words
from services.notify.render.mime import UNSUBSCRIBE_SLOT, Letter, encode_body, encode_text


@dataclass(frozen=True, slots=True)
class Tone:
    """The colour of the bar and the badge, in light and dark mode. White text is readable on both."""

    light: str
    dark: str


TONES: Final[dict[str, Tone]] = {
    "Extreme": Tone("#7a1020", "#a5293c"),
    "Severe": Tone("#b3261e", "#c2453e"),
    "Moderate": Tone("#b45309", "#b0620f"),
    "Minor": Tone("#7a6410", "#80701f"),
    "calm": Tone("#1f5fbf", "#2f6fcb"),
    "over": Tone("#566272", "#5d6a7b"),
}
_FONT: Final = "Segoe UI,Roboto,Helvetica,Tahoma,Arial,sans-serif"


@dataclass(frozen=True, slots=True)
class DigestRow:
    """One alert of a digest."""

    headline: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True)
class MailPage:
    """The content of a letter. Its texts contain no control characters."""

    subject: str
    title: str
    preview: str
    tone: str = "calm"
    badge: str = ""
    lead: tuple[str, ...] = ()
    button: tuple[str, str] | None = None
    changes: tuple[tuple[str, str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    reasons: tuple[str, ...] = ()
    rows: tuple[DigestRow, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    footer: str = ""


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def render(page: MailPage, language: Language) -> Letter:
    """The letter of a page, text and HTML."""
    say = words(language)
    values = {
        "page": page,
        "lang": language,
        "dir": say.direction,
        "start": "right" if say.direction == "rtl" else "left",
        "font": _FONT,
        "tone": TONES[page.tone],
        "unsubscribe_slot": UNSUBSCRIBE_SLOT,
        "words": {
            "changes": say.say("field.changes"),
            "reasons": say.say("field.reasons"),
            "before": say.say("field.before"),
            "after": say.say("field.after"),
            "unsubscribe": say.say("mail.unsubscribe"),
        },
    }
    return Letter(
        subject=encode_text(page.subject, len("Subject: ")),
        language=language,
        text=encode_body(b"plain", _templates().get_template("page.txt").render(values)),
        html=encode_body(b"html", _templates().get_template("page.html").render(values)),
    )

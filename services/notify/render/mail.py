"""A message as a letter: the templates that render it as text and HTML."""

from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from schemas.vocabulary import Language
from schemas.wording.words import words
from services.notify.render.mime import UNSUBSCRIBE_SLOT, Letter, encode_body, encode_text
from services.notify.render.page import TONES, MessagePage

_FONT: Final = "Segoe UI,Roboto,Helvetica,Tahoma,Arial,sans-serif"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def render(page: MessagePage, language: Language) -> Letter:
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

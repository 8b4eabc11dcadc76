"""One alert as a page in a browser: what stands now, what changed since a message, where it is. It runs no script."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from schemas.vocabulary import LANGUAGES
from schemas.wording.words import Words, words
from services.notify.render.page import TONES, MessagePage
from services.notify.render.place_map import HEIGHT, WIDTH, PlaceMap


@dataclass(frozen=True, slots=True)
class Later:
    """A revision after the message: its status in words, when it came, and what it changed (field, before, after)."""

    status: str
    at: str
    changes: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Shown:
    """The page. ``page`` is the alert as a message would tell it now, ``place`` and ``areas`` what the map
    has, ``data`` the address that the forms for machines stand under."""

    page: MessagePage
    later: Sequence[Later]
    map: PlaceMap | None
    place: str
    areas: str
    data: str


def render_alert(shown: Shown, say: Words) -> str:
    template, style = _template()
    return template.render(
        shown=shown,
        say=say,
        style=style,
        tone=TONES[shown.page.tone],
        width=WIDTH,
        height=HEIGHT,
        languages=[words(language) for language in LANGUAGES],
    )


@cache
def policy() -> str:
    """Of the page: nothing from anywhere, but its own style sheet."""
    digest = base64.b64encode(hashlib.sha256(_template()[1].encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@cache
def _template() -> tuple[Template, Markup]:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    style: Final = files(__package__).joinpath("templates", "alert.css").read_text("utf-8")
    return environment.get_template("alert.html"), Markup(style)  # noqa: S704 - our own file, and hashed above

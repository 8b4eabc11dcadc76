"""The status as a page, in the reader's language: one template, one style sheet, no build."""

import base64
import hashlib
from functools import cached_property
from importlib.resources import files
from typing import Final, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from schemas.instants import format_instant, parse_instant
from schemas.vocabulary import CERTAINTIES, OUTCOMES, SEVERITIES, AlertStatus, Language
from schemas.wording.reasons import named
from schemas.wording.words import Words, words
from schemas.zones import find_zone
from services.status.report import FAILING, SERVICES, Status, by_name, explain

PLACES: Final = (
    ("/status", "console.place.status"),
    ("/metrics", "console.place.metrics"),
    ("/livez", "console.place.livez"),
    ("/readyz", "console.place.readyz"),
    ("/docs", "console.place.docs"),
    ("/openapi.json", "console.place.openapi"),
    ("/v1/incidents", "console.place.incidents"),
    ("/v1/registry", "console.place.registry"),
    ("/v1/truces", "console.place.truces"),
    ("/v1/alerts", "console.place.alerts"),
    ("/v1/subscriptions", "console.place.subscriptions"),
)
#: The words of the page's script, and the terms that it names.
SCRIPT: Final = (
    "console.lost", "console.forgotten", "console.looking", "console.newest_first", "console.no_alert",
    "console.no_answer", "console.bad_key", "console.weak_key", "console.why",
)  # fmt: skip
TERMS: Final[dict[str, tuple[str, ...]]] = {
    "status": get_args(AlertStatus),
    "severity": SEVERITIES,
    "verdict": OUTCOMES,
    "certainty": CERTAINTIES,
}


class StatusPage:
    """Renders; made once, since the style sheet is hashed here. The template is compiled for the first reader."""

    def __init__(self) -> None:
        style = read_static("style.css").decode()
        self._style = Markup(style)  # noqa: S704 - our own file, and hashed below
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        #: Nothing from elsewhere, nothing inline but this one style sheet.
        self.policy: Final = (
            f"default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; style-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    @cached_property
    def _template(self) -> Template:
        environment = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        environment.filters |= {
            "named": named,
            "utc": show_utc,
            "local": show_local,
            "until": show_until,
            "span": show_span,
            "percent": show_percent,
            "thousands": show_thousands,
        }
        return environment.get_template("page.html.j2")

    def render(self, status: Status, now: int, language: Language) -> str:
        """``now`` is when the status was taken."""
        say = words(language)
        return self._template.render(
            say=say,
            status=status,
            now=format_instant(now),
            worries=explain(status, say),
            components=by_name(status.components),
            services=SERVICES,
            places=PLACES,
            failing=FAILING,
            style=self._style,
            script_words=_script_words(say),
        )


def _script_words(say: Words) -> dict[str, str]:
    """By key what the script says; its sentence of a change keeps its blanks."""
    change = say.say("console.change", field="{field}", before="{before}", after="{after}")
    terms = {f"{kind}.{value}": say.name(kind, value) for kind, values in TERMS.items() for value in values}
    return {key: say.say(key) for key in SCRIPT} | terms | {"console.change": change}


def read_static(name: str) -> bytes:
    """One of the files that the page needs."""
    return files(__package__).joinpath("static", name).read_bytes()


def show_utc(moment: str, say: Words) -> str:
    """RFC 3339 as ``9 May 2016, 21:01 UTC``."""
    return f"{show_local(moment, 'UTC', say)} UTC"


def show_local(moment: str, timezone: str, say: Words) -> str:
    """RFC 3339 as ``10 May 2016, 00:01`` of the zone."""
    return say.moment(parse_instant(moment), find_zone(timezone))


def show_until(moment: str, now: str, say: Words) -> str:
    """How long until ``moment``."""
    return show_span(max(0, parse_instant(moment) - parse_instant(now)) / 1_000_000, say)


def show_span(seconds: float, say: Words) -> str:
    """A length of time in its two largest units, or in one where that is enough."""
    if seconds < 120:
        return say.say("console.span.seconds", seconds=say.number(round(seconds, 1 if seconds < 10 else None)))
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return say.say("console.span.days", days=days, hours=hours)
    if hours:
        return say.say("console.span.hours", hours=hours, minutes=minutes)
    return say.say("console.span.minutes", minutes=minutes)


def show_percent(share: float | None, say: Words) -> str:
    """A share of 0 to 1; a dash for none."""
    if share is None:
        return "–"
    return say.percent(share if 0 < share < 0.1 else round(share, 2))


def show_thousands(number: int) -> str:
    """With narrow spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")

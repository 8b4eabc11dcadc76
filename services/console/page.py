"""The status as a page that a person would like to look at: one template, one style sheet, no build."""

import base64
import hashlib
from datetime import datetime
from importlib.resources import files
from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from schemas.instants import format_instant, parse_instant
from schemas.zones import find_zone
from services.console.status import FAILING, SERVICES, State, Status, by_name, explain


class Headline(NamedTuple):
    title: str


HEADLINES: Final[dict[State, Headline]] = {
    "ok": Headline("All is well"),
    "degraded": Headline("Something needs a person"),
    "down": Headline("Alerts cannot flow"),
}
#: What each service does, for whoever looks at the page for the first time.
ROLES: Final = dict(zip(SERVICES, ("takes reports in", "judges them", "tells subscribers"), strict=True))
PLACES: Final = (
    ("/status", "this page; JSON for whoever asks for JSON"),
    ("/metrics", "metrics for Prometheus"),
    ("/livez", "is the process alive"),
    ("/readyz", "can it work now"),
    ("/docs", "the API's reference, to read and to try"),
    ("/openapi.json", "the same as OpenAPI 3.1"),
    ("/v1/incidents", "POST a report, GET what was reported"),
    ("/v1/registry", "truces, parties, areas and places that reports are judged by"),
    ("/v1/truces", "the windows of each truce, with the announcements that they rest on"),
    ("/v1/alerts", "every alert in the order of its commit, with a cursor"),
    ("/v1/subscriptions", "who is told of what, and how"),
)


class Page:
    """Renders; made once, since the template and the style sheet are read and hashed here."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("services.console"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        environment.filters |= {
            "utc": show_utc,
            "local": show_local,
            "until": show_until,
            "span": show_span,
            "percent": show_percent,
            "thousands": show_thousands,
        }
        self._template = environment.get_template("page.html.j2")
        style = read_static("style.css").decode()
        self._style = Markup(style)  # noqa: S704 - our own file, and hashed below
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        #: Nothing from elsewhere, nothing inline but this one style sheet.
        self.policy: Final = (
            f"default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; style-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def render(self, status: Status, now: int) -> str:
        """``now`` is when the status was taken."""
        return self._template.render(
            status=status,
            now=format_instant(now),
            worries=explain(status),
            components=by_name(status.components),
            roles=ROLES,
            verdicts=HEADLINES,
            places=PLACES,
            failing=FAILING,
            style=self._style,
        )


def read_static(name: str) -> bytes:
    """One of the files that the page needs."""
    return files("services.console").joinpath("static", name).read_bytes()


def show_utc(moment: str) -> str:
    """RFC 3339 as ``9 May 2016, 21:01 UTC``."""
    return f"{_show(moment, 'UTC')} UTC"


def show_local(moment: str, timezone: str) -> str:
    """RFC 3339 as ``10 May 2016, 00:01`` of the zone."""
    return _show(moment, timezone)


def _show(moment: str, timezone: str) -> str:
    local = datetime.fromisoformat(moment).astimezone(find_zone(timezone))
    return f"{local.day} {local:%B %Y, %H:%M}"


def show_until(moment: str, now: str) -> str:
    """How long until ``moment``."""
    return show_span(max(0, parse_instant(moment) - parse_instant(now)) / 1_000_000)


def show_span(seconds: float) -> str:
    """A length of time in its two largest units, or in one where that is enough."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def show_percent(share: float | None) -> str:
    """A share of 0 to 1; a dash for none."""
    if share is None:
        return "–"
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def show_thousands(number: int) -> str:
    """With narrow spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")

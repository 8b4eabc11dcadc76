"""The desk as its tests open it: one process with the worked example, one browser, one page."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from playwright.sync_api import Page, Response, expect

from tests.e2e.conftest import worked_example
from tests.parts.chromium import Chromium
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, reports

WIDE: Final[Any] = {"width": 1280, "height": 800}
NARROW: Final[Any] = {"width": 390, "height": 800}
#: The checks of axe: WCAG 2.2 to AA, and what it calls best practice.
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
#: The longest that a page is waited for: a busy machine may take long, and no test is decided by it.
WAIT_MS: Final = 60_000
#: Pages by the path that follows /console; {incident} is one with a finding for two truces,
#: {subscription} one with messages.
PAGES: Final = (
    "/", "/incidents", "/incidents/{incident}", "/report", "/report?correct={incident}", "/review", "/truces",
    "/truces/aleppo-calm", "/subscriptions", "/subscriptions/{subscription}",
    "/why?alert={incident}&subscription={subscription}", "/silences", "/silences?incident={incident}", "/registry",
    "/registry/parties/nusra", "/registry/areas/aleppo-city", "/admin", "/admin?part=audit", "/admin?part=dead",
    "/admin?part=again", "/charts",
)  # fmt: skip


@dataclass
class Desk:
    """The page, and all that went wrong on it since it was last asked."""

    service: Service
    page: Page
    client: httpx.Client
    keys: Mapping[str, str]
    complaints: list[str] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)

    def open(self, path: str = "/", role: str = "operator", **query: str) -> None:
        """Load a page anew, by a link with the key of that role, and wait until it shows what it has."""
        given = f"{'&' if '?' in path else '?'}{urlencode(query)}" if query else ""
        # A page of the same address would only take the key.
        self.page.goto("about:blank")
        self.page.goto(f"{self.service.url}/console{path}{given}#key={self.keys[role]}")
        self.settle()

    @property
    def incident(self) -> str:
        """The incident of the model, which has a finding for two truces."""
        found: str = self.client.get(f"/v1/incidents?external_id={MODEL['external_id']}").json()["items"][0][
            "incident_id"
        ]
        return found

    def fill(self, path: str) -> str:
        """A path of :data:`PAGES` with the ids that it names."""
        subscription = self.client.get("/v1/subscriptions").json()["items"][0]["id"]
        return path.format(incident=self.incident, subscription=subscription)

    def settle(self) -> None:
        expect(self.page.locator("main h1")).to_be_visible(timeout=WAIT_MS)
        expect(self.page.locator(".loading")).to_have_count(0, timeout=WAIT_MS)

    def post(self, external_id: str, **changed: Any) -> str:
        """Report an incident as the partner does. Returns its id."""
        return self.report({**MODEL, "external_id": external_id, **changed})

    def report(self, report: Mapping[str, Any]) -> str:
        answer = self.client.post("/v1/incidents", json=report, headers=bearer(self.keys["partner"]))
        answer.raise_for_status()
        found: str = answer.json()["incident_id"]
        return found

    def accessibility_faults(self) -> list[str]:
        """The findings of axe: the rule, and where."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_axe())
        options = {"runOnly": list(RULES), "resultTypes": ["violations"]}
        found = self.page.evaluate("(options) => axe.run(document, options)", options)
        return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return wide

    def forget(self) -> None:
        self.complaints.clear()
        self.answers.clear()

    @contextmanager
    def watched(self, viewport: Any) -> Iterator["Desk"]:
        """The desk at this size; nothing may go wrong on the page meanwhile."""
        self.forget()
        self.page.set_viewport_size(viewport)
        yield self
        assert self.complaints == []


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


@contextmanager
def open_desk(directory: Path, chromium: Chromium, **settings: str) -> Iterator[Desk]:
    """The worked example with its reports, a key for each role, and a subscription whose endpoint is not there."""
    with (
        worked_example(directory, TRUCEWATCH_WEBHOOK_ALLOW="127.0.0.0/8", **settings) as service,
        httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client,
        chromium.one_page(WIDE) as page,
    ):
        keys = {"operator": OPERATOR_KEY}
        for role in ("partner", "monitor"):
            made = client.post("/v1/keys", json={"name": f"a {role}", "role": role})
            keys[role] = made.raise_for_status().json()["key"]
        desk = Desk(service, page, client, keys)
        client.post("/v1/subscriptions", json=SUBSCRIPTION).raise_for_status()
        for report in reports():
            desk.report(report)
        _watch(desk)
        yield desk


#: A violation of two truces, within the last days of the worked example.
MODEL: Final = next(one for one in reports() if one["external_id"] == "midan-20160508")
SUBSCRIPTION: Final = {
    "name": "Aleppo desk",
    "channel": {"type": "webhook", "url": "http://127.0.0.1:9/hook"},
    "filter": {"verdicts": ["violation", "undetermined"]},
    "verified": True,
}


def _watch(desk: Desk) -> None:
    """Complain of everything that a page may not do: ask others, break its policy, fail."""
    page, origin = desk.page, desk.service.url

    def answered(response: Response) -> None:
        desk.answers.append((response.status, response.url))

    page.on("response", answered)
    page.on("pageerror", lambda error: desk.complaints.append(str(error)))
    page.on("console", lambda said: desk.complaints.append(said.text) if said.type == "error" else None)
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((origin, "data:", "blob:", "about:"))
            else desk.complaints.append(f"asks {asked.url}")
        ),
    )
    page.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.violatedDirective))"
    )

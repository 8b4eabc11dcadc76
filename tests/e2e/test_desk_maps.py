"""The maps of the desk: the operator's own base, what is drawn without a graphics processor, and choosing a place; and
what the desk costs: the processor's time, never the clock's, and memory."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Route, expect

from tests.parts.chromium import Chromium
from tests.parts.desk import NARROW, WAIT_MS, Desk, open_desk
from tests.parts.pmtiles import archive

READY: Final = "#map[data-ready=true]"
#: Wide enough for the map beside the list, and few pixels: without a graphics processor each is computed.
LOW: Final[Any] = {"width": 1110, "height": 420}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, chromium: Chromium) -> Iterator[Desk]:
    directory = tmp_path_factory.mktemp("maps")
    basemap = directory / "streets.pmtiles"
    basemap.write_bytes(archive())
    with open_desk(directory, chromium, TRUCEWATCH_BASEMAP=str(basemap)) as desk:
        yield desk


@pytest.fixture
def desk(running: Desk) -> Iterator[Desk]:
    with running.watched(LOW) as watched:
        yield watched


def test_the_operators_own_base_is_read_in_parts_and_attributed(desk: Desk) -> None:
    desk.open("/", language="en")
    expect(desk.page.locator(READY)).to_be_visible(timeout=WAIT_MS)
    expect(desk.page.locator(".credit")).to_have_text("Base: Natural Earth, © Street surveyors", timeout=WAIT_MS)
    asked = [answer for answer in desk.answers if "/console/region/" in answer[1]]
    assert {status for status, _ in asked} == {206}
    (place,) = {url for _, url in asked}
    assert desk.client.get(place).headers["cache-control"].startswith("public, max-age=31536000, immutable")


def test_an_incident_has_a_small_map_of_its_place(desk: Desk) -> None:
    desk.open(f"/incidents/{desk.incident}", language="en")
    expect(desk.page.locator(READY)).to_be_visible(timeout=WAIT_MS)
    expect(desk.page.locator("#map canvas")).to_have_attribute("aria-label", "Map: 1 incident.")
    assert desk.accessibility_faults() == []


def test_the_place_of_a_report_is_chosen_by_the_mouse_or_the_keyboard(desk: Desk) -> None:
    page = desk.page
    page.set_viewport_size(NARROW)
    desk.open("/report", role="partner", language="en")
    latitude, longitude = page.get_by_label("Latitude"), page.get_by_label("Longitude")
    page.get_by_role("button", name="Choose on the map").press("Enter")
    expect(page.locator(READY)).to_be_visible(timeout=WAIT_MS)
    canvas = page.get_by_role("region", name="Map: choose the place")
    canvas.press("Enter")
    # The middle of the areas of the registry.
    assert abs(float(latitude.input_value()) - 34.8) < 0.5
    assert abs(float(longitude.input_value()) - 39.0) < 0.5
    centre = float(longitude.input_value())
    page.locator("#map").scroll_into_view_if_needed()
    canvas.click(position={"x": 60, "y": 120})
    expect(longitude).not_to_have_value(str(centre))
    assert float(longitude.input_value()) < centre
    assert desk.overflow() <= 0
    assert desk.accessibility_faults() == []
    page.evaluate("sessionStorage.removeItem('draft')")


def test_what_an_announcement_would_flip_is_on_a_map(desk: Desk) -> None:
    page = desk.page
    page.set_viewport_size(NARROW)
    desk.open("/truces/cessation-of-hostilities", language="en")
    page.get_by_role("button", name="Announce").click()
    page.get_by_label("Action").select_option("end")
    page.get_by_label("Until").fill("2016-05-04T00:00")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(READY)).to_be_visible(timeout=WAIT_MS)
    # One of the five has no place.
    expect(page.locator(".flips li")).to_have_count(5)
    expect(page.locator("#map canvas")).to_have_attribute("aria-label", "Map: 4 incidents.")


def test_slow_frames_make_the_map_simple(desk: Desk) -> None:
    """The browser does not tell its renderer, and every frame waits longer than people bear."""
    slow = (
        "(() => { const draw = requestAnimationFrame; const told = WebGL2RenderingContext.prototype.getExtension;"
        "window.requestAnimationFrame = (call) => setTimeout(() => draw(call), 100);"
        "WebGL2RenderingContext.prototype.getExtension = function (name) {"
        "return name === 'WEBGL_debug_renderer_info' ? null : told.call(this, name); }; })()"
    )
    with another_page(desk, slow) as page:
        expect(page.locator("#map[data-able=full]")).to_be_visible(timeout=WAIT_MS)
        expect(page.locator(f"{READY}[data-able=simple]")).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_text("Simple map")).to_be_visible()


def test_without_webgl_the_list_has_everything(desk: Desk) -> None:
    none = (
        "(() => { const get = HTMLCanvasElement.prototype.getContext; HTMLCanvasElement.prototype.getContext ="
        "function (kind, ...rest) { return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest); }; })()"
    )
    with another_page(desk, none) as page:
        expect(page.get_by_text("There is no map here")).to_be_visible(timeout=WAIT_MS)
        expect(page.locator(".row").first).to_be_visible()
        assert page.locator("#map canvas").count() == 0


@contextmanager
def another_page(desk: Desk, script: str, viewport: Any = LOW) -> Iterator[Page]:
    """The live list in a page of its own, where ``script`` runs before all else."""
    browser = desk.page.context.browser
    assert browser is not None
    page = browser.new_page(viewport=viewport)
    if script:
        page.add_init_script(script)
    page.goto(f"{desk.service.url}/console/?language=en#key={desk.keys['monitor']}")
    yield page
    page.close()


#: desk.md, "Budgets": the heap after live alerts; a live one's time on the main thread, with room for the layout
#: and for other work that shares the processor.
HEAP: Final = 80_000_000
ALERT_S: Final = 0.060
#: Thousands of alerts in seconds: each look at the list finds ``fresh`` incidents that it had not, and the next look is
#: at once. They stand in for the server's, which cannot judge so many reports in that time; all else is the desk's own.
ALERTS: Final = r"""(() => {
  const [ask, wait] = [window.fetch, window.setTimeout];
  let shown = null, last = 0;
  window.looks = 0; window.fresh = 1;
  window.setTimeout = (call, after, ...rest) => wait(call, after === 2000 ? 1 : after, ...rest);
  window.fetch = async (url, options) => {
    if (!/incidents\?.*limit=100$/.test(url)) return ask(url, options);
    if (!shown) { const page = await (await ask(url, options)).json(); shown = Array.from({length: 100},
      (_, at) => ({...page.items[at % page.items.length], incident_id: `i${++last}`})); }
    const come = Array.from({length: window.fresh}, () => ({...shown[0], incident_id: `i${++last}`}));
    shown = [...come, ...shown].slice(0, 100);
    window.looks += 1;
    return new Response(JSON.stringify({items: shown, has_more: true, next: 'more'}));
  };
})()"""


def test_thousands_of_live_alerts_cost_little_and_leave_nothing_behind(desk: Desk) -> None:
    with another_page(desk, ALERTS, NARROW) as page:
        cdp = page.context.new_cdp_session(page)
        cdp.send("Performance.enable", {"timeDomain": "threadTicks"})

        def measure(looks: int) -> tuple[float, float, float, float]:
            """Once there were so many: how many, the main thread's seconds, the heap in bytes, and the nodes."""
            while (found := page.evaluate("window.looks")) < looks:
                page.wait_for_timeout(50)
            cdp.send("HeapProfiler.collectGarbage")
            told = {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}
            return found, told["TaskDuration"], told["JSHeapUsedSize"], told["Nodes"]

        before = measure(5)
        after = measure(30)
        assert (after[1] - before[1]) / (after[0] - before[0]) <= ALERT_S
        page.evaluate("window.fresh = 100")
        early = measure(45)
        late = measure(80)
        assert late[2] <= HEAP
        assert late[2] <= early[2] * 1.25 + 2_000_000
        assert late[3] <= early[3] * 1.25 + 2_000
        assert page.locator(".row").count() <= 500


def test_a_pan_over_five_thousand_incidents_costs_about_as_much_as_over_a_few(desk: Desk) -> None:
    def many(route: Route) -> None:
        properties = {"verdict": "violation", "act": "shelling", "severity": "Severe", "radius": 1}
        features = [
            {
                "type": "Feature",
                "id": f"{number:010x}",
                "geometry": {"type": "Point", "coordinates": [36 + number % 71 * 0.08, 33 + number % 73 * 0.05]},
                "properties": properties,
            }
            for number in range(5_000)
        ]
        route.fulfill(json={"type": "FeatureCollection", "has_more": False, "features": features})

    few = _pan(desk, None)
    assert _pan(desk, many) <= few * 3


def _pan(desk: Desk, answer: Callable[[Route], None] | None) -> float:
    """The main thread's seconds for two pans of the live map; ``answer``: in place of the map's feed."""
    with another_page(desk, "") as page:
        if answer is not None:
            is_map = "application/geo+json"
            page.route(
                "**/v1/incidents?*",
                lambda route: answer(route) if route.request.headers["accept"] == is_map else route.continue_(),
            )
            page.reload()
        expect(page.locator(READY)).to_be_visible(timeout=WAIT_MS)
        shown = "5,000" if answer else "1"
        expect(page.locator("#map canvas")).to_have_attribute(
            "aria-label", re.compile(f"Map: {shown}"), timeout=WAIT_MS
        )
        page.wait_for_timeout(500)
        cdp = page.context.new_cdp_session(page)
        cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
        used = list[float]()
        for key in ("", "ArrowLeft", "ArrowRight"):
            if key:
                page.locator("#map canvas").press(key)
                page.wait_for_timeout(500)
            told = {one["name"]: one["value"] for one in cdp.send("Performance.getMetrics")["metrics"]}
            used.append(told["TaskDuration"])
        return used[-1] - used[0]

"""The desk in a real browser over a real process: every page in every language, and what people do there."""

import time
from collections.abc import Iterator
from itertools import count
from typing import Final

import httpx
import pytest
from playwright.sync_api import expect

from schemas.vocabulary import LANGUAGES
from schemas.wording.words import words
from tests.parts.chromium import Chromium
from tests.parts.desk import NARROW, PAGES, WAIT_MS, WIDE, Desk, open_desk
from tests.parts.machine import exceeds
from tests.parts.receiver import Receiver
from tests.scenario import bearer

HOSTILE: Final = "<img src=x onerror=alert(1)>\u202etxt.exe\u202c{{7*7}}"
_numbers = count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, chromium: Chromium) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("desk"), chromium) as desk:
        yield desk


@pytest.fixture
def desk(running: Desk) -> Iterator[Desk]:
    with running.watched(WIDE) as watched:
        yield watched


@pytest.mark.parametrize(("number", "page"), list(enumerate(PAGES)))
def test_every_page_in_every_language_and_width(desk: Desk, number: int, page: str) -> None:
    """axe looks once at each language, at one of the two widths: each page is looked at in both."""
    desk.open(desk.fill(page), language="en")
    for turn, language in enumerate(LANGUAGES, number):
        desk.page.locator(".language select").select_option(language)
        expect(desk.page.locator(f"html[lang={language}][dir={words(language).direction}]")).to_be_attached()
        assert f"language={language}" in desk.page.url
        desk.settle()
        assert "desk." not in desk.page.inner_text("body")
        for viewport in (WIDE, NARROW) if turn % 2 else (NARROW, WIDE):
            desk.page.set_viewport_size(viewport)
            assert desk.overflow() <= 0
        assert desk.accessibility_faults() == []


def test_a_key_is_asked_for_refused_taken_and_forgotten(desk: Desk) -> None:
    page = desk.page
    page.goto(f"{desk.service.url}/")
    page.evaluate("sessionStorage.clear()")
    page.goto(f"{desk.service.url}/?language=en")
    page.get_by_label("API key").fill("tw_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This key is not valid, or no longer.", timeout=WAIT_MS)
    # A browser reports an answer of 401 as an error, whatever the page makes of it.
    desk.complaints.clear()
    page.get_by_label("API key").fill(desk.keys["monitor"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".row").first).to_be_visible(timeout=WAIT_MS)
    assert page.url == f"{desk.service.url}/console/?language=en"
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('key')") is None


def test_a_key_in_a_link_leaves_the_address_at_once(desk: Desk) -> None:
    desk.open("/truces", role="monitor")
    assert desk.page.url == f"{desk.service.url}/console/truces"


@pytest.mark.parametrize("role", ["partner", "monitor", "operator"])
def test_nobody_is_led_to_what_the_key_may_not_do(desk: Desk, role: str) -> None:
    desk.open("/", role=role)
    for link in desk.page.locator("nav a").all():
        link.click()
        desk.settle()
    desk.open(f"/incidents/{desk.incident}", role=role)
    assert [answer for answer in desk.answers if answer[0] in (401, 403)] == []


def test_a_new_violation_comes_by_itself_and_moves_nothing_that_is_read(desk: Desk) -> None:
    page = desk.page
    page.set_viewport_size({"width": 900, "height": 500})
    desk.open("/", language="en")
    before = page.locator(".row").count()
    desk.post(f"new-{next(_numbers)}")
    expect(page.locator(".row")).to_have_count(before + 1, timeout=WAIT_MS)
    third = page.locator(".row").nth(3)
    third.scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, 400)")
    text = page.locator(".row").first.inner_text()
    desk.post(f"new-{next(_numbers)}")
    waiting = page.get_by_role("button", name="1 new")
    expect(waiting).to_be_visible(timeout=WAIT_MS)
    assert page.locator(".row").first.inner_text() == text
    waiting.click()
    expect(page.locator(".row")).to_have_count(before + 2)
    expect(page.locator(".row .row-link").first).to_be_focused()


def test_filters_stand_in_the_address_and_come_back_with_it(desk: Desk) -> None:
    page = desk.page
    desk.open("/", language="en")
    page.locator(".filters summary").click()
    page.get_by_label("Verdict").select_option("undetermined")
    expect(page.locator(".row")).to_have_count(1, timeout=WAIT_MS)
    assert "verdict=undetermined" in page.url
    page.reload()
    desk.settle()
    expect(page.locator(".row")).to_have_count(1)
    page.go_back()
    desk.settle()
    expect(page.locator(".row").nth(2)).to_be_visible(timeout=WAIT_MS)


def test_periods_that_are_asked_for_often_are_a_press_away(desk: Desk) -> None:
    page = desk.page
    desk.open("/", language="en", truce="aleppo-calm")
    page.get_by_role("button", name="Last 24 hours").click()
    # Of what is long past: up to the newest incident.
    expect(page.locator(".filters .chip")).to_contain_text(["Aleppo regime of calm", "9 May 2016"], timeout=WAIT_MS)
    page.get_by_role("button", name="The whole truce").click()
    expect(page.locator(".filters .chip").last).to_have_text("4 May 2016 – 12 May 2016", timeout=WAIT_MS)
    assert "from=2016-05-03T21%3A01%3A00Z" in page.url


def test_the_keyboard_alone_opens_an_incident_and_comes_back(desk: Desk) -> None:
    page = desk.page
    desk.open("/", language="en")
    page.keyboard.press("j")
    page.keyboard.press("j")
    name = page.locator(".row .row-link").nth(1)
    expect(name).to_be_focused()
    title = name.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(title, timeout=WAIT_MS)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Live", timeout=WAIT_MS)


def test_an_incident_says_for_each_truce_what_decided(desk: Desk) -> None:
    desk.open(f"/incidents/{desk.incident}", language="en")
    rows = desk.page.locator(".verdicts tbody tr")
    expect(rows).to_have_count(2)
    for row in rows.all():
        expect(row.get_by_text("decided this")).to_have_count(1)
    expect(desk.page.get_by_text("within 1 km")).to_be_visible()
    expect(desk.page.get_by_role("rowheader", name="Aleppo desk")).to_be_visible(timeout=WAIT_MS)


def test_a_correction_is_told_in_words(desk: Desk) -> None:
    name = f"corrected-{next(_numbers)}"
    desk.post(name, casualties={"killed": 1})
    found = desk.post(name, casualties={"killed": 3}, act="mortar")
    desk.open(f"/incidents/{found}", language="en")
    changes = desk.page.locator(".history .changes").first
    history = desk.page.locator(".history")
    expect(history.get_by_text("killed: 3").first).to_be_visible()
    expect(history.get_by_text("mortar fire").first).to_be_visible()
    assert "{" not in changes.inner_text()


def test_gaps_and_disputed_stretches_are_text_too(desk: Desk) -> None:
    desk.open("/truces/aleppo-calm", language="en")
    expect(desk.page.locator("figcaption")).to_contain_text("gap 10 May 2016, 00:01–01:00")
    expect(desk.page.locator("figcaption")).to_contain_text("disputed from 4 May 2016, 00:01 to 7 May 2016, 01:00")


def test_an_announcement_is_previewed_then_made(desk: Desk) -> None:
    page = desk.page
    desk.open("/truces/eastern-ghouta-calm", language="en")
    page.get_by_role("button", name="Announce").click()
    page.get_by_label("Issuer").select_option("russia")
    page.get_by_label("Until").fill("2016-05-09T12:00")
    page.get_by_label("Words").fill("Extended until Monday noon.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".preview")).to_contain_text("9 May 2016, 12:00", timeout=WAIT_MS)
    assert "russia" not in [one["issuer"] for one in desk.client.get(TRUCE).json()["announcements"]]
    page.get_by_label("Reason").fill("said by telephone")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Announced: version")).to_be_visible(timeout=WAIT_MS)
    assert "russia" in [one["issuer"] for one in desk.client.get(TRUCE).json()["announcements"]]
    assert desk.client.get("/v1/audit?limit=1").json()["items"][0]["action"] == "truces.announced"


TRUCE: Final = "/v1/truces/eastern-ghouta-calm"


def test_a_decision_is_made_with_a_reason_and_taken_back(desk: Desk) -> None:
    page = desk.page
    found = desk.client.get("/v1/review").json()["items"][0]["incident_id"]
    desk.open(f"/review?incident={found}", language="en")
    page.get_by_label("the verdict").check()
    page.get_by_label("Verdict", exact=True).select_option("violation")
    page.get_by_label("Reason").fill("Two patrols saw it.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Decided. It is now:")).to_be_visible(timeout=WAIT_MS)
    assert desk.client.get(f"/v1/incidents/{found}").json()["verdict"] == "violation"
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_text("Decided. It is now:")).to_have_count(0, timeout=WAIT_MS)
    assert desk.client.get(f"/v1/review/{found}").json()["assessment"]["verdict"] == "undetermined"


def fill_report(desk: Desk, place: str) -> None:
    page = desk.page
    page.get_by_label("Act").select_option("shelling")
    page.get_by_label("Date").fill("2016-05-08")
    page.get_by_label("Time").fill("10:00")
    page.get_by_label("Name of the place").fill(place)
    page.get_by_label("Latitude").fill("36.214")
    page.get_by_label("Longitude").fill("37.166")
    page.get_by_label("Attributed to").fill("opposition fighters")
    page.get_by_label("Against").fill("civilians")
    page.get_by_label("Name of the source").fill("a resident")


def test_a_report_is_judged_before_it_is_sent(desk: Desk) -> None:
    page = desk.page
    desk.open("/report", role="partner", language="en")
    fill_report(desk, "Midan, by form")
    page.get_by_role("button", name="What would be said of it?").click()
    expect(page.locator(".preview")).to_contain_text("Violation", timeout=WAIT_MS)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("See what became of it")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".rows").get_by_text("Midan, by form")).to_be_visible(timeout=WAIT_MS)


def test_a_report_made_without_a_network_is_kept_and_sent_once(desk: Desk) -> None:
    page = desk.page
    desk.open("/report", role="partner", language="en")
    fill_report(desk, "Midan, without a network")
    page.context.set_offline(True)
    page.get_by_role("button", name="Send", exact=True).or_(page.get_by_role("button", name="Keep, and")).click()
    expect(page.get_by_text("Kept on this device.")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("heading", name="Waiting on this device")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("heading", name="Waiting on this device")).to_have_count(0, timeout=WAIT_MS)
    desk.complaints.clear()
    sent = desk.client.get("/v1/incidents?order=-received&limit=20").json()["items"]
    kept = [one for one in sent if one["report"]["location"].get("place") == "Midan, without a network"]
    assert [one["revision"] for one in kept] == [1]


def test_a_change_made_meanwhile_is_shown_and_not_overwritten(desk: Desk) -> None:
    page, path = desk.page, "/v1/parties/sdf"
    desk.open("/registry/parties/sdf", language="en")
    party = desk.client.get(path).json()
    desk.client.put(path, json={**party, "name": {**party["name"], "en": "theirs"}}).raise_for_status()
    page.get_by_label("In English").fill("mine")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Changed meanwhile")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("alert")).to_contain_text("theirs")
    # A browser reports an answer of 412 as an error, whatever the page makes of it.
    desk.complaints.clear()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_label("Reason")).to_be_visible(timeout=WAIT_MS)
    page.get_by_label("Reason").fill("ours is right")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("mine", timeout=WAIT_MS)
    assert desk.client.get(path).json()["name"]["en"] == "mine"


def test_a_key_is_made_shown_once_and_revoked(desk: Desk) -> None:
    page = desk.page
    desk.open("/admin", language="en")
    page.get_by_label("Name", exact=True).fill("a new partner")
    page.get_by_role("button", name="Make", exact=True).click()
    expect(page.locator(".secret")).to_contain_text("tw_", timeout=WAIT_MS)
    row = page.get_by_role("row", name="a new partner")
    row.get_by_role("button", name="Revoke").click()
    row.get_by_role("button", name="Revoke for good").click()
    expect(row.get_by_text("revoked", exact=True)).to_be_visible(timeout=WAIT_MS)


def test_a_silence_is_made_with_a_reason_and_ended(desk: Desk) -> None:
    page = desk.page
    desk.open("/silences", role="monitor", language="en")
    page.get_by_role("button", name="New silence").click()
    page.get_by_label("Reason").fill("a planned detonation")
    page.get_by_role("button", name="Silence", exact=True).click()
    row = page.get_by_role("row", name="a planned detonation")
    expect(row).to_be_visible(timeout=WAIT_MS)
    row.get_by_role("button", name="End it now").click()
    row.get_by_role("button", name="End it", exact=True).click()
    expect(row).to_have_count(0, timeout=WAIT_MS)


def test_why_shows_the_steps_to_the_first_that_failed(desk: Desk) -> None:
    page = desk.page
    desk.open(desk.fill("/why?alert={incident}&subscription={subscription}"), language="en")
    expect(page.locator(".ladder li").first).to_contain_text("filter")
    expect(page.locator(".ladder li.passed").first).to_be_visible()


def test_hostile_text_is_text(desk: Desk) -> None:
    page = desk.page
    found = desk.post(
        f"hostile-{next(_numbers)}",
        location={"place": HOSTILE, "lat": 36.2, "lon": 37.15, "radius_km": 1.0},
        description=HOSTILE + "w" * 9_000,
        source={"name": HOSTILE},
        perpetrators=[HOSTILE],
    )
    for path in ("/", f"/incidents/{found}"):
        page.set_viewport_size(NARROW)
        desk.open(path, language="en")
        expect(page.get_by_text("<img src=x").first).to_be_visible()
        assert page.locator("main img").count() == 0
        assert desk.overflow() <= 0


def test_the_map_is_drawn_beside_the_list_of_the_same_incidents(desk: Desk) -> None:
    page = desk.page
    desk.open("/", language="en")
    expect(page.locator("#map[data-ready=true]")).to_be_visible(timeout=WAIT_MS)
    asked = {"from": "2016-05-02T21:30:00Z"}
    feed = desk.client.get("/v1/incidents", params=asked, headers={"accept": "application/geo+json"}).json()
    drawn = page.locator("#map canvas")
    expect(drawn).to_have_attribute("aria-label", f"Map: {len(feed['features'])} incidents.", timeout=WAIT_MS)
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(drawn).to_be_focused()
    page.get_by_role("button", name="Hide the map").click()
    expect(drawn).to_have_count(0)
    page.evaluate("localStorage.clear()")


def test_a_chart_is_drawn_with_its_table(desk: Desk) -> None:
    page = desk.page
    desk.open("/charts", language="en")
    expect(page.locator(".chart canvas")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("rowheader", name="Violation").first).to_be_visible()
    page.get_by_label("Series by").select_option("truce")
    expect(page.get_by_role("rowheader", name="Cessation of hostilities").first).to_be_visible(timeout=WAIT_MS)
    assert "group=truce" in page.url


def test_the_page_of_a_link_in_every_language_and_width(desk: Desk, receiver: Receiver) -> None:
    """The page that messages lead to needs neither the desk nor a key, and no script."""
    channel = {"type": "webhook", "url": receiver.url(), "format": "slack"}
    made = desk.client.post("/v1/subscriptions", json={"name": "a channel", "channel": channel, "verified": True})
    found = desk.post(f"linked-{next(_numbers)}")
    (first, *_) = receiver.wait_for(lambda sent: len(sent) > 0, 30)
    link = first.message["attachments"][0]["title_link"]
    assert link.startswith(f"{desk.service.url}/a/")
    assert httpx.get(f"{link}/json").json()["incident_id"] == found
    for language in LANGUAGES:
        desk.page.goto(f"{link}?language={language}")
        expect(desk.page.locator(f"html[lang={language}][dir={words(language).direction}]")).to_be_attached()
        expect(desk.page.locator("svg circle")).to_be_visible()
        for viewport in (WIDE, NARROW):
            desk.page.set_viewport_size(viewport)
            assert desk.overflow() <= 0
            assert desk.accessibility_faults() == []
    desk.client.delete(f"/v1/subscriptions/{made.json()['id']}").raise_for_status()
    desk.page.goto(link)
    expect(desk.page.locator("h1")).to_have_text("This link is not valid any more")
    # A browser reports an answer of 404 as an error, whatever the page makes of it.
    desk.complaints.clear()


def test_the_first_page_weighs_no_more_than_its_budget(desk: Desk) -> None:
    """desk.md, "Budgets": HTML, CSS and JavaScript of a page without map and chart, as they are sent."""
    desk.page.set_viewport_size(NARROW)
    desk.open("/")
    sizes = desk.page.evaluate(
        "performance.getEntries().filter((one) => one.name.includes('/console/') && "
        "!one.name.endsWith('.json')).map((one) => [one.name, one.encodedBodySize || 0])"
    )
    assert sum(size for _, size in sizes) <= 40_000, sizes


def test_a_server_that_is_gone_is_said_within_ten_seconds(desk: Desk) -> None:
    page = desk.page
    desk.open("/", language="en")
    expect(page.locator(".pulse.ok, .pulse.degraded")).to_be_visible(timeout=WAIT_MS)
    desk.service.stop()
    stopped = time.monotonic()
    expect(page).to_have_title("Not connected · Live · Trucewatch", timeout=WAIT_MS)
    assert not exceeds(time.monotonic() - stopped, 10)
    expect(page.locator(".pulse")).to_have_text("Not connected")
    expect(page.locator(".lost-banner")).to_contain_text("Not connected")
    desk.complaints.clear()
    desk.service.start()
    expect(page).to_have_title("Live · Trucewatch", timeout=WAIT_MS)
    desk.complaints.clear()
    assert desk.client.get("/v1/keys/self", headers=bearer()).json()["role"] == "operator"

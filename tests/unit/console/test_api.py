"""``/status`` for machines and for people."""

import html
import json
import re

import msgspec
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from schemas.vocabulary import LANGUAGES, Language
from schemas.wording.words import words
from services.console.api import EXAMPLE, HTML, status_router
from services.console.page import StatusPage, read_static, show_percent, show_span, show_thousands
from services.platform.http.accept import prefers
from services.platform.http.middleware import install_problems
from services.status.report import Status
from tests.fakes import DrivenClock
from tests.unit.console.test_status import compose

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


async def get(path: str, accept: str = "*/*", status: Status | None = None, language: str = "") -> Response:
    async def supply() -> Status:
        return status or compose()

    app = FastAPI()
    install_problems(app)
    app.include_router(status_router(supply, DrivenClock()))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        return await client.get(path, headers={"accept": accept, "accept-language": language})


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        (BROWSER, True),
        ("text/html;q=0.4, application/json", False),
        ("text/html;q=bad", False),
        ("TEXT/HTML", True),
    ],
)
def test_a_browser_names_html(accept: str, page: bool) -> None:
    assert prefers(accept, HTML) is page


async def test_machines_get_json() -> None:
    answer = await get("/status")
    assert answer.headers["content-type"] == "application/json"
    assert msgspec.convert(answer.json(), Status) == compose()


async def test_the_published_example_is_a_status() -> None:
    msgspec.convert(EXAMPLE, Status)


async def test_people_get_a_page() -> None:
    answer = await get("/status", BROWSER)
    assert answer.headers["content-type"].startswith("text/html")
    assert "All is well" in answer.text
    assert "Aleppo calm" in answer.text


async def test_the_end_of_a_truce_is_shown_in_local_time_and_in_utc() -> None:
    page = (await get("/status", BROWSER)).text
    assert "10 May 2016, 00:01" in page
    assert "Asia/Damascus" in page
    assert "9 May 2016, 21:01 UTC" in page
    assert "1 d 9 h" in page


async def test_what_needs_a_person_is_on_the_page() -> None:
    page = (await get("/status", BROWSER, compose(dead_letters=3))).text
    assert "Needs attention" in page
    assert "3 dead letters to look at" in page


async def test_names_are_text_and_never_markup() -> None:
    evil = {"id": "x", "name": {"en": "<script>alert(1)</script>"}, "from": "2016-05-01T00:00:00Z", "to": None}
    page = (await get("/status", BROWSER, compose({"rules": {"truces": {"in_force": [evil]}}}))).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


async def test_the_policy_allows_nothing_inline_but_the_one_style_sheet() -> None:
    policy = (await get("/status", BROWSER)).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "style-src 'sha256-" in policy


@pytest.mark.parametrize(("name", "kind"), [("live.js", "text/javascript"), ("icon.svg", "image/svg+xml")])
async def test_the_files_of_the_page(name: str, kind: str) -> None:
    answer = await get(f"/console/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)


async def test_no_other_file_is_served() -> None:
    assert (await get("/console/style.css")).status_code == 404


def test_lengths_of_time() -> None:
    assert [show_span(s, words("en")) for s in (0.24, 45, 600, 7_500, 200_000)] == [
        "0.2 s",
        "45 s",
        "10 min",
        "2 h 5 min",
        "2 d 7 h",
    ]


def test_shares_and_numbers() -> None:
    assert [show_percent(s, words("en")) for s in (None, 0.0, 0.004, 0.5)] == ["–", "0%", "0.4%", "50%"]
    assert show_thousands(1234567) == "1\u202f234\u202f567"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_speaks_the_readers_language(language: Language) -> None:
    say = words(language)
    for path, accept in ((f"/status?language={language}", "fr"), ("/status", language)):
        answer = await get(path, BROWSER, compose(dead_letters=3), language=accept)
        assert answer.headers["content-language"] == language
        assert {"accept", "accept-language"} <= set(answer.headers["vary"].lower().replace(",", " ").split())
        assert f'<html lang="{language}" dir="{say.direction}">' in answer.text
        assert say.count("worry.dead_letters", 3) in answer.text
        assert say.name("state", "ok") in answer.text


async def test_the_status_in_json_is_in_english_whatever_is_wanted() -> None:
    answer = await get("/status", "application/json", language="ru")
    assert answer.headers["content-language"] == "en"
    assert (await get("/status?language=tr", "application/json")).status_code == 400


def test_the_page_brings_every_word_that_its_script_says() -> None:
    script = read_static("live.js").decode()
    said = set(re.findall(r'words\["([^"]+)"\]', script))
    assert len(said) > 5
    page = StatusPage().render(compose(), 0, "en")
    brought = set(json.loads(html.unescape(re.findall(r'data-words="([^"]*)"', page)[0])))
    assert said <= brought

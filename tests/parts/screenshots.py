"""``python -m tests.parts.screenshots DIRECTORY``: a picture of every page of the desk, by language and width."""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import TimeoutError as TooLateError

from schemas.vocabulary import LANGUAGES
from tests.parts.chromium import Chromium
from tests.parts.desk import NARROW, PAGES, WIDE, Desk, open_desk

MAP_MS = 60_000


def take(desk: Desk, directory: Path) -> int:
    """Write the pictures. Returns how many."""
    count = 0
    for path in PAGES:
        for language in LANGUAGES:
            for name, viewport in (("wide", WIDE), ("narrow", NARROW)):
                desk.page.set_viewport_size(viewport)
                desk.page.emulate_media(color_scheme="dark" if language == "ru" else "light")
                desk.open(desk.fill(path), language=language)
                if path == "/" and name == "wide":
                    _wait_for_map(desk)
                stem = re.sub(r"[^a-z]+", "-", path).strip("-") or "live"
                desk.page.screenshot(path=directory / f"{stem}-{language}-{name}.png", full_page=True)
                count += 1
    return count


def _wait_for_map(desk: Desk) -> None:
    try:
        desk.page.locator("#map[data-ready=true]").wait_for(timeout=MAP_MS)
    except TooLateError:
        return
    desk.page.wait_for_timeout(3_000)


def main() -> None:
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, open_desk(Path(scratch), Chromium()) as desk:
        print(f"{take(desk, directory)} pictures in {directory}")


if __name__ == "__main__":
    main()

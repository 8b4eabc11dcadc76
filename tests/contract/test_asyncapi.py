"""The AsyncAPI document is accepted by AsyncAPI's own parser, which runs on Node.js."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.topics import DEAD_SUFFIX, TOPICS
from services.openapi.events import build_asyncapi
from services.openapi.gather import gather_readers

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "tests" / "parts" / "asyncapi"
PLACE: Final = ROOT / ".parts" / "asyncapi"


@pytest.fixture(scope="module")
def node() -> str:
    """Node.js with the parser beside it."""
    found = shutil.which("node")
    npm = shutil.which("npm")
    if found is None or npm is None:
        pytest.skip("Node.js and npm are missing: the AsyncAPI document is not tried on AsyncAPI's own parser")
    PLACE.mkdir(parents=True, exist_ok=True)
    names = ("package.json", "package-lock.json", "check.mjs")
    changed = any(not (PLACE / n).exists() or (PLACE / n).read_bytes() != (SOURCE / n).read_bytes() for n in names)
    if changed or not (PLACE / "node_modules").exists():
        for name in names:
            shutil.copy(SOURCE / name, PLACE / name)
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=PLACE, check=True, capture_output=True, timeout=100)
    return found


def parse(node: str, document: Any) -> Any:
    done = subprocess.run(
        [node, "check.mjs"],
        cwd=PLACE,
        input=json.dumps(document),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_parser_accepts_every_topic(node: str) -> None:
    answer = parse(node, build_asyncapi("0.1.0", asyncio.run(gather_readers())))
    assert answer["errors"] == []
    assert answer["accepted"]
    assert set(answer["channels"]) == {name + suffix for name in TOPICS for suffix in ("", DEAD_SUFFIX)}


def test_the_parser_would_tell(node: str) -> None:
    broken = build_asyncapi("0.1.0", asyncio.run(gather_readers()))
    broken["operations"]["rulesSendsAlerts"]["channel"] = {"$ref": "#/channels/nowhere"}
    assert parse(node, broken)["errors"]

"""``trucewatch replay``: the whole file is looked at before anything is sent, and told of in the language asked for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas.examples import REPORT
from services.cli.main import make_cli
from services.client import Client
from tests.e2e.conftest import worked_example
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with worked_example(tmp_path_factory.mktemp("replay")) as running:
        yield running


def report(id: str, **changed: Any) -> str:
    return json.dumps({**REPORT, "external_id": id, **changed})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two good reports, the same fault thrice, another, and names that no party has."""
    path = tmp_path / "reports.jsonl"
    wrong = [report(f"r-{n}", act="Shelling") for n in (2, 3, 4)]
    path.write_text("\n".join([report("r-1"), *wrong, '{"external_id"', report("r-6", perpetrators=["Brigade 77"])]))
    return path


def replay(service: Service, file: Path, *options: str) -> Result:
    command = ["replay", str(file), "--url", service.url, "--key", OPERATOR_KEY, *options]
    return CliRunner().invoke(make_cli(), command, catch_exceptions=False)


def kept(service: Service) -> set[str]:
    with Client(service.url, OPERATOR_KEY) as client:
        return {incident["external_id"] for incident in client.list_incidents()}


def test_a_dry_run_tells_the_fate_of_each_row_and_sends_nothing(service: Service, file: Path) -> None:
    told = replay(service, file, "--dry-run")
    assert told.exit_code == 1
    assert told.stdout.splitlines()[:6] == [
        "1 r-1: would be new: shelling", "2 r-2: refused", "3 r-3: refused", "4 r-4: refused", "5 ?: refused",
        "6 r-6: would be new: shelling",
    ]  # fmt: skip
    assert told.stdout.splitlines()[-1] == (
        "Dry run: 2 new, 0 revised, 0 unchanged, 0 taken back, 4 refused. Nothing was sent."
    )
    assert '  "Brigade 77"\n' in told.stdout
    assert "Names that resolve to no party" in told.stdout
    assert "--map" not in told.stdout
    assert kept(service) == set()


def test_the_same_fault_of_many_rows_is_told_once_with_its_line_cell_and_the_nearest_value(
    service: Service, file: Path
) -> None:
    for options in (["--dry-run"], []):
        faults = replay(service, file, *options).stderr.splitlines()
        told = [line for line in faults if "Shelling" in line]
        assert len(told) == 1
        assert told[0].startswith("line 2, and 2 more rows, ")
        assert told[0].endswith("The nearest allowed value is shelling.")
        assert len([line for line in faults if line.startswith("line 5: This is not valid JSON.")]) == 1


def test_what_is_good_is_sent_and_the_same_file_again_changes_nothing(service: Service, file: Path) -> None:
    replay(service, file)
    again = replay(service, file)
    assert (again.exit_code, again.stdout.strip()) == (1, "0 accepted, 2 unchanged, 4 refused")
    assert kept(service) == {"r-1", "r-6"}


def test_a_dry_run_tells_what_the_server_has_already(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "known.jsonl"
    path.write_text("\n".join([report("k-1"), report("k-2"), report("k-3")]))
    assert replay(service, path).exit_code == 0
    path.write_text(report("k-3", act="rocket"))
    assert replay(service, path).exit_code == 0
    path.write_text("\n".join([report("k-1"), report("k-2", act="rocket"), report("k-3"), report("k-4")]))
    told = replay(service, path, "--dry-run")
    assert told.stdout.splitlines() == [
        "1 k-1: unchanged",
        "2 k-2: would be revision 2: rocket fire",
        "3 k-3: refused",
        "4 k-4: would be new: shelling",
        "Dry run: 1 new, 1 revised, 1 unchanged, 0 taken back, 1 refused. Nothing was sent.",
    ]
    assert told.exit_code == 1
    assert "k-4" not in kept(service)


@pytest.mark.parametrize(("language", "letter"), [("ru", "б"), ("ar", "ل"), ("en", "e")])
def test_it_speaks_the_language_asked_for(
    service: Service, file: Path, language: str, letter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "ru_RU.UTF-8" if language != "ru" else "C")
    told = replay(service, file, "--dry-run", "--language", language)
    assert letter in told.stdout
    assert letter in told.stderr
    assert replay(service, file, "--language", "tlh").exit_code == 2

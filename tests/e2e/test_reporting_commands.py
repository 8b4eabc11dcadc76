"""The commands of a reporter and of a desk: a report taken back, the bulletin of a day."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from services.cli.main import make_cli
from tests.e2e.conftest import worked_example
from tests.e2e.reporting import wait_assessed
from tests.parts.cluster import every
from tests.scenario import OPERATOR_KEY, bearer, reports


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The worked example with all bundled reports judged."""
    with worked_example(tmp_path_factory.mktemp("reporting")) as service, _client(service.url) as client:
        posted = client.post("/v1/incidents/batch", json=reports()).raise_for_status()
        wait_assessed(client, [item["incident_id"] for item in posted.json()["results"]])
        yield service.url


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers=bearer(), timeout=60)


def trucewatch(url: str, *arguments: str, key: str = OPERATOR_KEY, language: str = "en") -> Result:
    env = {"TRUCEWATCH_URL": url, "TRUCEWATCH_KEY": key, "LC_ALL": language}
    return CliRunner().invoke(make_cli(), [*arguments], env=env, catch_exceptions=False)


# --- retract


def test_a_report_is_taken_back_by_its_external_id_once(url: str) -> None:
    with _client(url) as client:
        client.post("/v1/incidents", json={**reports()[0], "external_id": "desk-1"}).raise_for_status()
        told = trucewatch(url, "retract", "desk-1", "--reason", "Another town")
        (item,) = client.get("/v1/incidents?external_id=desk-1").json()["items"]
        assert (item["state"], item["revision"]) == ("retracted", 2)
        assert told.exit_code == 0
        assert told.stdout == f"{item['incident_id']} is taken back, as revision 2\n"
        again = trucewatch(url, "retract", "desk-1", "--reason", "Another town")
        assert (again.exit_code, again.stdout) == (0, f"{item['incident_id']} was taken back before\n")


def test_an_id_that_nobody_used_is_told(url: str) -> None:
    told = trucewatch(url, "retract", "desk-nobody", "--reason", "Wrong")
    assert (told.exit_code, told.stderr) == (1, "there is no report desk-nobody\n")


def test_an_id_of_several_partners_needs_the_name_of_one(url: str) -> None:
    report = {**reports()[0], "external_id": "shared"}
    with _client(url) as client:
        for name in ("north", "south"):
            made = client.post("/v1/keys", json={"name": name, "role": "partner"}).raise_for_status().json()
            client.post("/v1/incidents", json=report, headers=bearer(made["key"])).raise_for_status()
        told = trucewatch(url, "retract", "shared", "--reason", "Wrong")
        assert (told.exit_code, told.stderr) == (1, "shared is an id of north, south: say whose by --partner\n")
        assert trucewatch(url, "retract", "shared", "--reason", "Wrong", "--partner", "south").exit_code == 0
        items = client.get("/v1/incidents?external_id=shared").json()["items"]
        assert {item["partner"]: item["state"] == "retracted" for item in items} == {"north": False, "south": True}


# --- report

MAY = ["--from", "2016-05-04", "--to", "2016-05-12"]


def test_the_bulletin_counts_what_was_judged_and_lists_each_violation(url: str) -> None:
    told = trucewatch(url, "report", *MAY)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("# Truce bulletin\n\n4 May 2016, 00:00 to 12 May 2016, 00:00\n")
    with _client(url) as client:
        judged = every(client, "/v1/assessments", **{"from": "2016-05-03T21:00:00Z", "to": "2016-05-11T21:00:00Z"})
    kept = [one for one in judged if "retracted" not in {reason["code"] for reason in one["reasons"]}]
    violations = [one for one in kept if one["verdict"] == "violation"]
    assert len(violations) > 3
    assert f"\n| violation | {len(violations)} | " in told.stdout
    listed = told.stdout.partition("## Each violation")[2].partition("##")[0]
    assert listed.count("\n| ") == len(violations) + 2
    assert (
        "\n| Aleppo regime of calm | from 4 May 2016, 00:01 to 7 May 2016, 01:00 (disputed); from 7 May" in told.stdout
    )


def test_as_csv_it_has_each_incident_of_the_period(url: str, tmp_path: Path) -> None:
    file = tmp_path / "bulletin.csv"
    assert trucewatch(url, "report", *MAY, "--format", "csv", "--out", str(file)).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert {"violation", "undetermined", "excluded"} <= {row["verdict"] for row in rows}
    assert all(len(row) == 15 and None not in row for row in rows)


@pytest.mark.parametrize(("language", "title"), [("ar", "نشرة الهدنة"), ("ru", "Бюллетень о перемирии")])
def test_it_speaks_the_language_of_the_terminal(url: str, language: str, title: str) -> None:
    told = trucewatch(url, "report", *MAY, "--format", "html", language=language)
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in told.stdout
    assert f"<h1>{title}</h1>" in told.stdout


@pytest.mark.parametrize(
    ("period", "refused"),
    [
        (["2016-05-09", "2016-05-08"], "must be after --from"),
        (["the 8th", "2016-05-09"], "'the 8th' is neither a date"),
    ],
)
def test_a_period_that_is_none_is_a_wrong_command_line(url: str, period: list[str], refused: str) -> None:
    told = trucewatch(url, "report", "--from", period[0], "--to", period[1])
    assert (told.exit_code, refused in told.stderr) == (2, True)

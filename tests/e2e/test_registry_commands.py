"""The operator's night: the registry got, changed and loaded as a file; a phone call announced; the history read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli.main import make_cli
from tests.e2e.conftest import worked_example
from tests.scenario import OPERATOR_KEY

CALL = [
    "--issuer",
    "russia",
    "--words",
    "Prolonged.",
    "--announced-at",
    "2016-05-11 23:00",
    "--until",
    "2016-05-14 00:00",
]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with worked_example(tmp_path) as service:
        yield service.url


def trucewatch(url: str, *arguments: str, answer: str = "") -> Result:
    env = {"TRUCEWATCH_URL": url, "TRUCEWATCH_KEY": OPERATOR_KEY}
    return CliRunner().invoke(make_cli(), [*arguments], env=env, input=answer, catch_exceptions=False)


def done(url: str, *arguments: str, answer: str = "") -> str:
    ended = trucewatch(url, *arguments, answer=answer)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


@pytest.mark.timeout(300)
def test_an_announcement_made_at_night_is_not_deleted_by_a_file_of_the_evening(url: str, tmp_path: Path) -> None:
    evening = tmp_path / "registry.yaml"
    done(url, "registry", "get", "--out", str(evening))
    assert "valid: 15 parties, 19 areas, 348 places" in done(url, "registry", "check", str(evening))
    assert "no difference" in done(url, "registry", "diff", str(evening))

    told = done(url, "announce", "aleppo-calm", "extend", *CALL, "--yes", "--reason", "Call from Geneva")
    assert "announced as russia-20160511; version 2" in told

    text = evening.read_text()
    evening.write_text(text.replace("en: Aleppo regime of calm", "en: Regime of calm in Aleppo"))
    for options in ([], ["--dry-run"]):
        refused = trucewatch(url, "registry", "load", str(evening), *options)
        assert refused.exit_code == 3
        assert "the file was got at version 1; nothing was changed" in refused.stderr
        assert "Call from Geneva" in refused.stderr
        assert "- announcement russia-20160511 (extend by russia" in refused.stderr

    difference = done(url, "registry", "diff", str(evening))
    assert 'name/en: "Aleppo regime of calm" → "Regime of calm in Aleppo"' in difference
    assert "- 2016-05-12 00:00 to 2016-05-14 00:00, aleppo-city: russia-20160511" in difference

    assert "version 3" in done(url, "registry", "load", str(evening), "--merge", "--reason", "The usual name")
    assert "registry_version: 3\n" in evening.read_text()
    merged = done(url, "registry", "get")
    assert "russia-20160511" in merged
    assert "en: Regime of calm in Aleppo" in merged

    history = done(url, "registry", "history", "truces/aleppo-calm")
    lines = [line.strip() for line in history.splitlines()]
    assert [line.split(",")[0] for line in lines if line.startswith("version")] == [
        "version 3",
        "version 2",
        "version 1",
    ]
    assert any(line.endswith("“Call from Geneva”") for line in lines)
    assert "about 2016-05-12 00:00 to 2016-05-14 00:00" in lines


@pytest.mark.timeout(300)
def test_a_file_that_names_no_version_undoes_nothing_made_since_the_last_load(url: str, tmp_path: Path) -> None:
    file = tmp_path / "registry.json"
    done(url, "registry", "get", "--out", str(file))
    file.write_text(file.read_text().replace('"registry_version": 1,\n', ""))
    assert "version 1" in done(url, "registry", "load", str(file))
    done(url, "announce", "aleppo-calm", "extend", *CALL, "--yes")
    refused = trucewatch(url, "registry", "load", str(file))
    assert (refused.exit_code, "announcement russia-20160511" in refused.stderr) == (3, True)
    assert "version 3" in done(url, "registry", "load", str(file), "--force")


@pytest.mark.timeout(300)
def test_an_announcement_is_shown_with_the_windows_before_and_after_before_it_is_sent(url: str) -> None:
    command = ["announce", "aleppo-calm", "extend", *CALL]
    shown = trucewatch(url, *command, "--dry-run")
    lines = shown.stdout.splitlines()
    before, after = (
        lines.index("windows of aleppo-calm before (Asia/Damascus):"),
        lines.index("windows of aleppo-calm after:"),
    )
    new = "  + 2016-05-12 00:00 to 2016-05-14 00:00, aleppo-city: russia-20160511"
    assert new in lines[after:]
    assert new not in lines[before:after]
    assert "    2016-05-04 00:01 to 2016-05-07 01:00, aleppo-city, aleppo-governorate: " in "\n".join(
        lines[before:after]
    )
    assert "no verdict would change" in lines
    assert "warning: --area is left out" in shown.stderr
    assert "'aleppo-governorate', which is wider" in " ".join(shown.stderr.split())
    assert lines[-1] == "nothing was changed"

    declined = trucewatch(url, *command, answer="n\n")
    assert declined.exit_code == 1
    assert "russia-20160511" not in done(url, "registry", "get")
    assert "version 2" in done(url, *command, answer="y\n")
    again = done(
        url, "announce", "aleppo-calm", "withdraw", "--withdraws", "russia-20160511", "--issuer", "russia", "--yes"
    )
    assert "  - 2016-05-12 00:00 to 2016-05-14 00:00, aleppo-city: russia-20160511" in again.splitlines()


@pytest.mark.timeout(300)
def test_a_refused_announcement_names_the_options(url: str) -> None:
    wrong = trucewatch(url, "announce", "aleppo-calm", "extend", "--issuer", "nobody", "--until", "yesterday")
    assert wrong.exit_code == 3
    assert "--issuer: " in wrong.stderr
    assert "--until: 'yesterday' is neither a date nor a time" in wrong.stderr
    assert trucewatch(url, "announce", "no-such-calm", "end", "--issuer", "russia").exit_code == 3

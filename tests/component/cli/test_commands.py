"""The commands as they are typed: what they print, and how they end."""

import re
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from services.cli.main import make_cli
from tests.parts.process import free_port
from tests.parts.receiver import Answer, Receiver

REGISTRY: Final = Path(__file__).parents[3] / "deploy" / "scenarios" / "syria_2016" / "registry.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(make_cli(), [*arguments], catch_exceptions=False)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["registry"],
        ["registry", "check"],
        ["registry", "load"],
        ["registry", "get"],
        ["registry", "diff"],
        ["registry", "history"],
        ["announce"],
        ["import"],
        ["replay"],
        ["keys"],
        ["keys", "create"],
        ["keys", "list"],
        ["keys", "revoke"],
        ["listen"],
        ["backup"],
        ["restore"],
        ["restored"],
        ["release"],
        ["migrate-to"],
        ["retract"],
        ["report"],
    ],
)
def test_every_command_explains_itself(command: list[str]) -> None:
    told = run(*command, "--help")
    assert told.exit_code == 0
    assert "Usage:" in told.output


def test_client_commands_name_the_environment() -> None:
    assert {"TRUCEWATCH_URL", "TRUCEWATCH_KEY"} <= set(re.findall(r"TRUCEWATCH_\w+", run("replay", "--help").output))


def test_a_good_registry_is_counted() -> None:
    told = run("registry", "check", str(REGISTRY))
    assert told.exit_code == 0
    assert told.stdout.startswith("valid: 15 parties, 19 areas, 348 places")


def test_every_fault_of_a_registry_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "registry.yaml"
    file.write_text(
        "version: 1\ntimezone: Asia/Damascus\nparties:\n"
        "  - {id: a, kind: state, name: {en: A}, member_of: [nobody]}\n"
        "truces:\n  - {id: t, name: {en: T}, kind: local, area: nowhere, duties: []}\n"
    )
    told = run("registry", "check", str(file))
    assert told.exit_code == 1
    assert f"{file}:4: /parties/0/member_of/0" in told.stderr
    assert f"{file}:6: /truces/0/area" in told.stderr
    assert "2 faults" in told.stderr


def test_a_refusal_without_a_key_says_where_to_name_one(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRUCEWATCH_KEY", raising=False)
    receiver.answer("/v1/keys", Answer(status=401))
    asked = ["keys", "create", "--role", "monitor", "--name", "desk", "--url", receiver.url("/").rstrip("/")]
    told = run(*asked)
    assert told.exit_code == 3
    assert "--key or TRUCEWATCH_KEY" in told.stderr
    assert "TRUCEWATCH_KEY" not in run(*asked, "--key", "tw_x").stderr


def test_a_server_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    file.write_text("{}\n")
    told = run("replay", str(file), "--url", f"http://127.0.0.1:{free_port()}", "--key", "tw_x")
    assert told.exit_code == 3
    assert "no answer" in told.stderr


@pytest.mark.parametrize(("language", "told"), [("en", "no answer"), ("ar", "لا جواب"), ("ru", "нет ответа")])
@pytest.mark.parametrize(
    "command", [["keys", "list"], ["retract", "r1", "--reason", "wrong"], ["listen", "--port", "0"]]
)
def test_what_a_command_says_is_in_the_language_that_is_asked_for(command: list[str], language: str, told: str) -> None:
    failed = run(*command, "--url", f"http://127.0.0.1:{free_port()}", "--key", "tw_any", "--language", language)
    assert failed.exit_code == 3
    assert f"{told}:" in failed.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["keys", "create", "--role", "king", "--name", "x"],
        ["replay", "no-such-file"],
        ["replay", str(REGISTRY), "--ucdp", "--timezone", "Mars/Olympus"],
        ["nonsense"],
    ],
)
def test_a_wrong_command_line_ends_with_2(wrong: list[str]) -> None:
    assert run(*wrong).exit_code == 2

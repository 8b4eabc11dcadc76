"""The key that TRUCEWATCH_ADMIN_KEY sets must be hard to guess, or nothing starts."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from services.platform.settings.config import SettingsError, read_settings
from services.start import serve_command


@pytest.mark.parametrize("key", ["k" * 19, "k" * 19 + "é", "k" * 20 + " ", "k" * 20 + "\n"])
def test_a_weak_admin_key_ends_the_start_with_one_sentence(tmp_path: Path, key: str) -> None:
    ended = CliRunner().invoke(
        serve_command, ["--data", str(tmp_path), "--port", "0"], env={"TRUCEWATCH_ADMIN_KEY": key}
    )
    assert ended.exit_code == 2
    assert ended.output.startswith("Error: TRUCEWATCH_ADMIN_KEY must have at least 20 characters")
    assert len(ended.output.splitlines()) == 1


def test_an_admin_key_of_twenty_printable_characters_is_taken() -> None:
    environ = {"TRUCEWATCH_ADMIN_KEY": "~" * 20}
    assert read_settings(environ, database_url="sqlite://", host="h", port=1).admin_key == "~" * 20
    with pytest.raises(SettingsError):
        read_settings({"TRUCEWATCH_ADMIN_KEY": "short"}, database_url="sqlite://", host="h", port=1)

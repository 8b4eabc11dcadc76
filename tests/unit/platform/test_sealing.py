"""Values encrypted at rest, and where the keys come from."""

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platform.security.sealing import DamagedError, Sealer, SealError, is_sealed, parse_secret_keys
from services.platform.settings.config import KEY_FILE, SettingsError, read_settings
from services.platform.settings.secret_key import open_sealer

OLD, NEW = b"o" * 32, b"n" * 32
BASE64 = base64.b64encode(OLD).decode()


@given(st.binary(), st.text(), st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3, unique=True))
def test_a_value_opens_for_its_row_with_any_of_the_keys(value: bytes, row: str, keys: list[bytes]) -> None:
    for key in keys:
        sealed = Sealer([key]).seal(value, row)
        assert is_sealed(sealed)
        assert Sealer(keys).open(sealed, row) == value
        assert Sealer(keys).is_current(sealed) is (key == keys[0])


@given(st.binary(min_size=1), st.data())
def test_a_changed_byte_or_another_row_or_key_does_not_open(value: bytes, data: st.DataObject) -> None:
    sealer = Sealer([OLD])
    sealed = bytearray(sealer.seal(value, "subscriptions/a"))
    with pytest.raises(DamagedError):
        sealer.open(bytes(sealed), "subscriptions/b")
    with pytest.raises(SealError):
        Sealer([NEW]).open(bytes(sealed), "subscriptions/a")
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((SealError, DamagedError)):
        sealer.open(bytes(sealed), "subscriptions/a")


@given(st.binary(min_size=20), st.text())
def test_equal_values_are_not_sealed_alike_and_show_nothing(value: bytes, row: str) -> None:
    first, second = (Sealer([OLD]).seal(value, row) for _ in range(2))
    assert first != second
    assert value not in first


def test_no_json_document_passes_for_a_sealed_value() -> None:
    assert not is_sealed(b'{"draft":{"channel":{"type":"webhook"}}}')


@given(st.text())
def test_a_row_is_found_under_each_key_and_not_without_one(value: str) -> None:
    both = Sealer([NEW, OLD])
    assert both.indexes(value) == [Sealer([NEW]).index(value), Sealer([OLD]).index(value)]
    assert both.index(value) == both.indexes(value)[0]


@pytest.mark.parametrize("text", [BASE64, BASE64.rstrip("="), OLD.hex(), f"# old\n {BASE64} \n", OLD.hex().upper()])
def test_a_key_is_32_bytes_in_base64_or_hexadecimal(text: str) -> None:
    assert parse_secret_keys(text) == (OLD,)


def test_several_keys_are_apart_by_commas_or_lines() -> None:
    assert parse_secret_keys(f"{BASE64},{NEW.hex()}") == parse_secret_keys(f"{BASE64}\n{NEW.hex()}\n") == (OLD, NEW)


@pytest.mark.parametrize("text", ["secret", "é" * 44, "a" * 40, f"{BASE64},x"])
def test_a_wrong_key_is_one_sentence_that_does_not_show_it(text: str) -> None:
    with pytest.raises(SettingsError, match="TRUCEWATCH_SECRET_KEY must hold keys") as caught:
        read_settings({"TRUCEWATCH_SECRET_KEY": text}, database_url="sqlite://", host="h", port=1)
    assert text not in str(caught.value)


def test_a_key_file_is_made_private_and_used_again(tmp_path: Path) -> None:
    file = str(tmp_path / "trucewatch.db")
    sealed = open_sealer([], file, in_use=False).seal(b"secret", "r")
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert open_sealer([], file, in_use=True).open(sealed, "r") == b"secret"
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_key_that_is_set_goes_before_that_of_the_file(tmp_path: Path) -> None:
    file = str(tmp_path / "trucewatch.db")
    (tmp_path / KEY_FILE).write_text(f"# the first\n{OLD.hex()}\n")
    sealer = open_sealer([NEW], file, in_use=True)
    assert sealer.is_current(Sealer([NEW]).seal(b"", "r"))
    assert sealer.open(Sealer([OLD]).seal(b"x", "r"), "r") == b"x"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "is missing and TRUCEWATCH_SECRET_KEY is not set"), ("", "holds no key"), ("x", "must hold keys")],
)
def test_no_new_key_is_made_where_one_is_needed(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(SettingsError, match=sentence):
        open_sealer([], str(tmp_path / "trucewatch.db"), in_use=True)
    assert (tmp_path / KEY_FILE).exists() is (content is not None)


def test_a_server_needs_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"TRUCEWATCH_SECRET_KEY is not set: .* openssl rand -base64 32"):
        open_sealer([], None, in_use=False)
    sealer = open_sealer([OLD], None, in_use=False)
    assert sealer.is_current(Sealer([OLD]).seal(b"", "r"))

"""Settings: from variables or files, checked at the start, one sentence where one cannot be used."""

from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization as ser
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from services.cli.main import make_cli
from services.cli.storage_commands import restored
from services.platform.settings.config import Settings, SettingsError, read_settings
from services.platform.settings.environment import LARGEST_FILE, Environment
from services.platform.settings.values import read_public_url, tls_context
from services.start import serve_command
from tests.parts.pmtiles import archive

DATABASE = {"TRUCEWATCH_DATABASE_URL": "postgresql://trucewatch@db/trucewatch"}


def read(**environ: str) -> Settings:
    return read_settings({**DATABASE, **environ}, host="127.0.0.1", port=1)


def serve(tmp_path: Path, **environ: str) -> Any:
    return CliRunner().invoke(serve_command, ["--data", str(tmp_path / "data"), "--port", "0"], env=environ)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TRUCEWATCH_LOG", "loud", "TRUCEWATCH_LOG must be one of DEBUG"),
        ("TRUCEWATCH_MAIL_FROM", "nobody", "TRUCEWATCH_MAIL_FROM must be a mail address"),
        ("TRUCEWATCH_MAIL_FROM", "Bülent <b@éxample.org>", "TRUCEWATCH_MAIL_FROM must be a mail address"),
        ("TRUCEWATCH_SMTP_URL", "mail.example.org", "TRUCEWATCH_SMTP_URL: an SMTP URL is smtp"),
        ("TRUCEWATCH_SMTP_URL", "smtp://mail.example.org:99999", "TRUCEWATCH_SMTP_URL: "),
        ("TRUCEWATCH_WEBHOOK_ALLOW", "10.0.0.0/8,home", "TRUCEWATCH_WEBHOOK_ALLOW: 'home'"),
        ("TRUCEWATCH_TRUSTED_PROXIES", "gateway", "TRUCEWATCH_TRUSTED_PROXIES: 'gateway'"),
        ("TRUCEWATCH_CONNECTIONS", "127", "TRUCEWATCH_CONNECTIONS must be a whole number from 128 to"),
        ("TRUCEWATCH_CONNECTIONS", "9" * 5000, "TRUCEWATCH_CONNECTIONS must be a whole number from 128 to"),
        ("TRUCEWATCH_CONNECTIONS_PER_ADDRESS", "0", "TRUCEWATCH_CONNECTIONS_PER_ADDRESS must be a whole number"),
        ("TRUCEWATCH_REQUEST_GRACE_S", "1.5", "TRUCEWATCH_REQUEST_GRACE_S must be a whole number from 1 to 600"),
        ("TRUCEWATCH_KAFKA", "broker:0", "TRUCEWATCH_KAFKA must be host:port"),
        ("TRUCEWATCH_KAFKA", "broker:9092,,", "TRUCEWATCH_KAFKA must be host:port"),
        ("TRUCEWATCH_PUBLIC_URL", "trucewatch.example.org", "TRUCEWATCH_PUBLIC_URL must be an http or https URL"),
        ("TRUCEWATCH_PUBLIC_URL", "https://example.org/\r\nX: y", "TRUCEWATCH_PUBLIC_URL must be"),
        ("TRUCEWATCH_PUBLIC_URL", "https://exämple.org", "TRUCEWATCH_PUBLIC_URL must be"),
        ("TRUCEWATCH_PUBLIC_URL", "https://user:secret@example.org", "TRUCEWATCH_PUBLIC_URL must be"),
        ("TRUCEWATCH_PUBLIC_URL", "https://example.org/" + "a" * 300, "TRUCEWATCH_PUBLIC_URL must be"),
        ("TRUCEWATCH_PUBLIC_URL", "https://example.org:0/", "TRUCEWATCH_PUBLIC_URL must be"),
        ("TRUCEWATCH_SECRET_KEY", "secret", "TRUCEWATCH_SECRET_KEY must hold keys"),
        ("TRUCEWATCH_SECRET_KEY_FILE", "/nowhere/key", "TRUCEWATCH_SECRET_KEY_FILE: /nowhere/key cannot be read"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_sentence_and_exit_code_2(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    ended = serve(tmp_path, **{name: value})
    assert ended.exit_code == 2, ended.output
    assert ended.output.startswith(f"Error: {sentence}")
    assert len(ended.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "is not set"),
        ("db/trucewatch", "must be a URL such as"),
        ("postgresql://trucewatch:hush@db:port/trucewatch", "must be a URL such as"),
        ("mysql://trucewatch:hush@db/trucewatch", "must begin with postgresql://, not with mysql://"),
        ("postgresql+asyncpg://trucewatch:hush@db/trucewatch", "must begin with postgresql://, not with postgresql+as"),
        ("postgresql://trucewatch:hush@db/trucewatch?colour=red", 'invalid URI query parameter: "colour"'),
        ("postgresql://trucewatch:hush@db/trucewatch?sslmode=strict", "sslmode must be one of disable"),
        ("postgresql://trucewatch:hush@db/trucewatch?sslrootcert=/nowhere", "/nowhere is not a file of certificates"),
    ],
)
def test_a_wrong_database_url_is_told_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(TRUCEWATCH_DATABASE_URL=url)
    assert sentence in str(caught.value)
    assert "hush" not in str(caught.value)


@given(
    st.sampled_from(["http", "https"]),
    st.sampled_from(["example.org", "localhost", "192.0.2.1", "[2001:db8::1]", "my_host"]),
    st.sampled_from(["", ":8443"]),
    st.sampled_from(["", "/", "/truce", "/truce/watch/"]),
)
def test_a_public_url_is_kept_without_the_slash_at_its_end(scheme: str, host: str, port: str, path: str) -> None:
    url = f"{scheme}://{host}{port}{path}"
    assert read_public_url({"TRUCEWATCH_PUBLIC_URL": url}, "") == url.rstrip("/")


def test_an_empty_variable_is_not_set() -> None:
    settings = read(TRUCEWATCH_PUBLIC_URL="", TRUCEWATCH_KAFKA="", TRUCEWATCH_LOG="", TRUCEWATCH_SMTP_URL_FILE="")
    assert (settings.public_url, settings.kafka, settings.log_level) == ("http://127.0.0.1:1", None, "WARNING")


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
        lambda v: v[-1] != "\r"
    )
)
def test_a_setting_is_read_from_a_file_without_the_line_break_at_its_end(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "setting"
    file.write_bytes(value.encode() + b"\n")
    assert Environment({"TRUCEWATCH_X_FILE": str(file)})["TRUCEWATCH_X"] == value


def test_every_setting_may_come_from_a_file(tmp_path: Path) -> None:
    written = {
        "TRUCEWATCH_DATABASE_URL": "postgresql://trucewatch@db/trucewatch", "TRUCEWATCH_DATABASE_PASSWORD": "p@ss/word",
        "TRUCEWATCH_KAFKA": "broker:9092", "TRUCEWATCH_ADMIN_KEY": "k" * 20, "TRUCEWATCH_SECRET_KEY": "5e" * 32,
        "TRUCEWATCH_SMTP_URL": "smtps://user:hush@mail.example.org", "TRUCEWATCH_LOG": "info",
    }  # fmt: skip
    environ = {}
    for name, value in written.items():
        (tmp_path / name).write_text(value + "\n")
        environ[f"{name}_FILE"] = str(tmp_path / name)
    settings = read_settings(environ, host="h", port=1)
    assert make_url(settings.database_url).password == "p@ss/word"
    assert (settings.kafka, settings.admin_key, settings.log_level) == ("broker:9092", "k" * 20, "INFO")
    assert (settings.secret_keys, settings.smtp_url) == ((b"\x5e" * 32,), "smtps://user:hush@mail.example.org")
    assert settings.remarks == ()


def test_a_file_that_cannot_be_a_setting_is_told(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for content, sentence in (
        (b"", "is empty"), (b"\xff", "is not UTF-8 text"), (b"a" * (LARGEST_FILE + 1), "is larger than"),
    ):  # fmt: skip
        file.write_bytes(content)
        with pytest.raises(SettingsError, match=f"^TRUCEWATCH_KAFKA_FILE: .* {sentence}"):
            read(TRUCEWATCH_KAFKA_FILE=str(file))
    with pytest.raises(SettingsError, match="TRUCEWATCH_KAFKA and TRUCEWATCH_KAFKA_FILE are both set"):
        read(TRUCEWATCH_KAFKA="b:1", TRUCEWATCH_KAFKA_FILE=str(file))
    with pytest.raises(SettingsError, match="cannot be read"):
        read(TRUCEWATCH_KAFKA_FILE=str(tmp_path))


def test_a_name_that_nothing_reads_is_said_with_the_nearest() -> None:
    settings = read(
        TRUCEWATCH_WEBHOOKS_ALLOW="", TRUCEWATCH_SECRETKEY_FILE="x", TRUCEWATCH_KEY="", TRUCEWATCH_URL_FILE="", PATH="/"
    )
    assert settings.remarks == (
        "TRUCEWATCH_SECRETKEY_FILE is not a setting; did you mean TRUCEWATCH_SECRET_KEY_FILE?",
        "TRUCEWATCH_WEBHOOKS_ALLOW is not a setting; did you mean TRUCEWATCH_WEBHOOK_ALLOW?",
    )


def test_the_key_of_a_client_command_may_come_from_a_file(tmp_path: Path) -> None:
    missing = str(tmp_path / "key")
    args = ["keys", "create", "--role", "monitor", "--name", "desk"]
    ended = CliRunner().invoke(make_cli(), args, env={"TRUCEWATCH_KEY_FILE": missing})
    assert (ended.exit_code, ended.output) == (
        2, f"Error: TRUCEWATCH_KEY_FILE: {missing} cannot be read: No such file or directory\n",
    )  # fmt: skip


def test_the_storage_that_was_restored_may_be_named_by_a_file(tmp_path: Path) -> None:
    for environ, sentence in (
        ({"TRUCEWATCH_DATABASE_URL_FILE": str(tmp_path / "url")}, "TRUCEWATCH_DATABASE_URL_FILE: "),
        ({"TRUCEWATCH_DATABASE_URL": "mysql://db/x"}, "TRUCEWATCH_DATABASE_URL must begin with postgresql://"),
        ({}, "say which storage: --data, or TRUCEWATCH_DATABASE_URL"),
    ):
        ended = CliRunner().invoke(restored, [], env=environ)
        assert (ended.exit_code, ended.output.startswith(f"Error: {sentence}")) == (2, True), ended.output


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is not an archive of PMTiles, version 3"),
        (b"PMTiles\x02" + bytes(200), "is not an archive of PMTiles, version 3"),
        (archive()[:-1], "is incomplete: it has "),
        (archive(kind=0), "cannot be drawn by browsers"),
        (archive(compression=4), "cannot be drawn by browsers"),
    ],
)
def test_a_base_of_the_map_that_cannot_be_used_is_one_sentence_and_exit_code_2(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "region.pmtiles"
    if content is not None:
        file.write_bytes(content)
    ended = serve(tmp_path, TRUCEWATCH_BASEMAP=str(file))
    assert ended.exit_code == 2, ended.output
    assert f"TRUCEWATCH_BASEMAP: {file} {sentence}" in ended.output
    file.write_bytes(archive())
    assert read(TRUCEWATCH_BASEMAP=str(file)).basemap == str(file)


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    authority = trustme.CA()
    client = authority.issue_cert("client@example.org", common_name="trucewatch")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    (tmp_path / "client.key").chmod(0o600)
    return {name: str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key")}


def test_certificates_for_the_database_are_checked_and_verify_its_name(certificates: dict[str, str]) -> None:
    ca, certificate, key = certificates.values()
    own = {"TRUCEWATCH_DATABASE_CERT_FILE": certificate, "TRUCEWATCH_DATABASE_KEY_FILE": key}
    url = make_url(read(TRUCEWATCH_DATABASE_CA_FILE=ca, **own).database_url)
    assert dict(url.query) == {"sslrootcert": ca, "sslcert": certificate, "sslkey": key, "sslmode": "verify-full"}
    with pytest.raises(SettingsError, match="set together, or neither"):
        read(TRUCEWATCH_DATABASE_CERT_FILE=certificate)
    with pytest.raises(SettingsError, match="not a file of certificates in PEM"):
        read(TRUCEWATCH_DATABASE_CA_FILE=key)
    with pytest.raises(SettingsError, match="not a certificate and its key"):
        read(TRUCEWATCH_DATABASE_CERT_FILE=ca, TRUCEWATCH_DATABASE_KEY_FILE=key)
    Path(key).chmod(0o644)
    with pytest.raises(SettingsError, match="only where no other user can read it"):
        read(**own)


def test_an_encrypted_key_without_its_password_is_told_and_nobody_is_asked(certificates: dict[str, str]) -> None:
    path = Path(certificates["client.key"])
    key = ser.load_pem_private_key(path.read_bytes(), None)
    sealed = ser.BestAvailableEncryption(b"hush")
    path.write_bytes(key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, sealed))
    tls_context("kafka", None, certificates["client.pem"], str(path), "hush")
    for wrong in (None, "wrong"):
        with pytest.raises(SettingsError, match=r"kafka: .* are not a certificate and its key in PEM"):
            tls_context("kafka", None, certificates["client.pem"], str(path), wrong)

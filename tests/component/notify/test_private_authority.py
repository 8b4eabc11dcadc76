"""Webhooks and mail by TLS with certificates of a private authority, set up by settings, on real servers."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.smtp import AuthResult
from click.testing import CliRunner

from services.notify.domain.delivery import AttemptAnswer
from services.notify.wiring.senders import open_mail, open_webhooks
from services.platform.clock import SystemClock
from services.platform.outbound.guard import trust_also
from services.platform.settings.config import Settings, SettingsError, read_settings
from services.start import serve_command
from tests.component.notify.receivers import Receiver, http_receiver
from tests.component.notify.test_smtp import Sink, smtp_server
from tests.parts.certificates import Authority, Files

MESSAGE = b"From: <a@b.org>\r\nSubject: x\r\n\r\nend\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("private"))


@pytest.fixture(scope="module")
def here(authority: Authority) -> Files:
    return authority.issue("127.0.0.1")


@pytest.fixture(scope="module")
def elsewhere(authority: Authority) -> Files:
    return authority.issue("hooks.example.org")


def read(**environ: str) -> Settings:
    own = {"TRUCEWATCH_DATABASE_URL": "sqlite://", "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    return read_settings({**own, **environ}, host="127.0.0.1", port=0)


def by(files: Files) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)
    return context


async def post(receiver: Receiver, **environ: str) -> AttemptAnswer:
    async with open_webhooks(read(**environ), SystemClock()) as hooks:
        return await hooks.send(f"https://127.0.0.1:{receiver.port}/", b"{}", message_id="m", keys=[b"k" * 24])


async def test_a_webhook_of_a_private_authority_is_reached_with_the_setting_alone(here: Files) -> None:
    async with http_receiver(by(here)) as receiver:
        refused = await post(receiver)
        assert (refused.status, refused.failure, receiver.received) == (None, "tls", [])
        assert (await post(receiver, TRUCEWATCH_WEBHOOK_CA_FILE=str(here.ca))).status == 200
    assert len(receiver.received) == 1


async def test_a_webhook_with_a_certificate_for_another_name_is_refused(elsewhere: Files) -> None:
    async with http_receiver(by(elsewhere)) as receiver:
        answer = await post(receiver, TRUCEWATCH_WEBHOOK_CA_FILE=str(elsewhere.ca))
    assert (answer.failure, receiver.received) == ("tls", [])
    assert "127.0.0.1" in answer.detail


def test_the_public_authorities_stay_trusted(here: Files) -> None:
    with_private, public = trust_also(str(here.ca)), len(httpx.create_ssl_context(trust_env=False).get_ca_certs())
    assert len(with_private.get_ca_certs()) == public + 1
    assert with_private.check_hostname
    assert with_private.verify_mode == ssl.CERT_REQUIRED


class Logins:
    """Accepts one user and counts how often somebody tried."""

    def __init__(self) -> None:
        self.tried = 0

    def __call__(self, *_: Any) -> AuthResult:
        self.tried += 1
        return AuthResult(success=True)


@asynccontextmanager
async def relay(scheme: str, files: Files, sink: Sink, logins: Logins) -> AsyncIterator[int]:
    options: dict[str, Any] = {"authenticator": logins}
    async with AsyncExitStack() as stack:
        if scheme == "smtps":
            # aiosmtpd knows of TLS by STARTTLS only.
            options |= {"auth_require_tls": False}
            yield await stack.enter_async_context(smtp_server(sink, tls=by(files), **options))
        else:
            options |= {"tls_context": by(files), "require_starttls": True, "auth_required": True}
            yield await stack.enter_async_context(smtp_server(sink, **options))


async def mail(url: str, **environ: str) -> AttemptAnswer:
    sender = open_mail(read(TRUCEWATCH_SMTP_URL=url, **environ))
    assert sender is not None
    async with sender:
        return await sender.send("desk@example.org", MESSAGE)


SCHEMES = pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls", "smtp"])


@SCHEMES
async def test_a_mail_server_of_a_private_authority_is_used_with_the_setting_alone(scheme: str, here: Files) -> None:
    sink, logins = Sink(), Logins()
    async with relay(scheme, here, sink, logins) as port:
        url = f"{scheme}://user:hush@127.0.0.1:{port}"
        refused = await mail(url)
        assert (refused.status, refused.failure, sink.got, logins.tried) == (None, "tls", [], 0)
        assert (await mail(url, TRUCEWATCH_SMTP_CA_FILE=str(here.ca))).status == 250
    assert (len(sink.got), logins.tried) == (1, 1)


@SCHEMES
async def test_a_mail_server_with_a_certificate_for_another_name_gets_nothing(scheme: str, elsewhere: Files) -> None:
    sink, logins = Sink(), Logins()
    async with relay(scheme, elsewhere, sink, logins) as port:
        answer = await mail(f"{scheme}://user:hush@127.0.0.1:{port}", TRUCEWATCH_SMTP_CA_FILE=str(elsewhere.ca))
    assert (answer.status, answer.failure, sink.got, logins.tried) == (None, "tls", [], 0)
    assert "127.0.0.1" in answer.detail


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtp"])
async def test_a_mail_server_that_offers_no_tls_gets_nothing_where_there_is_an_authority(
    scheme: str, here: Files
) -> None:
    sink = Sink()
    async with smtp_server(sink) as port:
        answer = await mail(f"{scheme}://127.0.0.1:{port}", TRUCEWATCH_SMTP_CA_FILE=str(here.ca))
    assert (answer.status, sink.got) == (None, [])


def test_an_authority_for_a_mail_server_without_tls_is_a_contradiction(here: Files) -> None:
    with pytest.raises(SettingsError, match="TRUCEWATCH_SMTP_CA_FILE is set, and TRUCEWATCH_SMTP_URL does without TLS"):
        open_mail(read(TRUCEWATCH_SMTP_URL="smtp+plain://127.0.0.1", TRUCEWATCH_SMTP_CA_FILE=str(here.ca)))


@pytest.mark.parametrize("name", ["TRUCEWATCH_WEBHOOK_CA_FILE", "TRUCEWATCH_SMTP_CA_FILE"])
def test_a_file_that_holds_no_certificates_ends_the_start(name: str, here: Files, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path in (tmp_path / "missing", tmp_path / "empty", tmp_path, here.key):
        ended = CliRunner().invoke(
            serve_command, ["--data", str(tmp_path / "data"), "--port", "0"], env={name: str(path)}
        )
        assert ended.exit_code == 2, ended.output
        assert ended.output.startswith(f"Error: {name}: {path} is not a file of certificates in PEM: ")
        assert ended.output.count("\n") == 1

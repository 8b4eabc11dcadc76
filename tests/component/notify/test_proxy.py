"""Webhooks through an outgoing proxy, set up by settings, with a real proxy and a receiver by TLS."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.notify.domain.delivery import AttemptAnswer
from services.notify.wiring.senders import open_webhooks
from services.platform.clock import SystemClock
from services.platform.outbound.address import Policy, RefusedTargetError, check_url
from services.platform.settings.config import read_settings
from services.start import serve_command
from tests.component.notify.receivers import Receiver, http_receiver, raw_receiver
from tests.component.notify.test_private_authority import by
from tests.parts.certificates import Authority, Files


class Tunnels:
    """A proxy that leads every CONNECT to one port of this machine, and keeps what it was asked."""

    def __init__(self, to: int, status: str = "200 Connection established") -> None:
        self.asked: list[str] = []
        self.logins: list[str | None] = []
        self.passed = 0
        self._to, self._status = to, status

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:-2])
        self.asked.append(head[0])
        self.logins.append({name.lower(): value for name, value in fields.items()}.get("proxy-authorization"))
        if not head[0].startswith("CONNECT") or not self._status.startswith("200"):
            writer.write(f"HTTP/1.1 {self._status}\r\ncontent-length: 0\r\n\r\n".encode())
            return
        inner, outer = await asyncio.open_connection("127.0.0.1", self._to)
        writer.write(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
        try:
            await asyncio.gather(self._pump(reader, outer), self._pump(inner, writer))
        finally:
            outer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65_536):
                self.passed += len(data)
                sink.write(data)
        sink.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Authority(tmp_path_factory.mktemp("proxied")).issue("hooks.example.org")


@asynccontextmanager
async def proxied(files: Files, status: str = "200 OK") -> AsyncIterator[tuple[Receiver, Tunnels, str]]:
    async with http_receiver(by(files)) as receiver:
        tunnels = Tunnels(receiver.port, status)
        async with raw_receiver(tunnels.serve) as url:
            yield receiver, tunnels, url.removesuffix("/hook")


async def post(proxy: str, files: Files, url: str, times: int = 1, **more: str) -> AttemptAnswer:
    environ = {
        "TRUCEWATCH_DATABASE_URL": "sqlite://",
        "TRUCEWATCH_WEBHOOK_PROXY": proxy,
        "TRUCEWATCH_WEBHOOK_CA_FILE": str(files.ca),
        **more,
    }
    async with open_webhooks(read_settings(environ, host="127.0.0.1", port=0), SystemClock()) as hooks:
        for _ in range(times):
            answer = await hooks.send(url, b"{}", message_id="m", keys=[b"k" * 24])
    return answer


async def test_webhooks_go_through_the_proxy_which_resolves_the_name(files: Files) -> None:
    """The name has no address here, and the proxy's own address is not one that webhooks may reach."""
    async with proxied(files) as (receiver, tunnels, proxy):
        answer = await post(proxy, files, "https://hooks.example.org/hook", times=3)
    assert (answer.status, answer.excerpt, answer.failure) == (200, b"ok", None)
    assert [got.path for got in receiver.received] == ["/hook"] * 3
    assert (tunnels.asked, tunnels.logins) == (["CONNECT hooks.example.org:443 HTTP/1.1"], [None])
    assert tunnels.passed > 1_000
    assert "proxy-authorization" not in receiver.received[0].headers


async def test_the_proxy_gets_its_user_and_the_receiver_does_not(files: Files) -> None:
    async with proxied(files) as (receiver, tunnels, proxy):
        secured = proxy.replace("http://", "http://us%C3%A9r:p%40ss@")
        assert (await post(secured, files, "https://hooks.example.org/", times=2)).status == 200
        await post(secured, files, "http://127.0.0.2:81/a", TRUCEWATCH_WEBHOOK_ALLOW="127.0.0.0/8")
    login = "Basic " + base64.b64encode("usér:p@ss".encode()).decode()
    assert (len(tunnels.asked), tunnels.logins) == (2, [login, login])
    assert len(receiver.received) == 2
    assert not any("proxy-authorization" in got.headers for got in receiver.received)


async def test_the_certificate_is_verified_through_the_proxy(files: Files) -> None:
    async with proxied(files) as (receiver, tunnels, proxy):
        answer = await post(proxy, files, "https://other.example.org/")
    assert (answer.status, answer.failure, receiver.received) == (None, "tls", [])
    assert tunnels.asked == ["CONNECT other.example.org:443 HTTP/1.1"]


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "410 Gone", "201 Created"])
async def test_an_answer_of_the_proxy_is_not_the_receivers(files: Files, status: str) -> None:
    async with proxied(files, status) as (receiver, _, proxy):
        answer = await post(proxy, files, "https://hooks.example.org/")
    assert (answer.status, answer.failure, receiver.received) == (None, "connect", [])


async def test_without_the_proxy_nothing_is_sent_directly(files: Files) -> None:
    async with http_receiver(by(files)) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        answer = await post("http://127.0.0.1:9", files, url, TRUCEWATCH_WEBHOOK_ALLOW="127.0.0.0/8")
    assert (answer.status, answer.failure, receiver.received) == (None, "connect", [])


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://169.254.169.254/", "https://[::1]/", "https://x.internal/"]
)
async def test_what_is_refused_without_a_look_up_does_not_reach_the_proxy(files: Files, url: str) -> None:
    async with proxied(files) as (_, tunnels, proxy):
        assert (await post(proxy, files, url)).failure == "refused"
    assert tunnels.asked == []


async def test_an_opened_address_by_http_goes_through_the_proxy_too(files: Files) -> None:
    async with proxied(files) as (_, tunnels, proxy):
        await post(proxy, files, "http://127.0.0.2:81/a", TRUCEWATCH_WEBHOOK_ALLOW="127.0.0.0/8")
    assert tunnels.asked == ["POST http://127.0.0.2:81/a HTTP/1.1"]


@pytest.mark.parametrize("opened", [(), (ip_network("10.0.0.0/8"),)])
def test_a_name_behind_a_proxy_is_held_to_what_a_public_address_is(opened: tuple[object, ...]) -> None:
    policy = Policy(opened=opened, proxied=True)  # type: ignore[arg-type]
    check_url("https://hooks.example.org:8443/", policy)
    for url in (
        "http://hooks.example.org/", "https://hooks.example.org:22/", "https://localhost/", "https://a.localhost/",
        "https://PRINTER.local/", "https://metadata.google.internal/", "https://intranet/", "https://a.home.arpa/",
    ):  # fmt: skip
        with pytest.raises(RefusedTargetError):
            check_url(url, policy)


@pytest.mark.parametrize(
    "proxy",
    ["proxy:3128", "http://proxy", "https://proxy:3128", "http://proxy:0", "http://proxy:70000", "http://hush@proxy:1",
     "http://a:hush@proxy:1/path", "http://a%3Ab:hush@proxy:1", "http://a:hush%0A@proxy:1", "socks5://proxy:1080"],
)  # fmt: skip
def test_a_proxy_that_is_none_ends_the_start_with_one_sentence(proxy: str, tmp_path: Path) -> None:
    options = ["--data", str(tmp_path / "data"), "--port", "0"]
    ended = CliRunner().invoke(serve_command, options, env={"TRUCEWATCH_WEBHOOK_PROXY": proxy})
    assert (ended.exit_code, ended.output) == (
        2,
        "Error: TRUCEWATCH_WEBHOOK_PROXY must be http://host:port or http://user:password@host:port, "
        "user and password percent-encoded\n",
    )


def test_the_password_of_the_proxy_is_not_shown(files: Files) -> None:
    environ = {"TRUCEWATCH_DATABASE_URL": "sqlite://", "TRUCEWATCH_WEBHOOK_PROXY": "http://a:hush@proxy:3128/"}
    settings = read_settings(environ, host="127.0.0.1", port=0)
    assert settings.webhook_proxy is not None
    assert (settings.webhook_proxy.url, settings.webhook_proxy.password) == ("http://proxy:3128", "hush")
    assert "hush" not in repr(settings)

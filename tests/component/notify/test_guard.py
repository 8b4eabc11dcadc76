"""The guard refuses every road to a private address, on the real path from URL to socket."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.webhook import WebhookSender
from services.platform.clock import SystemClock
from services.platform.outbound.address import Policy, RefusedTargetError, check_url, refuse_address
from services.platform.outbound.guard import GuardedResolver, GuardedSockets, PooledLookups, RefusedAddressError
from tests.component.notify.receivers import FakeNames, Receiver, http_receiver

KEY = [b"k" * 24]
CLOSED = Policy()
#: Opens a network that none of the targets lies in, so that http and every port pass the first gate.
ELSEWHERE = Policy(opened=(ip_network("10.99.0.0/16"),))

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.254", "100.100.100.200", "169.254.0.1",
    "169.254.169.254", "169.254.170.2", "168.63.129.16", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255",
    "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[::ffff:8.8.8.8]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::8.8.8.8]", "[64:ff9b:1::1]", "[100::1]", "[2001::1]",
    "[2001:2::1]", "[2001:10::1]", "[2001:20::1]", "[2001:db8::1]", "[2002:7f00:1::1]", "[2002:808:808::1]",
    "[3fff::1]", "[5f00::1]", "[fc00::1]", "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[ff02::1]",
]  # fmt: skip
SPELLINGS = [
    "2130706433", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0x7f.1", "0", "0x0",
    "127.0.0.1.", "127.0.0.01", "127.000.000.001", "1.2.3", "4294967295", "2852039166", "0xa9fea9fe",
    "0251.0376.169.254", "256.1.1.1", "1.2.3.4.5", "localhost.", "example.org.", "example..org", ".example.org",
    "-a.example", "[::1%25eth0]", "[fe80::1%eth0]", "[::1", "::1", "[1:2]", "127%2e0%2e0%2e1", "①②⑦.0.0.1",
    "127。0。0。1", "ⓛocalhost", "exa mple.org", "user@127.0.0.1@example.org", "us er@example.org",
    "example.org\\@127.0.0.1", "example.org#@127.0.0.1", "",
]  # fmt: skip
SHAPES = [
    "ftp://example.org/", "file:///etc/passwd", "gopher://127.0.0.1:25/", "//example.org/", "example.org",
    "https:/example.org", "https:\\\\example.org", "https://example.org/\r\nX: 1", "https://example.org/ a",
    "https://example.org:0/", "https://example.org:65536/", "https://example.org:99999/", "https://example.org:22/",
    "https://example.org:25/", "https://example.org:6379/", "http://example.org/", "http://8.8.8.8/",
    "https://8.8.8.8:22/", "https://example.org:-1/", "https://example.org:٤٤٣/", "HTTPS://example.org/\t",
    "https://example.org/" + "a" * 2_000, "https://[2606:4700::1111]:22/",
]  # fmt: skip


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with http_receiver() as running:
        yield running


def test_there_are_enough_of_them() -> None:
    assert len(PRIVATE) + len(SPELLINGS) + len(SHAPES) >= 110


@pytest.mark.parametrize("url", [f"https://{h}/x" for h in PRIVATE + SPELLINGS] + SHAPES)
def test_the_text_of_a_url_is_refused(url: str) -> None:
    with pytest.raises(RefusedTargetError):
        check_url(url, CLOSED)


@pytest.mark.parametrize(
    "url",
    ["https://example.org/hooks/truce?a=1&b=%20", "https://example.org:8443/", "https://a_b.example.org",
     "https://xn--mgbh0fb.xn--kgbechtv/", "https://8.8.8.8/x", "https://[2606:4700:4700::1111]/", "https://1e100.net/",
     "https://sub.0xdead.example/"],
)  # fmt: skip
def test_public_targets_pass(url: str) -> None:
    assert check_url(url, CLOSED).scheme == "https"


async def test_no_spelling_reaches_a_local_receiver(receiver: Receiver) -> None:
    """Every target with the port of a live receiver: were any of them let through, it would be heard."""
    async with WebhookSender(ELSEWHERE, SystemClock(), total_s=3) as sender:
        for host in PRIVATE + SPELLINGS:
            answer = await sender.send(f"http://{host}:{receiver.port}/x", b"{}", message_id="m", keys=KEY)
            assert answer.failure == "refused", (host, answer)
    assert receiver.received == []


@pytest.mark.parametrize(
    "host", [*PRIVATE, *(h for h in SPELLINGS if h and h.isascii() and set(h) <= set("0123456789abcdefABCDEFx."))]
)
async def test_the_gates_below_the_url_hold_alone(host: str, receiver: Receiver) -> None:
    """aiohttp with the guard but without the check of the URL: literals meet the sockets, spellings the
    resolver.
    """
    lookups = PooledLookups(1)
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(ELSEWHERE, secure=False, upstream=lookups),
        socket_factory=GuardedSockets(ELSEWHERE, secure=False),
    )
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises((aiohttp.ClientError, OSError, ValueError)):
            await session.get(f"http://{host}:{receiver.port}/x", timeout=aiohttp.ClientTimeout(total=3))
    await lookups.close()
    assert receiver.received == []


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
async def test_the_systems_own_lookup_meets_the_guard(name: str) -> None:
    lookups = PooledLookups(1)
    with pytest.raises(RefusedAddressError, match="not public"):
        await GuardedResolver(CLOSED, secure=True, upstream=lookups).resolve(name, 443)
    await lookups.close()


@pytest.mark.parametrize("address", [h.strip("[]") for h in PRIVATE])
async def test_a_name_for_a_private_address_is_refused(address: str) -> None:
    names = FakeNames({"hooks.example.org": [[address]]})
    async with WebhookSender(CLOSED, SystemClock(), lookups=names) as sender:
        answer = await sender.send("https://hooks.example.org/x", b"{}", message_id="m", keys=KEY)
    assert answer.failure == "refused"
    assert names.asked == ["hooks.example.org"]


async def test_of_mixed_answers_only_the_allowed_address_is_tried(receiver: Receiver) -> None:
    policy = Policy(opened=(ip_network("127.0.0.1/32"),))
    names = FakeNames({"mixed.example.org": [["169.254.169.254", "127.0.0.1", "::1"]]})
    resolver = GuardedResolver(policy, secure=False, upstream=names)
    assert [r["host"] for r in await resolver.resolve("mixed.example.org", receiver.port)] == ["127.0.0.1"]


async def test_a_name_that_answers_otherwise_the_second_time_is_refused_then(receiver: Receiver) -> None:
    """First the opened network, then loopback, where a receiver listens and must hear nothing."""
    policy = Policy(opened=(ip_network("127.0.0.1/32"),))
    names = FakeNames({"rebind.example.org": [["127.0.0.1"], ["127.0.0.2"]]})
    url = f"http://rebind.example.org:{receiver.port}/x"
    receiver.answer = lambda _: web.Response(text="ok", headers={"connection": "close"})
    async with WebhookSender(policy, SystemClock(), lookups=names) as sender:
        first = await sender.send(url, b"{}", message_id="m", keys=KEY)
        for session in sender.sessions:
            assert isinstance(session.connector, aiohttp.TCPConnector)
            session.connector.clear_dns_cache()
        second = await sender.send(url, b"{}", message_id="m", keys=KEY)
    assert (first.status, second.failure) == (200, "refused")
    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int, receiver: Receiver) -> None:
    async with http_receiver() as inner:
        receiver.answer = lambda _: web.Response(status=status, headers={"location": inner.url("/secret")})
        async with WebhookSender(Policy(opened=(ip_network("127.0.0.0/8"),)), SystemClock()) as sender:
            answer = await sender.send(receiver.url(), b"{}", message_id="m", keys=KEY)
        assert answer.status == status
        assert inner.received == []


async def test_what_is_opened_is_open_and_nothing_else(receiver: Receiver) -> None:
    async with WebhookSender(Policy(opened=(ip_network("127.0.0.1/32"),)), SystemClock()) as sender:
        assert (await sender.send(receiver.url(), b"{}", message_id="m", keys=KEY)).status == 200
        near = receiver.url().replace("127.0.0.1", "127.0.0.2")
        assert (await sender.send(near, b"{}", message_id="m", keys=KEY)).failure == "refused"


async def test_an_opened_network_does_not_open_http_or_ports_to_the_public() -> None:
    names = FakeNames({"public.example.org": [["8.8.8.8"]]})
    async with WebhookSender(ELSEWHERE, SystemClock(), lookups=names) as sender:
        plain = await sender.send("http://public.example.org/", b"{}", message_id="m", keys=KEY)
        port = await sender.send("https://public.example.org:22/", b"{}", message_id="m", keys=KEY)
    assert "https only" in plain.detail
    assert "port 22" in port.detail


def test_ports_and_scopes() -> None:
    assert refuse_address("8.8.8.8", 443, CLOSED, secure=True) is None
    assert refuse_address("8.8.8.8", 22, CLOSED, secure=True) is not None
    assert refuse_address("8.8.8.8", 80, CLOSED, secure=False) is not None
    assert refuse_address("fe80::1%eth0", 443, CLOSED, secure=True) is not None
    assert refuse_address("no address", 443, CLOSED, secure=True) == "not an address"


@given(st.ip_addresses())
def test_what_python_calls_not_global_is_refused(address: object) -> None:
    """The standard library's own table as a second opinion."""
    if not address.is_global or address.is_multicast:  # type: ignore[attr-defined]
        assert refuse_address(str(address), 443, CLOSED, secure=True) is not None


async def test_dead_names_are_told_apart_from_refused_ones() -> None:
    async with WebhookSender(CLOSED, SystemClock(), lookups=FakeNames({})) as sender:
        answer = await sender.send("https://nowhere.example/", b"{}", message_id="m", keys=KEY)
    assert answer.failure == "unresolved"


async def test_slow_lookups_do_not_hold_the_loop() -> None:
    lookups = PooledLookups(2)
    async with asyncio.timeout(60):
        found = await lookups.resolve("127.0.0.1", 80)
    assert [r["host"] for r in found] == ["127.0.0.1"]
    await lookups.close()

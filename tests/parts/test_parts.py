"""Each part starts, does its one thing, and comes back after kill -9."""

import asyncio
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import msgspec
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from standardwebhooks import Webhook

from tests.parts.alertmanager import Alertmanager
from tests.parts.chromium import Chromium
from tests.parts.kafka import Kafka
from tests.parts.mail import Mailbox
from tests.parts.postgres import Postgres
from tests.parts.process import MissingPartError, PartFailedError, Process, free_port
from tests.parts.receiver import Answer, Receiver
from tests.parts.service import ROOT

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_process_that_dies_while_starting_says_why(tmp_path: Path) -> None:
    broken = Process("broken", ["sh", "-c", "echo no such luck; exit 3"], tmp_path / "log", ready=lambda: False)
    with pytest.raises(PartFailedError, match="no such luck"):
        broken.start()


def test_a_missing_part_names_itself_its_reason_and_its_cure() -> None:
    said = str(MissingPartError("Maven (mvn)", "it fetches Apache Kafka's jars", "apt-get install maven"))
    assert "Maven (mvn) is missing" in said
    assert said.endswith("apt-get install maven")


async def _put(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value, key=b"k", headers=[("ce_id", b"1")])


async def test_what_kafka_holds_survives_kill_9(tmp_path: Path) -> None:
    with Kafka(tmp_path / "kafka") as broker:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("t", 1, 1)])
        await admin.close()
        await _put(broker.bootstrap, "t", b"before")
        broker.kill()
        assert not broker.process.running
        broker.start()
        await _put(broker.bootstrap, "t", b"after")
        async with AIOKafkaConsumer("t", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest") as consumer:
            assert [(await consumer.getone()).value for _ in range(2)] == [b"before", b"after"]
        assert "ce_id:1\tk\tbefore" in broker.console_consumer("t", 2)


def test_what_postgres_holds_survives_kill_9(tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres") as server, server.database() as uri:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("CREATE TABLE t (n int)")
            connection.execute("INSERT INTO t VALUES (1)")
        server.kill()
        server.start()
        with psycopg.connect(uri) as connection:
            assert connection.execute("SELECT n FROM t").fetchall() == [(1,)]


def test_postgres_starts_again_after_the_pytest_root_was_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with Postgres(tmp_path / "postgres") as server:
        server.kill()
        tmp_path.chmod(0o700)
        server.start()
    assert not server.home.exists()


async def test_the_receiver_checks_signatures_and_answers_as_told(receiver: Receiver) -> None:
    receiver.trust("/a", SECRET)
    receiver.answer("/a", Answer(status=503, headers={"Retry-After": "7"}), Answer())
    now = datetime.now(UTC)  # noqa: TID251 - the sender's clock is not under test
    body = b'{"type":"test"}'
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
    signed = {**headers, "webhook-signature": Webhook(SECRET).sign("msg_1", now, body.decode())}
    async with httpx.AsyncClient() as client:
        first = await client.post(receiver.url("/a"), content=body, headers=signed)
        second = await client.post(receiver.url("/a"), content=b'{"type":"other"}', headers=signed)
    assert (first.status_code, first.headers["Retry-After"], second.status_code) == (503, "7", 200)
    assert [d.signed for d in await receiver.arrived(2, 1, "/a")] == [True, False]


async def test_the_receiver_echoes_a_challenge(receiver: Receiver) -> None:
    challenge = msgspec.json.encode({"type": "challenge", "data": {"challenge": "xyz"}})
    async with httpx.AsyncClient() as client:
        answer = await client.post(receiver.url("/b"), content=challenge)
    assert answer.json() == {"challenge": "xyz"}
    assert receiver.received("/b") == []
    assert len(receiver.received("/b", challenges=True)) == 1


@pytest.mark.parametrize("answer", [Answer(hang=True), Answer(drip_s=0.01), Answer(delay_s=30)])
async def test_the_receiver_can_keep_a_client_waiting(receiver: Receiver, answer: Answer) -> None:
    receiver.answer("/slow", answer)
    async with httpx.AsyncClient(timeout=0.3) as client:
        with pytest.raises((httpx.ReadTimeout, TimeoutError)):
            await _whole_answer(client, receiver.url("/slow"))


async def _whole_answer(client: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(0.4):
        await client.post(url, content=b'{"type":"test"}')


async def test_the_mailbox_refuses_when_told_and_keeps_the_rest(smtp: Mailbox) -> None:
    smtp.answer("451 try later", "250 OK")
    letter = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: hello\r\n\r\nbody\r\n"
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=smtp.port) as client:
        with pytest.raises(aiosmtplib.SMTPResponseException, match="451"):
            await client.sendmail("a@example.org", ["b@example.org"], letter)
        await client.sendmail("a@example.org", ["b@example.org"], letter)
    (found,) = await smtp.arrived(1, 2, "b@example.org")
    assert found.message["Subject"] == "hello"


async def test_chromium_shows_a_page(chromium: Chromium) -> None:
    async with chromium.page() as page:
        await page.set_content("<h1 dir=rtl>مرحبا</h1>")
        assert await page.inner_text("h1") == "مرحبا"


def test_alertmanager_answers(tmp_path: Path) -> None:
    config = "route: {receiver: none}\nreceivers: [{name: none}]\n"
    with Alertmanager(tmp_path / "alertmanager", config) as peer:
        assert urllib.request.urlopen(f"{peer.url}/-/ready", timeout=5).status == 200
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{peer.url}/-/ready", timeout=1)


def test_no_port_is_given_twice_to_processes_that_run_at_once() -> None:
    asking = "from tests.parts.process import free_port; print(*[free_port() for _ in range(200)]); input()"
    command = [sys.executable, "-c", asking]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    others = [subprocess.Popen(command, **pipes) for _ in range(3)]
    own = [free_port() for _ in range(200)]
    given = own + [int(port) for other in others if other.stdout for port in other.stdout.readline().split()]
    for other in others:
        other.communicate("\n", timeout=10)
    assert len(set(given)) == len(given) == 800

"""Kafka by SASL and TLS, PostgreSQL by TLS with a client certificate: set up by settings, on the real servers."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas.envelope import Event
from schemas.topics import AUDIT
from services.app import assemble
from services.platform.bus.kafka import KafkaBus
from services.platform.bus.kafka_topics import create_topics, new_topic
from services.platform.db.postgres_outbox import PostgresOutbox
from services.platform.failures import RetryLaterError
from services.platform.settings.config import Settings, SettingsError, read_settings
from tests.component.assembled import end
from tests.parts.certificates import Authority, Files
from tests.parts.kafka import Kafka, Secured
from tests.parts.postgres import Postgres, Tls
from tests.scenario import SECRET_KEY

T = TypeVar("T")
USER, PASSWORD = "trucewatch", "hush-hush"
EVENT = Event(AUDIT.name, "k", "1", "t", "/test", "2016-05-08T00:00:00Z", b"{}")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def client(authority: Authority) -> Files:
    return authority.issue("postgres@example.org", common_name="postgres")


@pytest.fixture(scope="module")
def broker(parts_directory: Path, authority: Authority) -> Iterator[Kafka]:
    secured = Secured(authority.issue("127.0.0.1"), USER, PASSWORD)
    with Kafka(parts_directory / "secured-kafka", secured=secured) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def server(parts_directory: Path, authority: Authority, client: Files) -> Iterator[Postgres]:
    with Postgres(parts_directory / "secured-postgres", tls=Tls(authority.issue("127.0.0.1"), client)) as postgres:
        yield postgres


@pytest.fixture
def environ(broker: Kafka, client: Files, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return {
        "TRUCEWATCH_DATABASE_URL": "sqlite://",
        "TRUCEWATCH_KAFKA": broker.bootstrap,
        "TRUCEWATCH_KAFKA_USERNAME": USER,
        "TRUCEWATCH_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
        "TRUCEWATCH_KAFKA_CA_FILE": str(client.ca),
        "TRUCEWATCH_KAFKA_CERT_FILE": str(client.cert),
        "TRUCEWATCH_KAFKA_KEY_FILE": str(client.key),
        "TRUCEWATCH_SECRET_KEY": SECRET_KEY,
    }


def read(environ: dict[str, str]) -> Settings:
    return read_settings(environ, host="127.0.0.1", port=0)


def bus_of(environ: dict[str, str]) -> KafkaBus:
    settings = read(environ)
    assert settings.kafka is not None
    return KafkaBus(settings.kafka, settings.kafka_security)


async def again(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, also where a busy machine lets the first tries run into their time limits."""
    while True:
        try:
            return await ask()
        except RetryLaterError:
            continue


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
async def test_every_client_of_kafka_gets_in_by_sasl_and_tls(environ: dict[str, str], mechanism: str) -> None:
    bus = bus_of({**environ, "TRUCEWATCH_KAFKA_SASL": mechanism})
    heard: list[Event] = []

    async def hear(event: Event) -> None:
        heard.append(event)

    try:
        await again(bus.start)
        await again(lambda: bus.publish([EVENT]))
        while not await bus.healthy():
            pass
        reader = await bus.consumer(AUDIT, f"group-{mechanism}")
        found = await again(lambda: reader.fetch(10, 15))
        await again(lambda: reader.commit(found))
        assert await again(reader.lag) == 0
        await reader.close()
        await again(lambda: bus.tail(AUDIT, hear))
        assert found[-1].event == heard[-1] == EVENT
    finally:
        await bus.close()


async def test_kafka_lets_nobody_in_with_a_wrong_password_or_without_a_certificate(environ: dict[str, str]) -> None:
    without = {n: v for n, v in environ.items() if n not in ("TRUCEWATCH_KAFKA_CERT_FILE", "TRUCEWATCH_KAFKA_KEY_FILE")}
    wrong_password = environ | {"TRUCEWATCH_KAFKA_PASSWORD_FILE": "", "TRUCEWATCH_KAFKA_PASSWORD": "wrong"}
    for wrong in (wrong_password, without):
        bus = bus_of(wrong)
        with pytest.raises(RetryLaterError):
            await bus.publish([EVENT])
        await bus.close()


async def test_a_broker_that_another_authority_vouches_for_is_not_told_the_password(
    environ: dict[str, str], tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other").issue("127.0.0.1")
    bus = bus_of({**environ, "TRUCEWATCH_KAFKA_CA_FILE": str(other.ca)})
    with pytest.raises(RetryLaterError):
        await bus.publish([EVENT])
    await bus.close()


async def test_a_partners_topic_is_read_by_sasl_and_tls(environ: dict[str, str], client: Files) -> None:
    """A plain producer with credentials of the broker's, and what an adapter reads with ours."""
    tls = ssl.create_default_context(cafile=str(client.ca))
    tls.load_cert_chain(client.cert, client.key)
    settings = read(environ)
    assert settings.kafka is not None
    await again(lambda: create_topics(settings.kafka or "", [new_topic("theirs", 1, {})], settings.kafka_security))
    async with AIOKafkaProducer(
        bootstrap_servers=settings.kafka, security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=USER, sasl_plain_password=PASSWORD, ssl_context=tls,
    ) as partner:  # fmt: skip
        await partner.send_and_wait("theirs", b'{"external_id": "1"}', b"their key")
    log = bus_of(environ)
    try:
        reader = await again(lambda: log.partner_consumer("theirs", "ingest.adapters.theirs"))
        [received] = await again(lambda: reader.fetch(10, 15))
        assert (received.event.id, received.event.data) == ("theirs/0/0", b'{"external_id": "1"}')
        dead = msgspec.structs.replace(received.event, topic="theirs.dead", problem='{"status": 422}')
        await again(lambda: log.publish([dead]))
        await reader.close()
    finally:
        await log.close()


async def test_all_services_run_on_both_over_tls(
    environ: dict[str, str], server: Postgres, client: Files, authority: Authority, tmp_path: Path
) -> None:
    with server.database() as uri:
        plain = uri.split("?")[0]
        environ |= {
            "TRUCEWATCH_DATABASE_URL": plain,
            "TRUCEWATCH_DATABASE_CA_FILE": str(client.ca),
            "TRUCEWATCH_DATABASE_CERT_FILE": str(client.cert),
            "TRUCEWATCH_DATABASE_KEY_FILE": str(client.key),
        }
        assembly = await assemble(read(environ), ["ingest", "rules", "notify"])
        encrypted = (
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL"
        )
        assert await assembly.runtime.database.read(lambda c: c.exec_driver_sql(encrypted).scalar()) is True
        relayed = PostgresOutbox(assembly.runtime.settings.database_url)
        assert await asyncio.to_thread(relayed.lead)
        relayed.close()
        await end(assembly)

        other = Authority(tmp_path / "other").issue("127.0.0.1")
        with pytest.raises(RetryLaterError, match="certificate"):
            await assemble(read({**environ, "TRUCEWATCH_DATABASE_CA_FILE": str(other.ca)}), ["rules"])
        with pytest.raises(RetryLaterError, match=r'certificate for "127.0.0.1" .* not match host name "localhost"'):
            await assemble(
                read({**environ, "TRUCEWATCH_DATABASE_URL": plain.replace("127.0.0.1", "localhost")}), ["rules"]
            )


def test_settings_of_kafka_that_contradict_each_other_are_told(environ: dict[str, str]) -> None:
    for changed, sentence in (
        ({"TRUCEWATCH_KAFKA_USERNAME": ""}, "USERNAME and TRUCEWATCH_KAFKA_PASSWORD are set together"),
        ({"TRUCEWATCH_KAFKA_SASL": "GSSAPI"}, "TRUCEWATCH_KAFKA_SASL must be one of SCRAM-SHA-512"),
        ({"TRUCEWATCH_KAFKA_TLS": "yes"}, "TRUCEWATCH_KAFKA_TLS must be on or off"),
        ({"TRUCEWATCH_KAFKA_TLS": "off"}, "TRUCEWATCH_KAFKA_TLS is off, and there is a file"),
        ({"TRUCEWATCH_KAFKA_CERT_FILE": ""}, "set together, or neither"),
        ({"TRUCEWATCH_KAFKA_CA_FILE": "/nowhere"}, "/nowhere is not a file of certificates"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            read({**environ, **changed})


def test_a_user_alone_turns_tls_on_and_nothing_leaves_it_off(environ: dict[str, str]) -> None:
    bare = {name: value for name, value in environ.items() if not name.endswith(("CA_FILE", "CERT_FILE", "KEY_FILE"))}
    secured = read(bare).kafka_security.options()
    assert (secured["security_protocol"], secured["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    plain = {name: value for name, value in bare.items() if "USERNAME" not in name and "PASSWORD" not in name}
    assert read(plain).kafka_security.options() == {"security_protocol": "PLAINTEXT", "ssl_context": None}
    off = read({**bare, "TRUCEWATCH_KAFKA_TLS": "off"}).kafka_security.options()
    assert off["security_protocol"] == "SASL_PLAINTEXT"

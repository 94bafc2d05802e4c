"""A real Apache Kafka for the tests and the benchmark: one KRaft node, started once a run.

`KAFKA_BOOTSTRAP_SERVERS` names another one. Without it the jars come through Maven (once; kept under `.cache/kafka`)
and run on the Java that is there. Where that cannot be, the run says so loudly and uses librdkafka's mock broker, and
tests that stop and start the broker are skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from tests.waits import PATIENCE, free_port

#: The version that `docker-compose.yml` names as well.
KAFKA_VERSION = "4.1.1"
#: Of the listener that asks for a password.
SASL_USER, SASL_PASSWORD = "onsale", "letmein"
_LOG4J_VERSION = "2.24.3"
_CACHE = Path(__file__).parent.parent / ".cache" / "kafka" / KAFKA_VERSION

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>onsale</groupId><artifactId>kafka</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
<version>{_LOG4J_VERSION}</version></dependency>
</dependencies></project>
"""

_LOG4J = """status = error
appender.file.type = Console
appender.file.name = out
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


class BrokerUnavailable(Exception):
    """No Kafka can be run here; the text says why."""


def jars() -> Path:
    """The folder with the broker's jars; fetched when it is not there. Raises BrokerUnavailable."""
    if shutil.which("java") is None:
        raise BrokerUnavailable("Java is not installed")
    if _CACHE.is_dir():
        return _CACHE
    if shutil.which("mvn") is None:
        raise BrokerUnavailable("Maven is not installed")
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE.parent) as folder:
        (Path(folder) / "pom.xml").write_text(_POM)
        fetched = Path(folder) / "jars"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
        try:
            done = subprocess.run(["mvn", "-q", "-B", *goal], cwd=folder, capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired:
            raise BrokerUnavailable("Maven did not fetch the jars within 10 minutes") from None
        if done.returncode or not any(fetched.glob("kafka_2.13-*.jar")):
            last = (done.stdout + done.stderr).strip().splitlines()[:1]
            raise BrokerUnavailable(f"Maven could not fetch the jars: {last}")
        try:
            fetched.rename(_CACHE)
        except OSError:
            # Another run was quicker.
            if not _CACHE.is_dir():
                raise
    return _CACHE


class Broker:
    """A KRaft node under `folder`; keeps its ports and its data over `stop` and `start`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jars = jars()
        self._port, self._controller, self._sasl = free_port(), free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._configure()

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def sasl_servers(self) -> str:
        """Where only `SASL_USER` is let in."""
        return f"127.0.0.1:{self._sasl}"

    def start(self) -> None:
        """Returns when the broker answers."""
        with (self._folder / "kafka.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._folder / "server.properties")),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
            )
        client = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                client.list_topics(timeout=10)
                return
            except KafkaException as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Kafka did not start: {self._log_end()}") from error

    def stop(self, *, kill: bool = False) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _java(self, *arguments: str) -> list[str]:
        return [
            "java",
            "-Xmx384m",
            "-Xms128m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}",
            "-cp",
            f"{self._jars}/*",
            *arguments,
        ]

    def _configure(self) -> None:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": (
                f"PLAINTEXT://127.0.0.1:{self._port},SASL_PLAINTEXT://127.0.0.1:{self._sasl},"
                f"CONTROLLER://127.0.0.1:{self._controller}"
            ),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port},SASL_PLAINTEXT://127.0.0.1:{self._sasl}",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
                f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{SASL_USER}="{SASL_PASSWORD}";'
            ),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
            "num.network.threads": "2",
            "num.io.threads": "2",
            "background.threads": "2",
            "log.cleaner.dedupe.buffer.size": "4194304",
        }
        (self._folder / "server.properties").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        (self._folder / "log4j2.properties").write_text(_LOG4J)
        done = subprocess.run(
            self._java(
                "kafka.tools.StorageTool",
                "format",
                "-t",
                "b25zYWxlLXRlc3RzLTAwMQ",
                "-c",
                str(self._folder / "server.properties"),
            ),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise RuntimeError(f"Kafka's storage was not made: {done.stdout}{done.stderr}")

    def _log_end(self) -> str:
        return (self._folder / "kafka.log").read_text(errors="replace")[-2000:]


@dataclass(frozen=True, slots=True)
class RunningKafka:
    """`broker` where it is ours to stop and start; `mock` when it is librdkafka's."""

    bootstrap_servers: str
    broker: Broker | None = None
    mock: bool = False

    def prepare(self, *topics: str) -> None:
        """The mock knows no call that makes topics; it makes those that it is asked about."""
        if self.mock:
            client = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
            for topic in topics:
                client.list_topics(topic, timeout=10)


@contextmanager
def kafka() -> Iterator[RunningKafka]:
    """A broker until the block ends."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield RunningKafka(given)
        return
    with tempfile.TemporaryDirectory(prefix="onsale-kafka-") as folder:
        try:
            broker = Broker(Path(folder))
        except BrokerUnavailable as error:
            warnings.warn(
                f"\n{'!' * 100}\nNO REAL KAFKA: {error}.\nThese tests ran on librdkafka's mock broker.\n{'!' * 100}",
                stacklevel=2,
            )
            mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
            brokers = mock.list_topics(timeout=10).brokers.values()
            yield RunningKafka(",".join(f"{each.host}:{each.port}" for each in brokers), mock=True)
            return
        broker.start()
        try:
            yield RunningKafka(broker.bootstrap_servers, broker)
        finally:
            broker.stop()

"""Dockerfile and docker-compose.yml say what is true of this repository; no Docker engine is needed to know."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from core.errors import StartupError
from core.notifications.composition import mail_warnings
from core.payments.registry import PROVIDERS
from core.settings import Settings, variable_name
from tests.debian_tools import ROOT, tool
from tests.kafka_broker import KAFKA_VERSION
from tests.waits import PATIENCE

SCHEMA = Path(__file__).parent.parent / "data" / "compose-spec.schema.json.gz"
OURS = ("web1", "web2", "worker", "provider")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_it_is_valid_by_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    validator = jsonschema.Draft202012Validator(schema)
    assert [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(compose)] == []
    broken = {**compose, "services": {**compose["services"], "web1": {"imgae": "x"}}}
    assert not validator.is_valid(broken)


def test_every_part_of_the_installation_is_there_and_watched(compose: dict[str, Any]) -> None:
    services = compose["services"]
    expected = {"balancer", *OURS, "postgres", "valkey", "kafka", "mail", "prometheus", "alertmanager", "grafana"}
    assert set(services) == expected
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name, service in services.items():
        assert "healthcheck" in service or (name in OURS and "HEALTHCHECK" in dockerfile), name
        assert service["restart"] == "unless-stopped"


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values()]
    images += re.findall(r"^FROM (\S+:\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for image in images:
        name, _, tag = image.rpartition(":")
        assert name, image
        assert re.search(r"\d+\.\d+", tag), image
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    uv = re.search(r"^version=(\S+)$", (ROOT / "scripts" / "uv.sh").read_text(), re.MULTILINE)
    assert uv
    assert f"ghcr.io/astral-sh/uv:{uv[1]}" in images


def test_every_container_drops_its_capabilities(compose: dict[str, Any]) -> None:
    """R10: others' as ours do; what begins as root keeps what it needs to give that up."""
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("cap_add", []) == {
            "postgres": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"],
            "valkey": ["DAC_OVERRIDE"],
        }.get(name, [])


def test_the_simulator_is_not_beside_a_real_provider(compose: dict[str, Any]) -> None:
    """No service is told of a simulator when the installation is told of a real provider."""
    asked = {name: compose["services"][name]["environment"]["ONSALE_PAYMENT"] for name in OURS}
    assert set(asked.values()) == {"${ONSALE_PAYMENT:-simulator}"}


def test_e_mails_can_be_sent_from_it(compose: dict[str, Any]) -> None:
    """R10: as it is they are caught, and that is no reason not to start; a real server wants a real sender."""
    example = dict(re.findall(r"^([A-Z_0-9]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))

    def mail_settings(name: str, **filled: str) -> Settings:
        known = {**example, "ONSALE_BASE_URL": "https://hall.test", **filled}
        given = compose["services"][name]["environment"]
        url, sender, base = (
            re.sub(r"\$\{([A-Z_]+)[^}]*\}", lambda found: known[found[1]], given[variable])
            for variable in ("SMTP_URL", "ONSALE_MAIL_FROM", "ONSALE_BASE_URL")
        )
        return Settings.load(smtp_url=url, base_url=base, **({"mail_from": sender} if sender else {}))

    for name in OURS:
        assert len(mail_warnings(mail_settings(name))) == 1, "the sender"
        real = {"SMTP_URL": "smtps://u:p@smtp.hall.test:465", "ONSALE_MAIL_FROM": "Hall <tickets@hall.test>"}
        assert not mail_warnings(mail_settings(name, **real))
        with pytest.raises(StartupError, match="ONSALE_MAIL_FROM"):
            mail_warnings(mail_settings(name, SMTP_URL=real["SMTP_URL"]))


def test_our_containers_have_no_privileges(compose: dict[str, Any]) -> None:
    for name in OURS:
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    last_stage = dockerfile[dockerfile.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last_stage, re.MULTILINE)
    assert "--no-dev" in dockerfile
    assert "--frozen" in dockerfile


def mounts(service: dict[str, Any]) -> Iterator[str]:
    for volume in service.get("volumes", ()):
        yield volume.split(":")[0]


def test_what_is_mounted_exists(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for source in mounts(service):
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
            else:
                assert source in compose["volumes"], f"{name}: {source}"
    used = {source for service in compose["services"].values() for source in mounts(service)}
    assert set(compose["volumes"]) <= used


def test_our_containers_are_given_settings_that_there_are(compose: dict[str, Any]) -> None:
    known = {variable_name(field) for field in Settings.model_fields}
    for name in OURS:
        given = set(compose["services"][name]["environment"])
        assert given <= known, f"{name}: {given - known}"
    in_image = set(re.findall(r"\b(ONSALE_[A-Z_]+|PORT)=", (ROOT / "Dockerfile").read_text()))
    assert in_image
    assert in_image <= known


def test_all_processes_share_the_stores_and_the_secrets(compose: dict[str, Any]) -> None:
    shared = ("DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS", "ONSALE_SECRET_KEY", "ONSALE_SIMULATOR_URL")
    for variable in shared:
        assert len({compose["services"][name]["environment"][variable] for name in OURS}) == 1


def test_every_variable_is_in_the_example_and_no_secret_has_a_value(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    wanted = set(re.findall(r"(?<!\$)\$\{([A-Z_0-9]+)", text))
    wanted |= {secret["environment"] for secret in compose["secrets"].values()}
    example = dict(re.findall(r"^([A-Z_0-9]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert wanted == set(example)
    for name in (
        "POSTGRES_PASSWORD",
        "VALKEY_PASSWORD",
        "ONSALE_SECRET_KEY",
        "ONSALE_OPERATOR_TOKEN",
        "SLACK_WEBHOOK_URL",
    ):
        assert example[name] == ""
        # A password that nobody has set stops the start; it is never an empty one.
        assert name == "SLACK_WEBHOOK_URL" or f"${{{name}:?" in text
    for name in (".env", "onsale.env"):
        assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT).returncode == 0


def test_every_payment_provider_can_be_paid_with(compose: dict[str, Any]) -> None:
    """P4: its keys come by a file; one that compose set besides, if only to nothing, would win."""
    for name in OURS:
        service = compose["services"][name]
        assert service["env_file"] == [{"path": "onsale.env", "required": False}]
        keys = {variable_name(field) for package in PROVIDERS.values() for field in package.needed}
        assert keys.isdisjoint(service["environment"])


def test_redis_refuses_rather_than_forgets(compose: dict[str, Any]) -> None:
    command = compose["services"]["valkey"]["command"][-1]
    assert "--maxmemory-policy noeviction" in command
    assert re.search(r"--maxmemory \d+mb", command)
    assert "--appendonly yes" in command


def test_only_the_balancer_is_reachable_from_outside(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            assert name == "balancer" or port.startswith("127.0.0.1:"), f"{name}: {port}"


def test_what_the_balancer_and_prometheus_ask_is_there(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    targets = [
        target.partition(":")
        for scrape in config["scrape_configs"]
        for each in scrape["static_configs"]
        for target in each["targets"]
    ]
    for host, _, port in targets:
        if host == "worker":
            assert compose["services"]["worker"]["environment"]["ONSALE_WORKER_PORT"] == port
        elif host != "localhost":
            assert (host in compose["services"], port) == (True, "8080")
    balancer = compose["services"]["balancer"]["environment"]
    used = set(re.findall(r'"\$\{(\w+)\}"', (ROOT / "deploy" / "haproxy.cfg").read_text()))
    assert used == set(balancer)
    secret = compose["services"]["alertmanager"]["secrets"][0]
    assert f"/run/secrets/{secret}" in (ROOT / "deploy" / "alertmanager.yml").read_text()


def test_haproxy_reads_its_file() -> None:
    places = {
        "ONSALE_LISTEN": ":8080",
        "ONSALE_STATUS": ":8405",
        "ONSALE_WEB1": "127.0.0.1:1",
        "ONSALE_WEB2": "[::1]:2",
        "ONSALE_PROVIDER": "127.0.0.1:3",
    }
    command = [tool("haproxy", "haproxy"), "-c", "-f", str(ROOT / "deploy" / "haproxy.cfg")]
    done = subprocess.run(command, env=places, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stderr


def test_grafana_finds_its_dashboard_and_its_figures(compose: dict[str, Any]) -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    (folder,) = yaml.safe_load((provisioning / "dashboards" / "onsale.yml").read_text())["providers"]
    assert any(
        volume.split(":")[1] == folder["options"]["path"] for volume in compose["services"]["grafana"]["volumes"]
    )
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "onsale.json").read_text())
    sources = {panel["datasource"]["uid"] for panel in dashboard["panels"] if panel["type"] != "row"}
    assert sources == {source["uid"]}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in dashboard["panels"]]
    assert len(set(places)) == len(places)


def test_the_pages_about_operating_name_files_and_settings_that_there_are() -> None:
    known = {variable_name(field) for field in Settings.model_fields}
    for name in ("scaling", "memory", "runbook"):
        text = (ROOT / "docs" / f"{name}.md").read_text()
        for path in re.findall(r"`((?:tests|deploy|core|docs|bench)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{name}: {path}"
        for path in re.findall(r"\]\(([\w./-]+)\)", text):
            assert (ROOT / "docs" / path).exists(), f"{name}: {path}"
        settings = set(re.findall(r"\bONSALE_[A-Z_]+[A-Z]\b|\bWORKERS\b|\b[A-Z]+_REPLICA_URL\b", text))
        assert settings <= known, f"{name}: {settings - known}"


def test_every_key_of_redis_is_in_its_table() -> None:
    """docs/memory.md: what `core/keys.py` can build has a bound and an end there."""
    text = (ROOT / "docs" / "memory.md").read_text()
    built = set(
        re.findall(
            r'"((?:ticket|state|board|lock|limit|breaker|fence)[a-z:]*)', (ROOT / "core" / "keys.py").read_text()
        )
    )
    assert len(built) > 15
    named = {name.rstrip(":") for name in re.findall(r"`([a-z:]+)", text)}
    for key in sorted(built - {"ticket"}):  # Kafka's topics
        name = key.rstrip(":")
        assert name in named or f":{name.rpartition(':')[2]}" in named, name

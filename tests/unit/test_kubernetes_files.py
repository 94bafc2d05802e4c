"""deploy/kubernetes: valid by Kubernetes' own schemas, true of this program, and replaced pod by pod."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cli.web_processes import STOP_SECONDS
from core.notifications.composition import mail_warnings
from core.settings import Settings, variable_name
from tests.debian_tools import ROOT
from web.app import ENDPOINTS

FOLDER = ROOT / "deploy" / "kubernetes"
#: The oldest that its makers still mend, and the newest with schemas here.
VERSIONS = ("1.33", "1.35")


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for document in yaml.safe_load_all(path.read_text()):
                yield f"{document['kind']} {document['metadata']['name']}", document


DOCUMENTS = dict(documents())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_object_is_valid(name: str, version: str) -> None:
    """Strictly: a member that Kubernetes does not know is a fault, not a comment."""
    kubernetes_validate.validate(DOCUMENTS[name], version, strict=True)
    broken = copy.deepcopy(DOCUMENTS[name])
    broken["metadata"]["lables"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


def test_every_file_is_applied() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert sorted(listed["resources"]) == sorted(
        path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml"
    )
    images = {image["name"]: image["newTag"] for image in listed["images"]}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert f"onsale:{images['onsale']}" == compose["services"]["web1"]["image"]
    assert {one["image"] for pod in pods().values() for one in pod["spec"]["containers"]} == set(images)


def pods() -> dict[str, Any]:
    return {name: one["spec"]["template"] for name, one in DOCUMENTS.items() if one["kind"] == "Deployment"}


def test_every_setting_is_one() -> None:
    known = {variable_name(field) for field in Settings.model_fields}
    given = set(DOCUMENTS["ConfigMap onsale"]["data"])
    given |= set(re.findall(r"^([A-Z_]+)=", (FOLDER / "secrets.env.example").read_text(), re.MULTILINE))
    containers = [container for pod in pods().values() for container in pod["spec"]["containers"]]
    given |= {one["name"] for container in containers for one in container.get("env", [])}
    assert len(given) > 10
    assert given <= known, given - known


def test_e_mails_can_be_sent_from_it() -> None:
    """R10: filled in, the mail server is a real one, and nothing starts with a sender or links that nobody has."""
    given = DOCUMENTS["ConfigMap onsale"]["data"]
    found = re.search(r"^SMTP_URL=(.+)$", (FOLDER / "secrets.env.example").read_text(), re.MULTILINE)
    assert found
    url = found[1].replace("HOST", "smtp.hall.test")
    sender = given["ONSALE_MAIL_FROM"]
    assert not mail_warnings(Settings.load(smtp_url=url, base_url=given["ONSALE_BASE_URL"], mail_from=sender))


def test_a_rolling_update_is_paced() -> None:
    """D5: a new pod comes before an old one goes; each old one has the time to say goodbye and to end what it began."""
    web = DOCUMENTS["Deployment web"]["spec"]
    assert web["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    goodbye = int(DOCUMENTS["ConfigMap onsale"]["data"]["ONSALE_GOODBYE_SECONDS"])
    (container,) = web["template"]["spec"]["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    # Two looks that fail, and then it hears no new call.
    ready = container["readinessProbe"]
    assert pause > ready["periodSeconds"] * ready["failureThreshold"]
    assert web["template"]["spec"]["terminationGracePeriodSeconds"] >= pause + goodbye + STOP_SECONDS
    # The browsers of one pod are in elsewhere before the next one goes.
    assert web["minReadySeconds"] > goodbye
    assert DOCUMENTS["PodDisruptionBudget web"]["spec"]["maxUnavailable"] == 1


def test_what_is_asked_of_a_pod_is_answered_there() -> None:
    paths = {endpoint.path for endpoint in ENDPOINTS} | {"/actuator/health/liveness"}
    for name, pod in pods().items():
        (container,) = pod["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            if kind in container:
                asked = container[kind]["httpGet"]
                assert asked["path"] in paths, name
                assert asked["port"] in ports
        assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["http"])


def test_objects_find_each_other() -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in pods().items()}
    for name, one in DOCUMENTS.items():
        selector = one["spec"].get("selector") if "spec" in one else None
        if selector is not None and name != "Service nobody":
            wanted = selector.get("matchLabels", selector)
            found = [pod for pod, has in labels.items() if wanted.items() <= has.items()]
            assert len(found) == 1, name
    services = {one["metadata"]["name"] for one in DOCUMENTS.values() if one["kind"] == "Service"}
    rules = DOCUMENTS["Ingress web"]["spec"]["rules"]
    ways = {way["path"]: way["backend"]["service"]["name"] for rule in rules for way in rule["http"]["paths"]}
    assert set(ways.values()) == services
    # As deploy/haproxy.cfg keeps from buyers what is ours.
    assert {path for path, service in ways.items() if service == "nobody"} == {"/metrics", "/actuator", "/paysim"}


def test_nothing_runs_as_root_or_writes_its_image() -> None:
    for name, pod in pods().items():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        uid = re.search(r"^USER (\d+):", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert uid
        assert pod["spec"]["securityContext"]["runAsUser"] == int(uid[1])
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/data"}

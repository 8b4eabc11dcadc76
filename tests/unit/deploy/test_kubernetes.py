"""The manifests are valid, hang together, and say of the services what the services say of themselves."""

import copy
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
import pytest
import yaml

from schemas.topics import ALERTS, INCIDENTS
from services.notify.wiring import loops as notify
from services.platform.bus.kafka_topics import PARTITIONS
from services.rules import bootstrap as rules
from tests.unit.deploy import keda_schema

DIRECTORY: Final = Path(__file__).parents[3] / "deploy" / "kubernetes"
SERVICES: Final = ("ingest", "rules", "notify")
AUTHORITIES: Final = ("TRUCEWATCH_WEBHOOK_CA_FILE", "TRUCEWATCH_SMTP_CA_FILE")

Manifest = dict[str, Any]
#: The keys and indices that lead to a field.
Where = tuple[str | int, ...]


@cache
def manifests() -> tuple[Manifest, ...]:
    files = sorted(DIRECTORY.glob("*.yaml"))
    return tuple(document for file in files for document in yaml.safe_load_all(file.read_text()))


def kinds(kind: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in manifests() if m["kind"] == kind}


@pytest.mark.parametrize("manifest", manifests(), ids=lambda m: f"{m['kind']}")
def test_it_is_valid(manifest: Manifest) -> None:
    if manifest["apiVersion"].startswith("keda.sh/"):
        keda_schema.validate(manifest)
    elif manifest["kind"] == "Kustomization":  # never reaches a cluster
        assert manifest["apiVersion"] == "kustomize.config.k8s.io/v1beta1"
    else:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def fields(value: Any, path: Where = ()) -> Iterator[Where]:
    """Where each field of a manifest is, however deep."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        if isinstance(key, str):
            yield (*path, key)
        yield from fields(below, (*path, key))


def changed(manifest: Manifest, path: Where, change: Callable[[Any, Any], None]) -> Manifest:
    """A copy in which ``change`` was applied to the field, given what holds it and its name."""
    made: Any = copy.deepcopy(manifest)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return made  # type: ignore[no-any-return]


def misspell(holder: Any, name: Any) -> None:
    holder[f"{name}s"] = holder.pop(name)


@pytest.mark.parametrize("name", ["rules", "notify"])
def test_a_scaled_object_with_any_field_misspelt_is_not_valid(name: str) -> None:
    manifest = kinds("ScaledObject")[name]
    found = list(fields(manifest))
    assert ("spec", "triggers", 0, "metadata", "lagThreshold") in found
    for path in found:
        with pytest.raises(jsonschema.ValidationError):
            keda_schema.validate(changed(manifest, path, misspell))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("apiVersion",), "keda.sh/v1"),
        (("spec", "maxReplicaCount"), "12"),
        (("spec", "triggers"), {}),
        (("spec", "triggers", 0, "type"), "kafak"),
        (("spec", "triggers", 0, "metadata", "lagThreshold"), 500),
        (("spec", "triggers", 0, "metadata", "offsetResetPolicy"), "oldest"),
    ],
)
def test_a_scaled_object_with_a_value_that_keda_does_not_take_is_not_valid(path: Where, value: Any) -> None:
    wrong = changed(kinds("ScaledObject")["notify"], path, lambda holder, name: holder.__setitem__(name, value))
    with pytest.raises(jsonschema.ValidationError):
        keda_schema.validate(wrong)


def test_kustomize_names_every_file() -> None:
    (kustomization,) = (m for m in manifests() if m["kind"] == "Kustomization")
    assert set(kustomization["resources"]) == {f.name for f in DIRECTORY.glob("*.yaml")} - {"kustomization.yaml"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_probed_cannot_be_root_and_may_be_disrupted_one_at_a_time(name: str) -> None:
    pod = kinds("Deployment")[name]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["args"][0] == name
    probes = {
        probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert probes == {"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
    budget = kinds("PodDisruptionBudget")[name]["spec"]
    assert budget["maxUnavailable"] == 1
    labels = pod["metadata"]["labels"]
    assert budget["selector"]["matchLabels"] == kinds("Service")[name]["spec"]["selector"] == labels


@pytest.mark.parametrize(
    ("name", "group", "topic"),
    [("rules", rules.GROUP, INCIDENTS.name), ("notify", notify.GROUP, ALERTS.name)],
)
def test_a_consumer_scales_on_the_lag_of_its_own_group(name: str, group: str, topic: str) -> None:
    spec = kinds("ScaledObject")[name]["spec"]
    (trigger,) = spec["triggers"]
    assert spec["scaleTargetRef"]["name"] in kinds("Deployment")
    assert (trigger["type"], trigger["metadata"]["consumerGroup"], trigger["metadata"]["topic"]) == (
        "kafka",
        group,
        topic,
    )
    assert trigger["metadata"]["bootstrapServers"] == kinds("ConfigMap")["trucewatch"]["data"]["TRUCEWATCH_KAFKA"]
    assert 2 <= spec["minReplicaCount"] < spec["maxReplicaCount"] <= PARTITIONS


def test_no_secret_is_in_the_manifests() -> None:
    assert kinds("Secret") == {}
    for name in SERVICES:
        (container,) = kinds("Deployment")[name]["spec"]["template"]["spec"]["containers"]
        # As files: what stands in the environment shows in crash reports and to whoever lists processes.
        assert not any("secretRef" in source for source in container["envFrom"])
        volumes = {v["name"]: v for v in kinds("Deployment")[name]["spec"]["template"]["spec"]["volumes"]}
        mounted = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}["secrets"]
        files = {f"{mounted}/{item['path']}" for item in volumes["secrets"]["secret"]["items"]}
        given = _settings(container)
        secrets = {name: value for name, value in given.items() if name.endswith("_FILE") and name not in AUTHORITIES}
        assert set(secrets.values()) == files
        assert (f"{mounted}/TRUCEWATCH_SECRET_KEY" in files) is (name in ("ingest", "notify"))


def test_those_that_reach_out_are_given_private_authorities_and_the_proxy() -> None:
    polls = {"TRUCEWATCH_WEBHOOK_CA_FILE", "TRUCEWATCH_WEBHOOK_PROXY"}
    wanted = {"ingest": polls, "rules": set(), "notify": {*polls, "TRUCEWATCH_SMTP_CA_FILE"}}
    for name in SERVICES:
        (container,) = kinds("Deployment")[name]["spec"]["template"]["spec"]["containers"]
        assert {*AUTHORITIES, "TRUCEWATCH_WEBHOOK_PROXY"} & _settings(container).keys() == wanted[name]
        volumes = {v["name"]: v for v in kinds("Deployment")[name]["spec"]["template"]["spec"]["volumes"]}
        assert ("certificates" in volumes) is bool(wanted[name])
        if wanted[name]:
            assert volumes["certificates"]["configMap"] == {"name": "trucewatch-certificates", "optional": True}


def _settings(container: Any) -> dict[str, str]:
    """The environment of the container."""
    maps = [source["configMapRef"]["name"] for source in container["envFrom"]]
    shared = {name: value for one in maps for name, value in kinds("ConfigMap")[one]["data"].items()}
    return shared | {entry["name"]: entry["value"] for entry in container.get("env", [])}

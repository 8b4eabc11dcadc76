"""The dashboard and the alert rules speak of metrics that we have, and of no others."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.core import Metric

from services.platform.metrics import make_metrics
from tests.parts.process import MissingPartError

MONITORING: Final = Path(__file__).parents[3] / "deploy" / "monitoring"
#: Made by Prometheus itself for each target.
BY_PROMETHEUS: Final = {"up": frozenset({"job", "instance"})}
#: Labels that Prometheus adds to everything that it scrapes.
TARGET_LABELS: Final = frozenset({"job", "instance", "le"})
FUNCTIONS: Final = frozenset(
    ("sum", "max", "min", "avg", "by", "rate", "increase", "deriv", "histogram_quantile", "and", "or", "unless", "on")
)
_NAME: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")


def exposed() -> dict[str, frozenset[str]]:
    """Each sample name that a process exposes, with the names of its labels."""
    metrics = make_metrics()
    metrics.consumer_lag.labels("any")
    families: list[Metric] = list(metrics.registry.collect())
    return {sample.name: frozenset(sample.labels) for family in families for sample in family.samples}


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def named(expression: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels that a PromQL expression names."""
    labels = {
        name for matchers in re.findall(r"\{([^}]*)\}", expression) for name in re.findall(r"(\w+)\s*[=!]", matchers)
    }
    labels |= {name.strip() for listed in re.findall(r"\bby\s*\(([^)]*)\)", expression) for name in listed.split(",")}
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\bby\s*\([^)]*\)", " ", expression)
    return set(_NAME.findall(bare)) - FUNCTIONS, labels


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_each_metric_and_label_that_is_named_exists(where: str, expression: str) -> None:
    known = {**exposed(), **BY_PROMETHEUS}
    metrics, labels = named(expression)
    assert metrics, where
    assert metrics <= known.keys(), where
    assert labels <= TARGET_LABELS.union(*(known[metric] for metric in metrics)), where


def test_each_of_our_own_metrics_is_on_the_dashboard() -> None:
    shown = set[str]().union(*(named(target["expr"])[0] for panel in panels() for target in panel["targets"]))
    ours = {name for name in exposed() if name.startswith("trucewatch_") and name.endswith(("_total", "_bucket"))}
    gauges = {
        name
        for name in exposed()
        if name.startswith("trucewatch_") and not re.search(r"_(total|bucket|count|sum|created)$", name)
    }
    assert ours | gauges <= shown


def test_each_alert_says_how_bad_it_is_and_where_to_look() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket", "info"}
        assert {"summary", "description"} <= rule["annotations"].keys()
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_prometheus_accepts_the_rules_and_they_fire_when_they_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        raise MissingPartError("promtool", "it checks the alert rules", "apt-get install prometheus")
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([promtool, *command], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

"""Images say what they are, in the labels of the OCI, and the compose file hands on what notify needs."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from services.platform.settings.config import read_settings

ROOT: Final = Path(__file__).parents[3]
TARGETS: Final = ("app", "kafka", "postgres", "gateway")
LABELS: Final = {"title", "description", "version", "licenses", "base.name", "revision"}


def stage(target: str) -> str:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    return next(part for part in text.split("\nFROM ") if part.split("\n")[0].endswith(f" AS {target}"))


def labels(target: str) -> dict[str, str]:
    return dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', stage(target)))


@pytest.mark.parametrize("target", TARGETS)
def test_each_image_is_labelled(target: str) -> None:
    assert labels(target).keys() == LABELS
    assert all(labels(target).values())


def test_the_app_has_the_version_and_the_description_of_the_project() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    app = labels("app")
    assert (app["version"], app["description"]) == (project["version"], project["description"])


def test_the_image_tags_of_the_compose_file_are_the_versions_of_the_labels() -> None:
    for name, service in compose()["services"].items():
        target = service["build"]["target"]
        assert service["image"] == f"localhost/trucewatch/{target}:{labels(target)['version']}", name


def test_compose_hands_authorities_and_the_proxy_to_those_that_reach_out_and_unset_ones_count_as_not_set() -> None:
    given = {
        name: service.get("environment", {})
        for name, service in compose()["services"].items()
        if "TRUCEWATCH_WEBHOOK_PROXY" in service.get("environment", {})
    }
    assert given.keys() == {"ingest", "notify"}
    assert "TRUCEWATCH_SMTP_CA_FILE" not in given["ingest"]
    empty = {name: "" for name, value in given["notify"].items() if value == f"${{{name}:-}}"}
    assert {"TRUCEWATCH_SMTP_CA_FILE", "TRUCEWATCH_WEBHOOK_CA_FILE", "TRUCEWATCH_WEBHOOK_PROXY"} <= empty.keys()
    settings = read_settings(empty, database_url="sqlite://", host="127.0.0.1", port=0)
    assert (settings.smtp_ca, settings.webhook_ca, settings.webhook_proxy) == (None, None, None)
    for name in given:
        assert "deploy/certificates" in compose()["services"][name]["volumes"][0]


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document

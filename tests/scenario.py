"""The worked example, as the tests post it."""

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

SCENARIO: Final = Path(__file__).parents[1] / "deploy" / "scenarios" / "syria_2016"
OPERATOR_KEY: Final = "tw_" + "k" * 43
SECRET_KEY: Final = "5e" * 32


def bearer(key: str = OPERATOR_KEY) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@cache
def _document() -> str:
    document = yaml.safe_load((SCENARIO / "registry.yaml").read_text())
    document["areas"] = json.loads((SCENARIO / document.pop("areas_file")).read_text())
    if places := document.pop("places_file", None):
        document["places"] = json.loads((SCENARIO / places).read_text())
    return json.dumps(document)


def registry_document() -> dict[str, Any]:
    """The bundled registry with its areas and places inlined, as it is PUT."""
    document: dict[str, Any] = json.loads(_document())
    return document


def reports() -> list[dict[str, Any]]:
    """The 24 bundled reports."""
    lines = (SCENARIO / "reports.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def expected() -> list[dict[str, str]]:
    """The expected verdicts, a row a report."""
    with (SCENARIO / "expected.csv").open() as file:
        return list(csv.DictReader(file))

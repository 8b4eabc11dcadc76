"""The page for operators names every setting and every metric that there is, and none that there is not."""

import re
from pathlib import Path
from typing import Final

from services.platform.metrics import make_metrics

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "operating.md").read_text()


def test_every_setting_is_told() -> None:
    sources = [*(ROOT / "services").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r"\"(TRUCEWATCH_[A-Z_]+)\"", source.read_text())}
    assert read == set(re.findall(r"TRUCEWATCH_[A-Z_]+", PAGE))


def test_other_documents_name_only_settings_that_there_are() -> None:
    files = [ROOT / "SECURITY.md", ROOT / "README.md", ROOT / "docker-compose.yml", ROOT / "deploy/compose.env.example"]
    files += (ROOT / "deploy" / "kubernetes").glob("*.yaml")
    told = set(re.findall(r"TRUCEWATCH_[A-Z_]+", PAGE))
    for file in files:
        named = set(re.findall(r"\bTRUCEWATCH_[A-Z_]*[A-Z]", file.read_text()))
        assert named - told - {f"{name}_FILE" for name in told} == set(), file


def test_every_metric_is_told() -> None:
    ours = {family.name for family in make_metrics().registry.collect() if family.name.startswith("trucewatch_")}
    told = {name.removesuffix("_total") for name in re.findall(r"`(trucewatch_\w+)", PAGE)}
    assert ours == told

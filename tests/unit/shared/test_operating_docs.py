"""The page for operators names every setting and every metric that there is, and none that there is not."""

import re
from pathlib import Path
from typing import Final

from services.shared.observability import make_metrics

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "operating.md").read_text()


def test_every_setting_is_told() -> None:
    sources = [*(ROOT / "services").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r"\"(TRUCEWATCH_[A-Z_]+)\"", source.read_text())}
    assert read == set(re.findall(r"TRUCEWATCH_[A-Z_]+", PAGE))


def test_every_metric_is_told() -> None:
    ours = {family.name for family in make_metrics().registry.collect() if family.name.startswith("trucewatch_")}
    told = {name.removesuffix("_total") for name in re.findall(r"`(trucewatch_\w+)", PAGE)}
    assert ours == told

"""The page for partners names every field of a report."""

import re
from pathlib import Path
from typing import Final

import msgspec

from schemas.report import Report, Source

PAGE: Final = (Path(__file__).parents[3] / "docs" / "partners.md").read_text()


def test_every_field_of_a_report_and_of_its_source_is_told() -> None:
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    told = set(re.findall(r"`(\w+)`", table))
    fields = {field.encode_name for kind in (Report, Source) for field in msgspec.structs.fields(kind)}
    assert fields - told == set()

"""Absolute imports are rewritten for the wheel, which has everything below one import name."""

import ast
from pathlib import Path

import pytest

from deploy.wheel.rewrite import FOLDERS, ROOTS, rewrite_imports

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from services.app import serve", "from trucewatch.services.app import serve"),
        ("from services import app", "from trucewatch.services import app"),
        ("    from schemas.report import (\n  Report,\n)", None),
        ("import schemas", "from trucewatch import schemas"),
        (
            "import services.rules.bootstrap",
            "from trucewatch import services; import trucewatch.services.rules.bootstrap",
        ),
        ("é = 1; from deploy.x import y", "é = 1; from trucewatch.deploy.x import y"),
        ("from .app import serve", "from .app import serve"),
        ("import asyncio, os", "import asyncio, os"),
        ("from services_of_others import x", "from services_of_others import x"),
        ('"""from services.app import serve"""', '"""from services.app import serve"""'),
    ],
)
def test_only_absolute_imports_of_ours_are_rewritten(before: str, after: str | None) -> None:
    if after is None:
        before = f"if True:\n{before}"
        after = before.replace("schemas", "trucewatch.schemas")
    assert rewrite_imports(before.encode(), "x.py").decode() == after


@pytest.mark.parametrize("line", ["import services.app as app", "import os, schemas"])
def test_an_import_that_cannot_be_rewritten_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(ValueError, match=r"x\.py:2"):
        rewrite_imports(f"\n{line}".encode(), "x.py")


def test_no_module_is_named_in_a_string_which_would_not_be_rewritten() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and _names_a_module(node.value)
    ]
    assert found == []


def _names_a_module(value: object) -> bool:
    if not isinstance(value, str) or value.split(".")[0] not in ROOTS or not value.replace(".", "").isidentifier():
        return False
    path = ROOT.joinpath(*value.split("."))
    return "." in value and (path.is_dir() or path.with_suffix(".py").is_file())

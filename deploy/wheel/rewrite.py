"""The package as it is installed: everything of ours below one import name, ``trucewatch``.

In the repository ``schemas``, ``services`` and ``deploy`` are top-level packages. Installed under such names they would
meet others of the same name, so the wheel has them as ``trucewatch.schemas`` and so on, with their absolute imports
rewritten.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "trucewatch"
ROOTS: Final = ("schemas", "services", "deploy")
#: The folders that the package has, and where in it; of ``deploy`` it needs no more than these.
FOLDERS: Final = {
    "deploy/wheel/trucewatch": ".",
    "schemas": "schemas",
    "services": "services",
    "deploy/migrations": "deploy/migrations",
    "deploy/scenarios": "deploy/scenarios",
}
_FROM: Final = re.compile(rb"from(\s+)(?=[a-z])")
_IMPORT: Final = re.compile(rb"import\s+([\w.]+)")


def write_package(root: Path, directory: Path) -> None:
    """Write the package as it is installed. Raises ValueError for an import that cannot be rewritten."""
    for source, target in _files(root, directory):
        target.parent.mkdir(parents=True, exist_ok=True)
        content = source.read_bytes()
        target.write_bytes(rewrite_imports(content, str(source)) if source.suffix == ".py" else content)


def _files(root: Path, directory: Path) -> Iterator[tuple[Path, Path]]:
    for folder, place in FOLDERS.items():
        for source in sorted((root / folder).rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                yield source, directory / place / source.relative_to(root / folder)


def rewrite_imports(content: bytes, name: str) -> bytes:
    """The module with its absolute imports of ours below ``trucewatch``; every line keeps its number."""
    lines = content.splitlines(keepends=True)
    for node in ast.walk(ast.parse(content, name)):
        if isinstance(node, ast.ImportFrom | ast.Import) and _is_ours(node, name):
            line, column = lines[node.lineno - 1], node.col_offset
            rewritten = _rewrite(line[column:], isinstance(node, ast.ImportFrom))
            lines[node.lineno - 1] = line[:column] + rewritten
    return b"".join(lines)


def _is_ours(node: ast.ImportFrom | ast.Import, name: str) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and (node.module or "").split(".")[0] in ROOTS
    ours = any(alias.name.split(".")[0] in ROOTS for alias in node.names)
    if ours and (len(node.names) > 1 or node.names[0].asname is not None):
        raise ValueError(f"{name}:{node.lineno}: write one import a line, and 'from … import … as …' for another name")
    return ours


def _rewrite(statement: bytes, is_from: bool) -> bytes:
    package = NAME.encode()
    if is_from:
        return _FROM.sub(rb"from\1" + package + b".", statement, count=1)
    return _IMPORT.sub(lambda found: _plain_import(package, found[1]), statement, count=1)


def _plain_import(package: bytes, module: bytes) -> bytes:
    """``import a.b`` loads the module and binds ``a``."""
    root, _, rest = module.partition(b".")
    bind = b"from " + package + b" import " + root
    return bind + b"; import " + package + b"." + module if rest else bind

"""``python -m services.openapi [--check]``: write the published documents to ``schemas/generated``, or see that they
are as the code has them."""

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click

import schemas
from services.openapi.document import build_document
from services.openapi.events import build_asyncapi, build_schemas
from services.openapi.gather import gather_operations, gather_readers

GENERATED: Final = Path(schemas.__file__).parent / "generated"


def build_files() -> dict[str, Any]:
    """Every generated document by its path below ``schemas/generated``."""
    number = version("trucewatch")
    files: dict[str, Any] = {
        "openapi.json": build_document(asyncio.run(gather_operations()), number),
        "asyncapi.json": build_asyncapi(number, asyncio.run(gather_readers())),
    }
    return files | {f"json-schema/{name}.json": schema for name, schema in build_schemas().items()}


def find_drift(texts: dict[str, str], directory: Path) -> list[str]:
    """The paths that differ, are missing, or should not be there."""
    there = {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*.json")}
    return sorted(path for path in texts.keys() | there.keys() if texts.get(path) != there.get(path))


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail where a document is not as the code has it.")
def main(check: bool) -> None:
    """Generate the OpenAPI, AsyncAPI and JSON Schema documents."""
    texts = {
        path: json.dumps(document, indent=1, ensure_ascii=False) + "\n" for path, document in build_files().items()
    }
    drift = find_drift(texts, GENERATED)
    if check:
        for path in drift:
            click.echo(f"schemas/generated/{path} is not as the code has it; run: python -m services.openapi", err=True)
        sys.exit(1 if drift else 0)
    for path in drift:
        file = GENERATED / path
        if path not in texts:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(texts[path])
    click.echo(f"{len(texts)} documents, {len(drift)} written")


if __name__ == "__main__":
    main()

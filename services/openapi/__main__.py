"""``python -m services.openapi [--check]``: write the published documents to ``schemas/generated``, and the generated
half of the client to ``services/client``, or see that they are as the code has them."""

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click

import schemas
from services.openapi.client_code import CLIENT, build_client
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


def find_drift(texts: dict[Path, str], directory: Path) -> list[Path]:
    """The files that differ, are missing, or should not be in ``directory``."""
    there = {path: path.read_text() for path in {*directory.rglob("*.json"), *texts} if path.exists()}
    return sorted(path for path in texts.keys() | there.keys() if texts.get(path) != there.get(path))


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail where a document is not as the code has it.")
def main(check: bool) -> None:
    """Generate the OpenAPI, AsyncAPI and JSON Schema documents, and what of the client follows from them."""
    files = build_files()
    texts = {
        GENERATED / path: json.dumps(document, indent=1, ensure_ascii=False) + "\n" for path, document in files.items()
    }
    texts |= {CLIENT / name: text for name, text in build_client(files["openapi.json"]).items()}
    drift = find_drift(texts, GENERATED)
    if check:
        for path in drift:
            shown = path.relative_to(GENERATED.parents[1])
            click.echo(f"{shown} is not as the code has it; run: python -m services.openapi", err=True)
        sys.exit(1 if drift else 0)
    for path in drift:
        if path not in texts:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path])
    click.echo(f"{len(texts)} documents, {len(drift)} written")


if __name__ == "__main__":
    main()

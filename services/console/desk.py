"""The desk: shell pages of one template, and the modules, styles, words and vendored parts that they load.

Every file stands under ``/console/<hash>/``, the hash being that of all files together, so that it never changes there;
``/console/<anything else>`` is the shell, in whose address the page and its filters stand.
"""

import asyncio
import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, get_args

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from starlette.responses import FileResponse, RedirectResponse, Response

from schemas.vocabulary import ACTS, CERTAINTIES, LANGUAGES, OUTCOMES, SEVERITIES, Claim, Language, Site
from schemas.wording.catalogue import read_catalogue
from schemas.wording.words import words
from services.platform.http.describe import describe
from services.platform.http.language import language_of
from services.platform.http.routes import make_router

#: Of the catalogue, what the desk says: the messages whose key begins so.
SPOKEN: Final = (
    "desk.", "verdict.", "certainty.", "severity.", "act.", "status.", "state.", "field.", "console.span.",
    "killed", "injured", "console.key", "console.truces", "console.open_end", "console.disputed",
)  # fmt: skip
TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
#: Names that modules import, and where each is.
IMPORTS: Final = {
    "preact": "vendor/preact.mjs",
    "preact/hooks": "vendor/hooks.mjs",
    "@preact/signals-core": "vendor/signals-core.mjs",
    "@preact/signals": "vendor/signals.mjs",
    "htm": "vendor/htm.mjs",
}
#: The published vocabulary, which modules import from ``vocabulary.js``.
VOCABULARY: Final = {
    "ACTS": ACTS,
    "CERTAINTIES": CERTAINTIES,
    "SEVERITIES": SEVERITIES,
    "VERDICTS": OUTCOMES,
    "CLAIMS": get_args(Claim),
    "SITES": get_args(Site),
}
BASEMAP: Final = "base/world.pmtiles"
PMTILES: Final = "application/vnd.pmtiles"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_NOT_COMPRESSED: Final = 256


@dataclass(frozen=True)
class DeskFile:
    """One file."""

    kind: str
    content: bytes

    @cached_property
    def packed(self) -> bytes:
        """The same by gzip, made when it is first asked for: a start does not wait for it."""
        return gzip.compress(self.content, 9, mtime=0)


def language_document(language: Language) -> dict[str, object]:
    """The texts of the desk in a language; those that count, by the plural category of CLDR."""
    catalogue, say = read_catalogue(language), words(language)
    spoken = {key: text for key, text in catalogue.phrases.items() if key.startswith(SPOKEN)}
    forms = {say.locale.plural_form(n): catalogue.plural(n) for n in range(200)}
    counted = {
        key: {category: texts[form] for category, form in forms.items()}
        for key, texts in catalogue.counted.items()
        if key.startswith(SPOKEN)
    }
    return {**spoken, **counted}


@cache
def read_files() -> dict[str, DeskFile]:
    """By name, every file that the desk loads."""
    home = files(__package__)
    found = dict(_walk(home.joinpath("desk"), ""))
    found |= {f"vendor/{name}": content for name, content in _walk(home.joinpath("vendor"), "")}
    found |= {f"words/{one}.json": _compact(language_document(one)) for one in LANGUAGES}
    found["vocabulary.js"] = "".join(
        f"export const {name} = {json.dumps(VOCABULARY[name])};\n" for name in VOCABULARY
    ).encode()
    return {name: DeskFile(TYPES[_ending(name)], content) for name, content in sorted(found.items())}


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2]}"


def _walk(folder: Traversable, start: str) -> list[tuple[str, bytes]]:
    found = list[tuple[str, bytes]]()
    for one in folder.iterdir():
        name = start + one.name
        if one.is_dir():
            found += _walk(one, f"{name}/")
        elif _ending(name) in TYPES:
            found.append((name, one.read_bytes()))
    return found


def _compact(document: dict[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def hash_files(contents: dict[str, DeskFile]) -> str:
    """One hash of all of them, names included."""
    digest = hashlib.sha256()
    for name, file in contents.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(file.content).digest())
    return digest.hexdigest()[:16]


class Shell:
    """The page around every page of the desk."""

    def __init__(self, version: str, region: str) -> None:
        #: Where the operator's own base of the map is; empty without one.
        self.region: Final = region
        self.base: Final = f"/console/{version}/"
        imports = {name: self.base + place for name, place in IMPORTS.items()}
        self._imports = json.dumps({"imports": imports}, separators=(",", ":"))
        digest = base64.b64encode(hashlib.sha256(self._imports.encode()).digest()).decode()
        #: Nothing from elsewhere; inline no more than the map of imports. The one policy of Trusted Types lets the
        #: worker of the map be loaded, and nothing else.
        self.policy: Final = (
            f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; img-src 'self' data: blob:; "
            "connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default"
        )

    @cached_property
    def _template(self) -> Template:
        environment = Environment(
            loader=PackageLoader(__package__), autoescape=True, trim_blocks=True, undefined=StrictUndefined
        )
        return environment.get_template("desk.html.j2")

    def render(self, language: Language, zone: str) -> str:
        """``zone`` is that of the registry."""
        return self._template.render(
            say=words(language),
            base=self.base,
            zone=zone,
            imports=Markup(self._imports),  # noqa: S704 - our own, and hashed above
            basemap=f"{self.base}{BASEMAP}",
            region=self.region,
            preload=[self.base + name for name in (*IMPORTS.values(), "main.js")],
        )


def hash_archive(archive: Path) -> str:
    """A hash of the size, the header and the root directory of PMTiles, which change with the tiles."""
    with archive.open("rb") as file:
        head = file.read(16_384)
    return hashlib.sha256(b"%d " % archive.stat().st_size + head).hexdigest()[:16]


def desk_router(region: Path | None = None) -> APIRouter:
    """The shells and the files. None needs a key: what is shown comes from the API, by the reader's own.

    ``region``: the operator's own base of the map.
    """
    router = make_router("operators")
    contents = read_files()
    version = hash_files(contents)
    _add_archive(router, f"/console/{version}/{BASEMAP}", Path(__file__).with_name("base") / "world.pmtiles")
    shell = Shell(version, "" if region is None else _add_region(router, region))

    async def show(request: Request) -> Response:
        zone = request.app.state.local_time.zone.key if hasattr(request.app.state, "local_time") else "UTC"
        headers = {
            "content-security-policy": shell.policy,
            "cache-control": "no-cache",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }
        return Response(shell.render(language_of(request), zone), headers=headers, media_type="text/html")

    @router.get("/")
    @describe("The desk is the first page", roles=None, published=False)
    async def home(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/console/{query}", 307)

    @router.get(f"/console/{version}/{{name:path}}")
    @describe("A file of the desk", roles=None, published=False)
    async def file(name: str, request: Request) -> Response:
        found = contents.get(name)
        if found is None:
            return Response(status_code=404)
        headers = {"cache-control": _IMMUTABLE, "vary": "accept-encoding", "x-content-type-options": "nosniff"}
        accepted = "gzip" in request.headers.get("accept-encoding", "")
        if accepted and len(found.content) > _NOT_COMPRESSED:
            headers["content-encoding"] = "gzip"
            return Response(found.packed, headers=headers, media_type=found.kind)
        return Response(found.content, headers=headers, media_type=found.kind)

    @router.get("/console/{page:path}")
    @describe("A page of the desk", roles=None, published=False, worded=True)
    async def page(page: str, request: Request) -> Response:
        # A file of another version: the page that wants it loads itself anew.
        if page.rpartition("/")[2].count("."):
            return Response(status_code=404)
        return await show(request)

    @router.get("/console")
    @describe("The desk, with the slash that its address ends with", roles=None, published=False)
    async def slashless(request: Request) -> Response:
        return RedirectResponse("/console/", 307)

    return router


def _add_region(router: APIRouter, region: Path) -> str:
    """Returns the address of the archive."""
    place = f"/console/region/{hash_archive(region)}.pmtiles"
    _add_archive(router, place, region)
    return place


def _add_archive(router: APIRouter, place: str, archive: Path) -> None:
    tag = f'"{hashlib.sha256(place.encode()).hexdigest()[:16]}"'

    @router.get(place)
    @describe("A base of the map, which is read in parts", roles=None, published=False)
    async def read() -> Response:
        if not await asyncio.to_thread(archive.is_file):
            return Response(status_code=404)
        # The same for every process that has the archive, whenever it was put there.
        headers = {"cache-control": f"{_IMMUTABLE}, no-transform", "etag": tag}
        return FileResponse(archive, headers=headers, media_type=PMTILES)

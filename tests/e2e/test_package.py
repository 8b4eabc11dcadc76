"""The wheel in an environment of its own, as somebody installs it: beside other packages, outside of the clone."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from packaging.utils import canonicalize_name

from tests.parts.installed import ROOT, Installed, build_wheel
from tests.parts.process import MissingPartError, Process, free_port
from tests.parts.service import answers
from tests.scenario import OPERATOR_KEY

pytestmark = pytest.mark.timeout(600)

IMPORT_ALL = """
import importlib, pkgutil, sys, trucewatch
def fail(name): raise
for module in pkgutil.walk_packages(trucewatch.__path__, "trucewatch.", fail):
    importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith("trucewatch.")]))
print([name for name in ("services", "schemas", "deploy") if name in sys.modules])
"""
USE_CLIENT = """
import sys, sysconfig
from pathlib import Path
import trucewatch_client
site = Path(sysconfig.get_path("purelib"))
print(*sorted(path.stem for path in site.iterdir() if path.suffix in ("", ".py") and path.name != "__pycache__"))
patience = trucewatch_client.Patience(first_s=0)
try:
    with trucewatch_client.Client("http://127.0.0.1:9", "tw_key", patience=patience) as client:
        client.post_report({"external_id": "x"})
except trucewatch_client.UnreachableError as error:
    print("nobody, asked 3 times" if "asked 3 times" in str(error) else error)
"""
FOREIGN = "raise AssertionError('a package of others was imported')\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    """Without any extra."""
    return Installed(tmp_path_factory.mktemp("bare"), wheel)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    """With every extra."""
    return Installed(tmp_path_factory.mktemp("full"), wheel, ["kafka", "postgres", "otel", "demo"])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The client alone."""
    wheel = build_wheel(tmp_path_factory.mktemp("client-wheel"), ROOT / "deploy" / "client")
    return Installed(tmp_path_factory.mktemp("client"), wheel)


def test_the_client_needs_httpx_and_nothing_of_the_server(client: Installed, wheel: Path) -> None:
    told = client.run("python", "-c", USE_CLIENT)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [
        "anyio certifi h11 httpcore httpx idna trucewatch_client typing_extensions",
        "nobody, asked 3 times",
    ]
    assert (client.site / "trucewatch_client" / "py.typed").exists()
    assert client.wheel.name.split("-")[1] == wheel.name.split("-")[1]


def test_nothing_but_the_one_package_is_installed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names}
    assert {name for name in folders if not name.endswith(".dist-info")} == {"trucewatch"}
    assert {"trucewatch/py.typed", "trucewatch/deploy/migrations/env.py"} <= set(names)
    assert [name for name in names if "__pycache__" in name] == []


def test_every_module_can_be_imported_beside_foreign_packages_of_our_names(full: Installed) -> None:
    for name in ("services", "schemas", "deploy"):
        (full.site / name).mkdir()
        (full.site / name / "__init__.py").write_text(FOREIGN)
    told = full.run("python", "-c", IMPORT_ALL)
    assert told.returncode == 0, told.stderr
    count, ours = told.stdout.splitlines()
    assert int(count) > 150
    assert ours == "[]"


def test_the_demo_runs_outside_of_the_clone_with_its_one_extra(tmp_path: Path, wheel: Path) -> None:
    told = Installed(tmp_path / "demo", wheel, ["demo"]).run(
        "trucewatch", "demo", "--exit", "--pace", "0", "--port", "0"
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert "every one that was due" in told.stdout


def test_everything_in_one_process_needs_no_extra_and_has_its_pages(bare: Installed) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    running = Process(
        name="serve",
        command=[str(bare.directory / "bin" / "trucewatch"), "serve", "--data", "data", "--port", str(port)],
        log=bare.directory / "serve.log",
        ready=lambda: answers(f"{url}/readyz"),
        env={"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "PYTHONPATH": ""},
        cwd=bare.directory,
    )
    with (
        running,
        httpx.Client(base_url=url, headers={"accept": "text/html"}, timeout=30, follow_redirects=True) as client,
    ):
        paths = ("/", "/docs", "/openapi.json", "/console/live.js", "/v1/confirm?token=none")
        pages = {path: client.get(path).status_code for path in paths}
    assert pages == dict.fromkeys(paths[:-1], 200) | {paths[-1]: 404}


@pytest.mark.parametrize(
    ("command", "env", "extra"),
    [
        (["demo"], {}, "demo"),
        (["ingest"], {"TRUCEWATCH_DATABASE_URL": "postgresql://db/trucewatch"}, "postgres"),
        (["serve", "--data", "data"], {"TRUCEWATCH_KAFKA": "kafka:9092"}, "kafka"),
        (["serve", "--data", "data"], {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "otel"),
    ],
)
def test_a_missing_extra_is_one_sentence_with_the_command_that_installs_it(
    bare: Installed, command: list[str], env: dict[str, str], extra: str
) -> None:
    told = bare.run("trucewatch", *command, env=env)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("Error: ")
    assert told.stderr.endswith(f'needs the extra "{extra}": pip install "trucewatch[{extra}]"\n')
    assert told.stderr.count("\n") == 1


def test_the_bill_of_materials_has_what_is_installed_and_all_of_it_is_locked(full: Installed) -> None:
    tool = Path(sys.executable).with_name("cyclonedx-py")
    if not tool.exists():
        raise MissingPartError("CycloneDX", "make sbom runs it", "make setup-dev")
    command = [str(tool), "environment", "--pyproject", str(ROOT / "pyproject.toml"), str(full.directory)]
    bill = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    names = {canonicalize_name(component["name"]) for component in bill["components"]}
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text()))
    assert bill["metadata"]["component"]["name"] == "trucewatch"
    assert {"aiokafka", "psycopg", "fastapi"} <= names
    assert names <= locked

"""The pages about other systems, followed word by word, each on a local imitation of that system's API."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import worked_example
from tests.e2e.test_pages import DOCS, commands, follow
from tests.parts.data_server import ACLED, ACLED_DELETED, UCDP, DataServer
from tests.parts.form_server import KOBO, ODK, USHAHIDI, FormServer
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY
from tests.unit.connectors.form_samples import USHAHIDI_BODY, kobo_submission, odk_entry
from tests.unit.connectors.reading import sample

PATROLS = "No;When;What;Place;Who;Dead;Reporter\nP-0017;2016-05-08;pilonnage;Ariha;armée syrienne;2;Amina\n"
#: The hosts of other systems as the pages have them.
HOSTS = r"https://(?:acleddata\.com|ucdpapi\.pcr\.uu\.se|kf\.kobotoolbox\.org|demo\.ushahidi\.example|[a-z]+\.example\.org)/"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("sources")
    with worked_example(directory, TRUCEWATCH_WEBHOOK_ALLOW="127.0.0.0/8") as running:
        yield running


@pytest.fixture
def data() -> Iterator[DataServer]:
    with DataServer(closed=True) as server:
        server.has(ACLED, json.loads(sample("acled_api_page.json"))["data"])
        server.has(ACLED_DELETED, [{"event_id_cnty": "SYR900002", "deleted_timestamp": 1700009999}])
        server.has(UCDP, json.loads(sample("ucdp_api_page.json"))["Result"])
        server.files = {"/incidents.csv": sample("hxl_incidents.csv"), "/patrols.csv": PATROLS.encode()}
        yield server


@pytest.fixture
def forms() -> Iterator[FormServer]:
    with FormServer() as server:
        server.has(KOBO, kobo_submission())
        server.has(ODK, odk_entry(1))
        server.has(USHAHIDI, json.loads(USHAHIDI_BODY))
        yield server


def follow_at(page: str, url: Callable[[str], str], service: Service, directory: Path) -> None:
    script = commands(f"sources/{page}.md")
    moved, count = re.subn(HOSTS, url("/"), script)
    assert count
    follow(moved, directory, service, OPERATOR_KEY)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", ["acled", "ucdp", "hxl", "tables"])
def test_every_command_works_on_data_of_analysts(page: str, data: DataServer, service: Service, tmp_path: Path) -> None:
    follow_at(page, data.url, service, tmp_path)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", ["kobo", "odk", "ushahidi"])
def test_every_command_works_on_a_server_of_forms(
    page: str, forms: FormServer, service: Service, tmp_path: Path
) -> None:
    follow_at(page, forms.url, service, tmp_path)


def test_every_page_about_a_source_is_followed_and_linked() -> None:
    """That about Kafka: tests/e2e/cluster/test_partner_topic.py."""
    pages = {page.stem for page in (DOCS / "sources").glob("*.md")}
    assert pages == {"acled", "ucdp", "hxl", "tables", "kobo", "odk", "ushahidi", "kafka"}
    listed = (DOCS / "connectors.md").read_text()
    assert [page for page in sorted(pages) if f"(sources/{page}.md)" not in listed] == []

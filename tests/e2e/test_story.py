"""The told story as a process runs it: see :mod:`tests.story`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.parts.cluster import Cluster, eventually
from tests.parts.mail import Mailbox
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer
from tests.story import CALM, READER, STORY, SUBSCRIPTION, opening_registry, tell_mail, tell_verdicts, tell_windows

WITHIN_S = 120.0
Form = Callable[[Path, dict[str, str]], AbstractContextManager[httpx.Client]]


@contextmanager
def one_process(directory: Path, env: dict[str, str]) -> Iterator[httpx.Client]:
    """Everything in one process on embedded storage, as a client sees it."""
    environ = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, **env}
    with (
        Service("serve", ["serve", "--data", str(directory / "data")], directory, environ) as service,
        httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client,
    ):
        yield client


@contextmanager
def apart(directory: Path, env: dict[str, str]) -> Iterator[httpx.Client]:
    """The services apart, on Kafka and PostgreSQL, as a client sees them behind the gateway."""
    with Cluster(directory, env=env) as cluster, cluster.client(timeout_s=60) as client:
        yield client


@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", [one_process, apart])
def test_aleppo_as_it_was_announced(tmp_path: Path, smtp: Mailbox, form: Form) -> None:
    with form(tmp_path, {"TRUCEWATCH_SMTP_URL": smtp.url}) as client:
        client.put("/v1/registry", json=opening_registry()).raise_for_status()
        client.post("/v1/subscriptions", json=SUBSCRIPTION).raise_for_status()
        incidents, mails = dict[str, str](), list[tuple[str, str]]()
        for step in STORY:
            if step.report is not None:
                posted = client.post("/v1/incidents", json=step.report).raise_for_status()
                incidents[step.report["external_id"]] = posted.json()["incident_id"]
            if step.announcement is not None:
                path = f"/v1/truces/{CALM}/announcements"
                client.post(path, json=step.announcement).raise_for_status()
            mails += step.mails

            def found() -> Any:
                return verdicts(client, incidents), mailed(smtp)

            wanted = (step.verdicts, mails)
            eventually(lambda wanted=wanted: found() == wanted, WITHIN_S, lambda told=step.told: (told, found()))  # type: ignore[misc]
            if step.windows is not None:
                windows = client.get(f"/v1/truces/{CALM}/windows").raise_for_status()
                assert tell_windows(windows.json()) == step.windows, step.told


def mailed(smtp: Mailbox) -> list[tuple[str, str]]:
    return [tell_mail(letter.message["Subject"]) for letter in smtp.letters(READER)]


def verdicts(client: httpx.Client, incidents: dict[str, str]) -> dict[str, str]:
    """Those that are judged."""
    found = {}
    for id, incident in incidents.items():
        answer = client.get(f"/v1/incidents/{incident}/assessments", params={"limit": 1}).raise_for_status().json()
        if answer["items"]:
            found[id] = answer["items"][0]
    return tell_verdicts(found)

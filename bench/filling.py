"""Reports put into a running service before something is measured."""

import json
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import httpx

#: Looks in a row at which nothing waits for anybody.
_LOOKS: Final = 3


def post_batch(client: httpx.Client, reports: Sequence[Any]) -> None:
    """As a partner does: again, when it is asked to come later. Raises httpx.HTTPStatusError."""
    body = json.dumps(reports)
    while (answer := client.post("/v1/incidents/batch", content=body)).status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        time.sleep(float(answer.headers["retry-after"]))
    answer.raise_for_status()


def until_quiet(client: httpx.Client) -> None:
    """Until nothing has waited for rules, for notify or for an endpoint at several looks in a row."""
    quiet = 0
    while quiet < _LOOKS:
        status = client.get("/status").json()
        waiting = any(status["components"][name].get("lag", 1) for name in ("rules", "notify"))
        quiet = 0 if waiting or status["deliveries"]["backlog"] else quiet + 1
        time.sleep(1.0)

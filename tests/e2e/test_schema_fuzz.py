"""Every operation of every service, asked with each role by schemathesis as its schema allows and as it does not.

No answer is a server error; every status is documented for its operation; what is answered is as documented. The time
is bounded: so many examples for each operation and role.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.openapi.__main__ import GENERATED
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, reports
from tests.unit.rules.registry_samples import announcement, document, truce

ROLES: Final = ("nobody", "partner", "monitor", "operator")
CHECKS: Final = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
#: Requests made up for each operation in each mode; each is sent with every role.
EXAMPLES: Final = 3
#: After so long no further requests are made up: the whole of it takes at most two minutes.
BUDGET_S: Final = 100.0
#: It never ends: `tests/e2e/test_stream.py` listens to it.
ENDLESS: Final = "/v1/alerts/stream"

SCHEMA: Final = schemathesis.openapi.from_path(str(GENERATED / "openapi.json"))
OPERATIONS: Final = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok))
    if operation.path != ENDLESS
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("fuzz")
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY, "TRUCEWATCH_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with Service("serve", ["serve", "--data", str(directory / "data")], directory, env) as running:
        yield running


@pytest.fixture(scope="module")
def keys(service: Service) -> dict[str, dict[str, str]]:
    """The headers of each role, on a system with a truce and some reports in it."""
    with httpx.Client(base_url=service.url, headers=bearer(), timeout=60) as client:
        said = announcement("declared", "declare", "01 00", starts_at="2016-05-01")
        client.put("/v1/registry", json=document(truces=[truce("calm", said)])).raise_for_status()
        client.post("/v1/incidents/batch", json=reports()).raise_for_status()
        made: dict[str, dict[str, str]] = {"nobody": {}}
        for role in ROLES[1:]:
            answer = client.post("/v1/keys", json={"name": f"fuzz-{role}", "role": role})
            made[role] = bearer(answer.raise_for_status().json()["key"])
    return made


@pytest.fixture(scope="module")
def clock(keys: dict[str, dict[str, str]]) -> float:
    """When the system was ready to be asked."""
    return time.monotonic()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_is_documented(name: str, service: Service, keys: dict[str, dict[str, str]], clock: float) -> None:
    if time.monotonic() - clock > BUDGET_S:
        pytest.skip("the time for this is up")
    operation = OPERATIONS[name]
    modes = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE)]
    with contextlib.suppress(Exception):
        modes.append(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

    @given(case=st.one_of(modes))
    @settings(
        max_examples=EXAMPLES * len(modes), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    def ask(case: Any) -> None:
        for role in ROLES:
            answer = case.call(base_url=service.url, headers=keys[role], timeout=30)
            case.validate_response(answer, checks=CHECKS)

    ask()

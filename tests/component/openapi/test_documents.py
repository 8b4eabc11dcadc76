"""The published documents are valid, complete, and as the code has them."""

import asyncio
import json
from typing import Any, Final

import jsonschema
import msgspec
import pytest
from fastapi import APIRouter
from openapi_spec_validator import validate

from schemas.examples import ASSESSMENT, REPORT
from schemas.topics import DEAD_SUFFIX, TOPICS
from services.openapi.__main__ import GENERATED, find_drift
from services.openapi.document import build_document
from services.openapi.events import build_asyncapi, build_schemas
from services.openapi.examples import ANSWERS, BODIES
from services.openapi.gather import gather_operations, gather_readers
from services.openapi.operations import Operation, find_operations
from services.platform.http.describe import UndescribedError, describe
from services.platform.http.routes import make_router

VERSION: Final = "0.1.0"
READERS: Final = asyncio.run(gather_readers())


@pytest.fixture(scope="module")
def operations() -> list[Operation]:
    return asyncio.run(gather_operations())


@pytest.fixture(scope="module")
def document(operations: list[Operation]) -> dict[str, Any]:
    return build_document(operations, VERSION)


def every_operation(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{m} {path}", op) for path, item in document["paths"].items() for m, op in item.items()]


def every_content(operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    holders = [operation.get("requestBody", {}), *operation["responses"].values()]
    return [pair for holder in holders for pair in holder.get("content", {}).items()]


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_it_holds_what_the_contract_names(document: dict[str, Any]) -> None:
    assert {"/v1/incidents", "/v1/incidents/batch", "/v1/registry", "/v1/truces", "/v1/evaluate", "/v1/assessments",
            "/v1/subscriptions", "/v1/alerts", "/v1/keys", "/v1/audit", "/v1/dead-letters", "/status", "/livez",
            "/readyz", "/metrics"} <= document["paths"].keys()  # fmt: skip


def test_every_operation_carries_an_example(document: dict[str, Any]) -> None:
    bare = [
        name
        for name, operation in every_operation(document)
        if not any("example" in content for _, content in every_content(operation))
        and not any("example" in parameter for parameter in operation["parameters"])
    ]
    assert bare == []


def test_every_json_body_carries_an_example(document: dict[str, Any]) -> None:
    bare = [
        name
        for name, operation in every_operation(document)
        if "requestBody" in operation
        and not any("example" in content for content in operation["requestBody"]["content"].values())
    ]
    assert bare == []


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    for name, operation in every_operation(document):
        for kind, content in every_content(operation):
            if "example" in content and kind.endswith("json"):
                schema = {**content["schema"], "components": document["components"]}
                try:
                    jsonschema.validate(content["example"], schema, cls=jsonschema.Draft202012Validator)
                except jsonschema.ValidationError as error:
                    pytest.fail(f"{name}: {error.message} at {error.json_path}")


def test_every_status_is_documented_one_by_one(document: dict[str, Any]) -> None:
    for name, operation in every_operation(document):
        statuses = operation["responses"]
        assert all(status.isdigit() for status in statuses), name
        assert {"400", "500", "503"} <= statuses.keys(), name
        assert ("401" in statuses) == (operation.get("security") != []), name
        assert ("404" in statuses) >= ("{" in name), name
        for said in statuses.values():
            if "$ref" in said:
                assert said["$ref"].rsplit("/", 1)[-1] in document["components"]["responses"], name


def test_operation_ids_are_unique(operations: list[Operation]) -> None:
    names = [operation.name for operation in operations]
    assert len(set(names)) == len(names)


def test_only_probes_status_and_links_in_mails_need_no_key(document: dict[str, Any]) -> None:
    open_to_all = {
        name.split(" ")[1] for name, operation in every_operation(document) if operation.get("security") == []
    }
    assert {"/livez", "/readyz", "/metrics", "/status"} <= open_to_all
    assert not {path for path in open_to_all if path.startswith(("/v1/incidents", "/v1/keys", "/v1/registry"))}


def test_a_route_without_a_description_is_no_silent_gap() -> None:
    router, inner = APIRouter(), APIRouter()

    @inner.get("/v1/forgotten")
    async def forgotten() -> None: ...

    router.include_router(inner)
    with pytest.raises(UndescribedError, match="/v1/forgotten"):
        find_operations([router])


def test_path_convertors_are_not_published() -> None:
    router = make_router()

    @router.get("/v1/areas/{id:path}")
    @describe("One", answers={200: None})
    async def one() -> None: ...

    [operation] = find_operations([router])
    assert (operation.path, operation.name) == ("/v1/areas/{id}", "get_areas_by_id")


def test_each_event_has_a_schema_of_its_own() -> None:
    schemas = build_schemas()
    assert {topic.payload.__name__ for topic in TOPICS.values()} | {"Report", "Assessment", "Alert", "Document"} == set(
        schemas
    )
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("name", "example"), [("Report", REPORT), ("Assessment", ASSESSMENT)])
def test_the_examples_fit_the_schemas(name: str, example: Any) -> None:
    jsonschema.validate(example, build_schemas()[name], cls=jsonschema.Draft202012Validator)


def test_the_readers_in_the_asyncapi_document_are_those_that_are_wired() -> None:
    asyncapi = build_asyncapi(VERSION, READERS)
    received = {name for name, operation in asyncapi["operations"].items() if operation["action"] == "receive"}
    assert received == {
        "rulesReceivesIncidents", "ingestReceivesIncidentsDead", "ingestReceivesAssessments",
        "rulesReceivesAssessments", "notifyReceivesAssessments", "ingestReceivesRegistry", "rulesReceivesRegistry",
        "notifyReceivesRegistry", "notifyReceivesAlerts", "notifyReceivesWindows", "notifyReceivesReassessments",
        "ingestReceivesInbound", "ingestReceivesKeys", "rulesReceivesKeys", "notifyReceivesKeys", "ingestReceivesAudit",
        "ingestReceivesServiceStatus", "rulesReceivesServiceStatus", "notifyReceivesServiceStatus",
    }  # fmt: skip


def test_every_topic_and_its_dead_one_are_in_the_asyncapi_document() -> None:
    asyncapi = build_asyncapi(VERSION, READERS)
    addresses = {channel["address"] for channel in asyncapi["channels"].values()}
    assert addresses == {name + suffix for name in TOPICS for suffix in ("", DEAD_SUFFIX)}
    for operation in asyncapi["operations"].values():
        assert operation["channel"]["$ref"].split("/")[-1] in asyncapi["channels"]


def test_documents_are_plain_json() -> None:
    for document in (build_asyncapi(VERSION, READERS), build_schemas()):
        assert json.loads(json.dumps(document)) == msgspec.json.decode(msgspec.json.encode(document))


def test_what_is_checked_in_is_what_the_code_has(document: dict[str, Any]) -> None:
    published = json.loads((GENERATED / "openapi.json").read_text())
    assert published["paths"].keys() == document["paths"].keys(), "run: python -m services.openapi"


def test_drift_is_found(tmp_path: Any) -> None:
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "same.json").write_text("1")
    texts = {tmp_path / "new.json": "{}", tmp_path / "same.json": "1"}
    assert find_drift(texts, tmp_path) == [tmp_path / "new.json", tmp_path / "old.json"]


def test_no_example_outlives_its_operation(operations: list[Operation]) -> None:
    known = {(operation.method, operation.path) for operation in operations}
    assert (ANSWERS.keys() | BODIES.keys()) <= known

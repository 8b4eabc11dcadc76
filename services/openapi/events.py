"""The events of the log, described: a JSON Schema each, and one AsyncAPI 3 document for all topics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.assessments import Alert, Assessment
from schemas.envelope import CONTENT_TYPE, SPEC_VERSION
from schemas.registry import Document
from schemas.report import Report
from schemas.topics import DEAD_SUFFIX, TOPICS, Topic
from services.openapi.document import plain

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: Documents published beside the events themselves.
DOCUMENTS: Final[tuple[type[msgspec.Struct], ...]] = (Report, Assessment, Alert, Document)
SERVICES: Final = ("ingest", "rules", "notify")
#: Readers of a topic, or of the ``.dead`` one beside it: services by the topic's name.
Readers = Mapping[str, Sequence[str]]
_REF: Final = "#/components/schemas/{name}"


def build_schemas() -> dict[str, dict[str, Any]]:
    """A JSON Schema that stands alone, by the name of its type."""
    types: dict[str, type[msgspec.Struct]] = {
        m.__name__: m for m in (*DOCUMENTS, *(topic.payload for topic in TOPICS.values()))
    }
    return {
        name: plain({"$schema": DIALECT, "title": name, **msgspec.json.schema(model)}) for name, model in types.items()
    }


def build_asyncapi(version: str, readers: Readers) -> dict[str, Any]:
    """The AsyncAPI 3 document: every topic, the ``.dead`` one beside it, and who sends and receives."""
    topics = list(TOPICS.values())
    payloads, components = msgspec.json.schema_components([topic.payload for topic in topics], ref_template=_REF)
    schemas = dict(zip((topic.name for topic in topics), payloads, strict=True))
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Trucewatch events",
            "version": version,
            "description": "CloudEvents 1.0 in binary mode on Kafka: attributes are headers, the value is the data.",
            "license": {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": _merge(_channels(topic) for topic in topics),
        "operations": _merge(_operations(topic, readers) for topic in topics),
        "components": {
            "messages": {_id(topic): _message(topic, schemas[topic.name]) for topic in topics},
            "messageTraits": {"cloudevent": _trait()},
            "schemas": components,
        },
    }
    return plain(document)


def _id(topic: Topic) -> str:
    """``service-status`` as ``serviceStatus``: AsyncAPI's keys are names."""
    first, *rest = topic.name.split("-")
    return first + "".join(part.capitalize() for part in rest)


def _channels(topic: Topic) -> dict[str, Any]:
    kept = "for ever, the last of each key" if topic.compacted else f"for {topic.retention_h} hours"
    own = {
        "address": topic.name,
        "description": f"{topic.payload.__name__}, keyed by {topic.key}; kept {kept}.",
        "messages": {_id(topic): {"$ref": f"#/components/messages/{_id(topic)}"}},
        "bindings": {
            "kafka": {"topic": topic.name, "topicConfiguration": _configuration(topic), "bindingVersion": "0.5.0"}
        },
    }
    dead = {
        "address": topic.name + DEAD_SUFFIX,
        "description": f"What a consumer of {topic.name} gave up on, with the reason among the headers.",
        "messages": {_id(topic): {"$ref": f"#/components/messages/{_id(topic)}"}},
    }
    return {_id(topic): own, f"{_id(topic)}Dead": dead}


def _configuration(topic: Topic) -> dict[str, Any]:
    if topic.compacted:
        return {"cleanup.policy": ["compact"]}
    return {"cleanup.policy": ["delete"], "retention.ms": topic.retention_h * 3_600_000}


def _operations(topic: Topic, readers: Readers) -> dict[str, Any]:
    senders = SERVICES if topic.owner == "every" else (topic.owner,)
    sent = {f"{one}Sends{_cap(topic)}": _operation(topic, "send", f"{one} publishes") for one in senders}
    received = {
        f"{one}Receives{_cap(topic)}{dead}": _operation(topic, "receive", f"{one} follows", dead)
        for dead, suffix in (("", ""), ("Dead", DEAD_SUFFIX))
        for one in readers.get(topic.name + suffix, ())
    }
    return sent | received


def _operation(topic: Topic, action: str, who: str, dead: str = "") -> dict[str, Any]:
    channel = f"#/channels/{_id(topic)}{dead}"
    return {
        "action": action,
        "summary": f"{who} {topic.name}{DEAD_SUFFIX if dead else ''}.",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_id(topic)}"}],
    }


def _cap(topic: Topic) -> str:
    name = _id(topic)
    return name[0].upper() + name[1:]


def _message(topic: Topic, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": topic.payload.__name__,
        "title": topic.type,
        "summary": _first_line(topic.payload),
        "contentType": CONTENT_TYPE,
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
    }


def _first_line(model: type[msgspec.Struct]) -> str:
    return (model.__doc__ or model.__name__).strip().splitlines()[0]


def _trait() -> dict[str, Any]:
    """The headers of every message."""
    text = {"type": "string"}
    return {
        "headers": {
            "type": "object",
            "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "content-type"],
            "properties": {
                "ce_specversion": {"type": "string", "const": SPEC_VERSION},
                "ce_id": {**text, "description": "A function of the fact: a repetition has the same id."},
                "ce_source": {**text, "description": "The service that says so.", "examples": ["/trucewatch/rules"]},
                "ce_type": {**text, "examples": ["trucewatch.incident.reported"]},
                "ce_time": {"type": "string", "format": "date-time"},
                "ce_subject": {**text, "description": "The key of the record."},
                "traceparent": {**text, "description": "W3C Trace Context, where the report came with one."},
                "content-type": {"type": "string", "const": CONTENT_TYPE},
                "ce_reason": {**text, "description": "On .dead topics: why the event was given up."},
            },
        }
    }


def _merge(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        merged |= part
    return merged

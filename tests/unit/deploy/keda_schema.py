"""KEDA's own kind, checked as a cluster would that refuses unknown fields, and its Kafka trigger as KEDA reads it."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

BUNDLED: Final = Path(__file__).parent / "keda"

Json = dict[str, Any]


def validate(manifest: Json) -> None:
    """Raises jsonschema.ValidationError for a field that KEDA does not know, or a value that it does not take."""
    _scaled_object().validate(manifest)
    # The kind's own schema leaves what all kinds share to Kubernetes: any kind of its own will do.
    shared = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": manifest["metadata"]}
    kubernetes_validate.validate(shared, kubernetes_validate.latest_version(), strict=True)
    for trigger in manifest["spec"]["triggers"]:
        if trigger["type"] != "kafka":
            raise jsonschema.ValidationError(f"of the trigger {trigger['type']!r} nothing is known here")
        _kafka_trigger().validate(trigger["metadata"])


@cache
def _scaled_object() -> Draft202012Validator:
    definition = yaml.safe_load((BUNDLED / "keda.sh_scaledobjects.yaml").read_text())["spec"]
    (version,) = definition["versions"]
    schema = _closed(version["schema"]["openAPIV3Schema"])
    named = {"apiVersion": {"const": f"{definition['group']}/{version['name']}"}}
    named["kind"] = {"const": definition["names"]["kind"]}
    return _validator(
        {**schema, "properties": {**schema["properties"], **named}, "required": [*schema["required"], *named]}
    )


def _closed(schema: Json) -> Json:
    """The schema, refusing what it does not name, at every depth."""
    closed = {**schema}
    if "properties" in schema:
        closed["properties"] = {name: _closed(inner) for name, inner in schema["properties"].items()}
        closed["additionalProperties"] = False
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    return closed


@cache
def _kafka_trigger() -> Draft202012Validator:
    """The fields allowed in the metadata of a trigger itself: secrets belong elsewhere."""
    told = json.loads((BUNDLED / "kafka-trigger.json").read_text())["parameters"]
    known = [parameter for parameter in told if parameter.get("metadataVariableReadable")]
    return _validator(
        {
            "type": "object",
            "properties": {name: _values(p) for p in known for name in _names(p)},
            "allOf": [{"anyOf": [{"required": [name]} for name in _names(p)]} for p in known if _is_needed(p)],
            "additionalProperties": False,
        }
    )


def _validator(schema: Json) -> Draft202012Validator:
    """Of a schema that is checked once."""
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _names(parameter: Json) -> list[str]:
    """Its own, and that under which it may name a variable of the environment instead."""
    name = parameter["name"]
    return [name, f"{name}FromEnv"] if parameter.get("envVariableReadable") else [name]


def _values(parameter: Json) -> Json:
    allowed = {"enum": parameter["allowedValue"]} if "allowedValue" in parameter else {}
    return {"type": "string", **allowed}


def _is_needed(parameter: Json) -> bool:
    return not parameter.get("optional") and "default" not in parameter

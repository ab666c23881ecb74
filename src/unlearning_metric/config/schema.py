"""The JSON schema of the configuration, and the way about in it."""

from typing import Any

from pydantic import BaseModel

from unlearning_metric.config.experiment import Config


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def field_keys(section: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Return the dotted key of every field, e.g. `training.lr`, in the order of the models."""
    keys = []
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += field_keys(field.annotation, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def schema_at(location: tuple[Any, ...], schema: dict[str, Any]) -> dict[str, Any]:
    node = schema
    for part in location:
        node = without_null(node, schema)
        if isinstance(part, int):
            node = node["items"]
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:
            node = next(iter(node["patternProperties"].values()))
    return node


def without_null(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in node:
        node = choices_of(node)[0]
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node


def choices_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    """What a node allows but null, one by one."""
    if "anyOf" not in node:
        return [node]
    return [kind for choice in node["anyOf"] if choice.get("type") != "null" for kind in choices_of(choice)]

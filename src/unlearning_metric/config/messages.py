"""What is said of a field: its key, its value, what is allowed."""

from datetime import date, datetime
from typing import Any

from unlearning_metric.config.schema import choices_of, field_keys, schema_at, without_null
from unlearning_metric.config.text import closest, dotted, shown
from unlearning_metric.config.torchvision_names import TORCHVISION_NETS

#: Key of an earlier version -> what it is called now.
RENAMED = {"efficiency_limit": "efficiency.limit"}
_TYPE_WORDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "object": "a mapping",
    "boolean": "true or false",
}
_PATTERN_WORDS = {
    r"\.py$": "the path of a Python file, which ends in .py",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of a function",
    r"^timm/[A-Za-z0-9_.]+$": "timm/ and the name of a net of the package timm",
    r"\.safetensors$": (
        "a path that ends in .safetensors (written by safetensors.torch.save_file(model.state_dict(), path))"
    ),
}
#: Type of a value -> what YAML took text without quotes for.
_READ_AS = {bool: "true or false", int: "a number", float: "a number", date: "a date", datetime: "a time"}
_BOUND_WORDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "of at most",
    "exclusiveMaximum": "below",
}


def field_problem(error: Any, schema: dict[str, Any]) -> str:
    """One line for one error of pydantic: the key, its value, what is allowed."""
    location = error["loc"]
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(location, schema)
    if kind == "invalid_key" or location[-1:] == ("[key]",):
        section, key = location[: -2 if location[-1] == "[key]" else -1], error["input"]
        rule = "only letters, digits and underscores" if section == ("methods",) else "text"
        quotes = "" if isinstance(key, str) else " Put it in quotes."
        return f"{dotted(section) or 'top level'}: {shown(key)} cannot be a key. Expected {rule}.{quotes}"
    if kind == "told":
        return f"{dotted(location)}{error['msg']}"
    node = schema_at(location, schema)
    expected = _expected(node, schema)
    if kind == "missing":
        return f"{dotted(location)}: missing. Expected {expected}."
    value = error["input"]
    message = f"{dotted(location) or 'top level'}: {shown(value)} is not allowed. Expected {expected}."
    choices = without_null(node, schema).get("enum", ())
    suggestion = closest(value, choices) if isinstance(value, str) else None
    if suggestion is not None:
        return f"{message} Did you mean {suggestion!r}?"
    types = {choice.get("type") for choice in choices_of(node) if "const" not in choice}
    if isinstance(value, str) and types == {"integer"}:
        return f"{message} Write digits only, without quotes{' and with no 0 before them' if value[:1] == '0' else ''}."
    if "string" in types and not choices and (kind_read := _READ_AS.get(type(value))):
        again = f"; on the command line in two pairs, --config '{location[0]}=\"...\"'" if len(location) == 1 else ""
        return f"{message} Text that YAML would read as {kind_read} must stand in quotes{again}."
    return message


def _unknown_key(location: tuple[Any, ...], schema: dict[str, Any]) -> str:
    if (now := RENAMED.get(dotted(location))) is not None:
        home, _, name = now.partition(".")
        return f"{dotted(location)}: is now {now}. Write {home}: {{{name}: ...}} in its place."
    *section, key = location
    known = list(without_null(schema_at(tuple(section), schema), schema)["properties"])
    suggestion = closest(str(key), known)
    if suggestion is None:
        elsewhere = [dotted for dotted in field_keys() if dotted.split(".")[-1] == key]
        suggestion = elsewhere[0] if elsewhere else None
    question = f" Did you mean {suggestion!r}?" if suggestion is not None else ""
    place = f"Keys of {dotted(tuple(section))}" if section else "Known keys"
    return f"{dotted(location)}: unknown key.{question} {place}: {', '.join(known)}."


def _expected(node: dict[str, Any], schema: dict[str, Any]) -> str:
    """What a field accepts, in words, from its JSON schema."""
    nullable = any(choice.get("type") == "null" for choice in node.get("anyOf", ()))
    choices = choices_of(node)
    node = without_null(node, schema)
    if len(choices) > 1:
        words = " or ".join(_expected(choice, schema) for choice in choices)
    elif "const" in node:
        words = str(node["const"])
    elif "enum" in node:
        words = f"one of {', '.join(_short(node['enum']))}"
    elif node["type"] == "array":
        words = f"a list in which each item is {_expected(node['items'], schema)}"
    elif "properties" in node:
        words = f"a mapping with keys among {', '.join(node['properties'])}"
    elif "pattern" in node:
        words = _PATTERN_WORDS[node["pattern"]]
    else:
        bounds = " and ".join(f"{word} {node[bound]:g}" for bound, word in _BOUND_WORDS.items() if bound in node)
        words = " ".join(filter(None, [_TYPE_WORDS[node["type"]], bounds]))
        words = f"{words} that is not empty" if node.get("minLength") else words
    return f"{words}, or null" if nullable else words


def _short(names: list[str]) -> list[str]:
    """Names, those of torchvision's classifiers in a few words."""
    own = [name for name in names if name not in TORCHVISION_NETS]
    return own if len(own) == len(names) else [*own, "or a classifier of torchvision (resnet18, vit_b_16, ...)"]

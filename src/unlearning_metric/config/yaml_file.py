"""YAML files, and messages for what is no YAML."""

import copy
from pathlib import Path

import yaml

from unlearning_metric.config.text import ConfigError, shown

# Part of PyYAML's own words -> what to do about it.
_YAML_HINTS = {
    "given twice": "keep one of the two lines",
    "\\t": "YAML refuses tabs for indentation; use spaces",
    "mapping values are not allowed": "check the indentation of this line and the one above, and put text "
    "which contains a colon in quotes",
    "could not find expected ':'": "a key without its colon, or a colon without a space after it, on this "
    "line or the one above",
    "expected <block end>": "this line is indented differently from its neighbours, or a quote or bracket "
    "above is not closed",
    "expected ',' or": "a bracket is opened and not closed, or a comma is missing",
    "while scanning a quoted": "a quote is opened and not closed",
    "found unexpected end of stream": "a quote or bracket is opened and not closed",
    "could not determine a constructor": "tags that begin with ! are not supported; put the text in quotes",
    "single document": "one document per file; remove the line ---",
}
_YAML_GENERAL_HINT = "check the indentation, quotes, brackets and colons of this line and the one above"


class _UniqueKeyLoader(yaml.SafeLoader):
    """`yaml.SafeLoader` which refuses a key given twice instead of silently keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        first_lines: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if key_node.value in first_lines:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key_node.value!r} is given twice, first in line {first_lines[key_node.value]}",
                    problem_mark=key_node.start_mark,
                )
            first_lines[key_node.value] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: str | Path) -> dict:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    ConfigError
        The file cannot be read, is not YAML (with line, column, the line itself and a hint), gives a key
        twice, or holds something other than a mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Check the path; it is relative to {Path.cwd()}.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    try:
        raw = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_yaml_slip(path, text, error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{path}, line {line}: holds the control character {chr(error.character)!r}, which YAML refuses. Remove it."
        ) from None
    if raw is None:
        raise ConfigError(f"{path}: is empty. Expected lines of the form key: value.")
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected lines of the form key: value, found {shown(raw)}.")
    return raw


def _yaml_slip(path: str | Path, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    words = f"{error.context or ''} {error.problem or ''}"
    hint = next((hint for part, hint in _YAML_HINTS.items() if part in words), _YAML_GENERAL_HINT)
    lines = text.splitlines()
    offending = lines[mark.line] if mark.line < len(lines) else ""
    visible = offending.replace("\t", " ")
    return "\n".join(
        [
            f"{path}, line {mark.line + 1}, column {mark.column + 1}: {error.problem}",
            f"    {visible}",
            f"    {' ' * mark.column}^",
            f"Hint: {hint}.",
        ]
    )


def merge(base: dict, override: dict) -> dict:
    """Lay `override` over `base`, mapping by mapping, and return a new mapping; both stay as they are."""
    merged = copy.deepcopy(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged

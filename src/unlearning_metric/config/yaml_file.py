"""YAML files, and messages for what is no YAML or does not mean what it looks like."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from unlearning_metric.config.text import ConfigError, shown

#: Characters that a file may hold once every alias (``*name``) is written out; only a file made to be huge has more.
LARGEST = 1_000_000
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
    "holds itself": "write out what is meant in place of the alias",
    "written out": "write out what is meant in place of the aliases (*name)",
    "and is none": "if text is meant, put it in quotes",
    "unhashable key": "a key must be text; put text that begins with a bracket or brace in quotes",
}
_YAML_GENERAL_HINT = "check the indentation, quotes, brackets and colons of this line and the one above"
# How YAML 1.1 writes what its readers take for something else.
_OCTAL, _BASE_60 = re.compile(r"[-+]?0[0-7_]+"), re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


class _Loader(yaml.SafeLoader):
    """`yaml.SafeLoader` that says the place of whatever it cannot read.

    It refuses a key given twice instead of silently keeping the last, and aliases that hold themselves or multiply.
    """

    def construct_document(self, node: yaml.Node) -> Any:
        _refuse_endless(node)
        return super().construct_document(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, OverflowError) as error:
            # Such as the date 2024-13-45, or more digits than Python reads.
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                problem=f"{shown(node.value)} looks like a YAML {kind} and is none ({error})",
                problem_mark=node.start_mark,
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
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


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refuse_endless(node: yaml.Node, sizes: dict[yaml.Node, int | None] | None = None) -> int:
    """Characters of a node with its aliases written out; refuses one without end, or with too many."""
    sizes = {} if sizes is None else sizes
    if node not in sizes:
        sizes[node] = None
        own = 1 if _parts(node) else 1 + len(node.value)
        sizes[node] = own + sum(_refuse_endless(part, sizes) for part in _parts(node))
    size = sizes[node]
    # A file that is as long as that is its user's business: composing it took longer than this.
    if size is None or size > LARGEST + node.end_mark.index - node.start_mark.index:
        problem = "an anchor that holds itself" if size is None else f"more than {LARGEST:,} characters, written out"
        raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
    return size


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    ConfigError
        The file cannot be read, is not YAML (with line, column, the line itself and a hint), gives a key
        twice, or holds something other than a mapping.
    """
    text = _text(path)
    try:
        raw = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_yaml_slip(path, text, error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{path}, line {line}: holds the control character {chr(error.character)!r}, which YAML refuses. Remove it."
        ) from None
    except RecursionError:
        raise ConfigError(f"{path}: brackets, braces or indentation are nested too deeply to be read.") from None
    if raw is None:
        raise ConfigError(f"{path}: is empty. Expected lines of the form key: value.")
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected lines of the form key: value, found {shown(raw)}.")
    return raw


def number_traps(path: str | Path) -> list[str]:
    """What is wrong with numbers of a file that `read_yaml` reads: those that are not what they look like."""
    nodes = _plain_scalars(yaml.compose(_text(path), Loader=_Loader), set())
    return [f"{path}, line {node.start_mark.line + 1}: {trap}" for node in nodes if (trap := _trap(node))]


def _plain_scalars(node: yaml.Node, seen: set[yaml.Node]) -> Iterator[yaml.ScalarNode]:
    """Scalars without quotes, each once however many aliases there are."""
    if node in seen:
        return
    seen.add(node)
    for part in _parts(node):
        yield from _plain_scalars(part, seen)
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        yield node


def _trap(node: yaml.ScalarNode) -> str | None:
    text = node.value
    if node.tag == "tag:yaml.org,2002:int" and _OCTAL.fullmatch(text):
        digits = text.replace("_", "")
        octal, decimal = int(digits, 8), int(digits)
        if octal != decimal:
            choice = f'Write {decimal} or {octal}, whichever is meant, or put text in quotes: "{text}".'
            return f"{text} begins with 0, which makes it the octal number {octal} to YAML. {choice}"
    elif node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float") and _BASE_60.fullmatch(text):
        return f'{text} is a number to base 60 to YAML. If text is meant, put it in quotes: "{text}".'
    return None


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Check the path; it is relative to {Path.cwd()}.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None


def _yaml_slip(path: str | Path, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    words = f"{error.context or ''} {error.problem or ''}"
    hint = next((hint for part, hint in _YAML_HINTS.items() if part in words), _YAML_GENERAL_HINT)
    lines = text.splitlines()
    offending = lines[mark.line] if mark.line < len(lines) else ""
    # Of a long line the part about the place.
    start = max(0, mark.column - 60) if len(offending) > 160 else 0
    visible = offending.replace("\t", " ")[start : start + 160]
    return "\n".join(
        [
            f"{path}, line {mark.line + 1}, column {mark.column + 1}: {error.problem}",
            f"    {visible}",
            f"    {' ' * (mark.column - start)}^",
            f"Hint: {hint}.",
        ]
    )


def merge(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Lay `override` over `base`, mapping by mapping, and return a new mapping; both stay as they are."""
    merged = copy.deepcopy(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged

"""The section ``methods``, and ``skip``: which entries there may be, and what is wrong with one."""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from unlearning_metric.config.text import closest, shown
from unlearning_metric.config.values import Hyperparameters, expanded_path, told
from unlearning_metric.user_code.contract import BATCH_FIELDS, BATCHES
from unlearning_metric.user_code.interface import LOADS, NAMES, RETURNS, argument_problems

METHOD_NAME = r"^[A-Za-z0-9_]+$"
MethodName = Annotated[str, Field(pattern=METHOD_NAME)]


def _with_paths(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry whose files are named by expanded paths."""
    kept = dict(entry)
    for key in ("file", "dump", "root"):
        if isinstance(entry.get(key), str):
            try:
                kept[key] = expanded_path(entry[key])
            except PydanticCustomError as error:
                raise told(f".{key}{error}") from None
    return kept


Entry = Annotated[Hyperparameters, AfterValidator(_with_paths)]


def unknown_method_message(name: str, known: Iterable[str]) -> str:
    """Say that no method file has this name, which there are, and how to add one."""
    known = sorted(set(known))
    parts = [f"Unknown method {name!r}. Known: {', '.join(known) or 'none'}."]
    suggestion = closest(name, known)
    if suggestion is not None:
        parts.append(f"Did you mean {suggestion!r}?")
    if re.fullmatch(METHOD_NAME, name):
        parts.append(f"To add it, create methods/{name}.py")
    else:
        parts.append("The name of a method may hold only letters, digits and underscores.")
    return " ".join(parts)


def _file_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and (value in files or value.endswith((".py", ".ipynb"))):
        return None
    suggestion = closest(value, files) if isinstance(value, str) else None
    question = f" Did you mean {suggestion!r}?" if suggestion is not None else ""
    return (
        f"{shown(value)} is not allowed. Expected the name of a file in methods/ ({', '.join(files) or 'none'}), or a "
        f"path that ends in .py or .ipynb.{question}"
    )


def _function_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and value.isidentifier():
        return None
    return f"{shown(value)} is not allowed. Expected the name of a function."


def _batches_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and value in BATCHES:
        return None
    fields = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if fields and all(field in BATCH_FIELDS for field in fields):
        return None
    return (
        f"{shown(value)} is not allowed. Expected one of {', '.join(BATCHES)}; or a list, or a mapping key: field, of "
        f"{', '.join(BATCH_FIELDS)}."
    )


def _root_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and Path(value).is_dir():
        return None
    return f"{shown(value)} is not allowed. Expected a folder, from which the file's imports start."


def _class_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and value.isidentifier():
        return None
    return f"{shown(value)} is not allowed. Expected the name of a class."


def _run_problem(value: Any, files: Iterable[str]) -> str | None:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and names and all(isinstance(name, str) and name.isidentifier() for name in names):
        return None
    return f"{shown(value)} is not allowed. Expected a name, or a list of names (of without, a list)."


def _returns_problem(value: Any, files: Iterable[str]) -> str | None:
    if value in RETURNS or (isinstance(value, str) and value[:1] == "." and value[1:].isidentifier()):
        return None
    return (
        f"{shown(value)} is not allowed. Expected one of {', '.join(RETURNS)}, or .name for an attribute of what the "
        "class made."
    )


def _one_of(*allowed: str) -> Callable[[Any, Iterable[str]], str | None]:
    def problem(value: Any, files: Iterable[str]) -> str | None:
        return None if value in allowed else f"{shown(value)} is not allowed. Expected {' or '.join(allowed)}."

    return problem


def _batch_size_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return None
    return f"{shown(value)} is not allowed. Expected a number of examples above 0."


def _tune_problem(value: Any, files: Iterable[str]) -> str | None:
    sound = isinstance(value, dict) and value and all(isinstance(values, list) and values for values in value.values())
    if not sound:
        return (
            f"{shown(value)} is not allowed. Expected a grid: hyper-parameters, each with a list of values, such as "
            "{lr: [0.01, 0.1]}."
        )
    if twice := next((name for name, values in value.items() if any(values.count(one) > 1 for one in values)), None):
        return f"names a value of {twice} twice. Keep one of the two."
    points = math.prod(map(len, value.values()))
    if not 2 <= points <= MOST_POINTS:
        return f"is a grid of {points} points. Expected 2 to {MOST_POINTS}; what is not searched stands in the entry."
    return None


def _dump_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and value.endswith(".npz"):
        return None
    return f"{shown(value)} is not allowed. Expected the path of a npz file with outputs of models made elsewhere."


#: A grid of more points is no search but a mistake; each takes `tuning.copies` copies.
MOST_POINTS = 256
#: Texts that nobody sets as a hyper-parameter: they are arguments.
CONFUSED = frozenset(name for name in NAMES if name.endswith(("_loader", "_dataset", "_model", "_dl")))
#: Key of an entry under ``methods`` that is no hyper-parameter -> what is wrong with its value, if anything.
RESERVED: dict[str, Callable[[Any, Iterable[str]], str | None]] = {
    "file": _file_problem,
    "function": _function_problem,
    "batches": _batches_problem,
    "dump": _dump_problem,
    "root": _root_problem,
    "class": _class_problem,
    "run": _run_problem,
    "arguments": lambda value, files: None,
    "globals": lambda value, files: None,
    "returns": _returns_problem,
    "load": _one_of(*LOADS),
    "cuda": _one_of("pretend"),
    "loader_batch_size": _batch_size_problem,
    "tune": _tune_problem,
    "without": lambda value, files: _run_problem(value if isinstance(value, list) else None, files),
}


def _interface_problems(entry: dict[str, Any], where: str) -> list[str]:
    """What is wrong between the keys of an entry."""
    problems = [
        problem
        for key in ("arguments", "globals")
        if key in entry
        for problem in argument_problems(entry[key], f"{where}.{key}")
    ]
    if "class" in entry and "function" in entry:
        problems.append(f"{where}: class and function are both given. Keep one of the two.")
    if "run" in entry and "class" not in entry:
        problems.append(f"{where}.run: names a method of a class, and no class is given. Set {where}.class.")
    arguments = entry.get("arguments")
    both = entry.keys() & arguments.keys() - RESERVED.keys() if isinstance(arguments, dict) else ()
    problems += [f"{where}.{name}: is set in the entry and in its arguments. Keep one of the two." for name in both]
    tune = entry.get("tune")
    for name in tune if isinstance(tune, dict) else ():
        problems += _tuned_problems(name, entry, where)
    for option, value in entry.items():
        if option not in RESERVED and isinstance(value, str) and value in CONFUSED:
            problems.append(
                f"{where}.{option}: {value} is only a text here. For the argument of that name write arguments: "
                f"{{{option}: {value}}}; for the text, arguments: {{{option}: {{literal: {value}}}}}."
            )
    return problems


def _tuned_problems(name: str, entry: dict[str, Any], where: str) -> list[str]:
    """What is wrong with a name in a grid, beside the other keys of its entry."""
    first, *parts = name.split(".")
    if not parts:
        if name in RESERVED:
            return [f"{where}.tune.{name}: says how the function is called and cannot be searched."]
        both = name in entry or (isinstance(entry.get("arguments"), dict) and name in entry["arguments"])
        return [f"{where}.tune.{name}: is set in the entry as well. Keep one of the two."] if both else []
    holder: Any = entry if first == "arguments" else None
    for part in [first, *parts[:-1]]:
        holder = holder.get(part) if isinstance(holder, dict) else None
    if isinstance(holder, dict):
        return []
    return [
        f"{where}.tune.{name}: there is no such place in the entry. A name with dots is one within its arguments, such "
        "as arguments.args.lr, of which all but the last must stand there."
    ]


def method_problems(raw: dict[str, Any], files: list[str]) -> list[str]:
    """What is wrong with the entries of ``methods``, with ``skip`` and ``ceiling``, given the names of method files."""
    problems = []
    methods = raw.get("methods")
    entries = methods if isinstance(methods, dict) else {}
    # An entry that names a file or a dump needs no file of its own name.
    known = sorted(
        {
            *files,
            *(
                name
                for name, entry in entries.items()
                if isinstance(name, str) and isinstance(entry, dict) and {"file", "dump"} & entry.keys()
            ),
        }
    )
    for name, entry in entries.items():
        if not isinstance(name, str) or not re.fullmatch(METHOD_NAME, name):
            continue  # already reported as a key of the wrong form
        if name not in known:
            problems.append(f"methods.{name}: {unknown_method_message(name, known)}")
        for key, problem in RESERVED.items():
            if isinstance(entry, dict) and key in entry and (text := problem(entry[key], files)):
                problems.append(f"methods.{name}.{key}: {text}")
        if isinstance(entry, dict):
            problems += _interface_problems(entry, f"methods.{name}")
        if isinstance(entry, dict) and "dump" in entry and (name in files or len(entry) > 1):
            more = f"methods/{name}.py" if name in files else ", ".join(key for key in entry if key != "dump")
            problems.append(
                f"methods.{name}.dump: its models were made elsewhere, so {more} would never be run. Keep one of the "
                "two."
            )
    skip = raw.get("skip")
    for name in skip if isinstance(skip, list) else ():
        if isinstance(name, str) and name not in known:
            problems.append(f"skip: {unknown_method_message(name, known)}")
    if raw.get("ceiling") == "retrain" and "retrain" not in known:
        problems.append(
            "ceiling: retrain needs the method file methods/retrain.py, which is missing. "
            "Restore it, or set ceiling: split."
        )
    return problems

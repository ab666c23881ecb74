"""The contract of a method file: what its function may ask for, and how to read a function without running it.

Nothing heavy is imported and no method file is: the Snakefile uses this while it is parsed.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unlearning_metric.errors import UserCodeError, UserError
from unlearning_metric.keys.local_imports import own_module
from unlearning_metric.keys.notebooks import source_bytes
from unlearning_metric.user_code.spellings import SPELLINGS

#: What a method's function may ask for by parameter name.
ARGUMENTS = {
    "model": "the original model, a copy to change in place",
    "net": "the same as model",
    "original_model": "a second copy of the original model, for reference",
    "initial_model": "a model with the initial weights that this copy's original was trained from",
    "oracle_model": "model i of the method retrain, trained without the forget set; copy i gets it",
    "retain_loader": "batches (images, labels) of the retain set, shuffled anew in each pass",
    "forget_loader": "batches (images, labels) of the forget set, shuffled anew in each pass",
    "val_loader": "batches (images, labels) of validation examples that no model trained on",
    "seed": "an integer of this copy's own; torch, numpy and random are seeded with it already",
    "generator": "a torch.Generator (CPU) of this copy's own",
    "device": 'the device, "cpu" or "cuda": a torch.device that equals its name',
    "num_classes": "number of classes",
    "train_config": "the training part of the configuration, as a dictionary",
    "class_weights": "float tensor [classes]: 1 / (percent of the training set in the class)",
    "train_from_scratch": "function(seed) -> a model newly trained on the retain set with the configured recipe",
}
#: What the user's function that trains a model may ask for by parameter name.
TRAINING_ARGUMENTS = {
    "model": "a model with fresh weights, to train in place",
    "net": "the same as model",
    "train_loader": "batches (images, labels) of the examples to train on, shuffled anew in each pass",
    "val_loader": "batches (images, labels) of validation examples that no model trains on",
    "seed": "an integer of this model's own; torch, numpy and random are seeded with it already",
    "generator": "a torch.Generator (CPU) of this model's own",
    "device": 'a torch.device: "cpu" or "cuda"',
    "num_classes": "number of classes",
    "train_config": "the training part of the configuration, as a dictionary",
    "class_weights": "float tensor [classes]: 1 / (percent of the examples to train on in the class)",
}
#: What the user's function that builds a net may ask for by parameter name.
NET_ARGUMENTS = {
    "num_classes": "number of classes",
    "input_shape": "shape of one example, (channels, height, width) of an image",
    "in_channels": "its first number",
}
#: Why a training may find no ``val_loader``, and what to do.
NO_VALIDATION = (
    "there are no validation examples, since data.validation_size is 0. Set data.validation_size in the configuration, "
    "or give the parameter a default."
)
#: What may bind any name of a module.
_DYNAMIC = ("exec", "eval", "globals", "locals", "vars", "setattr", "delattr")
#: Form of the batches: `datasets.FORMS` says what each holds.
BATCHES = ("tuple", "triple", "indexed", "dict", "kaggle")
#: What a batch spelled out may hold.
BATCH_FIELDS = ("image", "label", "index")
#: The method whose models ``oracle_model`` hands out.
ORACLE_METHOD = "retrain"

# What YAML 1.1 reads as text although every other language reads a number.
EXPONENT_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")


class EditedError(UserError, RuntimeError):
    """A file of the user's is not what it was when the run began."""


class MethodError(UserCodeError):
    """A method file does not fit the contract, or failed on a copy."""


class _Mark:
    """A value that stands for the absence of one."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


#: The parameter has no default.
REQUIRED = _Mark("REQUIRED")
#: There is a default, but only running the file would tell its value.
COMPUTED = _Mark("COMPUTED")


@dataclass(frozen=True)
class Signature:
    """Parameters of a function, read from its source.

    Attributes
    ----------
    defaults : parameter name -> its default, `REQUIRED` or `COMPUTED`
    open_ended : whether it takes any further keyword (``**options``)
    certain : whether nothing can change the signature when the file is run; a decorator can, and a second binding
    """

    defaults: dict[str, Any]
    open_ended: bool
    certain: bool


def read_signature(path: Path | str, function: str, root: Path | str | None = None) -> Signature | None:
    """Signature of a function of a method file, without running the file.

    A function that is another name for one of the same file, or is imported from a file beside it, is followed.

    Parameters
    ----------
    root : folder that imports start from; the file's own if None

    Returns
    -------
    None where the file does not parse or the function is made in some other way, such as ``functools.partial``.
    """
    path = Path(path)
    return _read_signature(path, function, path.parent if root is None else Path(root), frozenset())


def _read_signature(path: Path, function: str, folder: Path, seen: frozenset[tuple[Path, str]]) -> Signature | None:
    if (path, function) in seen:
        return None
    seen |= {(path, function)}
    try:
        tree = ast.parse(source_bytes(path))
    except (OSError, SyntaxError, ValueError):
        return None
    found = None
    # The last binding of a name is the one that counts.
    for statement in _top_level(tree.body):
        if isinstance(statement, ast.FunctionDef) and statement.name == function:
            found = _signature(statement)
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and any(
            isinstance(target, ast.Name) and target.id == function
            for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        ):
            other = statement.value
            found = _read_signature(path, other.id, folder, seen) if isinstance(other, ast.Name) else None
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            for alias in statement.names:
                if (alias.asname or alias.name) == function:
                    file = own_module(folder, statement.module)
                    found = _read_signature(file, alias.name, folder, seen) if file else None
    bound = bindings(tree)
    if found is not None and (bound.count(function) != 1 or "*" in bound):
        found = replace(found, certain=False)
    return found


def bindings(tree: ast.Module) -> list[str]:
    """Names that a source binds or unbinds when it is run, once for each time, as far as it tells.

    ``*`` for what may bind any name: a star import, ``exec``, ``globals``.
    """
    names: list[str] = []

    def look(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
            # What is bound in its body is its own, but for what it says is not.
            names.extend(name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names)
            return
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.append(node.id)
            elif node.id in _DYNAMIC:
                names.append("*")
        elif isinstance(node, ast.alias):
            names.append(node.asname or node.name)
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            names.append(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            # Such as its __defaults__.
            names.append(node.value.id)
        for child in ast.iter_child_nodes(node):
            look(child)

    look(tree)
    return names


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a file is imported, those inside ``if``, ``try`` and ``with`` included."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _top_level(statement.body)
            yield from _top_level(getattr(statement, "orelse", []))
            for handler in getattr(statement, "handlers", []):
                yield from _top_level(handler.body)


def _signature(function: ast.FunctionDef) -> Signature:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    required = len(positional) - len(given.defaults)
    defaults = [REQUIRED] * required + [_literal(node) for node in given.defaults]
    named = dict(zip((one.arg for one in positional), defaults, strict=True))
    for one, node in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        named[one.arg] = REQUIRED if node is None else _literal(node)
    return Signature(named, given.kwarg is not None, not function.decorator_list)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        # No literal, or one that Python itself refuses, such as {[1]: 2}.
        return COMPUTED


def unknown_option(
    option: str, parameters: Mapping[str, Any], noun: str = "method", arguments: Mapping[str, str] = ARGUMENTS
) -> str:
    """Say that a function takes no such hyper-parameter, and which it takes."""
    tunable = [name for name in parameters if name not in arguments]
    close = difflib.get_close_matches(option, tunable, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"the {noun} takes no such hyper-parameter.{hint} It takes: {', '.join(tunable) or 'none'}."


def unfillable(
    parameters: str | Sequence[str], title: str, where: str, arguments: Mapping[str, str] = ARGUMENTS
) -> str:
    """Say that nobody can fill parameters without a default, all of them, and what to do."""
    missing = [parameters] if isinstance(parameters, str) else list(parameters)
    hints = [hint for name in missing if (hint := _likely(name, arguments))]
    known = f"It may be one of: {', '.join(arguments)}."
    if len(missing) == 1:
        told = f"its parameter {missing[0]!r}.{''.join(hints)} Give it a default, set {where}.{missing[0]} in the"
    else:
        names = ", ".join(map(repr, missing))
        told = f"its parameters {names}.{''.join(hints)} Give them defaults, set them under {where} in the"
    if arguments is not ARGUMENTS:
        return f"{title}: nobody can fill {told} configuration, or use one of: {', '.join(arguments)}."
    shape = ", ".join(f"{name}: ..." for name in missing)
    return (
        f"{title}: nobody can fill {told} configuration if it is a hyper-parameter, or say what it gets: "
        f"{where}.arguments: {{{shape}}}. {known}"
    )


def _likely(parameter: str, arguments: Mapping[str, str]) -> str:
    """What a parameter may mean, as a question."""
    spelled = SPELLINGS if arguments is ARGUMENTS else {}
    words = parameter.lower()
    if spelled and "teacher" in words:
        # A teacher is what the model was before; the oracle is never one.
        return f" Is {parameter} the original model (original_model) or one with fresh weights (untrained_model)?"
    plain = "loader" if spelled and words in ("dataloader", "data_loader", "loaders", "dl") else parameter
    close = [name for name in arguments if f"_{plain}" in name and name != "oracle_model"]
    if not close:
        # Misspelt, that is: `budget` has most letters of `student`.
        nearest = difflib.get_close_matches(parameter, [*arguments, *spelled], n=1, cutoff=0.75)
        close = [spelled.get(name, name) for name in nearest if name != "oracle_model"]
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def converted(value: Any, default: Any, where: str, noun: str = "method") -> Any:
    """A hyper-parameter as its default's type says, where it was given as text; anything else as it is.

    Values given on the command line are text, and YAML reads ``1e-3`` as text.

    Parameters
    ----------
    value : what the configuration holds
    default : the parameter's default; None, `REQUIRED` and `COMPUTED` tell no type
    where : the key, for the message
    noun : whose file the default is in, for the message

    Raises
    ------
    ValueError
        If the text is none of that type, or looks like a number where no default tells the type.
    """
    if isinstance(value, list) and isinstance(default, list | tuple) and default:
        return [converted(item, default[0], f"{where}[{place}]", noun) for place, item in enumerate(value)]
    if not isinstance(value, str) or isinstance(default, str) or default is COMPUTED:
        return value
    for kind, read, expected in _READERS:
        if isinstance(default, kind):
            try:
                return read(value)
            except (KeyError, ValueError):
                raise ValueError(
                    f'{where}: "{value}" is not allowed. Expected {expected}, like the default {default!r} in the '
                    f"{noun}'s file."
                ) from None
    if default is None and value == "null":
        return None
    if EXPONENT_NUMBER.fullmatch(value):
        raise ValueError(
            f"{where}: YAML reads {value} as text, not as a number, and no default in the {noun}'s file tells the "
            f"type. Write {_with_point(value)}"
        )
    return value


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _not_from_text(text: str) -> Any:
    raise ValueError(text)


# In this order, since True is an int.
_READERS = (
    (bool, _truth, "true or false"),
    (int, int, "an integer"),
    (float, _finite, "a number"),
    ((list, tuple), _not_from_text, "a list"),
    (dict, _not_from_text, "a mapping"),
)


def _with_point(number: str) -> str:
    """Write 1e3 as 1.0e+3, the form which YAML 1.1 reads as a number."""
    mantissa, exponent = re.split("[eE]", number)
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"

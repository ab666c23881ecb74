"""What the source of a user's function tells before anything runs: its options in their types, and its mistakes.

Nothing of theirs is run: the Snakefile uses this while it is parsed. What the source does not tell, such as the
parameters of a function made by `functools.partial`, is seen when a job loads it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from unlearning_metric.config import Config, listed
from unlearning_metric.data import SOURCES
from unlearning_metric.user_code.contract import (
    ARGUMENTS,
    NET_ARGUMENTS,
    NO_VALIDATION,
    TRAINING_ARGUMENTS,
    unfillable,
    unknown_option,
)
from unlearning_metric.user_code.option_values import converted
from unlearning_metric.user_code.signature import REQUIRED, Signature, bindings, read_signature
from unlearning_metric.user_code.spellings import SPELLINGS, meaning


def checked_options(
    signature: Signature | None,
    options: Mapping[str, Any],
    where: str,
    noun: str = "method",
    arguments: Mapping[str, str] = ARGUMENTS,
    taken: Collection[str] = (),
) -> tuple[dict[str, Any], list[str]]:
    """Options with the types of their defaults, and what is wrong with them.

    Parameters
    ----------
    signature : as `read_signature` gives it; one that is not certain tells nothing
    where : section of the configuration that sets the options
    noun, arguments : what the function is called in messages, and what it may ask the harness for
    taken : parameters that the configuration fills in another way
    """
    if signature is None or not signature.certain:
        return dict(options), []
    kept, problems = {}, []
    # Such a namespace holds what the function does not take itself.
    to_args = arguments is ARGUMENTS and any(
        SPELLINGS.get(name) == "args" for name, default in signature.defaults.items() if default is REQUIRED
    )
    to_args = to_args and not taken
    for option, value in options.items():
        if option in arguments:
            problems.append(f"{where}.{option}: {option!r} is filled by the harness and cannot be set.")
        elif option not in signature.defaults and not (signature.open_ended or to_args):
            problems.append(f"{where}.{option}: {unknown_option(option, signature.defaults, noun, arguments)}")
        else:
            try:
                kept[option] = converted(value, signature.defaults.get(option), f"{where}.{option}", noun)
            except ValueError as error:
                problems.append(str(error))
    return kept, problems


def checked_grid(
    signature: Signature | None, grid: Mapping[str, list[Any]], where: str, taken: Collection[str]
) -> tuple[dict[str, list[Any]], list[str]]:
    """A grid of hyper-parameters in the types of their defaults, and what is wrong with it; see `checked_options`."""
    kept: dict[str, list[Any]] = {}
    problems: list[str] = []
    for name, values in grid.items():
        if "." in name:
            # A place within arguments: no default tells its type.
            kept[name] = values
            continue
        checked = [checked_options(signature, {name: value}, where, taken=taken) for value in values]
        kept[name] = [options[name] for options, wrong in checked if not wrong]
        problems += dict.fromkeys(text for _, wrong in checked for text in wrong)
    return kept, problems


def checked_arguments(signature: Signature | None, arguments: Mapping[str, Any], where: str) -> list[str]:
    """What is wrong with the parameters that ``arguments`` of an entry names, where the source tells."""
    if signature is None or not signature.certain or signature.open_ended:
        return []
    return [
        f"{where}.arguments.{name}: there is no such parameter. There are: {', '.join(signature.defaults) or 'none'}."
        for name in arguments
        if name not in signature.defaults
    ]


def unfilled_parameters(signature: Signature | None, given: Collection[str]) -> tuple[str, ...]:
    """Parameters of a method's function that neither its entry fills nor the harness.

    Parameters
    ----------
    given : parameters that the entry fills
    """
    if signature is None or not signature.certain:
        return ()
    required = (name for name, default in signature.defaults.items() if default is REQUIRED)
    return tuple(name for name in required if name not in given and meaning(name, ARGUMENTS) is None)


def with_own_functions(config: Config) -> Config:
    """A configuration whose net and training, where they are the user's, have options of their defaults' types.

    Everything depends on these two, so what is wrong with them stops before any job.

    Raises
    ------
    ConfigError
        Lists every problem: a file that does not parse, a function that is not in it, an option that it does not take,
        a parameter that nobody can fill.
    """
    problems: list[str] = []
    sections = {}
    unavailable = {}
    if not config.data.validation_size and not SOURCES[config.data.source].own_validation:
        unavailable["val_loader"] = NO_VALIDATION
    for name, arguments in (("model", NET_ARGUMENTS), ("training", TRAINING_ARGUMENTS)):
        section = getattr(config, name)
        if section.file is None:
            continue
        missing = _missing_function(section.file, section.function, name)
        if missing is not None:
            problems.append(missing)
            continue
        signature = read_signature(section.file, section.function)
        options, wrong = checked_options(signature, section.options, f"{name}.options", name, arguments)
        problems += [*wrong, *_unfilled(signature, options, name, arguments, unavailable)]
        sections[name] = section.model_copy(update={"options": options})
    if problems:
        raise listed("net and training have", problems)
    return config.model_copy(update=sections)


def _missing_function(file: str, function: str, section: str) -> str | None:
    """What is wrong where a file does not parse, or binds the function's name nowhere."""
    try:
        tree = ast.parse(Path(file).read_bytes(), filename=file)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}: {(error.text or '').strip()}" if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        return f"{section}.file: {file} does not parse as Python ({said}{line}). Mend it and run again."
    # A source that makes names as it runs is left to run.
    if {function, "*", "__getattr__"} & {*bindings(tree)}:
        return None
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return (
        f"{section}.function: {file} has no function {function!r}. It defines: {', '.join(functions) or 'none'}. Name "
        f"the function {function!r}, or set {section}.function to what it is called."
    )


def _unfilled(
    signature: Signature | None,
    options: Mapping[str, Any],
    name: str,
    arguments: Mapping[str, str],
    unavailable: Mapping[str, str],
) -> list[str]:
    """What is wrong with the parameters that have neither a default nor an option."""
    if signature is None or not signature.certain:
        return []
    problems = []
    for parameter in (one for one, default in signature.defaults.items() if default is REQUIRED):
        if parameter in arguments and parameter in unavailable:
            problems.append(f"{name} asks for {parameter}: {unavailable[parameter]}")
        elif parameter not in arguments and parameter not in options:
            problems.append(unfillable(parameter, name, f"{name}.options", arguments))
    return problems

"""Which methods there are: every file in methods/, and every entry of the configuration that names a file or a dump.

Nothing heavy is imported and no method file is run: the Snakefile uses this while it is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlearning_metric.config import RESERVED, Config, listed
from unlearning_metric.plan.grid import points_of
from unlearning_metric.plan.user_functions import checked_arguments, checked_grid, checked_options, unfilled_parameters
from unlearning_metric.user_code.contract import ARGUMENTS, ORACLE_METHOD
from unlearning_metric.user_code.interface import Interface, sources_asked
from unlearning_metric.user_code.signature import read_signature


def find_methods(folder: Path | str) -> dict[str, Path]:
    """Method name -> file, for every file of the folder but ``_*.py``, sorted by name.

    Hidden files are none: editors keep locks and macOS keeps attributes under such names.
    """
    return {path.stem: path for path in sorted(Path(folder).glob("*.py")) if not path.stem.startswith(("_", "."))}


@dataclass(frozen=True)
class MethodEntry:
    """A method as one configuration runs it.

    Attributes
    ----------
    name : what its files, scores and random streams are called
    file : the Python file, or the npz file with the outputs of models made elsewhere
    function : name of the function in it
    batches : form of the loaders' batches, a name of `datasets.FORMS` or spelled out
    options : hyper-parameters that differ from the defaults in the file
    is_dump : whether there is nothing to run, since the file holds the outputs already
    interface : how its function or class is called
    arguments : what its function asks the harness for, as far as the source of the file and the entry tell
    tune : hyper-parameter -> the values of which one is chosen, see `plan.tuning`
    unfilled : parameters that nobody can fill, as far as the source of the file tells
    """

    name: str
    file: Path
    function: str = "unlearn"
    batches: Any = "tuple"
    options: Mapping[str, Any] = field(default_factory=dict)
    is_dump: bool = False
    interface: Interface = field(default_factory=Interface)
    arguments: frozenset[str] = field(default=frozenset(), compare=False)
    tune: Mapping[str, list[Any]] = field(default_factory=dict)
    unfilled: tuple[str, ...] = field(default=(), compare=False)

    @property
    def points(self) -> list[dict[str, Any]]:
        """Every combination of the values under ``tune``."""
        return points_of(self.tune)

    @property
    def needs_oracle(self) -> bool:
        """Whether it starts only once the models of the method ``retrain`` are there."""
        return "oracle_model" in self.arguments


def method_entries(config: Config, files: Mapping[str, Path]) -> dict[str, MethodEntry]:
    """Method name -> entry, sorted by name. Hyper-parameters given as text have the type of their default.

    Parameters
    ----------
    config : the checked configuration
    files : name -> path of every file in methods/

    Raises
    ------
    ConfigError
        Lists every problem: a file that is absent, a hyper-parameter that the function does not take or that is not
        of its default's type, a method that would need itself.
    """
    problems: list[str] = []
    entries = {}
    for name in sorted(files.keys() | config.methods.keys()):
        given = config.methods.get(name, {})
        if "dump" in given:
            entries[name] = MethodEntry(name, Path(given["dump"]), is_dump=True)
            if not entries[name].file.is_file():
                problems.append(f"methods.{name}.dump: there is no file {given['dump']} (looked in {Path.cwd()}).")
            continue
        file = given.get("file", name)
        path = files[file] if file in files else Path(file)
        if not path.is_file():
            problems.append(
                f"methods.{name}.file: there is no file {file} (looked in {Path.cwd()}). Give the path of a Python "
                "file, or the name of a file in methods/ without .py."
            )
            continue
        contract = {key: given[key] for key in ("function", "batches") if key in given}
        options = {key: value for key, value in given.items() if key not in RESERVED}
        interface = Interface.of(given)
        signature = None
        if interface.kind is None:
            signature = read_signature(path, contract.get("function", MethodEntry.function), interface.root)
        where = f"methods.{name}"
        options, wrong = checked_options(signature, options, where, taken=interface.arguments)
        tune, amiss = checked_grid(signature, given.get("tune", {}), f"{where}.tune", interface.arguments)
        problems += [*wrong, *amiss, *checked_arguments(signature, interface.arguments, where)]
        arguments = frozenset(signature.defaults if signature else ()) & ARGUMENTS.keys()
        arguments = arguments - interface.arguments.keys() | sources_asked(interface.values)
        entries[name] = MethodEntry(
            name, path, **contract, options=options, interface=interface, arguments=arguments, tune=tune,
            unfilled=unfilled_parameters(signature, {*options, *tune, *interface.arguments, *interface.without}),
        )  # fmt: skip
    problems += _oracle_problems(entries)
    if problems:
        raise listed("the methods have", problems)
    return entries


def _oracle_problems(entries: Mapping[str, MethodEntry]) -> list[str]:
    asking = [name for name, entry in entries.items() if entry.needs_oracle]
    if ORACLE_METHOD in asking:
        return [f"method {ORACLE_METHOD} asks for oracle_model, which is one of its own models. Remove the parameter."]
    if asking and ORACLE_METHOD not in entries:
        return [
            f"method {name} asks for oracle_model, a model of the method {ORACLE_METHOD}, and methods/"
            f"{ORACLE_METHOD}.py is missing. Restore it."
            for name in asking
        ]
    return []

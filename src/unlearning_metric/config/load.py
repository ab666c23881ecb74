"""From files and the command line to a checked `Config`, or one error that lists every problem."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unlearning_metric.config.command_line import from_command_line
from unlearning_metric.config.experiment import Config, rule_problems
from unlearning_metric.config.files import absent_files
from unlearning_metric.config.messages import field_problem
from unlearning_metric.config.methods import METHOD_NAME, method_problems
from unlearning_metric.config.schema import json_schema
from unlearning_metric.config.text import ConfigError, listed
from unlearning_metric.config.values import sound_part
from unlearning_metric.config.yaml_file import merge, number_traps, read_yaml


def parse(raw: dict[str, Any], known_methods: Iterable[str], source: str = "config/config.yaml") -> Config:
    """Check a raw configuration and return it with its defaults filled in; files that it names are not looked for.

    Parameters
    ----------
    raw : dict
        As `read_yaml` or Snakemake's `config` gives it.
    known_methods : iterable of str
        Names of the method files.
    source : str
        Where `raw` comes from, for the message.

    Raises
    ------
    ConfigError
        Lists every problem: the key, its value, what is allowed.
    """
    config, _, problems = _checked(raw, known_methods)
    if problems:
        raise listed(f"{source} has", problems)
    return config


def _checked(raw: dict[str, Any], known_methods: Iterable[str]) -> tuple[Config, set[str], list[str]]:
    """The configuration, the dotted keys that are wrong or missing and therefore absent from it, and every problem."""
    problems: list[str] = []
    bad_keys: set[str] = set()
    try:
        config = Config.model_validate(raw)
    except ValidationError as invalid:
        schema = json_schema()
        for error in invalid.errors(include_url=False):
            if error["type"] == "value_error" and not error["loc"]:
                continue  # the rules between fields, which are applied below
            bad_keys.add(".".join(str(part) for part in error["loc"]))
            problems.append(field_problem(error, schema))
        config = sound_part(Config, raw, bad_keys)
    problems += rule_problems(config, bad_keys)
    problems += method_problems(raw, sorted(set(known_methods)))
    return config, bad_keys, problems


def load(
    paths: Iterable[str | Path], override: dict[str, Any], methods: Mapping[str, Path], default: str | Path
) -> Config:
    """Read, merge and check configuration files.

    Parameters
    ----------
    paths : files laid over each other; none of them: ``default`` alone, which is never merged with others
    override : values of the command line
    methods : method name -> file

    Raises
    ------
    ConfigError
        As `read_yaml` and `parse`; lists besides every method file with an unusable name, every number that is not
        what it looks like and every file or folder that is absent.
    """
    files = [str(path) for path in paths] or [str(default)]
    raw, problems = _merged(files)
    return _complete(raw, override, methods, ", ".join(files), problems)


def load_given(given: Mapping[str, Any], methods: Mapping[str, Path], source: str) -> Config:
    """Check a configuration that was read already, as `load` does; ``source`` says in messages where it is from."""
    return _complete({}, dict(given), methods, source, [])


def _complete(
    raw: dict[str, Any], override: dict[str, Any], methods: Mapping[str, Path], source: str, problems: list[str]
) -> Config:
    """The checked configuration of the files' ``raw`` one and the command line, or all ``problems``."""
    for name, path in methods.items():
        if not re.fullmatch(METHOD_NAME, name):
            problems.append(
                f"methods/{path.name}: the name of a method may hold only letters, digits and underscores. "
                "Rename the file."
            )
    schema = json_schema()
    raw = merge(raw, from_command_line(override, raw, schema, schema))
    config, bad_keys, wrong = _checked(raw, methods)
    problems += wrong
    problems += absent_files(config, bad_keys, raw, methods)
    if problems:
        raise listed(f"{source} has", problems)
    return config


def _merged(paths: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The files laid over each other, and numbers in them that are not what they look like."""
    raw: dict[str, Any] = {}
    slips, traps = [], []
    for path in paths:
        try:
            layer = read_yaml(path)
            traps += number_traps(path)
        except ConfigError as error:
            slips.append(str(error))
            continue
        is_result = "schema_version" in layer or "provenance" in layer
        if is_result or (path != paths[0] and Config.model_fields.keys().isdisjoint(layer)):
            other = next((name for name in paths if name != path), "FILE")
            what = "a result, not a configuration" if is_result else "no configuration, as none of its keys is one"
            slips.append(
                f"{path}: is {what}: every name behind --configfile is read as one. What to make stands before "
                f"--configfile: snakemake {path} --configfile {other}"
            )
        raw = merge(raw, layer)
    if slips:
        raise ConfigError("\n".join(slips))
    return raw, traps

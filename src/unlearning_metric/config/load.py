"""From files and the command line to a checked `Config`, or one error that lists every problem."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from unlearning_metric.config.command_line import from_command_line
from unlearning_metric.config.data import USER_DATA, WANTED
from unlearning_metric.config.experiment import Config, rule_problems
from unlearning_metric.config.messages import field_problem
from unlearning_metric.config.methods import METHOD_NAME, method_problems
from unlearning_metric.config.schema import json_schema
from unlearning_metric.config.text import ConfigError, listed
from unlearning_metric.config.values import sound_part
from unlearning_metric.config.yaml_file import merge, read_yaml


def parse(raw: dict, known_methods: Iterable[str], source: str = "config/config.yaml") -> Config:
    """Check a raw configuration and return it with its defaults filled in.

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
    schema = json_schema()
    problems: list[str] = []
    bad_keys: set[str] = set()
    try:
        config = Config.model_validate(raw)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            if error["type"] == "value_error" and not error["loc"]:
                continue  # the rules between fields, which are applied below
            bad_keys.add(".".join(str(part) for part in error["loc"]))
            problems.append(field_problem(error, schema))
        config = None if "" in bad_keys else sound_part(Config, raw, bad_keys)
    if config is not None:
        problems += rule_problems(config, bad_keys)
        problems += method_problems(raw, sorted(set(known_methods)))
    if problems:
        raise listed(f"{source} has", problems)
    return config


def load(paths: Iterable[str | Path], override: dict, methods: Mapping[str, Path], default: str | Path) -> Config:
    """Read, merge and check configuration files.

    Parameters
    ----------
    paths : files laid over each other; none of them: ``default`` alone, which is never merged with others
    override : values of the command line
    methods : method name -> file

    Raises
    ------
    ConfigError
        As `read_yaml` and `parse`; also for a method file with an unusable name and a data file that is absent.
    """
    paths = [str(path) for path in paths] or [str(default)]
    raw: dict = {}
    for path in paths:
        raw = merge(raw, read_yaml(path))
    for name, path in methods.items():
        if not re.fullmatch(METHOD_NAME, name):
            raise ConfigError(
                f"methods/{path.name}: the name of a method may hold only letters, digits and underscores. "
                "Rename the file."
            )
    schema = json_schema()
    config = parse(merge(raw, from_command_line(override, raw, schema, schema)), methods, ", ".join(paths))
    if config.forget.path is not None and not Path(config.forget.path).is_file():
        raise ConfigError(
            f"forget.path: there is no file {config.forget.path} (looked in {Path.cwd()}). Give the path of a file "
            "with the indices of the training examples to forget."
        )
    for key, path in (("model.file", config.model.file), ("training.file", config.training.file),
                      ("original", config.original)):  # fmt: skip
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{key}: there is no file {path} (looked in {Path.cwd()}). Give its path.")
    kind = USER_DATA.get(config.data.source)
    exists = {"file": Path.is_file, "folder": Path.is_dir}
    if kind is not None and not exists[kind](Path(config.data.path)):
        raise ConfigError(
            f"data.path: there is no {kind} {config.data.path} (looked in {Path.cwd()}). Give the path of "
            f"{WANTED[config.data.source]}."
        )
    return config

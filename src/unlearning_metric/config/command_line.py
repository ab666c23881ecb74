"""What Snakemake makes of ``--config`` and ``--configfile``."""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unlearning_metric.config.schema import choices_of, without_null
from unlearning_metric.config.text import ConfigError
from unlearning_metric.config.yaml_file import read_yaml


def configfile_option(paths: Iterable[str | Path]) -> str:
    """The option that names configuration files, for a command in a message; empty without files."""
    here = Path.cwd()
    named = [str(path.relative_to(here) if path.is_relative_to(here) else path) for path in map(Path, paths)]
    return f" --configfile {shlex.join(named)}" if named else ""


def refuse_unreadable(command: Sequence[str] | None = None) -> None:
    """End the process where a file behind ``--configfile`` cannot be read: with its line, and what to do about it.

    Snakemake reads those files before the Snakefile, and says neither. The profiles call this, which it reads earlier.

    Parameters
    ----------
    command : arguments of the command line; those of this process by default

    Raises
    ------
    SystemExit
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", action="extend", default=[])
    paths = parser.parse_known_args(command)[0].configfile
    slips = []
    for path in paths:
        try:
            json.loads(Path(path).read_bytes())
        except (OSError, ValueError):
            # No JSON, which Snakemake tries first.
            try:
                read_yaml(path)
            except ConfigError as error:
                slips.append(str(error))
    if slips:
        if len(paths) > 1:
            slips.append("Every name behind --configfile is read as a configuration: what to make stands before it.")
        print("\n".join(slips), file=sys.stderr)
        raise SystemExit(1)


def from_command_line(given: Any, in_files: Any, node: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Integers and nulls, where Snakemake took them from the command line as text.

    Of what stands within a mapping or list it makes text alone, and null is text to it everywhere. Other numbers and
    truth values are read by their fields; a hyper-parameter, which may be anything, is what it would be in a file.

    Parameters
    ----------
    given : what Snakemake hands over, files and command line together
    in_files : the same of the files alone; what is as it is there stays
    node : JSON schema of ``given``
    schema : JSON schema of the configuration
    """
    if given == in_files and type(given) is type(in_files):
        return given
    kinds = [one if "$ref" not in one else without_null(one, schema) for one in choices_of(node)]
    if isinstance(given, dict):
        known = in_files if isinstance(in_files, dict) else {}
        named = {key: one for kind in kinds for key, one in kind.get("properties", {}).items()}
        # Entries of any name, such as methods.
        other: dict[str, Any] = next((one for kind in kinds for one in kind.get("patternProperties", {}).values()), {})
        return {
            key: from_command_line(value, known.get(key), named.get(key, other), schema) for key, value in given.items()
        }
    if isinstance(given, list):
        items: dict[str, Any] = next((kind["items"] for kind in kinds if "items" in kind), {})
        return [from_command_line(item, None, items, schema) for item in given]
    if not isinstance(given, str):
        return given
    if not node:
        return _as_in_a_file(given)
    if given in ("", "null") and any(one.get("type") == "null" for one in node.get("anyOf", ())):
        return None
    # In this form alone: the class 007 is no number.
    if re.fullmatch(r"-?(0|[1-9]\d*)", given) and any(kind.get("type") == "integer" for kind in kinds):
        return int(given)
    return given


def _as_in_a_file(text: str) -> Any:
    """What YAML reads as a number, truth value or null; text of other forms, such as 007, no and 1e-3, stays text."""
    for word, value in (("true", True), ("false", False), ("null", None)):
        if text in (word, word.capitalize(), word.upper()):
            return value
    if re.fullmatch(r"-?(0|[1-9]\d*)", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?(0|[1-9]\d*)\.\d*(e[-+]\d+)?", text) else text

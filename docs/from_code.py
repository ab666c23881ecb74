"""Pages that are written from the code: metrics from their records, commands, fields of a score document."""

import argparse
import json
from collections.abc import Callable, Iterator
from typing import Any

from unlearning_metric.__main__ import command_parser
from unlearning_metric.metrics.table import METRICS
from unlearning_metric.plan.workflow_files import workflow_folder

BETTER = {
    "lower": "lower is better", "higher": "higher is better", "zero": "nearer to 0 is better",
    "ceiling": "nearer to its ceiling is better",
}  # fmt: skip


def metrics() -> str:
    """What each metric is, its values, what it needs, the numbers of its section."""
    parts = [
        "# Metrics\n\nWritten from the records in `src/unlearning_metric/metrics/`. The challenge's own score, which "
        "ranks, is explained in [What the score says](../score.md); how to read these beside it, in "
        "[What a run leaves](../results.md).\n"
    ]
    for metric in METRICS.values():
        needs = f"at least {metric.least_models} models a side"
        if metric.least_examples > 1:
            needs += f" and {metric.least_examples} examples"
        facts = {
            "Published": metric.source, "Signal": metric.signal, "Examples": ", ".join(metric.roles),
            "Perfect unlearning": metric.ideal, "Ceiling": metric.ceiling, "Floor": metric.floor,
            "Better": BETTER[metric.better], "Needs": needs, "Caution": metric.caution,
        }  # fmt: skip
        lines = [f"- **{name}**: {value}" for name, value in facts.items() if value]
        rows = [("number", "what"), ("---", "---")]
        rows += [
            (f"`{metric.name}.{name}`", number.says + (f" (null: {number.missing})" if number.missing else ""))
            for name, number in metric.numbers.items()
        ]
        table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
        says = metric.says[0].upper() + metric.says[1:]
        parts.append(f"## {metric.title}\n\n{says}.\n\n" + "\n".join(lines) + f"\n\n{table}\n")
    return "\n".join(parts)


def command_line() -> str:
    """Every command with its options, as ``--help`` prints them."""
    parts = ["# Commands\n\n`unlearning-metric` and `python -m unlearning_metric` are the same.\n"]
    for name, command in subcommands(command_parser()):
        parts.append(f"## {name}\n\n```text\n{command.format_help().strip()}\n```\n")
    return "\n".join(parts)


def subcommands(parser: argparse.ArgumentParser, of: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Name and parser of every command, and of every command of a command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"{of}{name}", command
                yield from subcommands(command, f"{of}{name} ")


def fields(node: dict[str, Any], schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name and description of every field of a JSON schema."""
    if "$ref" in node:
        node = {**schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], **node}
    for key, entry in node.get("properties", {}).items():
        choices = [entry, *entry.get("anyOf", [])]
        said = next((one["description"] for one in choices if "description" in one), "")
        yield f"{name}{key}", said
        for one in choices:
            if "$ref" in one or "properties" in one:
                yield from fields(one, schema, f"{name}{key}.")


def score_document() -> str:
    """The fields of score_<method>.json."""
    schema = json.loads((workflow_folder() / "workflow" / "schemas" / "score.schema.json").read_text(encoding="utf-8"))
    rows = [f"| `{name}` | {said.replace('|', chr(92) + '|')} |" for name, said in dict(fields(schema, schema)).items()]
    return (
        "# The score document\n\n`results/score_<method>.json`; written from `workflow/schemas/score.schema.json`. "
        "What the numbers mean: [What a run leaves](../results.md).\n\n| field | what |\n| --- | --- |\n"
        + "\n".join(rows)
        + "\n"
    )


#: Page -> its text.
PAGES: dict[str, Callable[[], str]] = {
    "reference/metrics": metrics,
    "reference/commands": command_line,
    "reference/score-document": score_document,
}

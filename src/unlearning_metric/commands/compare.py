"""`python -m unlearning_metric compare`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from unlearning_metric.errors import UserError


def add_compare(commands: Any) -> None:
    """Add the command to a parser's sub-commands."""
    parser = commands.add_parser(
        "compare",
        help="one page with the boards of several results folders beside each other",
        description="Folders with a finished leaderboard: of the workflow, of opened banks, of `score`. Of one folder "
        "whose scores are from several originals, the boards of its originals.",
    )
    parser.add_argument(
        "results", nargs="+", metavar="[NAME=]FOLDER", help="results folders, each with a name of its board"
    )
    parser.add_argument("-o", "--output", default="comparison.html", metavar="HTML", help="default: comparison.html")
    parser.set_defaults(run=run_compare)


def run_compare(arguments: argparse.Namespace) -> int:
    """Write the page; 2 where the folders cannot be compared."""
    # Here: the doctor needs no templates.
    from unlearning_metric.jobs.compare_boards import named_folders, write_comparison_page

    try:
        write_comparison_page(named_folders(arguments.results), arguments.output)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"compare: {error.filename} cannot be written: {error.strerror}. Name another page with -o.",
            file=sys.stderr,
        )
        return 2
    print(f"Written: {arguments.output}")
    return 0

"""The catalogue: what each method file says of itself in its docstring -> docs/methods.md.

    python -m unlearning_metric.pages            # the page anew; the scores it holds stay
    python -m unlearning_metric.pages results    # with the scores of a results folder

The docstring of a method file begins with one sentence and has five fields, each of which begins a line::

    \"\"\"CF-k: fine-tune the last k layers on the retain set.

    Source: where it is published. What differs here.
    Needs: retain set, forget set.
    Cost: 3 R fb, 2 F fw.
    Stochastic: weak; order of the examples.
    Known weakness: what to keep in mind.
    \"\"\"

Method files are read, never run.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from unlearning_metric.errors import UserError
from unlearning_metric.leaderboard.formats import data_text, originals_text

FIELDS = ("Source", "Needs", "Cost", "Stochastic", "Known weakness")
DEGREES = ("no", "weak", "medium", "strong")
#: What stands in "Needs" -> the argument that a method's function asks for.
NEEDS = {
    "retain set": "retain_loader",
    "forget set": "forget_loader",
    "validation set": "val_loader",
    "original model": "original_model",
    "initial model": "initial_model",
    "oracle model": "oracle_model",
    "training recipe": "train_from_scratch",
    "class weights": "class_weights",
}
HEAD = """# Methods

Written by `python -m unlearning_metric.pages` from the docstrings in `methods/`; change those, not this page.

- **needs**: what a method is given besides the original model that it changes. A need "with" an option is optional.
- **stochastic**: how far its random draws spread the copies, by design. One that says "no" scores exactly 0 unless
  each copy starts from an original of its own (`originals: per_copy`).
- **cost** at the defaults: `5 R fb` is forward and backward over the retain set (R; F forget, V validation set) five
  times, `fw` forward only; `2 n_F of R fb` is over twice as many retain examples as there are forget examples.
- **score**: the final score, {run}

"""
NO_RUN = "of no run yet: `python -m unlearning_metric.pages results` fills it in."
COLUMNS = ("method", "needs", "stochastic", "cost", "source", "score")


class CatalogueError(UserError, ValueError):
    """A method file, or a page, that the catalogue cannot read."""


@dataclass(frozen=True)
class Entry:
    """What a method file says of itself; every field is one line of text.

    Attributes
    ----------
    name : of the method, its file's
    title : what it is
    """

    name: str
    title: str
    source: str
    needs: str
    cost: str
    stochastic: str
    weakness: str

    @property
    def degree(self) -> str:
        """How stochastic it is: one of ``DEGREES``."""
        return re.split(r"[;.,]", self.stochastic)[0]

    @property
    def citation(self) -> str:
        """The first sentence of the source."""
        return re.split(r"\.\s+(?=[A-Z`])|\.$", self.source)[0]

    @property
    def arguments(self) -> dict[str, bool]:
        """Argument of the method's function -> whether the method always uses it, or only "with" an option."""
        found = {}
        for part in re.split(r"[,;]\s*", self.needs.rstrip(".")):
            need, _, option = part.partition(" with ")
            if need in NEEDS:
                found[NEEDS[need]] = not option
            elif need != "nothing":
                raise CatalogueError(f"method {self.name}: it needs {need!r}, which is not one of {', '.join(NEEDS)}")
        return found

    @property
    def passes(self) -> dict[tuple[str, str, str], float]:
        """(counted in, examples of, ``fb`` or ``fw``) -> number, at the defaults.

        ("R", "R", "fb"): 5 is forward and backward over the retain set five times; ("F", "R", "fw"): 2 is forward over
        twice as many retain examples as there are forget examples. The cost of a training by the recipe, "E", is none
        of them.
        """
        terms = re.findall(r"([\d.]+) (?:n_([RFV]) of )?([RFV]) (f[bw])", self.cost)
        return {(unit or part, part, kind): float(number) for number, unit, part, kind in terms}


def read_entry(path: Path | str) -> Entry | None:
    """Entry of a method file; None for a file whose docstring has none of the fields, such as a user's own.

    Raises
    ------
    CatalogueError
        If the file does not parse, or some of the fields are missing, or its degree of randomness is none we know.
    """
    path = Path(path)
    try:
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except SyntaxError as error:
        raise CatalogueError(f"method file {path.name} does not parse: line {error.lineno}: {error.msg}") from error
    parts = re.split(rf"^({'|'.join(FIELDS)}):", text, flags=re.MULTILINE)
    title, *rest = (" ".join(part.replace("``", "`").split()) for part in parts)
    fields = dict(zip(rest[::2], rest[1::2], strict=True))
    if not fields:
        return None
    missing = [name for name in FIELDS if not fields.get(name)]
    if missing:
        raise CatalogueError(f"method file {path.name}: its docstring lacks {', '.join(f'{m}:' for m in missing)}")
    entry = Entry(path.stem, title, *(fields[name] for name in FIELDS))
    if entry.degree not in DEGREES:
        raise CatalogueError(
            f"method file {path.name}: 'Stochastic: {entry.stochastic}' must begin with one of {', '.join(DEGREES)}"
        )
    return entry


def read_entries(folder: Path | str) -> list[Entry]:
    """Entries of a folder of method files, sorted by name; files beginning with ``_`` are helpers."""
    entries = (read_entry(path) for path in sorted(Path(folder).glob("[!_]*.py")))
    return [entry for entry in entries if entry is not None]


@dataclass(frozen=True)
class Scores:
    """Final scores of one run.

    Attributes
    ----------
    run : what they are scores of, as text
    values : method -> score as it is written on the page
    """

    run: str
    values: Mapping[str, str]


def read_scores(results: Path | str) -> Scores:
    """Scores of the score documents in a results folder.

    Raises
    ------
    CatalogueError
        If there are none, or they were scored against different retrained models.
    """
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(results).glob("score_*.json"))]
    if not documents:
        raise CatalogueError(f"{results} holds no score_*.json; run `snakemake` first")
    references = {(one["provenance"]["keys"]["retrained"], one["copies"], originals_text(one)) for one in documents}
    if len(references) > 1:
        raise CatalogueError(
            f"the scores in {results} are against different retrained models or originals; run `snakemake` first"
        )
    first = documents[0]
    ceiling = first["challenge"]["ceiling"]
    run = (
        f"of a run on {data_text(first)} with N = {first['copies']}, {first['forget']['size']} forget examples "
        f"({first['forget']['strategy']}), {originals_text(first)}. "
        + ("There is no ceiling." if ceiling is None else f"The ceiling is {ceiling:.4f}.")
    )
    finals = {one["method"]: one["challenge"]["final_score"] for one in documents}
    return Scores(run, {name: "-" if final is None else f"{final:.4f}" for name, final in finals.items()})


def scores_of_page(text: str) -> Scores:
    """The scores that a page holds."""
    run = re.search(r"^- \*\*score\*\*: the final score, (.*)$", text, re.MULTILINE)
    rows = (line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ["))
    values = {re.sub(r"\[(\w+)\].*", r"\1", row[0].strip()): row[-1].strip() for row in rows}
    return Scores(run[1] if run else NO_RUN, {name: value for name, value in values.items() if value != "-"})


def page(entries: Iterable[Entry], scores: Scores) -> str:
    """The page: a table, then a paragraph a method."""
    entries = list(entries)
    rows = [
        (
            f"[{one.name}](#{one.name})", one.needs.rstrip("."), one.degree, one.cost.rstrip("."), one.citation,
            scores.values.get(one.name, "-"),
        )
        for one in entries
    ]  # fmt: skip
    widths = [max(len(row[i]) for row in (COLUMNS, *rows)) for i in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (COLUMNS, ["-" * width for width in widths], *rows)
    ]
    sections = [
        f"\n## {one.name}\n\n{one.title}\n\n- Source: {one.source}\n- Stochastic: {one.stochastic}\n"
        f"- Known weakness: {one.weakness}\n"
        for one in entries
    ]
    return HEAD.format(run=scores.run) + "\n".join(lines) + "\n" + "".join(sections)


def main(argv: list[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m unlearning_metric.pages", description="Write docs/methods.md from the method files."
    )
    parser.add_argument("results", nargs="?", help="results folder whose scores the page shows; default: those it has")
    parser.add_argument("--methods", default="methods", help="folder of the method files")
    parser.add_argument("--page", default="docs/methods.md", help="the page")
    arguments = parser.parse_args(argv)
    target = Path(arguments.page)
    try:
        if arguments.results is not None:
            scores = read_scores(arguments.results)
        else:
            scores = scores_of_page(target.read_text(encoding="utf-8") if target.exists() else "")
        text = page(read_entries(arguments.methods), scores)
    except CatalogueError as error:
        parser.exit(1, f"{error}\n")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(target)


if __name__ == "__main__":
    main()

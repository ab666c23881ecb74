"""Every metric on the calibration ladder: the tables of docs/ladder.md, and its figure.

    snakemake --configfile config/ladder.yaml        # once, minutes
    python benchmarks/ladder.py results_ladder       # writes them anew

A copy of a rung is the original with probability rho and a retrained model otherwise. So an attack that takes a share
f of the retrained models for copies, and a share t' of originals, takes (1 - rho) f + rho t' of the copies for
copies. None passes rho + (1 - rho) f, nor an area or an accuracy of (1 + rho) / 2, and the total variation is rho.
What is a mean over copies lies on the line between the two ends. The table says whether each number keeps to that,
with the share of originals that a rung really handed out in place of rho, and whether it moves one way from rung to
rung.
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import beta

from unlearning_metric.leaderboard.formats import table_lines
from unlearning_metric.metrics.heldout import heldout
from unlearning_metric.metrics.table import METRICS

ROOT = Path(__file__).resolve().parents[1]
RHO = (0.0, 0.1, 0.25, 0.5, 1.0)
BEGIN, END = (
    "<!-- ladder: written by `python benchmarks/ladder.py results_ladder` -->\n",
    "<!-- end of the ladder -->\n",
)


@dataclass(frozen=True)
class Rung:
    """A mixture: its score document, the share of its copies that are the original, and of each example a lower bound
    of the total variation between copies and retrained models."""

    rho: float
    share: float
    document: dict[str, Any]
    variation: np.ndarray


@dataclass(frozen=True)
class Row:
    """A number on the rungs; what it cannot pass (``most``) or must lie at (``line``), by the share of originals."""

    name: str
    values: list[float | None]
    most: Callable[[float], float] | None = None
    line: bool = False

    @property
    def course(self) -> str:
        """How it moves from rung to rung."""
        if None in self.values:
            return "undefined at " + ", ".join(f"{r:g}" for r, v in zip(RHO, self.values, strict=True) if v is None)
        steps = np.diff(self.values)
        if not steps.any():
            return "does not move"
        spans = [f"{low:g}-{high:g}" for low, high in pairwise(RHO)]
        forward = np.sign(self.values[-1] - self.values[0]) or np.sign(steps[np.flatnonzero(steps)[0]])
        if back := [span for span, step in zip(spans, steps, strict=True) if step * forward < 0]:
            return f"back at {', '.join(back)}"
        level = [span for span, step in zip(spans, steps, strict=True) if step == 0]
        return f"one way, level at {', '.join(level)}" if level else "one way"


#: (metric, number) -> what no attack on a mixture can pass, by the share of originals.
MOST = {
    ("ulira", "accuracy"): lambda share: (1 + share) / 2,
    ("pooled_roc", "auc"): lambda share: (1 + share) / 2,
    ("pooled_roc", "tpr_at_1"): lambda share: share + (1 - share) * 0.01,
    ("pooled_roc", "tpr_at_01"): lambda share: share + (1 - share) * 0.001,
    ("direction", "delta_mean"): lambda share: share,
}
#: Means over copies, which lie between the ends as the share does.
LINES = {("direction", "delta_mean"), ("completeness", "mean"), ("simple_mia", "accuracy")}


def confidences(folder, role="forget"):
    """Confidence [models, examples] of all dumps of a folder."""
    table = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])
    return table[table["role"] == role].pivot(index="model", columns="example", values="confidence").to_numpy()


def read_ladder(results):
    """The rungs of a results folder, by rho."""
    original, retrained = (confidences(results / "losses" / name) for name in ("full", "retain"))
    rungs = []
    for path in results.glob("score_*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        copies = confidences(results / "losses" / "unlearn" / document["method"])
        share = float((copies == original).all(axis=1).mean())
        rho = document["provenance"]["configuration"]["options"]["rho"]
        rungs.append(Rung(rho, share, document, total_variation_bounds(retrained, copies)))
    rungs.sort(key=lambda rung: rung.rho)
    if tuple(rung.rho for rung in rungs) != RHO:
        raise SystemExit(f"{results} is no ladder: run snakemake --configfile config/ladder.yaml")
    return rungs


def total_variation_bounds(retrained, copies):
    """Lower 95 % bounds [examples] of the total variation, from the counts of held-out epsilon."""
    found = heldout(retrained, copies)
    upper = [
        beta.ppf(0.975, errors + 1, np.maximum(len(side) - errors, 1e-9))
        for errors, side in ((found.false_positives, retrained), (found.false_negatives, copies))
    ]
    return np.maximum(1 - upper[0] - upper[1], 0.0)


def rows_of(rungs):
    """The challenge's score, the bound of the total variation, and each number that a leaderboard shows."""
    documents = [rung.document for rung in rungs]
    rows = [
        Row("forgetting score", [document["challenge"]["forgetting_score"] for document in documents]),
        Row(
            "total variation, lower bound",
            [float(np.median(rung.variation)) for rung in rungs],
            most=lambda share: share,
        ),
    ]
    for metric in METRICS.values():
        for column in metric.shown:
            parts = [metric.compared(document, column.role)["method"] for document in documents]
            place = metric.name, column.number
            values = [part[column.number] for part in parts]
            rows.append(Row(column.heading, values, MOST.get(place), place in LINES))
    return rows


def bound_text(row, shares):
    """Whether a number stays below what a mixture allows and lies where a mean over copies lies."""
    said = []
    if row.most is not None:
        past = [value - row.most(share) for value, share in zip(row.values, shares, strict=True)]
        worst = max(past)
        said.append("holds" if worst <= 0 else f"passed by {worst:.3f} at {RHO[int(np.argmax(past))]:g}")
    if row.line:
        expected = np.interp(shares, [shares[0], shares[-1]], [row.values[0], row.values[-1]])
        said.append(f"within {np.abs(expected - row.values).max():.3f} of the line")
    return ", ".join(said) or "-"


def tables(rungs, rows):
    """The generated part of the page."""
    first, shares = rungs[0].document, [rung.share for rung in rungs]
    handed = ", ".join(f"{round(rung.share * first['copies'])}" for rung in rungs)
    above = [float((rung.variation > rung.rho).mean()) for rung in rungs]
    lines = [
        f"{first['dataset']}, {first['model']}, N = {first['copies']}, {first['forget']['size']} forget examples, one "
        f"original. Of the {first['copies']} copies of each rung, {handed} are the original.",
        "",
        *table_lines(
            [
                ["number", *(f"rho = {rho:g}" for rho in RHO), "what a mixture allows", "course"],
                *(
                    [
                        row.name, *("-" if value is None else f"{value:.4f}" for value in row.values),
                        bound_text(row, shares), row.course,
                    ]
                    for row in rows
                ),
            ]
        ),
        "",
        "Share of examples whose bound of the total variation lies above rho, at most 0.05 but for chance: "
        + ", ".join(f"{value:.3f}" for value in above) + ". Numbers that go back, or are undefined somewhere: "
        + (", ".join(row.name for row in rows if row.course.startswith(("back", "undefined"))) or "none")
        + ". Numbers that do not move: "
        + (", ".join(row.name for row in rows if row.course == "does not move") or "none") + ".",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def figure_of(rungs, rows):
    """A panel a number: its values along rho, what it cannot pass dashed, the line dotted."""
    shares, columns = [rung.share for rung in rungs], 5
    figure, panels = plt.subplots(-(-len(rows) // columns), columns, figsize=(9, 1.55 * -(-len(rows) // columns)))
    for axes, row in zip(panels.flat, rows, strict=False):
        color = "#d55e00" if row.course.startswith(("back", "undefined")) else "#0173b2"
        axes.plot(RHO, [np.nan if value is None else value for value in row.values], "o-", ms=3, lw=1, color=color)
        if row.most is not None:
            axes.plot(shares, [row.most(share) for share in shares], "--", lw=0.8, color="#777777")
        if row.line:
            axes.plot([0, 1], [row.values[0], row.values[-1]], ":", lw=0.8, color="#777777")
        axes.set_title(row.name, fontsize=7.5)
        axes.tick_params(labelsize=6)
    for axes in list(panels.flat)[len(rows) :]:
        axes.axis("off")
    for axes in panels[-1]:
        axes.set_xlabel("rho", fontsize=7)
    figure.tight_layout()
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "ladder.md")
    parser.add_argument("--figure", type=Path, default=ROOT / "docs" / "images" / "ladder.png")
    given = parser.parse_args()
    rungs = read_ladder(given.results)
    rows = rows_of(rungs)
    before, _, rest = given.page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    given.page.write_text(f"{before}{BEGIN}\n{tables(rungs, rows)}\n{END}{after}", encoding="utf-8")
    figure_of(rungs, rows).savefig(given.figure, dpi=130)
    print(tables(rungs, rows))


if __name__ == "__main__":
    main()

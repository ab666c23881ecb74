"""Every metric on the calibration ladder: the table of docs/ladder.md, and its figure.

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
from unlearning_metric.metrics.bucket_points import DELTA
from unlearning_metric.metrics.heldout import heldout
from unlearning_metric.metrics.table import METRICS

ROOT = Path(__file__).resolve().parents[1]
RHO = (0.0, 0.1, 0.25, 0.5, 1.0)
BEGIN = "<!-- ladder: written by `python benchmarks/ladder.py results_ladder` -->\n"
END = "<!-- end of the ladder -->\n"
#: The bound of ln((1 - delta - FPR) / FNR), of which the truth is finite below rho = 1.
ONE_SIDED = "epsilon of retrained"


@dataclass(frozen=True)
class Rung:
    """A mixture.

    Attributes
    ----------
    rho, share : as asked for, and the share of its copies that are the original
    document : its score document
    variation, epsilon : float64 [examples], as `bounds` gives them
    """

    rho: float
    share: float
    document: dict[str, Any]
    variation: np.ndarray
    epsilon: np.ndarray


@dataclass(frozen=True)
class Row:
    """A number on the rungs; what it cannot pass (``most``), or whether it lies on a ``line``, by the share."""

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
        if back := [f"{abs(s):.4f} at {span}" for span, s in zip(spans, steps, strict=True) if s * forward < 0]:
            return f"back by {', '.join(back)}"
        level = [span for span, step in zip(spans, steps, strict=True) if step == 0]
        return f"one way, level at {', '.join(level)}" if level else "one way"

    @property
    def fails(self) -> bool:
        """Whether it goes back or is undefined on some rung."""
        return self.course.startswith(("back", "undefined"))


def one_sided_epsilon(share):
    """What is more frequent among retrained models than among copies is so by 1 / (1 - rho) at most. Nats."""
    return float(-np.log1p(-share)) if share < 1 else np.inf


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
    rungs = []
    for path in results.glob("score_*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        rho = document["provenance"]["configuration"]["options"].get("rho")
        copies, original, retrained = (
            confidences(results / "losses" / name) for name in (f"unlearn/{document['method']}", "full", "retain")
        )
        share = float((copies == original).all(axis=1).mean())
        rungs.append(Rung(rho, share, document, *bounds(retrained, copies)))
    if {rung.rho for rung in rungs} != set(RHO) or len(rungs) != len(RHO):
        raise SystemExit(f"{results} is no ladder of its own: run snakemake --configfile config/ladder.yaml")
    return sorted(rungs, key=lambda rung: rung.rho)


def bounds(retrained, copies):
    """Lower 95 % bounds [examples] of total variation and one-sided epsilon, from the counts of held-out epsilon."""
    found = heldout(retrained, copies)
    false_positives, false_negatives = (
        beta.ppf(0.975, errors + 1, np.maximum(len(side) - errors, 1e-9))
        for errors, side in ((found.false_positives, retrained), (found.false_negatives, copies))
    )
    epsilon = np.log(np.maximum(1 - DELTA - false_positives, 1e-9) / false_negatives)
    return np.maximum(1 - false_positives - false_negatives, 0.0), np.maximum(epsilon, 0.0)


def rows_of(rungs):
    """The challenge's score, the two bounds, and each number that a leaderboard shows."""
    documents = [rung.document for rung in rungs]
    rows = [
        Row("forgetting score", [document["challenge"]["forgetting_score"] for document in documents]),
        Row("total variation", [float(np.median(rung.variation)) for rung in rungs], most=float),
        Row(ONE_SIDED, [float(np.median(rung.epsilon)) for rung in rungs], most=one_sided_epsilon),
    ]
    for metric in METRICS.values():
        for column in metric.shown:
            place = metric.name, column.number
            values = [metric.compared(document, column.role)["method"][column.number] for document in documents]
            rows.append(Row(column.heading, values, MOST.get(place), place in LINES))
    return rows


def bound_text(row, shares):
    """Whether a number stays below what a mixture allows and lies where a mean over copies lies.

    At rho = 0 what is allowed is what chance gives, which half of all runs pass.
    """
    said = []
    if row.most is not None:
        past = [value - row.most(share) for value, share in zip(row.values[1:], shares[1:], strict=True)]
        worst = int(np.argmax(past))
        said.append("holds" if past[worst] <= 0 else f"passed by {past[worst]:.4f} at {RHO[worst + 1]:g}")
    if row.line:
        expected = np.interp(shares, [shares[0], shares[-1]], [row.values[0], row.values[-1]])
        said.append(f"within {np.abs(expected - row.values).max():.4f} of the line")
    return ", ".join(said) or "-"


def table(rungs, rows):
    """The generated part of the page."""
    first, shares = rungs[0].document, [rung.share for rung in rungs]
    handed = [round(share * first["copies"]) for share in shares]
    heads = [f"rho = {rho:g}" for rho in RHO]
    cells = [
        [row.name, *("-" if v is None else f"{v:.4f}" for v in row.values), bound_text(row, shares), row.course]
        for row in rows
    ]
    above = [
        f"{name} {', '.join(f'{share:.3f}' for share in over)}"
        for name, over in (
            ("total variation", [(rung.variation > rung.rho).mean() for rung in rungs]),
            (ONE_SIDED, [(rung.epsilon > one_sided_epsilon(rung.rho)).mean() for rung in rungs]),
        )
    ]
    lines = [
        f"{first['dataset']}, {first['model']}, N = {first['copies']}, {first['forget']['size']} forget examples, 1 "
        f"original. Of the {first['copies']} copies of each rung {', '.join(map(str, handed))} are the original.",
        "",
        *table_lines([["number", *heads, "what a mixture allows", "course"], *cells]),
        "",
        f"Share of examples whose 95 % bound lies above the truth, rung by rung: {'; '.join(above)}.",
        f"Go back somewhere, or are undefined: {', '.join(row.name for row in rows if row.fails) or 'none'}.",
    ]
    return "\n".join(lines) + "\n"


def figure_of(rungs, rows):
    """A panel a number: its course, what it cannot pass dashed, the line dotted; red where it goes back."""
    shares, columns = [rung.share for rung in rungs], 5
    height = -(-len(rows) // columns)
    figure, panels = plt.subplots(height, columns, figsize=(9, 1.55 * height))
    for axes, row in zip(panels.flat, rows, strict=False):
        values = [np.nan if value is None else value for value in row.values]
        axes.plot(shares, values, "o-", ms=3, lw=1, color="#d55e00" if row.fails else "#0173b2")
        if row.most is not None:
            axes.plot(shares, [row.most(share) for share in shares], "--", lw=0.8, color="#777777")
        if row.line:
            axes.plot([0, 1], [values[0], values[-1]], ":", lw=0.8, color="#777777")
        axes.set_title(row.name, fontsize=7.5)
        axes.tick_params(labelsize=6)
        axes.set_xlim(-0.05, 1.05)
    for axes in list(panels.flat)[len(rows) :]:
        axes.axis("off")
    for axes in panels[-1]:
        axes.set_xlabel("share of originals", fontsize=7)
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
    text = table(rungs, rows)
    given.page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    figure_of(rungs, rows).savefig(given.figure, dpi=130)
    print(text)


if __name__ == "__main__":
    main()

"""The figure of the pooled attack: true against false positives, down to where an attacker accuses few."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unlearning_metric.report.figure_style import (
    ACCENT,
    COLUMN,
    LINE,
    MARKERS,
    NAMED,
    SERIES,
    SMALL,
    legend_below,
    named,
)
from unlearning_metric.report.gather import Findings


def pooled_curves(found: Findings) -> Figure:
    """The pooled attack's ROC curves of the methods (the first `NAMED`) on logarithmic axes, and the ceiling's.

    All of them on as many models as the ceiling has, which has a band of 95 % over its models, those of the
    reference kept. A curve begins where one false positive is allowed, and has no point where there is no true one.
    """
    shown = [method for method in found.methods[:NAMED] if _like_ceiling(method.document) is not None]
    figure, axes = plt.subplots(figsize=(COLUMN, 2.6 + LINE * math.ceil((len(shown) + 3) / 2)))
    if shown:
        section = shown[0].document["pooled_roc"]
        rates = np.array(section["false_positive_rates"])
        pairs = found.first["forget"]["size"] * section["ceiling_models"]
        seen = rates * pairs >= 1 - 1e-9
        axes.plot(rates[seen], rates[seen], color=ACCENT, linestyle=":", linewidth=0.8, label="guessing")
        if section["ceiling"] is not None:
            _ceiling(axes, rates, seen, section["ceiling"])
        for place, method in enumerate(shown):
            curve = _positive(_like_ceiling(method.document)["curve"])
            axes.plot(
                rates[seen], curve[seen], linewidth=1, color=SERIES[place % len(SERIES)], label=named(method.name),
                marker=MARKERS[place // len(SERIES) % len(MARKERS)], markersize=3, markevery=4,
            )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlim=(rates[seen][0], 1), ylim=(min(rates[seen][0], 1e-3), 1.1))
        more = len(found.methods) - len(found.methods[:NAMED])
        title = f"the first {NAMED}, not {more} more" if more else None
        legend_below(figure, axes.lines, [str(line.get_label()) for line in axes.lines], title=title)
        axes.set_xlabel(f"false-positive rate, {section['ceiling_models']} models a side")
    else:
        axes.annotate("no curve: too few models", (0.5, 0.5), xycoords="axes fraction", ha="center", fontsize=SMALL)
        axes.set(xticks=[], yticks=[], xlabel="false-positive rate")
    axes.set_ylabel("true-positive rate")
    return figure


def _like_ceiling(document: Mapping[str, Any]) -> Any:
    """The method's part that is to be held against the ceiling; None where the document has none."""
    section = document.get("pooled_roc")
    return None if section is None else section["method_like_ceiling"]


def _ceiling(axes: Axes, rates: np.ndarray, seen: np.ndarray, part: Mapping[str, Any]) -> None:
    curve, half = np.array(part["curve"]), 1.96 * np.array(part["curve_error"])
    # A logarithm has no 0: the band's lower end leaves the picture there.
    low, high = np.maximum(curve - half, 1e-12), np.maximum(curve + half, 1e-12)
    axes.fill_between(rates[seen], low[seen], high[seen], color=ACCENT, alpha=0.3, linewidth=0)
    axes.plot(
        rates[seen], _positive(curve)[seen], color=ACCENT, linestyle="--", linewidth=0.8, label="ceiling: retrained"
    )


def _positive(values: Any) -> np.ndarray:
    """The values, NaN where they are 0."""
    numbers = np.array(values, dtype=np.float64)
    return np.where(numbers > 0, numbers, np.nan)

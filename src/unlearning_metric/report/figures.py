"""The figures for papers: a function each from what was found to a matplotlib figure.

The page draws its own, which answer what they are asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from unlearning_metric.metrics.bucket_points import BUCKET_WIDTH, challenge_points
from unlearning_metric.report.figure_style import (
    ACCENT,
    COLUMN,
    EPSILON_STEP,
    LINE,
    MARKERS,
    NAMED,
    RETRAINED,
    ROW,
    SERIES,
    SHOWN_EPSILON,
    SMALL,
    TEXT,
    UNLEARNED,
    legend_below,
    named,
)  # fmt: skip
from unlearning_metric.report.gather import Example, Findings, Method
from unlearning_metric.report.names import figure_names
from unlearning_metric.report.roc import pooled_curves
from unlearning_metric.report.summaries import epsilon_matrix, rank_agreement


def forgetting_against_utility(found: Findings) -> Figure:
    """Each method a numbered point with both intervals; floor and ceiling as lines."""
    shown = [method for method in found.methods if method.utility is not None]
    lines = math.ceil(min(len(shown), NAMED + 1) / 2)
    figure, axes = plt.subplots(figsize=(COLUMN, 2.3 + LINE * lines))
    ink = mpl.rcParams["text.color"]
    first = found.first["challenge"]
    for value, name in ((first["ceiling"], "ceiling"), (first["floor"], "floor")):
        if value is not None:
            axes.axhline(value, color=ACCENT, linestyle="--", linewidth=0.8)
            axes.annotate(name, (0.01, value), xycoords=("axes fraction", "data"), va="bottom", fontsize=SMALL)
    listed, values, scores, across, along = [], [], [], [], []
    for number, method in enumerate(found.methods, 1):
        if method.utility is None:
            continue
        value, low, high = method.utility
        score = method.document["challenge"]["forgetting_score"]
        interval = method.document["challenge"]["interval"]["forgetting_score"]
        below, above = (score, score) if interval is None else interval["models"]
        values.append(value)
        scores.append(score)
        along.append((score - below, above - score))
        across.append((value - low, high - value))
        axes.annotate(str(number), (value, score), (2, 2), textcoords="offset points", fontsize=SMALL, color=ink)
        listed.append(f"{number} {named(method.name)}")
    if listed:
        errors = np.transpose(along), np.transpose(across)
        axes.errorbar(values, scores, *errors, fmt="none", color=UNLEARNED, linewidth=0.7, zorder=2)
        axes.plot(values, scores, "o", color=UNLEARNED, markersize=3, zorder=3, clip_on=False)
    # Most methods score low: a root spreads them, and shows 0 where a logarithm could not.
    axes.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0)), np.square))
    axes.set_ylim(0)
    axes.set_xlabel("utility: retain ratio x test ratio")
    axes.set_ylabel("forgetting score")
    if len(listed) > NAMED:
        listed[NAMED:] = [f"and {len(listed) - NAMED} more"]
    blank = mpl.lines.Line2D([], [], linestyle="none")
    legend_below(figure, [blank] * len(listed), listed, handlelength=0, handletextpad=0)
    return figure


def pairs_told_apart(found: Findings) -> Figure:
    """Which pairs of methods are told apart, and which of the two is ahead: methods x methods, best first."""
    names = [row["method"] for row in found.rows if row["rank"] is not None]
    places = {name: place for place, name in enumerate(names)}
    # 0: not told apart; 1 and -1: the row's method is ahead, behind.
    matrix = np.zeros((len(names), len(names)))
    for pair in found.pairs:
        if pair["told_apart"]:
            first, second = places[pair["first"]], places[pair["second"]]
            matrix[first, second] = 1 if pair["difference"] > 0 else -1
            matrix[second, first] = -matrix[first, second]
    np.fill_diagonal(matrix, np.nan)
    width = COLUMN if len(names) <= 14 else TEXT
    figure, axes = plt.subplots(figsize=(width, width))
    colors = {1: SERIES[0], -1: SERIES[1], 0: "#d9d9d9"}
    axes.imshow(
        matrix, vmin=-1, vmax=1, cmap=mpl.colors.ListedColormap([colors[-1], colors[0], colors[1]]),
        interpolation="nearest",
    )  # fmt: skip
    texts = {1: "row ahead of column", -1: "row behind column", 0: "not told apart"}
    handles = [mpl.patches.Patch(color=colors[value], label=text) for value, text in texts.items()]
    legend_below(figure, handles, list(texts.values()))
    if len(names) <= NAMED:
        axes.set_xticks(range(len(names)), map(named, names), rotation=90)
        axes.set_yticks(range(len(names)), map(named, names))
    else:
        axes.set(xticks=[], yticks=[], xlabel="methods, best first", ylabel="methods, best first")
    axes.tick_params(length=0)
    return figure


def score_by_models(found: Findings) -> Figure:
    """The forgetting score of the methods (the first `NAMED`) at N/8, N/4, N/2 and N, and the ceiling."""
    shown = found.methods[:NAMED]
    figure, axes = plt.subplots(figsize=(COLUMN, 2.3 + LINE * math.ceil((len(shown) + 2) / 2)))
    for place, method in enumerate(shown):
        entries = [entry for entry in method.document["by_models"] if entry["forgetting_score"] > 0]
        if entries:
            models, scores = ([entry[name] for entry in entries] for name in ("models", "forgetting_score"))
            marker = MARKERS[place // len(SERIES) % len(MARKERS)]
            color = SERIES[place % len(SERIES)]
            axes.plot(models, scores, marker=marker, markersize=3, linewidth=1, color=color, label=named(method.name))
    ceiling = found.first["challenge"]["ceiling"]
    if ceiling is not None:
        axes.axhline(ceiling, color=ACCENT, linestyle="--", linewidth=0.8, label="ceiling at N")
    axes.set(xscale="log", yscale="log", xlabel="models a side", ylabel="forgetting score")
    ticks = [entry["models"] for entry in found.first["by_models"]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    more = len(found.methods) - len(shown)
    title = f"the first {NAMED}, not {more} more" if more else None
    handles = [line for line in axes.lines if line.get_label()]
    legend_below(figure, handles, [str(line.get_label()) for line in handles], title=title)
    return figure


def badly_forgotten(found: Findings) -> Figure:
    """Heat map of epsilon, methods x forget examples, easiest example first."""
    matrix = epsilon_matrix(found.methods)
    figure, axes = plt.subplots(figsize=(COLUMN, min(1.2 + ROW * len(matrix), 9)))
    # In steps that no eye tells apart, which make the picture of many methods much smaller.
    values = np.round(np.clip(matrix.to_numpy(), 0, SHOWN_EPSILON) / EPSILON_STEP) * EPSILON_STEP
    image = axes.imshow(values, aspect="auto", cmap="cividis", vmin=0, vmax=SHOWN_EPSILON, interpolation="nearest")
    if len(matrix) <= NAMED:
        axes.set_yticks(range(len(matrix)), map(named, matrix.index))
    else:
        axes.set_ylabel("methods, in the order of the ranking")
        axes.set_yticks([])
    axes.set_xlabel("forget examples, easy to hard")
    axes.set_xticks([])
    bar = figure.colorbar(image, ax=axes, label="epsilon", extend="max", location="bottom", aspect=30)
    bar.outline.set_visible(False)
    return figure


def metric_agreement(found: Findings) -> Figure:
    """Spearman correlation between the rankings of all metrics."""
    matrix = rank_agreement(found.methods)
    figure, axes = plt.subplots(figsize=(COLUMN, COLUMN))
    values = matrix.to_numpy()
    texts = [["" if math.isnan(value) else _short(value) for value in line] for line in values]
    sns.heatmap(
        matrix, vmin=-1, vmax=1, center=0, cmap="vlag", annot=np.array(texts), fmt="", annot_kws={"fontsize": 6.5},
        ax=axes, cbar=False, square=True,
    )  # fmt: skip
    axes.tick_params(length=0)
    return figure


def _short(value: float) -> str:
    """A correlation in as few letters as say it: .87, -.12, 1."""
    return f"{value:.2f}".replace("0.", ".").replace("1.00", "1").replace("-.00", ".00").replace("-", "\u2212")


def epsilon_histogram(method: Method) -> Figure:
    """How many forget examples have which epsilon, and what a bucket is worth."""
    figure, axes = plt.subplots(figsize=(COLUMN, 2.1))
    epsilons = method.samples["epsilon"].dropna().clip(upper=SHOWN_EPSILON)
    edges = np.arange(0, SHOWN_EPSILON + BUCKET_WIDTH / 2, BUCKET_WIDTH)
    counts, _ = np.histogram(epsilons, edges)
    axes.bar(edges[:-1], counts, BUCKET_WIDTH * 0.9, align="edge", color=UNLEARNED)
    axes.set_xlabel(f"epsilon ({SHOWN_EPSILON:g} and above in the last)")
    axes.set_ylabel("forget examples")
    above = axes.secondary_xaxis("top")
    starts = edges[:-1:2]
    worth = challenge_points(starts + BUCKET_WIDTH / 2, method.document["copies"])
    above.set_xticks(starts + BUCKET_WIDTH / 2, [points_text(value) for value in worth], fontsize=SMALL)
    above.set_xlabel("points")
    return figure


def points_text(value: float) -> str:
    """Bucket points as a fraction."""
    return "0" if value == 0 else "1" if value == 1 else f"1/{round(1 / value)}"


def score_of_method_by_models(method: Method) -> Figure:
    """The forgetting score of one method at N/8, N/4, N/2 and N with its intervals, and the ceiling."""
    figure, axes = plt.subplots(figsize=(COLUMN, 2.1))
    entries = method.document["by_models"]
    models = [entry["models"] for entry in entries]
    scores = np.array([entry["forgetting_score"] for entry in entries])
    known = [place for place, entry in enumerate(entries) if entry["interval"] is not None]
    if known:
        places = [models[place] for place in known]
        error = np.abs(np.array([entries[place]["interval"] for place in known]).T - scores[known])
        axes.errorbar(places, scores[known], error, fmt="none", color=UNLEARNED, linewidth=1)
    axes.plot(models, scores, marker="o", markersize=3, linewidth=1, color=UNLEARNED)
    ceiling = method.document["challenge"]["ceiling"]
    if ceiling is not None:
        axes.axhline(ceiling, color=ACCENT, linestyle="--", linewidth=0.8)
        place = ("axes fraction", "data")
        axes.annotate("ceiling at N", (1, ceiling), xycoords=place, ha="right", va="bottom", fontsize=SMALL)
    axes.set(xscale="log", xlabel="models a side", ylabel="forgetting score")
    axes.set_ylim(0)
    axes.set_xticks(models, [str(number) for number in models])
    axes.minorticks_off()
    return figure


def confidences_of_method(method: Method) -> Figure:
    """Best, median and worst forgotten example side by side, for a paper."""
    figure, panels = plt.subplots(1, 3, figsize=(TEXT, 2.1))
    for axes, example in zip(panels, method.examples, strict=True):
        _two_laws(axes, example)
        axes.set_title(f"{example.kind}, example {example.index}, epsilon {_epsilon(example.epsilon)}", fontsize=SMALL)
    panels[0].legend()
    return figure


def _epsilon(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.2f}"


def _two_laws(axes: Any, example: Example) -> None:
    low = min(example.retrained.min(), example.unlearned.min())
    high = max(example.retrained.max(), example.unlearned.max())
    edges = np.linspace(low, high if high > low else low + 1, 21)
    for values, color, name in (
        (example.retrained, RETRAINED, "retrained"),
        (example.unlearned, UNLEARNED, "unlearned"),
    ):
        axes.hist(values, edges, color=color, alpha=0.6, label=name)
    axes.set_xlabel("logit-scaled confidence")
    axes.set_ylabel("models")


_OF_ALL: dict[str, Callable[[Findings], Figure]] = {
    "utility": forgetting_against_utility,
    "pairs": pairs_told_apart,
    "models": score_by_models,
    "examples": badly_forgotten,
    "roc": pooled_curves,
    "agreement": metric_agreement,
}
_OF_METHOD: dict[str, Callable[[Method], Figure]] = {
    "epsilon": epsilon_histogram,
    "confidence": confidences_of_method,
    "models": score_of_method_by_models,
}


def drawings(found: Findings) -> dict[str, Callable[[], Figure]]:
    """Name (as `names.figure_names` lists them) -> what draws that figure."""
    figures: dict[str, Callable[[], Figure]] = {}
    for name in figure_names([method.name for method in found.methods]):
        if name in _OF_ALL:
            figures[name] = lambda draw=_OF_ALL[name]: draw(found)
    for method in found.methods:
        for name, draw in _OF_METHOD.items():
            figures[f"{name}_{method.name}"] = lambda draw=draw, method=method: draw(method)
    return figures

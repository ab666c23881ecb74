"""The small pictures of each method on the page, written as SVG by hand.

A run of 200 methods shows a thousand of them: a library's drawing of one is 20 KB and takes as many milliseconds as
this takes microseconds. What they show, `figures` draws for paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from markupsafe import Markup

from unlearning_metric.metrics.challenge import BUCKET_WIDTH, challenge_points
from unlearning_metric.report.figures import RETRAINED, SHOWN_EPSILON, UNLEARNED, points_text
from unlearning_metric.report.gather import Example, Method

_WIDTH, _HEIGHT = 272, 196
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 264, 34, 156
_BINS = 20


def _x(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return _LEFT + (np.asarray(values, dtype=float) - low) / (high - low) * (_RIGHT - _LEFT)


def _y(values: np.ndarray, high: float) -> np.ndarray:
    return _BOTTOM - np.asarray(values, dtype=float) / high * (_BOTTOM - _TOP)


def _number(value: float) -> str:
    return f"{value:.0f}"


def _round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most about `most` round numbers within a range."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= most)
    # Adding 0 turns a zero's sign.
    return [round(step * k, 12) + 0.0 for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _texts(places: Iterable[tuple[float, float, str]], anchor: str = "") -> str:
    texts = "".join(f'<text x="{_number(x)}" y="{_number(y)}">{escape(text)}</text>' for x, y, text in places)
    # The page's style sets them in the middle of their place.
    return f'<g style="text-anchor:{anchor}">{texts}</g>' if anchor else texts


def _bars(edges: np.ndarray, counts: np.ndarray, high: float, color: str) -> str:
    """Bars between neighbouring edges, as the outline of all of them."""
    tops = _y(counts, high)
    steps = "".join(f"V{_number(top)}H{_number(right)}" for top, right in zip(tops, edges[1:], strict=True))
    return f'<path d="M{_number(edges[0])} {_BOTTOM}{steps}V{_BOTTOM}z" fill="{color}" fill-opacity=".6"/>'


def _svg(text: str, drawn: str, high: float, x_label: str, y_label: str) -> Markup:
    """A picture with its axes; `high` is the number at the top of the vertical one, which starts at 0."""
    ticks = _round_ticks(0.0, high)
    heights = _y(ticks, high)
    marks = "".join(f"M{_LEFT - 3} {_number(y)}h3" for y in heights)
    numbers = _texts([(_LEFT - 5, y + 3, f"{tick:g}") for tick, y in zip(ticks, heights, strict=True)], "end")
    middle = (_LEFT + _RIGHT) / 2, (_TOP + _BOTTOM) / 2
    return Markup(
        f'<svg class="panel" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text}">{drawn}'
        f'<path d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}{marks}" fill="none" stroke="currentColor"/>{numbers}'
        f"{_texts([(middle[0], _HEIGHT - 6, x_label)])}"
        f'<text transform="translate(10 {_number(middle[1])}) rotate(-90)">{y_label}</text></svg>'
    )


def epsilon_histogram(method: Method) -> Markup:
    """How many forget examples have which epsilon, and what a bucket is worth."""
    edges = np.arange(0, SHOWN_EPSILON + BUCKET_WIDTH / 2, BUCKET_WIDTH)
    counts, _ = np.histogram(method.samples["epsilon"].dropna().clip(upper=SHOWN_EPSILON), edges)
    high = max(int(counts.max()), 1)
    places = _x(edges, 0, SHOWN_EPSILON)
    shown = edges[:-1:2]
    worth = challenge_points(shown + BUCKET_WIDTH / 2, method.document["copies"])
    middles = _x(shown + BUCKET_WIDTH / 2, 0, SHOWN_EPSILON)
    drawn = _bars(places, counts, high, UNLEARNED)
    drawn += _texts([(x, _BOTTOM + 13, f"{edge:g}") for x, edge in zip(places[::4], edges[::4], strict=True)])
    drawn += _texts([(x, _TOP - 5, points_text(value)) for x, value in zip(middles, worth, strict=True)])
    drawn += _texts([((_LEFT + _RIGHT) / 2, 12, "points")])
    label = f"epsilon ({SHOWN_EPSILON:g} and above in the last)"
    return _svg(f"Histogram of epsilon under {escape(method.name)}", drawn, high, label, "forget examples")


def score_by_models(method: Method) -> Markup:
    """The forgetting score at N/8, N/4, N/2 and N with its intervals, and the ceiling."""
    entries, ceiling = method.document["by_models"], method.document["challenge"]["ceiling"]
    models = np.log([entry["models"] for entry in entries])
    scores = [entry["forgetting_score"] for entry in entries]
    intervals = [entry["interval"] for entry in entries]
    reached = [*scores, *(interval[1] for interval in intervals if interval is not None)]
    high = max(reached if ceiling is None else [ceiling, *reached]) * 1.05 or 1.0
    margin = 0.15 * max(float(np.ptp(models)), 1.0)
    xs, ys = _x(models, models[0] - margin, models[-1] + margin), _y(scores, high)
    line = "L".join(f"{_number(x)} {_number(y)}" for x, y in zip(xs, ys, strict=True))
    for x, interval in zip(xs, intervals, strict=True):
        if interval is not None:
            low, top = _y(interval, high)
            line += f"M{_number(x)} {_number(low)}V{_number(top)}"
    drawn = f'<path d="M{line}" fill="none" stroke="{UNLEARNED}"/><path d="'
    for x, y in zip(xs, ys, strict=True):
        drawn += f"M{_number(x - 2)} {_number(y)}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0"
    drawn += f'" fill="{UNLEARNED}"/>'
    if ceiling is not None:
        level = float(_y(ceiling, high))
        drawn += f'<path d="M{_LEFT} {_number(level)}H{_RIGHT}" stroke="currentColor" stroke-dasharray="4 3"/>'
        drawn += _texts([(_RIGHT, level - 3, "ceiling at N")], "end")
    drawn += _texts([(x, _BOTTOM + 13, str(entry["models"])) for x, entry in zip(xs, entries, strict=True)])
    text = f"Line plot of the forgetting score of {escape(method.name)} against the number of models"
    return _svg(text, drawn, high, "models a side", "forgetting score")


def two_laws(method: Method, example: Example) -> Markup:
    """The laws of one example's confidence under retrained and under unlearned models."""
    sides: Sequence[np.ndarray] = (example.retrained, example.unlearned)
    low, high = (float(reduce([reduce(side) for side in sides])) for reduce in (np.min, np.max))
    high = high if high > low else low + 1
    edges = np.linspace(low, high, _BINS + 1)
    counts = [np.histogram(side, edges)[0] for side in sides]
    top = max(int(np.max(counts)), 1)
    places = _x(edges, low, high)
    drawn = "".join(_bars(places, side, top, color) for side, color in zip(counts, (RETRAINED, UNLEARNED), strict=True))
    for start, name, color in ((_LEFT, "retrained", RETRAINED), (_LEFT + 80, "unlearned", UNLEARNED)):
        drawn += f'<path d="M{start} 12h10v8h-10z" fill="{color}" fill-opacity=".6"/>'
        drawn += _texts([(start + 14, 20, name)], "start")
    ticks = _round_ticks(low, high)
    drawn += _texts([(x, _BOTTOM + 13, f"{tick:g}") for x, tick in zip(_x(ticks, low, high), ticks, strict=True)])
    models = f"retrained and under {escape(method.name)} models"
    text = f"Histograms of the confidence of example {example.index} under {models}"
    return _svg(text, drawn, top, "logit-scaled confidence", "models")

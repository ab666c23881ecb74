"""The score document's other metrics: each record's, for the method, the untouched originals and retrained models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import stdtrit

from unlearning_metric.metrics.record import Columns, Given, Metric
from unlearning_metric.metrics.replicates import BLOCKS, LEAST_MODELS, deletions, most_freedom
from unlearning_metric.scoring.intervals import LEAST_EXAMPLES
from unlearning_metric.scoring.parts import in_parts
from unlearning_metric.scoring.sides import COMPARED, Pair, Places, Sides
from unlearning_metric.seeds import Streams

#: Examples, and models, that are looked at at once: the probe may be the whole retain set, and float64 copies of it too
#: large; and several parts are work for several threads.
EXAMPLES, MODELS = 256, 16
#: Examples that an interval of a median is taken over at most.
INTERVAL_EXAMPLES = 256


@dataclass(frozen=True)
class Measured:
    """What a metric found.

    Attributes
    ----------
    section : the document's; None where what it is made on was not recorded
    columns : of the method on the forget examples, arrays [examples, ...]
    """

    section: dict[str, Any] | None
    columns: Columns


def measured(metric: Metric, sides: Sides, delta: float, streams: Streams) -> Measured:
    """A metric of the method and of what it is to be read against, in parts and threads.

    Parameters
    ----------
    metric : its record
    sides : ensembles
    delta : float
    streams : of what methods must share to be compared; the metric's seed is drawn from it under its name
    """
    models = len(sides.retrained), len(sides.unlearned)
    given = Given(delta, models, streams.integer(metric.name) % 2**31)
    if metric.compares == "roles":
        found = _of_models(metric, sides, given)
        return Measured(_section(metric, sides, found), {})
    by_role = {role: _of_examples(metric, sides, role, given) for role in metric.roles}
    parts = {role: _section(metric, sides, found) for role, found in by_role.items()}
    section: dict[str, Any] | None = parts if metric.by_role else parts[metric.roles[0]]
    if section is not None:
        section = {**section, **metric.constants(given)}
        if metric.interval:
            value, seed = section["method"][metric.interval], streams.integer("deletions")
            section[f"{metric.interval}_interval"] = _interval(metric, sides, given, seed, value)
    return Measured(section, by_role.get("forget", {}).get("method") or {})


def _of_examples(metric: Metric, sides: Sides, role: str, given: Given) -> dict[str, Columns]:
    """Field of a `schema.Compared` -> columns of all examples of a role; without the fields that have none."""

    def part(chosen: Places) -> dict[str, Columns]:
        of_part = Given(given.delta, given.models, given.seed, sides.original(metric, role, chosen))
        pairs = sides.pairs(metric, role, chosen)
        # Not by the pair's name: the method and the method like the ceiling are one where the ceiling is a second set.
        known: dict[tuple[int, ...], Columns] = {}
        return {name: _once(metric, pair, of_part, known) for name, pair in pairs.items() if pair is not None}

    examples = sides.examples(role)
    if examples < metric.least_examples:
        return {}
    what = metric.title if role == "forget" else f"{metric.title}, {role} examples"
    return _joined(metric, in_parts(what, part, _places(examples, metric.most_examples)))


def _interval(metric: Metric, sides: Sides, given: Given, seed: int, value: float) -> list[float] | None:
    """95 % interval of a number of the method over the models; None for fewer than 16 models or 8 examples.

    Of many examples some are taken, evenly spread: their own chance widens the interval, by little.
    """
    models, examples = len(sides.retrained), sides.examples(metric.roles[0])
    if models < LEAST_MODELS or examples < LEAST_EXAMPLES:
        return None
    chosen = np.unique(np.linspace(0, examples - 1, min(examples, INTERVAL_EXAMPLES)).astype(int))
    pair = sides.pairs(metric, metric.roles[0], chosen)["method"]
    assert pair is not None
    reference, other = pair
    kept, factor = deletions(models, seed)

    def left_out(line: np.ndarray) -> float:
        return metric.summary(metric.complete(metric.measure(reference[line], other[line], given)))[metric.interval]

    values = in_parts(f"interval of {metric.title}", left_out, kept[0])
    known = min(BLOCKS - 1, most_freedom(models))
    half = float(stdtrit(known, 0.975)) * math.sqrt(factor * float(np.var(values)))
    return [max(value - half, 0.0), value + half]


def _of_models(metric: Metric, sides: Sides, given: Given) -> dict[str, Columns]:
    """Field of a `schema.Compared` -> columns of all models; without the fields that have none."""
    found: dict[str, Columns] = {}
    for name, pair in sides.roles_of(metric).items():
        if pair is not None and name != "method_like_ceiling":

            def part(chosen: slice, pair: Pair = pair) -> dict[str, Columns]:
                return {"": metric.measure(pair[0][chosen], pair[1][chosen], given)}

            found[name] = _joined(metric, in_parts(f"{metric.title}, {name}", part, _blocks(len(pair[0]), MODELS)))[""]
    return {**found, "method_like_ceiling": found["method"]} if found else {}


def _once(metric: Metric, pair: Pair, given: Given, known: dict[tuple[int, ...], Columns]) -> Columns:
    place = tuple(map(id, pair))
    if place not in known:
        known[place] = metric.measure(*pair, given)
    return known[place]


def _places(examples: int, most: int | None) -> Iterable[Places]:
    """Places of the examples, part by part; of more than ``most`` those that lie evenly."""
    if most is None or examples <= most:
        return _blocks(examples, EXAMPLES)
    chosen = np.linspace(0, examples - 1, most).astype(int)
    return [chosen[part] for part in _blocks(most, EXAMPLES)]


def _blocks(size: int, most: int) -> Iterator[slice]:
    """Slices of equal length, for numpy adds up a single column in another order than several."""
    bounds = np.linspace(0, size, -(-size // most) + 1).astype(int)
    return (slice(start, end) for start, end in pairwise(bounds))


def _joined(metric: Metric, parts: list[dict[str, Columns]]) -> dict[str, Columns]:
    return {
        name: metric.complete(
            {column: np.concatenate([part[name][column] for part in parts]) for column in parts[0][name]}
        )
        for name in parts[0]
    }


def _section(metric: Metric, sides: Sides, found: dict[str, Columns]) -> dict[str, Any] | None:
    if "method" not in found:
        return None
    numbers: dict[str, Any] = {
        name: {key: _finite(value) for key, value in metric.summary(found[name]).items()} if name in found else None
        for name in COMPARED
    }
    return {**numbers, "ceiling_models": sides.ceiling_models(metric)}


def _finite(value: Any) -> Any:
    """A number for JSON, which knows neither NaN nor infinity; in a list, too."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

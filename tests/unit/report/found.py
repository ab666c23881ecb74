"""What a run found, drawn, for the tests of tables, figures and page."""

import copy
from dataclasses import replace
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from drawn import ensemble, score

from unlearning_metric.leaderboard.board import leaderboard
from unlearning_metric.report.figure_style import style
from unlearning_metric.report.figures import drawings
from unlearning_metric.report.gather import Findings, Laws, Method, _examples
from unlearning_metric.report.summaries import shown_places, utility_interval

NASTY = "<b>&_evil"


def method(name, seed=1, models=16, shift=0.5):
    """A method that was scored; its documents and tables are the caller's own."""
    return copy.deepcopy(_scored(name, seed, models, shift))


@cache
def _scored(name, seed, models, shift):
    retrained, unlearned = ensemble(0, models=models), ensemble(seed, models=models, shift=shift)
    document, samples = score(unlearned, retrained)
    table = pd.DataFrame(samples)
    document = {**document, "method": name}
    document["provenance"] = {
        **document["provenance"],
        "key": name,
        "run": {
            "scored": {"versions": {"torch": "2"}, "commit": None, "system": "Linux"},
            "shards": {"retrained": [{"device": "cpu"}]},
        },
    }
    examples = _examples(table, retrained, unlearned)
    return Method(name, {}, document, table, examples, utility_interval(retrained, unlearned), 3.0)


def findings(names=("one", "two", "three"), models=16, reasons=None):
    methods = [method(name, seed, models, 0.3 * seed) for seed, name in enumerate(names, 1)]
    table = leaderboard([one.document for one in methods], dict.fromkeys(reasons or {}, "failed")).astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    laws = Laws(
        np.arange(len(methods[0].samples)),
        ensemble(0, models=models).forget.saturated,
        {name: ensemble(seed, models=models, shift=0.3 * seed).forget.saturated for seed, name in enumerate(names, 1)},
    )
    images = {int(index): np.full((4, 4, 1), 9, np.uint8) for index in methods[0].samples["example"]}
    order = {row["method"]: place for place, row in enumerate(rows)}
    methods.sort(key=lambda one: order[one.name])
    return Findings(rows, reasons or {}, methods, laws, images, {"retrained models": 4.0}, {"models": 10_000_000})


def show(found):
    """Draw every figure, without writing it."""
    with style():
        for draw in drawings(found).values():
            figure = draw()
            figure.draw_without_rendering()
            plt.close(figure)


def many(methods, examples, models=64):
    """Findings of a large run: outputs drawn once, pictures as large and as hard to compress as CIFAR-10's can be."""
    only, generator = method("one"), np.random.default_rng(0)
    only = replace(only, document={**only.document, "copies": models})
    samples = pd.concat([only.samples] * (examples // len(only.samples) + 1), ignore_index=True).head(examples)
    samples["example"] = np.arange(examples)
    laws = generator.normal(size=(2, models))

    def copy(number):
        name = f"method_number_{number}"
        epsilons = samples.assign(epsilon=generator.exponential(3.0, examples))
        pictured = [
            replace(example, index=int(index), retrained=laws[0], unlearned=laws[1])
            for example, index in zip(only.examples, generator.integers(0, examples, 3), strict=True)
        ]
        return replace(only, name=name, document={**only.document, "method": name}, samples=epsilons, examples=pictured)

    drawn = [copy(number) for number in range(methods)]
    table = leaderboard([one.document for one in drawn]).astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    images = {index: generator.integers(0, 256, (32, 32, 3), np.uint8) for index in range(examples)}
    places = shown_places([one.samples for one in drawn], models)
    sides = generator.normal(0, 3, (methods + 1, models, len(places)))
    laws = Laws(places, sides[0], {one.name: side for one, side in zip(drawn, sides[1:], strict=True)})
    return Findings(rows, {}, drawn, laws, images, {"retrained models": 4.0}, {"models": 10_000_000})

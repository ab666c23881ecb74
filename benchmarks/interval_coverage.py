"""Coverage of the 95 % intervals of `unlearning_metric.metrics.intervals` on synthetic experiments.

    python benchmarks/interval_coverage.py [--experiments 400] [--examples 40] [--models 64 256] [--jobs 2]

Each experiment draws new models; the examples' laws stay. Values of one model are correlated over examples (0.4), as
those of real models are. Two methods share the retrained models. The truth is the mean over all experiments of the
setting, so it is known to about sd / sqrt(experiments). The oracle's interval is +-1.96 true standard deviations.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from unlearning_metric.metrics.challenge import challenge, halves_points
from unlearning_metric.metrics.intervals import (
    difference_interval,
    relative_interval,
    replicates,
    score_interval,
)

CORRELATION = 0.4
# Method 1 and method 2 of each setting: shift and spread in units of the retrained sd, and the law.
SETTINGS = {
    "equal": ((0.0, 1.0), (0.3, 1.0), "normal"),
    "shifted": ((0.7, 1.0), (1.0, 1.0), "normal"),
    "narrower": ((0.0, 0.5), (0.3, 0.7), "normal"),
    "heavy tails": ((0.5, 1.0), (0.0, 1.0), "t3"),
}


def draw(generator, models, examples, law):
    if law == "t3":
        common, own = generator.standard_t(3, (models, 1)), generator.standard_t(3, (models, examples))
        common, own = common / np.sqrt(3), own / np.sqrt(3)
    else:
        common, own = generator.normal(size=(models, 1)), generator.normal(size=(models, examples))
    return np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * own


def experiment(task):
    setting, models, examples, number, resamples = task
    first, second, law = SETTINGS[setting]
    generator = np.random.default_rng([number, models, list(SETTINGS).index(setting)])
    laws = np.random.default_rng(1)
    middle, sd = laws.normal(4, 2, examples), laws.uniform(1, 3, examples)
    retrained = middle + sd * draw(generator, models, examples, law)
    methods = [
        middle + sd * (shift + spread * draw(generator, models, examples, law)) for shift, spread in (first, second)
    ]
    one, two = (
        replicates(lambda kept, unlearned=unlearned: challenge(retrained[kept], unlearned[kept]).points, models, number)
        for unlearned in methods
    )
    top = replicates(
        lambda kept: halves_points(retrained, kept, number, splits=2),
        models,
        number,
        whole=halves_points(retrained, np.arange(models), number),
    )
    difference, low, high = difference_interval(one, two)
    found = {
        "F": (one.score, *score_interval(one)),
        "difference": (difference, low, high),
        "relative": (one.score / top.score, *relative_interval(one, top, True)),
    }
    if number < resamples:
        scores = []
        for _ in range(200):
            a, b = generator.integers(models, size=(2, models))
            scores.append(challenge(retrained[a], methods[0][b]).forgetting_score)
        found["bootstrap F"] = (one.score, *np.quantile(scores, [0.025, 0.975]))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=400)
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--models", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--bootstraps", type=int, default=40, help="experiments that also bootstrap")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    arguments = parser.parse_args()
    print(f"{arguments.experiments} experiments a row, {arguments.examples} examples, correlation {CORRELATION}")
    print(f"{'N':>4} {'law':12} {'of':12} {'truth':>7} {'coverage':>9} {'width / oracle':>15}", flush=True)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for models in arguments.models:
            for setting in arguments.settings:
                tasks = [
                    (setting, models, arguments.examples, number, arguments.bootstraps)
                    for number in range(arguments.experiments)
                ]
                rows = list(pool.map(experiment, tasks, chunksize=4))
                for name in ("F", "difference", "relative", "bootstrap F"):
                    found = np.array([row[name] for row in rows if name in row])
                    if not len(found):
                        continue
                    all_of_it = np.array([row["F" if "F" in name else name][0] for row in rows])
                    truth, sd = all_of_it.mean(), all_of_it.std(ddof=1)
                    covered = ((found[:, 1] <= truth) & (truth <= found[:, 2])).mean()
                    width = (found[:, 2] - found[:, 1]).mean() / (2 * 1.96 * sd)
                    print(f"{models:4} {setting:12} {name:12} {truth:7.4f} {covered:9.1%} {width:15.2f}", flush=True)


if __name__ == "__main__":
    main()

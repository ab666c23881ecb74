"""How often a leaderboard tells equal methods apart, over all its pairs.

    python benchmarks/ties.py [--experiments 400] [--methods 10] [--models 32 64 128] [--examples 70] [--jobs 2]

Each experiment draws retrained models and, for each of ten methods, copies of one law: every difference that the board
claims is wrong. Values of one model are correlated over examples as the row says; the methods share the retrained
models, and each has a retain and a test accuracy with a spread of 0.01 a model. "any pair" is the share of boards with
at least one wrong statement, Holm-corrected: at most 5 % is what the board promises. "a pair" is the share of pairs
told apart at 5 % each, and the last column the share of boards with at least one of those: what a board without the
correction would show.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from unlearning_metric.leaderboard.pairs import compare_pairs
from unlearning_metric.metrics.challenge import challenge
from unlearning_metric.metrics.replicates import deletions, freedom, replicates
from unlearning_metric.metrics.subsets import Sorted, subset_points

# Shift and spread of every method in units of the retrained sd, the law, and the correlation within a model.
SETTINGS = {
    "equal laws": (0.0, 1.0, "normal", 0.02),
    "shifted": (0.7, 1.0, "normal", 0.02),
    "far shifted": (1.5, 1.0, "normal", 0.02),
    "narrower": (0.0, 0.6, "normal", 0.02),
    "heavy tails": (0.5, 1.0, "t3", 0.02),
    "correlated": (0.7, 1.0, "normal", 0.4),
    "correlated, heavy": (0.5, 1.0, "t3", 0.4),
}


def draw(generator, models, examples, law, correlation):
    if law == "t3":
        common, own = (generator.standard_t(3, (models, size)) / np.sqrt(3) for size in (1, examples))
    else:
        common, own = (generator.normal(size=(models, size)) for size in (1, examples))
    return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own


def experiment(task):
    """Of one board: whether any pair is told apart, corrected; the share at 5 % each, and whether there is one."""
    setting, models, examples, methods, number = task
    shift, spread, law, correlation = SETTINGS[setting]
    laws = np.random.default_rng(1)
    middle, sd = laws.normal(4, 2, examples), laws.uniform(1, 3, examples)
    generator = np.random.default_rng([number, models, list(SETTINGS).index(setting)])
    retrained = middle + sd * draw(generator, models, examples, law, correlation)
    accuracy = generator.normal(0.96, 0.01, models)
    kept, _ = deletions(models, number)
    found = {}
    for name in map(str, range(methods)):
        copies = middle + sd * (shift + spread * draw(generator, models, examples, law, correlation))
        sides = Sorted.of(retrained, copies)
        forgetting = replicates(
            lambda lines, sides=sides: subset_points(sides, lines[None], models + lines[None], 1e-5),
            models, number, challenge(retrained, copies).points, freedom(retrained, copies),
        )  # fmt: skip
        own = generator.normal(0.95, 0.01, models)
        ratios = own[kept].mean(axis=2) / accuracy[kept].mean(axis=2)
        found[name] = forgetting.scaled(own.mean() / accuracy.mean(), ratios)
    ranked = sorted(found, key=lambda name: -found[name].score)
    pairs = compare_pairs(ranked, found)
    alone = [pair.p <= 0.05 for pair in pairs]
    return any(pair.told_apart for pair in pairs), np.mean(alone), any(alone)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=400)
    parser.add_argument("--examples", type=int, default=70)
    parser.add_argument("--methods", type=int, default=10)
    parser.add_argument("--models", type=int, nargs="+", default=[64])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    given = parser.parse_args()
    print(f"{given.experiments} boards a row of {given.methods} equal methods, {given.examples} examples")
    print(f"{'N':>4} {'law':18} {'any pair, Holm':>15} {'a pair at 5 %':>14} {'any pair at 5 %':>16}", flush=True)
    with ProcessPoolExecutor(given.jobs) as pool:
        for models in given.models:
            for setting in given.settings:
                tasks = [(setting, models, given.examples, given.methods, k) for k in range(given.experiments)]
                wrong, alone, plain = np.mean(list(pool.map(experiment, tasks, chunksize=4)), axis=0)
                print(f"{models:4} {setting:18} {wrong:15.1%} {alone:14.1%} {plain:16.1%}", flush=True)


if __name__ == "__main__":
    main()

"""Coverage of the 95 % intervals of `unlearning_metric.metrics.intervals` on synthetic experiments.

    python benchmarks/interval_coverage.py [--experiments 400] [--examples 70] [--models 64 256] [--jobs 2]
    python benchmarks/interval_coverage.py --models 16 31 --examples 300 --extras 0 --ceilings 0 --pairs 300 --jobs 1

Each experiment draws new models; the examples' laws stay. Values of one model are correlated over examples, by 0.4
unless told otherwise: far more than those of digits models (0.01 to 0.04), whose intervals are about 1.3 times as wide
as needed. Two methods share the retrained models. The truth is the mean over all experiments of the setting, so it is
known to about sd / sqrt(experiments). The oracle's interval is +-1.96 true standard deviations. Beside each coverage
stands its standard error. A line is marked where coverage leaves 90..99 % by more than that, or the width exceeds 1.35
oracles; the bootstrap is there to compare.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from unlearning_metric.metrics.bucket_points import DELTA
from unlearning_metric.metrics.ceiling import split_correction
from unlearning_metric.metrics.challenge import challenge
from unlearning_metric.metrics.intervals import difference_interval, relative_interval, score_interval
from unlearning_metric.metrics.replicates import deletions, freedom, replicates
from unlearning_metric.metrics.subsets import Sorted, halves_points, subset_points, subsets_points

#: Law of a standardised confidence -> how it is drawn, and the retrained models' sd in units of 1 to 3.
LAWS = {
    "normal": (lambda generator, shape: generator.normal(size=shape), 1.0),
    "t3": (lambda generator, shape: generator.standard_t(3, shape) / np.sqrt(3), 1.0),
    "skewed": (lambda generator, shape: (generator.gamma(2, size=shape) - 2) / np.sqrt(2), 1.0),
    "little spread": (lambda generator, shape: generator.normal(size=shape), 0.25),
}
#: Method 1 and method 2 of each setting: shift and spread in units of the retrained sd; the law; and how far the shift
#: varies between examples.
SETTINGS = {
    "equal": ((0.0, 1.0), (0.3, 1.0), "normal", 0.0),
    "shifted": ((0.7, 1.0), (1.0, 1.0), "normal", 0.0),
    "narrower": ((0.0, 0.5), (0.3, 0.7), "normal", 0.0),
    "heavy tails": ((0.5, 1.0), (0.0, 1.0), "t3", 0.0),
    "far shifted": ((1.3, 1.0), (1.5, 1.0), "normal", 0.0),
    "skewed": ((0.5, 1.0), (0.7, 1.0), "skewed", 0.0),
    "little spread": ((0.0, 1.0), (0.2, 1.0), "little spread", 0.0),
    "uneven": ((0.3, 1.0), (0.5, 1.0), "normal", 0.7),
}


def draw(generator, models, examples, law, correlation):
    standard = LAWS[law][0]
    common, own = standard(generator, (models, 1)), standard(generator, (models, examples))
    return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own


def experiment(task):
    """Everything asked of one draw: {(setting, quantity): (estimate, low, high)}. Settings of one law share models."""
    settings, models, examples, correlation, number, splits, extras, with_ceiling, pairs = task
    laws = np.random.default_rng(1)
    middle, widths, places = laws.normal(4, 2, examples), laws.uniform(1, 3, examples), laws.normal(size=examples)
    found, references = {}, {}
    for setting in settings:
        first, second, law, uneven = SETTINGS[setting]
        sd = LAWS[law][1] * widths
        if law not in references:
            seeded = np.random.default_rng([number, models, list(LAWS).index(law)])
            drawn = middle + sd * draw(seeded, models, examples, law, correlation)
            references[law] = drawn, ceiling(drawn, number, splits) if number < with_ceiling else None
        retrained, top = references[law]
        generator = np.random.default_rng([number, models, 9, list(SETTINGS).index(setting)])
        methods = [
            middle + sd * (shift + uneven * places + spread * draw(generator, models, examples, law, correlation))
            for shift, spread in (first, second)
        ]
        one = paired(retrained, methods[0], number)
        found[setting, "F"] = (one.score, *score_interval(one))
        if number < pairs:
            found[setting, "difference"] = difference_interval(one, paired(retrained, methods[1], number))
        if top is not None:
            found[setting, "relative"] = (one.score / top.score, *relative_interval(one, top, True))
        last = final(one, models, generator, number)
        found[setting, "final"] = (last.score, *score_interval(last))
        if number < extras:
            quarter = at_a_quarter(retrained, methods[0], number)
            found[setting, "F at N/4"] = (quarter.score, *score_interval(quarter))
            found[setting, "bootstrap F"] = (one.score, *bootstrap(generator, retrained, methods[0]))
    return found


def paired(retrained, unlearned, seed):
    models, sides = len(retrained), Sorted.of(retrained, unlearned)
    return replicates(
        lambda kept: subset_points(sides, kept[None], models + kept[None], DELTA),
        models,
        seed,
        challenge(retrained, unlearned).points,
        freedom(retrained, unlearned),
    )


def ceiling(retrained, seed, splits):
    """As scores have it: corrected, by a factor that is found once and serves all deletions."""
    sides = Sorted.of(retrained)
    halves = replicates(
        lambda kept: halves_points(sides, kept, seed, splits), len(retrained), seed, freedom=freedom(retrained)
    )
    correction = split_correction(retrained, seed)
    return halves.scaled(correction, np.full(halves.deleted.shape[:2], correction))


def final(forgetting, models, generator, seed):
    """Times a ratio of accuracies: 0.95 against 0.96, each model's with a spread of 0.01."""
    ours, theirs = generator.normal([[0.95], [0.96]], 0.01, (2, models))
    kept, _ = deletions(models, seed)
    return forgetting.scaled(ours.mean() / theirs.mean(), ours[kept].mean(axis=2) / theirs[kept].mean(axis=2))


def at_a_quarter(retrained, unlearned, seed):
    size, sides = len(retrained) // 4, Sorted.of(retrained, unlearned)
    return replicates(lambda kept: subsets_points(sides, kept, size, seed), len(retrained), seed)


def bootstrap(generator, retrained, unlearned, resamples=100):
    scores = []
    for _ in range(resamples):
        a, b = generator.integers(len(retrained), size=(2, len(retrained)))
        scores.append(challenge(retrained[a], unlearned[b]).forgetting_score)
    return np.quantile(scores, [0.025, 0.975])


def standard_error(share, drawn):
    """Of a share of so many, with two hits and two misses more (Agresti and Coull 1998): never 0."""
    moved = (share * drawn + 2) / (drawn + 4)
    return (moved * (1 - moved) / (drawn + 4)) ** 0.5


def row_text(name, found, estimates):
    """Truth, experiments, coverage with its standard error, and width, of [experiments, (estimate, low, high)]."""
    truth, sd = estimates.mean(), estimates.std(ddof=1)
    covered = ((found[:, 1] <= truth) & (truth <= found[:, 2])).mean()
    error = standard_error(covered, len(found))
    width = (found[:, 2] - found[:, 1]).mean() / (2 * 1.96 * sd)
    holds = covered + error >= 0.9 and covered - error <= 0.99
    missed = name != "bootstrap F" and not (holds and width <= 1.35)
    return f"{truth:7.4f} {len(found):6} {covered:9.1%} {error:5.1%} {width:15.2f}{'  <-' if missed else ''}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=400)
    parser.add_argument("--examples", type=int, default=70)
    parser.add_argument("--correlation", type=float, default=0.4, help="between the examples of a model")
    parser.add_argument("--models", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--splits", type=int, default=10, help="half-splits that the ceiling is the mean of")
    parser.add_argument("--extras", type=int, default=100, help="experiments that also bootstrap and take subsets")
    parser.add_argument("--ceilings", type=int, default=10**9, help="experiments that have a ceiling, most of the work")
    parser.add_argument("--pairs", type=int, default=10**9, help="experiments that score the second method as well")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    arguments = parser.parse_args()
    correlation = arguments.correlation
    print(f"{arguments.experiments} experiments, {arguments.examples} examples, correlation {correlation:g}")
    print(f"{'N':>4} {'law':13} {'of':12} {'truth':>7} {'drawn':>6} {'coverage':>9} {'se':>5} {'width / oracle':>15}")
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for models in arguments.models:
            tasks = [
                (
                    arguments.settings,
                    models,
                    arguments.examples,
                    correlation,
                    number,
                    arguments.splits,
                    arguments.extras,
                    arguments.ceilings,
                    arguments.pairs,
                )
                for number in range(arguments.experiments)
            ]
            rows = list(pool.map(experiment, tasks))
            for setting in arguments.settings:
                for name in ("F", "difference", "relative", "final", "F at N/4", "bootstrap F"):
                    found = np.array([row[setting, name] for row in rows if (setting, name) in row])
                    if not len(found):
                        continue
                    measured = "F" if name == "bootstrap F" else name
                    estimates = np.array([row[setting, measured][0] for row in rows if (setting, measured) in row])
                    print(f"{models:4} {setting:13} {name:12} {row_text(name, found, estimates)}", flush=True)


if __name__ == "__main__":
    main()

"""How often the intervals over several originals hold what they promise, on synthetic experiments.

    python benchmarks/originals_coverage.py [--experiments 300] [--originals 2 3 5 8] [--models 64] [--jobs 2]
    python benchmarks/originals_coverage.py --results results_originals [--originals 3 5]

Each experiment draws retrained models, K originals and N copies from each of them. An original moves the law of its
copies: by a shift common to all examples and by one of each example, in units of the retrained sd (the column
"original"). The columns say how often

- "mean": the interval of the mean holds the mean over all originals and models,
- "another": the interval of another original holds the score from one more, against the same retrained models,
- "fresh": the same, against other retrained models,
- "one": the interval of a single original, which leaves out the choice of it, holds the score from one more.

"sd" is the standard deviation of ln F between originals, copies included. With --results the scores come from a run
with many originals in place of a simulation: every K of them against every other. Such cases share originals, so they
say less than as many experiments would.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from unlearning_metric.metrics.challenge import challenge
from unlearning_metric.metrics.intervals import another_original_interval, score_interval
from unlearning_metric.metrics.replicates import freedom, mean_replicates, replicates
from unlearning_metric.metrics.subsets import Sorted, subset_points

EXAMPLES, CORRELATION = 70, 0.05
# Shift and spread of the copies in units of the retrained sd.
SETTINGS = {"equal": (0.0, 1.0), "shifted": (0.7, 1.0), "narrower": (0.3, 0.7)}


def draw(generator, models):
    common, own = (generator.normal(size=(models, size)) for size in (1, EXAMPLES))
    return np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * own


def experiment(task):
    """(score, mean interval, another's interval, one original's interval, score of another, of another afresh)."""
    setting, effect, models, count, number = task
    laws = np.random.default_rng(1)
    middle, sd = laws.normal(4, 2, EXAMPLES), laws.uniform(1, 3, EXAMPLES)
    shift, spread = SETTINGS[setting]
    generator = np.random.default_rng([number, models, count, int(1000 * effect), list(SETTINGS).index(setting)])

    def copies():
        moved = shift + effect * generator.normal() / 2 + effect * generator.normal(size=EXAMPLES)
        return middle + sd * (moved + spread * draw(generator, models))

    retrained = middle + sd * draw(generator, models)

    def from_one_original():
        unlearned = copies()
        sides = Sorted.of(retrained, unlearned)
        return replicates(
            lambda kept: subset_points(sides, kept[None], models + kept[None], 1e-5), models, number,
            challenge(retrained, unlearned).points, freedom(retrained, unlearned),
        )  # fmt: skip

    each = [from_one_original() for _ in range(count)]
    mean = mean_replicates(each)
    another = challenge(retrained, copies()).forgetting_score
    afresh = challenge(middle + sd * draw(generator, models), copies()).forgetting_score
    return (
        mean.score, *score_interval(mean), *another_original_interval(mean), *score_interval(each[0]), another, afresh,
        np.log(np.maximum(mean.each, 1e-9)).var(ddof=1),
    )  # fmt: skip


def within(values, low, high):
    return float(((low <= values) & (values <= high)).mean())


def simulate(given):
    print(f"{given.experiments} experiments a row, {EXAMPLES} examples, correlation {CORRELATION}")
    head = f"{'N':>4} {'law':9} {'original':>8} {'K':>3} {'F':>7} {'sd':>6}"
    print(head + "".join(f"{name:>9}" for name in ("mean", "another", "fresh", "one")) + "  width/F", flush=True)
    with ProcessPoolExecutor(given.jobs) as pool:
        for models in given.models:
            for setting in given.settings:
                for effect in given.effects:
                    everything = []
                    for count in given.originals:
                        tasks = [(setting, effect, models, count, number) for number in range(given.experiments)]
                        everything.append(np.array(list(pool.map(experiment, tasks, chunksize=4))))
                    # The scores from one more original against fresh models are draws of what the mean estimates.
                    truth = np.concatenate([np.concatenate([f[:, 0], f[:, 7], f[:, 8]]) for f in everything]).mean()
                    for count, found in zip(given.originals, everything, strict=True):
                        score, mean_low, mean_high, low, high, one_low, one_high, another, afresh, variance = found.T
                        shares = (
                            within(truth, mean_low, mean_high), within(another, low, high),
                            within(afresh, low, high), within(another, one_low, one_high),
                        )  # fmt: skip
                        row = (
                            f"{models:4} {setting:9} {effect:8.2f} {count:3} {truth:7.4f} {variance.mean() ** 0.5:6.3f}"
                        )
                        row += "".join(f"{share:9.1%}" for share in shares)
                        print(f"{row}{np.median((high - low) / score):9.2f}", flush=True)


def of_run(given):
    """The columns "another" and "one" for every method of a run of the workflow, by every K of its originals."""
    print(f"{'method':16} {'K':>3} {'F':>7} {'sd':>6} {'another':>18} {'one':>18}")
    totals = {count: [] for count in given.originals}
    for path in sorted(Path(given.results).glob("score_*.json")):
        method = path.stem.removeprefix("score_")
        each = scored_each(Path(given.results), method)
        values = np.array([one.score for one in each])
        if values.min() <= 0:
            continue
        for count in given.originals:
            another, alone = [], []
            for left, score in enumerate(values):
                others = [one for place, one in enumerate(each) if place != left]
                for taken in combinations(others, count):
                    low, high = another_original_interval(mean_replicates(taken))
                    another.append(low <= score <= high)
                for one in others:
                    low, high = score_interval(one)
                    alone.append(low <= score <= high)
            totals[count].append((sum(another), len(another)))
            row = f"{method:16} {count:3} {values.mean():7.4f} {np.log(values).std(ddof=1):6.3f}"
            print(f"{row} {_share(sum(another), len(another))} {_share(sum(alone), len(alone))}", flush=True)
    for count, cases in totals.items():
        print(f"{'all':16} {count:3} {'':14} {_share(*np.sum(cases, axis=0))}")


def _share(hits, cases):
    return f"{f'{hits} of {cases}':>10} {hits / cases:7.1%}"


def scored_each(results, method):
    """Replicates of the forgetting score from each original of a run."""
    from unlearning_metric.outputs.dumps import load_ensemble
    from unlearning_metric.store.files import read_header
    from unlearning_metric.store.shards import original_folder, shard_models

    def loaded(group):
        paths = sorted(Path(results, "losses", group).glob("*.parquet"))
        models = sum(len(shard_models(path.stem)) for path in paths)
        return load_ensemble(paths, read_header(paths[0])["key"], models, ("forget",)).forget.saturated

    retrained = loaded("retain")
    models, found, number = len(retrained), [], 0
    while Path(results, "losses", group := f"unlearn/{method}{original_folder(number)}").is_dir():
        copies = loaded(group)
        sides = Sorted.of(retrained, copies)
        found.append(
            replicates(
                lambda kept, sides=sides: subset_points(sides, kept[None], models + kept[None], 1e-5), models, 0,
                challenge(retrained, copies).points, freedom(retrained, copies),
            )
        )  # fmt: skip
        number += 1
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=300)
    parser.add_argument("--originals", type=int, nargs="+", default=[2, 3, 5, 8])
    parser.add_argument("--models", type=int, nargs="+", default=[64])
    parser.add_argument("--effects", type=float, nargs="+", default=[0.0, 0.1, 0.3])
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", help="results folder of a run with many originals")
    given = parser.parse_args()
    if given.results:
        of_run(given)
    else:
        simulate(given)


if __name__ == "__main__":
    main()

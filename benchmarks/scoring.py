"""Scoring at the challenge's size: seconds and memory of every metric, the held-out search against brute force, growth.

Run from the repository root, on one thread:

    OMP_NUM_THREADS=1 python benchmarks/scoring.py [--models 512] [--examples 1000] [--document]

Everything runs in this process on drawn outputs. Compiled kernels are warmed up before anything is timed. CPU seconds
are those of this process.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import sys
import time
from pathlib import Path

import numpy as np

from unlearning_metric.metrics.ceiling import split_correction
from unlearning_metric.metrics.challenge import challenge, split_ceiling
from unlearning_metric.metrics.heldout import heldout
from unlearning_metric.metrics.record import Given
from unlearning_metric.metrics.table import METRICS
from unlearning_metric.outputs.ensemble import ACCURACIES, Ensemble, Outputs
from unlearning_metric.outputs.signals import loss_of_confidence
from unlearning_metric.scoring.intervals import SortedSides, by_models, intervals_section, score_replicates, strata
from unlearning_metric.scoring.sections import measured
from unlearning_metric.scoring.sides import Sides
from unlearning_metric.seeds import Streams

SPREAD = 2.0  # standard deviation of the confidences
GROWTH = (128, 256, 512, 1024, 2048)
GROWTH_EXAMPLES = 40
REFERENCE_MODELS = 256
REFERENCE_EXAMPLES = 2
ROUNDS = 5
REFERENCE_FOLDER = Path(__file__).parents[1] / "tests" / "unit" / "metrics"


def peak_mb() -> float:
    """Peak resident memory of this process so far, in MB (Linux reports KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def ensemble(seed: int, models: int, examples: int, shift: float = 0.0) -> Ensemble:
    """Outputs of drawn models on the forget, the probe and the test examples, Gaussian."""
    generator = np.random.default_rng(seed)
    roles = {}
    for role in ("forget", "probe", "test"):
        confidence = generator.normal(3.0 + shift, SPREAD, (models, examples))
        labels = np.arange(examples) % 10
        roles[role] = Outputs(np.arange(examples), labels, confidence, loss_of_confidence(confidence))
    return Ensemble("", np.arange(models), roles, {name: np.full(models, 0.9) for name in ACCURACIES})


def measure(name: str, work) -> float:
    """CPU seconds of one call, printed."""
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    print(f"  {name:44} {seconds:7.2f} s", flush=True)
    return seconds


def whole(models: int, examples: int) -> None:
    """Every part of a score document."""
    print(f"N = {models}, {examples} examples of each role, CPU seconds:")
    retrained, unlearned = ensemble(0, models, examples), ensemble(1, models, examples, 0.5)
    originals = ensemble(2, 1, examples)
    reference = retrained.forget.saturated
    halves = np.random.default_rng(3).permutation(models).reshape(2, -1)
    sides = Sides(retrained, unlearned, originals, None, halves)
    by_size = SortedSides.of(retrained, unlearned, None)
    result = challenge(reference, unlearned.forget.saturated)
    kept = {}

    def with_intervals() -> None:
        kept["replicates"] = score_replicates(retrained, unlearned, by_size, result.points, 4, 5, 1e-5)
        intervals_section(kept["replicates"], models, examples)

    parts = {
        "challenge": lambda: challenge(reference, unlearned.forget.saturated),
        "ceiling, 10 half-splits": lambda: split_ceiling(reference, 5),
        "its correction": lambda: split_correction(reference, 5),
        "intervals: 40 deletions of score and ceiling": with_intervals,
        "score at N/8, N/4, N/2 with intervals": lambda: by_models(
            by_size, kept["replicates"].forgetting, result.points, 6, 1e-5
        ),
        "strata": lambda: strata(retrained, result.points, kept["replicates"].forgetting),
        **{
            f"{metric.title}, with floor and ceiling": lambda metric=metric: measured(
                metric, sides, 1e-5, Streams(7, "score")
            )
            for metric in METRICS.values()
        },
    }
    started = time.perf_counter()
    total = sum(measure(name, work) for name, work in parts.items())
    passed = time.perf_counter() - started
    print(f"  {'all of it':44} {total:7.2f} s, {passed:.1f} s of wall clock, peak RSS {peak_mb():.0f} MB")


def all_pairs(x: np.ndarray, y: np.ndarray, delta: float) -> float:
    """Brute force with prefix counts: all pairs of cuts at once, in numpy. No ties between x and y."""
    pooled = np.sort(np.concatenate([x, y]))
    below_x, below_y = (np.searchsorted(np.sort(side), pooled, side="right") for side in (x, y))
    below_x, below_y = np.r_[0, below_x], np.r_[0, below_y]
    left, right = np.triu_indices(len(below_x), 1)
    in_x, in_y = below_x[right] - below_x[left], below_y[right] - below_y[left]
    best = 0.0
    for a, b, n, m, within in ((in_x, in_y, len(x), len(y), True), (in_y, in_x, len(y), len(x), False)):
        used = (b > 0) & (a < n)
        fnr, fpr = (n - a[used]) / n, b[used] / m
        ratio = (1 - delta - fnr) / fpr if within else (1 - delta - fpr) / fnr
        best = max(best, ratio.max(initial=0.0))
    return best


def against_brute_force() -> None:
    """The search for the best interval against brute force over all pairs of cuts: the tests', and a vectorised one."""
    sys.path.insert(0, str(REFERENCE_FOLDER))
    from reference_heldout import best_ratio

    from unlearning_metric.metrics._heldout_kernel import best_interval

    generator = np.random.default_rng(8)
    n = REFERENCE_MODELS
    x, y = generator.normal(0.5, 1, (n, REFERENCE_EXAMPLES)), generator.normal(0, 1, (n, REFERENCE_EXAMPLES))
    scratch = np.empty(2 * n + 1), np.empty(2 * n + 1, dtype=np.int64), np.empty(2 * n + 1, dtype=np.int64)
    best_interval(np.sort(x[:, 0]), np.sort(y[:, 0]), 1, 1e-5, *scratch)
    slow_times, pair_times, fast_times, difference = [], [], [], 0.0
    for _ in range(ROUNDS):
        start = time.process_time()
        slow = [best_ratio(x[:, e], y[:, e], 1, 1e-5) for e in range(REFERENCE_EXAMPLES)]
        slow_times.append(time.process_time() - start)
        start = time.process_time()
        pairs = [all_pairs(x[:, e], y[:, e], 1e-5) for e in range(REFERENCE_EXAMPLES)]
        pair_times.append(time.process_time() - start)
        start = time.process_time()
        repeats = 200
        for _ in range(repeats):
            fast = [
                best_interval(np.sort(x[:, e]), np.sort(y[:, e]), 1, 1e-5, *scratch)[0]
                for e in range(REFERENCE_EXAMPLES)
            ]
        fast_times.append((time.process_time() - start) / repeats)
        difference = max(difference, np.abs(np.array([slow, pairs]) - np.array(fast)).max())
    print(
        f"held-out search, N = {n}, sorting included, {ROUNDS} rounds: "
        f"{np.median(fast_times) / REFERENCE_EXAMPLES * 1e6:.1f} us an example; max difference {difference:.1g}"
    )
    for name, times in (("brute force of the tests", slow_times), ("vectorised brute force", pair_times)):
        ratios = np.array(times) / np.array(fast_times)
        print(
            f"  {name}: {np.median(times) / REFERENCE_EXAMPLES * 1e3:.1f} ms, "
            f"ratio median x{np.median(ratios):.0f}, lowest x{ratios.min():.0f}"
        )


def growth() -> None:
    """How the cost grows with the number of models."""
    metrics = {"challenge": challenge}
    for metric in METRICS.values():
        if metric.compares == "sides":
            metrics[metric.title] = lambda *sides, metric=metric: metric.measure(*sides, Given(originals=sides[1][:1]))
    logs = np.log(np.array(GROWTH))
    limit = np.polyfit(logs, np.log(np.array(GROWTH) * logs), 1)[0]
    print(f"growth from N = {GROWTH[0]} to {GROWTH[-1]}, exponent of N (N log N has {limit:.2f}):")
    together = np.zeros(len(GROWTH))
    for name, metric in metrics.items():
        times = []
        for models in GROWTH:
            generator = np.random.default_rng(9)
            sides = generator.normal(0, SPREAD, (2, models, GROWTH_EXAMPLES))
            sides[1] += 0.5
            rounds = []
            for _ in range(ROUNDS):
                start = time.process_time()
                metric(*sides)
                rounds.append(time.process_time() - start)
            times.append(min(rounds) / GROWTH_EXAMPLES)
        together += times
        listed = ", ".join(f"{1e6 * seconds:.0f}" for seconds in times)
        print(f"  {name:20} {np.polyfit(logs, np.log(times), 1)[0]:5.2f}   us an example: {listed}", flush=True)
    print(f"  {'together':20} {np.polyfit(logs, np.log(together), 1)[0]:5.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=512)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--document", action="store_true", help="the score document alone")
    arguments = parser.parse_args()
    small = np.random.default_rng(10).normal(size=(2, 20, 2))
    for metric in (challenge, heldout):
        metric(*small)
    whole(arguments.models, arguments.examples)
    if not arguments.document:
        against_brute_force()
        growth()


if __name__ == "__main__":
    main()

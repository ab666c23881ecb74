"""Challenge metric: mask reference against the sorted kernel, and the time and memory of 1,000 examples.

Run from the repository root, on one thread:

    OMP_NUM_THREADS=1 python benchmarks/challenge_metric.py

The reference is the one of the tests (``tests/unit/metrics/reference_challenge.py``): numpy masks, one row of
400 intervals at a time. Both run in this process on the same arrays. The compile (or load) of the kernel
happens in a warm-up call before anything is timed.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

from unlearning_metric.metrics.challenge import challenge_epsilons

MODELS = 512
REFERENCE_EXAMPLES = 6
REPEATS = 20  # of the kernel, in a round
ROUNDS = 7
EXAMPLES = 1000
SPREAD = 2.0  # standard deviation of the confidences
SHIFT = 0.5
REFERENCE_FOLDER = Path(__file__).parents[1] / "tests" / "unit" / "metrics"


def draw(examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Retrained and unlearned confidences [models, examples]: Gaussian, the unlearned side shifted."""
    generator = np.random.default_rng(0)
    retrained = generator.normal(scale=SPREAD, size=(MODELS, examples))
    unlearned = generator.normal(loc=SHIFT, scale=SPREAD, size=(MODELS, examples))
    return retrained, unlearned


def peak_mb() -> float:
    """Peak resident memory of this process so far, in MB (Linux reports KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    start = time.perf_counter()
    challenge_epsilons(*draw(1))
    print(f"warm-up (compile or cache load, excluded below): {time.perf_counter() - start:.2f} s")

    retrained, unlearned = draw(EXAMPLES)
    before = peak_mb()
    start = time.perf_counter()
    challenge_epsilons(retrained, unlearned)
    seconds = time.perf_counter() - start
    print(
        f"{EXAMPLES} examples x ({MODELS} + {MODELS}): {seconds:.2f} s, peak RSS {peak_mb():.0f} MB "
        f"({before:.0f} MB before the call: imports and inputs)"
    )

    # Only now, so that the peak above has neither the reference's masks nor torch, which it imports, in it.
    sys.path.insert(0, str(REFERENCE_FOLDER))
    import reference_challenge as reference

    retrained, unlearned = draw(REFERENCE_EXAMPLES)
    slow_times, fast_times = [], []
    # In turn, so that other load on the machine hits both sides of a ratio.
    for _ in range(ROUNDS):
        start = time.perf_counter()
        slow = reference.epsilons(retrained, unlearned)
        slow_times.append((time.perf_counter() - start) / REFERENCE_EXAMPLES)
        start = time.perf_counter()
        for _ in range(REPEATS):
            fast = challenge_epsilons(retrained, unlearned)
        fast_times.append((time.perf_counter() - start) / REPEATS / REFERENCE_EXAMPLES)
    slow_ms, fast_ms = np.median(slow_times) * 1e3, np.median(fast_times) * 1e3
    ratios = np.array(slow_times) / np.array(fast_times)
    print(
        f"N = {MODELS}, {REFERENCE_EXAMPLES} examples, ms per example (median of {ROUNDS} rounds): "
        f"masks {slow_ms:.0f}, kernel {fast_ms:.2f}; ratio median x{np.median(ratios):.0f}, "
        f"lowest x{ratios.min():.0f}, highest x{ratios.max():.0f}; max difference {np.abs(slow - fast).max():.1g}"
    )


if __name__ == "__main__":
    main()

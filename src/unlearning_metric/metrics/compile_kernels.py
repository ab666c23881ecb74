"""Compiles what the metrics run as machine code, so that no job of a run has to: seconds, once an installation.

python -m unlearning_metric.metrics.compile_kernels

Without it the first jobs that score compile, each for itself.
"""

from __future__ import annotations

import numpy as np

from unlearning_metric.metrics.challenge import challenge_score, split_ceiling
from unlearning_metric.metrics.heldout import heldout
from unlearning_metric.metrics.simple_mia import simple_mia


def compile_kernels() -> None:
    """Call each kernel once, as scores call it."""
    retrained, unlearned = np.random.default_rng(0).normal(size=(2, 32, 20))
    challenge_score(retrained, unlearned)
    split_ceiling(retrained, seed=0)
    heldout(retrained, unlearned)
    simple_mia(retrained, unlearned, seed=0)


if __name__ == "__main__":
    compile_kernels()

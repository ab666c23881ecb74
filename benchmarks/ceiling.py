"""Bias of the half-split ceiling, before and after its correction, on synthetic laws.

    OMP_NUM_THREADS=1 python benchmarks/ceiling.py [--models 20 32 64 128] [--draws 20] [--examples 72] [--laws ...]

For each law, spread and N: the mean of half-splits over the true ceiling (N against N models, many draws), as it is and
times `split_correction`; the standard deviation of the corrected one. A line is marked where the bias passes 6 %.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from unlearning_metric.metrics.ceiling import split_correction
from unlearning_metric.metrics.challenge import challenge, split_ceiling


def _normal(generator, shape):
    return generator.normal(size=shape)


def _t3(generator, shape):
    return generator.standard_t(3, shape) / np.sqrt(3)


def _skewed(generator, shape):
    return generator.gamma(2, size=shape) / np.sqrt(2)


def _two_modes(generator, shape):
    return (generator.choice([-1.0, 1.0], shape) + 0.5 * generator.normal(size=shape)) / np.sqrt(1.25)


#: Law -> how it is drawn with standard deviation 1, and its standard deviation.
LAWS = {
    "normal, sd 0.5": (_normal, 0.5),
    "normal, sd 1": (_normal, 1.0),
    "normal, sd 3": (_normal, 3.0),
    "t3, sd 0.5": (_t3, 0.5),
    "t3, sd 2": (_t3, 2.0),
    "skewed, sd 0.5": (_skewed, 0.5),
    "skewed, sd 2": (_skewed, 2.0),
    "two modes, sd 1": (_two_modes, 1.0),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, nargs="+", default=[20, 32, 64, 128])
    parser.add_argument("--draws", type=int, default=20, help="draws of the retrained models")
    parser.add_argument("--truths", type=int, default=150, help="draws of N against N that the true ceiling is of")
    parser.add_argument("--examples", type=int, default=72)
    parser.add_argument("--laws", nargs="+", default=list(LAWS), choices=list(LAWS))
    arguments = parser.parse_args()
    print(f"{arguments.draws} draws, {arguments.examples} examples; ceiling over the true one")
    print(f"{'law':16} {'N':>4} {'true':>7} {'half-splits':>12} {'corrected':>10} {'sd':>6}", flush=True)
    for law in arguments.laws:
        draw, sd = LAWS[law]
        for models in arguments.models:
            generator = np.random.default_rng([models, *law.encode()])
            shape = models, arguments.examples
            truth = np.mean(
                [
                    challenge(sd * draw(generator, shape), sd * draw(generator, shape)).forgetting_score
                    for _ in range(arguments.truths)
                ]
            )
            plain, corrected = [], []
            for number in range(arguments.draws):
                retrained = sd * draw(generator, shape)
                plain.append(split_ceiling(retrained, number) / truth)
                corrected.append(plain[-1] * split_correction(retrained, number))
            print(
                f"{law:16} {models:4} {truth:7.4f} {np.mean(plain):12.3f} {np.mean(corrected):10.3f} "
                f"{np.std(corrected, ddof=1):6.3f}{'  <-' if abs(np.mean(corrected) - 1) > 0.06 else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()

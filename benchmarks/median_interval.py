"""Coverage of the 95 % interval of held-out epsilon's median over examples, on synthetic experiments.

    python benchmarks/median_interval.py [--experiments 300] [--models 16 32 64]

Laws and columns as in `interval_coverage.py`: the truth is the mean over all experiments, and a line is marked
where coverage leaves 90 to 99 % by more than its standard error.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from interval_coverage import LAWS, SETTINGS, draw, row_text

from unlearning_metric.metrics.heldout import METRIC
from unlearning_metric.outputs.ensemble import Ensemble, Outputs
from unlearning_metric.scoring.sections import measured
from unlearning_metric.scoring.sides import Sides
from unlearning_metric.seeds import Streams

EXAMPLES = 72


def ensemble(confidence):
    """Models that say this of the forget examples, and nothing else."""
    models, examples = confidence.shape
    forget = Outputs(np.arange(examples), np.zeros(examples, int), confidence, loss=None)
    return Ensemble("", np.arange(models), {"forget": forget}, {})


def experiment(setting, models, correlation, number):
    """The median over examples and its interval, for the first method of a setting: (median, low, high)."""
    (shift, spread), _, law, uneven = SETTINGS[setting]
    laws = np.random.default_rng(1)
    middle, places = laws.normal(4, 2, EXAMPLES), laws.normal(size=EXAMPLES)
    sd = LAWS[law][1] * laws.uniform(1, 3, EXAMPLES)
    generator = np.random.default_rng([number, models, list(SETTINGS).index(setting)])
    retrained, standard = (draw(generator, models, EXAMPLES, law, correlation) for _ in range(2))
    unlearned = middle + sd * (shift + uneven * places + spread * standard)
    halves = generator.permutation(models)[: models // 2 * 2].reshape(2, -1)
    sides = Sides(ensemble(middle + sd * retrained), ensemble(unlearned), None, None, halves)
    section = measured(METRIC, sides, 1e-5, Streams(number, "score")).section
    return section["method"]["epsilon_median"], *section["epsilon_median_interval"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=300)
    parser.add_argument("--models", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--correlations", type=float, nargs="+", default=[0.02, 0.4])
    parser.add_argument("--settings", nargs="+", default=["equal", "shifted", "heavy tails"], choices=list(SETTINGS))
    arguments = parser.parse_args()
    print(f"{arguments.experiments} experiments a row, {EXAMPLES} examples")
    print(
        f"{'N':>4} {'law':13} {'corr.':>5} {'truth':>8} {'drawn':>6} {'coverage':>9} {'se':>5} {'width / oracle':>15}"
    )
    for models in arguments.models:
        for setting in arguments.settings:
            for correlation in arguments.correlations:
                numbers = range(arguments.experiments)
                found = np.array([experiment(setting, models, correlation, number) for number in numbers])
                said = row_text("median", found, found[:, 0])
                print(f"{models:4} {setting:13} {correlation:5g}  {said}", flush=True)


if __name__ == "__main__":
    main()

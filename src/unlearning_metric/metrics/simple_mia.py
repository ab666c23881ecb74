"""The membership-inference attack of the challenge's starting kit.

Source: [K] unlearning-challenge/starting-kit, ``simple_mia``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unlearning_metric.metrics._inputs import model_values
from unlearning_metric.metrics._logistic import held_out_errors
from unlearning_metric.metrics._splits import shuffled_splits
from unlearning_metric.metrics.record import Columns, Given, Metric, Number, Shown

SPLITS = 10


def simple_mia(forget_losses: ArrayLike, test_losses: ArrayLike, seed: int) -> NDArray[np.float64]:
    """Accuracy of guessing, from the loss alone, whether an example was forgotten or never seen, for each model.

    Ideal: 0.5. Ceiling: what retrained models have (forget and test examples may differ in law, so it need not be
    0.5). Floor: the original's (the kit's CIFAR-10 models: 0.579 original, 0.512 fine-tuned, 0.502 retrained).

    Parameters
    ----------
    forget_losses, test_losses : array [models, examples]
        Cross-entropy, in nats, of the same models; at least 10 examples each. Of the larger group as many are drawn
        as the smaller has, the same ones for every model.
    seed : int
        Of that draw and of the ten splits (a tenth held out each time).

    Returns
    -------
    float64 [models]

    Raises
    ------
    ValueError
        If an input is not 2-D, not finite, the numbers of models differ, or there are fewer than 10 examples.

    References
    ----------
    [K]; scikit-learn ``LogisticRegression()``, ``StratifiedShuffleSplit(10)``.
    """
    groups = [model_values(forget_losses, "forget_losses", 1), model_values(test_losses, "test_losses", 1)]
    if len(groups[0]) != len(groups[1]):
        raise ValueError(
            f"forget_losses has {len(groups[0])} models and test_losses has {len(groups[1])}: pass the same models"
        )
    size = min(group.shape[1] for group in groups)
    if size < SPLITS:
        raise ValueError(f"the smaller group has {size} examples: the attack holds out a tenth, pass at least 10 each")
    generator = np.random.default_rng(seed)
    groups = [group[:, np.sort(generator.permutation(group.shape[1])[:size])] for group in groups]
    labels = np.repeat([0, 1], size)
    splits = shuffled_splits(size, SPLITS, seed)
    errors = held_out_errors(np.concatenate(groups[::-1], axis=1), labels, splits)
    held_out = np.array([len(test) for _, test in splits])[:, None]
    return ((held_out - errors.sum(axis=2)) / held_out).T.copy().mean(axis=1)


def _measure(forget: NDArray[np.float64], test: NDArray[np.float64], given: Given) -> Columns:
    return {"accuracy": simple_mia(forget, test, given.seed)}


def _summary(columns: Columns) -> dict[str, float]:
    accuracies = columns["accuracy"]
    return {
        "accuracy": float(accuracies.mean()),
        "sd": float(accuracies.std(ddof=1)) if len(accuracies) > 1 else 0.0,
    }


METRIC = Metric(
    name="simple_mia",
    title="simple MIA",
    says="the starting kit's attack on losses of forget against test examples, for each model",
    source="unlearning-challenge/starting-kit, `simple_mia`",
    ideal="the ceiling, about 0.5",
    ceiling="what retrained models have",
    floor="what the originals have",
    better="ceiling",
    measure=_measure,
    summary=_summary,
    numbers={
        "accuracy": Number("Mean over models; 0.5 is ideal, but compare with the ceiling."),
        "sd": Number("Over models."),
    },
    headline="accuracy",
    shown=(Shown("simple MIA", "accuracy", "accuracy, mean over models"),),
    signal="loss",
    roles=("forget", "test"),
    compares="roles",
    least_models=1,
    least_examples=SPLITS,
)

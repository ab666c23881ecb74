"""Retrain: a second, disjoint set of models trained without the forget set. What every method approximates.

Source: the definition of exact unlearning; the same recipe as the reference models, other random streams.
Needs: training recipe.
Cost: E R fb, with E the epochs of the recipe.
Stochastic: strong; initial weights and order of the examples.
Known weakness: its price. Its score is the ceiling that the metric can reach, about 0.18 and not 1.
"""


def unlearn(train_from_scratch, seed):
    return train_from_scratch(seed)

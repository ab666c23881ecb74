"""Identity: the original model, untouched. The floor of every comparison.

Source: control "do nothing" of the unlearning benchmarks (for example EasyDUB).
Needs: nothing.
Cost: nothing.
Stochastic: no; with one original all copies are equal, and the challenge's peaky rule then gives exactly 0.
Known weakness: it forgets nothing.
"""


def unlearn(model):
    return model

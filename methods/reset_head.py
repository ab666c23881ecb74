"""Reset the last linear layer, then fine-tune on the retain set: the seed project's ``unlearn_2``.

Source: AlbinSou/unlearning-challenge-metric, ``unlearn_2``; the head is found by type, not by name.
Needs: the retain set. Cost: ``epochs`` passes over it. Stochastic: the new head and the order of the examples.
Known weakness: the layers below the head keep what they learned of the forget set.
"""

from _sgd import descend
from torch import nn


def unlearn(model, retain_loader, epochs=1, lr=0.002, momentum=0.9, weight_decay=5e-4, schedule="constant"):
    head = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    head.reset_parameters()
    descend(model, retain_loader, epochs, lr, momentum, weight_decay, schedule)
    return model

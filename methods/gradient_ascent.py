"""Gradient ascent (NegGrad): climb the loss of the forget set.

Source: Golatkar et al. 2020 and Thudi et al. 2022; values of the example in kairanzhao/RUM (lr 1e-4, 5 epochs, batches
    of 256). Batch norms are frozen, since batches of the forget set alone would set the normalisation, and the
    gradient is clipped. ``stop_at_validation_loss`` ends it once the forget loss of an epoch reaches the validation
    loss (it then costs 1 V fw an epoch).
Needs: forget set; validation set with ``stop_at_validation_loss``.
Cost: 5 F fb.
Stochastic: weak; order of the examples.
Known weakness: the loss has no bound, and all classes collapse within a few steps; hardly any spread.
"""

import torch
from _batches import Batches
from _layers import training_mode
from _sgd import sgd, step
from torch.nn.functional import cross_entropy


@torch.no_grad()
def mean_loss(model, loader):
    """Mean cross-entropy over a loader, in eval mode."""
    model.eval()
    losses = [cross_entropy(model(images), labels, reduction="none") for images, labels in Batches(loader)]
    return float(torch.cat(losses).mean())


def unlearn(
    model, forget_loader, val_loader, epochs=5, lr=1e-4, momentum=0.9, weight_decay=5e-4, clip=1.0, batch_size=256,
    bn="frozen", stop_at_validation_loss=False,
):  # fmt: skip
    batches = Batches(forget_loader, batch_size)
    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    for _ in range(epochs):
        training_mode(model, bn, "forget")
        total = 0.0
        for images, labels in batches:
            loss = cross_entropy(model(images), labels)
            step(optimizer, -loss, clip)
            total += loss.item() * len(labels)
        if stop_at_validation_loss and total / len(batches.dataset) >= mean_loss(model, val_loader):
            break
    return model

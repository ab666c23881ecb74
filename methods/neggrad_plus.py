"""NegGrad+: descend on the retain set and climb on the forget set in the same step.

Source: Kurmanji et al. 2023, arXiv 2302.09880, L = alpha CE(retain) - (1 - alpha) CE(forget). Ours: 3 epochs, lr 0.01,
    cosine, alpha 0.99, and the forget loss counts at most ln(classes), that of a blind guess, beyond which there is
    nothing to forget.
Needs: retain set, forget set.
Cost: 3 R fb, 3 n_R of F fb.
Stochastic: weak; order of the examples.
Known weakness: within alpha 0.9 to 0.999 it turns from no effect to collapse, depending on the sizes of the sets.
"""

import math

import torch
from _batches import Batches, endless
from _layers import training_mode
from _sgd import cosine, set_rate, sgd, step
from torch.nn.functional import cross_entropy


def combined_loss(retain_loss, forget_loss, alpha, num_classes):
    """alpha * retain_loss - (1 - alpha) * min(forget_loss, ln(num_classes))."""
    return alpha * retain_loss - (1 - alpha) * torch.clamp(forget_loss, max=math.log(num_classes))


def unlearn(
    model, retain_loader, forget_loader, num_classes, alpha=0.99, epochs=3, lr=0.01, momentum=0.9, weight_decay=5e-4,
    batch_size=128, bn="train",
):  # fmt: skip
    retain, forget = Batches(retain_loader, batch_size), endless(Batches(forget_loader, batch_size))
    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    steps = epochs * len(retain)
    for epoch in range(epochs):
        for index, (images, labels) in enumerate(retain):
            set_rate(optimizer, cosine(lr, epoch * len(retain) + index, steps))
            training_mode(model, bn, "retain")
            retain_loss = cross_entropy(model(images), labels)
            images, labels = next(forget)
            training_mode(model, bn, "forget")
            forget_loss = cross_entropy(model(images), labels)
            step(optimizer, combined_loss(retain_loss, forget_loss, alpha, num_classes))
    return model

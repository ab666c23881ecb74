"""Noisy fine-tune: SGD on the retain set with normal noise on the weights after each step, in the manner of Langevin.

Source: Chien et al. 2024, arXiv 2401.10371 and 2403.17105, whose guarantee needs an original trained by the same noisy
    process. This is the heuristic for any net, and claims no (epsilon, delta) guarantee. No momentum, which would
    multiply the noise; none on batch-norm statistics; none in the last third of an epoch.
Needs: retain set.
Cost: 3 R fb.
Stochastic: strong; the noise, set by ``sigma``, and the order of the examples.
Known weakness: ``sigma`` trades spread for accuracy and must be tuned.
"""

import math

from _batches import Batches
from _layers import add_noise
from _sgd import sgd, step
from torch.nn.functional import cross_entropy


def noise_sd(lr, sigma):
    """Standard deviation of the noise of one step: sqrt(2 lr sigma^2)."""
    return math.sqrt(2 * lr) * sigma


def unlearn(model, retain_loader, lr=0.01, sigma=0.01, epochs=3, weight_decay=5e-4, clip=1.0, batch_size=128):
    batches = Batches(retain_loader, batch_size)
    optimizer = sgd(model.parameters(), lr, momentum=0, weight_decay=weight_decay)
    noisy_steps = epochs * len(batches) - round(len(batches) / 3)
    model.train()
    for epoch in range(epochs):
        for index, (images, labels) in enumerate(batches):
            step(optimizer, cross_entropy(model(images), labels), clip)
            if epoch * len(batches) + index < noisy_steps:
                for parameter in model.parameters():
                    add_noise(parameter, noise_sd(lr, sigma))
    return model

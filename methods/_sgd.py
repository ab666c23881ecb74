"""Steps of SGD: single ones, and the plain fine-tuning that several methods share."""

import math

import torch
from _batches import Batches
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_


def sgd(parameters, lr, momentum=0.9, weight_decay=5e-4):
    """SGD in its fused form."""
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=True)


def step(optimizer, loss, clip=None):
    """One step down ``loss``, with the norm of the whole gradient clipped to ``clip`` if that is given."""
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip)
    optimizer.step()


def set_rate(optimizer, lr):
    """Set the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def cosine(peak, time, duration, low=0.0):
    """Learning rate that falls by a half cosine from ``peak`` at time 0 to ``low`` at ``duration``."""
    return low + (peak - low) * 0.5 * (1 + math.cos(math.pi * time / duration))


def rate(schedule, peak, time, duration):
    """Learning rate of a ``constant`` or ``cosine`` schedule."""
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"schedule is {schedule!r}; it must be one of constant, cosine")
    return peak if schedule == "constant" else cosine(peak, time, duration)


def descend(model, loader, epochs, lr, momentum, weight_decay, schedule, batch_size=None):
    """Train ``model`` in place with cross-entropy.

    Parameters
    ----------
    schedule : ``constant``; ``cosine`` and ``one_cycle``, which change at each step; ``cosine_by_epoch``
    """
    batches = Batches(loader, batch_size)
    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    steps = epochs * len(batches)
    schedulers = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps),
        "cosine_by_epoch": lambda: torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda taken: cosine(1.0, taken // len(batches), epochs)
        ),
        "one_cycle": lambda: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=lr, total_steps=steps, pct_start=0.25, cycle_momentum=False
        ),
    }
    if schedule not in schedulers:
        raise ValueError(f"schedule is {schedule!r}; it must be one of {', '.join(schedulers)}")
    scheduler = schedulers[schedule]()
    model.train()
    for _ in range(epochs):
        for images, labels in batches:
            step(optimizer, cross_entropy(model(images), labels))
            scheduler.step()

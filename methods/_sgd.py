"""Plain SGD on one loader, shared by the fine-tuning methods."""

import torch
from torch import nn


def descend(model, loader, epochs, lr, momentum, weight_decay, schedule):
    """Train ``model`` in place with cross-entropy; ``schedule`` is ``constant``, ``cosine`` or ``one_cycle``."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay, fused=True)
    steps = epochs * len(loader)
    schedulers = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps),
        "one_cycle": lambda: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=lr, total_steps=steps, pct_start=0.25, cycle_momentum=False
        ),
    }
    if schedule not in schedulers:
        raise ValueError(f"schedule is {schedule!r}; it must be one of {', '.join(schedulers)}")
    scheduler = schedulers[schedule]()
    criterion = nn.CrossEntropyLoss()
    model.train()
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            criterion(model(images), labels).backward()
            optimizer.step()
            scheduler.step()

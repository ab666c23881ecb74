"""Sun (8th in the challenge): train random parts of the net with noise, then all of it.

Source: Kaggle discussion 459095; "RNI" in xcadet/deepunlearn. The head is reset; 5 epochs on the retain set train 9
    random parameter tensors and the batch norms, from the second on with noise of sd 0.04 on 6 of the 9 that had
    none yet; then 4 epochs train everything. The first epoch trains the whole net, as in the write-up; in the port it
    trains 9 random tensors as well, and may miss the new head (``first_epoch: drawn``).
Needs: retain set.
Cost: 9 R fb.
Stochastic: strong; the head, the choice of tensors, the noise and the order of the examples.
Known weakness: noise of one sd for all tensors is too much for some nets and nothing to others.
"""

import random

import torch
from _batches import Batches
from _layers import add_noise, batch_norms, head
from _sgd import set_rate, step
from torch.nn.functional import cross_entropy


def choose(tensors, count, share, noised):
    """Positions of ``count`` random tensors, and of the ``share`` of them to be noised: those not in ``noised``."""
    chosen = random.sample(range(tensors), min(count, tensors))
    fresh = [position for position in chosen if position not in noised]
    return chosen, fresh[: int(share * len(chosen))]


def unlearn(
    model, retain_loader, first_epoch="full", noise_epochs=4, drawn=9, noised_share=0.7, sd=0.04, lr=2e-4,
    last_epochs=4, last_lr=1e-3, momentum=0.9, weight_decay=5e-4, batch_size=64,
):  # fmt: skip
    if first_epoch not in ("full", "drawn"):
        raise ValueError(f"first_epoch is {first_epoch!r}; it must be one of full, drawn")
    batches = Batches(retain_loader, batch_size)
    of_norms = {id(parameter) for norm in batch_norms(model) for parameter in norm.parameters()}
    tensors = [parameter for parameter in model.parameters() if id(parameter) not in of_norms]
    flags = [(p, p.requires_grad) for p in model.parameters()]
    # The fused form refuses a tensor whose first gradient comes after those of others.
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay)
    head(model).reset_parameters()
    model.train()
    noised = set()
    for epoch in range(1 + noise_epochs + last_epochs):
        chosen, fresh = choose(len(tensors), drawn, noised_share, noised)
        everything = epoch > noise_epochs or (epoch == 0 and first_epoch == "full")
        for position, tensor in enumerate(tensors):
            tensor.requires_grad_(everything or position in chosen)
        if 0 < epoch <= noise_epochs:
            for position in fresh:
                add_noise(tensors[position], sd)
            noised.update(fresh)
        set_rate(optimizer, last_lr if epoch == noise_epochs + last_epochs else lr)
        for images, labels in batches:
            step(optimizer, cross_entropy(model(images), labels))
    for parameter, flag in flags:
        parameter.requires_grad_(flag)
    return model

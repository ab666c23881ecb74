"""Fanchuan (2nd in the challenge): forget by flat predictions, then contrast forget with retain logits and repair.

Source: Kaggle discussion 458721; "FCS" in xcadet/deepunlearn. One epoch of KL(uniform || prediction) on the forget set,
    then 8 rounds of a pass over the forget set that makes its logits equally near to those of all examples of a random
    retain batch (temperature 1.15), and an epoch on the retain set; three optimizers, train mode throughout.
Needs: retain set, forget set.
Cost: 8 R fb, 9 F fb, 32 n_F of R fw.
Stochastic: medium; order of the examples.
Known weakness: sensitive to the contrast's learning rate, and the contrast dominates once the forget set is far above
    the challenge's 2 % of the data.
"""

import torch
from _batches import Batches, endless
from _distil import answers, kl_to_teacher
from _layers import training_mode
from _sgd import cosine, set_rate, sgd, step
from torch.nn.functional import cross_entropy, log_softmax


def uniform_loss(logits):
    """KL(uniform || prediction)."""
    return kl_to_teacher(torch.zeros_like(logits), logits)


def contrast_loss(forget_logits, retain_logits, temperature):
    """Mean over all pairs (i, j) of -log softmax over j of <forget logits i, retain logits j> / temperature."""
    return -log_softmax(forget_logits @ retain_logits.T / temperature, 1).mean()


def unlearn(
    model, retain_loader, forget_loader, rounds=8, flat_lr=0.005, contrast_lr=3e-4, temperature=1.15, lr=4e-3,
    momentum=0.9, weight_decay=0.01, batch_size=256, forget_batch_size=64, bn="train",
):  # fmt: skip
    retain, forget = Batches(retain_loader, batch_size), Batches(forget_loader, forget_batch_size)
    flattener, contraster = (sgd(model.parameters(), rate, momentum, 0) for rate in (flat_lr, contrast_lr))
    repairer = sgd(model.parameters(), lr, momentum, weight_decay)
    training_mode(model, bn, "forget")
    for images, _ in forget:
        step(flattener, uniform_loss(model(images)))
    for turn in range(rounds):
        training_mode(model, bn, "forget")
        for index, ((images, _), (others, _)) in enumerate(zip(forget, endless(retain), strict=False)):
            time = turn * len(forget) + index
            set_rate(contraster, cosine(contrast_lr, time, rounds * len(forget), low=1e-6))
            step(contraster, contrast_loss(model(images), answers(model, others), temperature))
        training_mode(model, bn, "retain")
        for images, labels in retain:
            step(repairer, cross_entropy(model(images), labels))
    return model

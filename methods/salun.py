"""SalUn: random labels, on the weights that the forget set's gradient finds most salient.

Source: Fan et al. 2024, arXiv 2310.12508; OPTML-Group/Unlearn-Saliency (README: lr 0.013, 10 epochs, half of the
    weights). Each epoch trains on the forget set with fresh labels, then on the retain set. As in the paper a fresh
    label is a wrong one (the code draws the true one too), and weights outside the mask stay exactly as they were
    (in ports they decay).
Needs: retain set, forget set.
Cost: 10 R fb, 11 F fb.
Stochastic: medium; the labels and the order of the examples.
Known weakness: that of random labels. The mask depends on the batches, as gradients of unlike examples cancel.
"""

import torch
from _batches import Batches
from _gradients import summed_gradient
from _layers import training_mode
from _relabel import wrong_labels
from _sgd import sgd, step
from torch.nn.functional import cross_entropy


def saliency_masks(gradients, share):
    """For each tensor, which entries are among the ``share`` largest in absolute value of all entries together."""
    sizes = torch.cat([gradient.abs().flatten() for gradient in gradients])
    chosen = torch.zeros_like(sizes, dtype=torch.bool)
    chosen[sizes.topk(round(share * len(sizes))).indices] = True
    parts = chosen.split([gradient.numel() for gradient in gradients])
    return [part.view(gradient.shape) for part, gradient in zip(parts, gradients, strict=True)]


def unlearn(
    model, retain_loader, forget_loader, num_classes, share=0.5, epochs=10, lr=0.013, momentum=0.9, weight_decay=5e-4,
    batch_size=256, bn="train",
):  # fmt: skip
    retain, forget = Batches(retain_loader, batch_size), Batches(forget_loader, batch_size)
    parameters = list(model.parameters())
    masks = saliency_masks(summed_gradient(model, parameters, forget), share)
    before = [p.detach().clone() for p in parameters]
    optimizer = sgd(parameters, lr, momentum, weight_decay)

    def masked_step(images, labels):
        step(optimizer, cross_entropy(model(images), labels))
        with torch.no_grad():
            for parameter, mask, original in zip(parameters, masks, before, strict=True):
                parameter.copy_(torch.where(mask, parameter, original))

    for _ in range(epochs):
        training_mode(model, bn, "forget")
        for images, labels in forget:
            masked_step(images, wrong_labels(labels, num_classes))
        training_mode(model, bn, "retain")
        for images, labels in retain:
            masked_step(images, labels)
    return model

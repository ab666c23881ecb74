"""SSD, selective synaptic dampening: shrink the weights that matter to the forget set far more than to the whole.

Source: Foster et al. 2024, arXiv 2308.07707; if-loops/selective-synaptic-dampening (selection 10, dampening 1).
    Importance is the mean over batches of the squared gradient of the batch's mean loss, in eval mode, so it depends
    on the batch size; batches are taken in the data's own order. ``jitter`` is ours: importances of the whole from a
    random 30 % of it, and normal noise of sd 1e-3 on all weights, for a law with a spread.
Needs: retain set, forget set.
Cost: 1 R fb, 2 F fb.
Stochastic: no; with one original all copies are equal and score 0, unless ``jitter`` is set.
Known weakness: no training repairs what is dampened, and a low selection wipes the net.
"""

import torch
from _batches import drawn, in_order
from _layers import add_noise
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, Subset


def importances(model, batches):
    """Mean over batches of the squared gradient of their mean cross-entropy: one tensor a parameter."""
    model.eval()
    parameters = list(model.parameters())
    total = [torch.zeros_like(p) for p in parameters]
    for images, labels in batches:
        gradients = torch.autograd.grad(cross_entropy(model(images), labels), parameters)
        for tensor, gradient in zip(total, gradients, strict=True):
            tensor += gradient**2 / len(batches)
    return total


def factor(whole, forget, selection, dampening):
    """What a weight is multiplied by: min(1, dampening whole / forget) where forget > selection whole, else 1."""
    chosen = forget > selection * whole
    ratio = dampening * whole / torch.where(chosen, forget, torch.ones_like(forget))
    return torch.where(chosen, ratio.clamp(max=1), torch.ones_like(ratio))


def unlearn(
    model, retain_loader, forget_loader, selection=10.0, dampening=1.0, batch_size=256, jitter=False, jitter_share=0.3,
    jitter_sd=1e-3,
):  # fmt: skip
    everything = ConcatDataset([retain_loader.dataset, forget_loader.dataset])
    if jitter:
        share = torch.randperm(len(everything))[: round(jitter_share * len(everything))]
        whole = importances(model, drawn(Subset(everything, share.tolist()), batch_size))
    else:
        whole = importances(model, in_order(everything, batch_size))
    forget = importances(model, in_order(forget_loader.dataset, batch_size))
    with torch.no_grad():
        for parameter, of_whole, of_forget in zip(model.parameters(), whole, forget, strict=True):
            parameter.mul_(factor(of_whole, of_forget, selection, dampening))
            if jitter:
                add_noise(parameter, jitter_sd)
    return model

"""Layers of a net by type and position, never by name; order is the order in which the net declares them."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

BN_MODES = ("train", "frozen", "retain_only")


def weighted_layers(model):
    """All convolutions and linear layers."""
    return [module for module in model.modules() if isinstance(module, _ConvNd | nn.Linear)]


def head(model):
    """The last linear layer.

    Raises
    ------
    ValueError
        If the net has none.
    """
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError("the method needs a net with a linear layer, its head, and this one has none")
    return linear[-1]


def stem(model):
    """The first 2d convolution; in a net without one, the first layer with weights."""
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    return (convolutions or weighted_layers(model))[0]


def feature_layers(model):
    """All 2d convolutions; in a net without one, all linear layers but the head."""
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    return convolutions or [module for module in weighted_layers(model) if module is not head(model)]


def batch_norms(model):
    """All batch-norm layers."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def last_layers(model, count):
    """The last ``count`` convolutions and linear layers, and the batch norms met on the way to them from the output."""
    first = weighted_layers(model)[-count:][0]
    modules = list(model.modules())
    behind = modules[next(i for i, module in enumerate(modules) if module is first) :]
    return [module for module in behind if isinstance(module, _ConvNd | nn.Linear | _BatchNorm)]


def re_initialise(module):
    """Draw the weights of a module, and of all within it, anew as at its construction."""
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()


def training_mode(model, bn="train", part="retain"):
    """Set the mode for steps on a batch of ``part`` (``retain`` or ``forget``).

    Parameters
    ----------
    bn : what batch norms do. ``train``: normalise by each batch and follow it with their running statistics;
        ``frozen``: use the running statistics and keep them; ``retain_only``: train on retain batches, frozen on
        forget batches
    """
    if bn not in BN_MODES:
        raise ValueError(f"bn is {bn!r}; it must be one of {', '.join(BN_MODES)}")
    model.train()
    if bn == "frozen" or (bn == "retain_only" and part == "forget"):
        for module in batch_norms(model):
            module.eval()


@torch.no_grad()
def add_noise(tensor, sd):
    """Add independent normal noise of standard deviation ``sd`` (a number, or a tensor that broadcasts) in place."""
    tensor.add_(torch.randn_like(tensor) * sd)

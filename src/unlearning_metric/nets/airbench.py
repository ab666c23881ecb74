"""The net of airbench94 (Jordan, 94% on CIFAR-10 in 3.29 seconds on a single GPU, arXiv 2404.00498), from its text.

Changed against the paper: the first layer's filters are those of natural images in general, not of the training
examples, since a net is built without them, and they are trained like all others.
"""

from __future__ import annotations

import torch
from torch import nn

from unlearning_metric.config import Model


class ScaledLinear(nn.Module):
    """A linear head without offsets, whose logits are divided by 9, as the paper's are."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """[batch, features, height, width] -> [batch, classes], of the largest value over height and width."""
        return self.linear(features.amax(dim=(2, 3))) / 9


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3, without offsets; its first filters hand their inputs on (the paper's section 3.2)."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:inputs])
    return layer


def _normalised(features: int) -> nn.BatchNorm2d:
    """Batch norm that trains its offsets alone."""
    layer = nn.BatchNorm2d(features, eps=1e-12, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer


def _patches(channels: int) -> torch.Tensor:
    """Filters [8 * channels, channels, 2, 2]: averages and differences within 2x2 pixels of sums over colours.

    Natural images vary less the finer what is looked at: each is scaled up accordingly, and stands there with both
    signs.
    """
    average, difference = torch.tensor([0.5, 0.5]), torch.tensor([0.5, -0.5])
    spatial = torch.stack([torch.outer(a, b) for a in (average, difference) for b in (average, difference)])
    # An orthonormal basis of colours whose first is their sum.
    colours = torch.eye(channels)
    colours[:, 0] = 1.0
    colours = torch.linalg.qr(colours)[0].T
    filters = 2 * torch.einsum("shw,oc->sochw", spatial, colours)
    scales = torch.tensor([1.0, 4.0, 4.0, 10.0])[:, None] * torch.tensor([0.5] + [2.0] * (channels - 1))[None, :]
    filters = (filters * scales[:, :, None, None, None]).flatten(0, 1)
    return torch.cat([filters, -filters])


def airbench(settings: Model, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Three blocks of two convolutions of 64, 256 and 256 features: 2 M parameters, 0.7 GFLOP to train on an image."""
    channels = image_shape[2]
    first = nn.Conv2d(channels, 8 * channels, 2, bias=True)
    first.weight.data.copy_(_patches(channels))
    layers: list[nn.Module] = [first, nn.GELU()]
    features = 8 * channels
    for wide in (64, 256, 256):
        layers += [_convolution(features, wide), nn.MaxPool2d(2), _normalised(wide), nn.GELU()]
        layers += [_convolution(wide, wide), _normalised(wide), nn.GELU()]
        features = wide
    return nn.Sequential(*layers, ScaledLinear(features, num_classes))

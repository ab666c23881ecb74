"""Nets of torchvision, fitted to the number of classes, the channels and the size of the images."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unlearning_metric.config import Model

#: Beginning of a name -> what that net must be told besides the number of classes, of images of a size.
_MORE: dict[str, Any] = {
    "googlenet": lambda height, width: {"aux_logits": False, "init_weights": True},
    "inception": lambda height, width: {"aux_logits": False, "init_weights": True},
    "vit": lambda height, width: {"image_size": height},
    "maxvit": lambda height, width: {"input_size": (height, width)},
}


def torchvision_net(name: str, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """An untrained classifier of torchvision.

    Where images have other than three channels, the first convolution is one of that many, with weights of the same
    spread.

    Parameters
    ----------
    image_shape : (height, width, channels)
    """
    from torchvision.models import get_model

    height, width, channels = image_shape
    more = next((more(height, width) for start, more in _MORE.items() if name.startswith(start)), {})
    net = get_model(name, weights=None, num_classes=num_classes, **more)
    if channels != 3:
        _take_channels(net, channels)
    return net


def _take_channels(net: nn.Module, channels: int) -> None:
    path, first = next((path, module) for path, module in net.named_modules() if isinstance(module, nn.Conv2d))
    weight = first.weight.detach()
    like = {name: getattr(first, name) for name in ("out_channels", "kernel_size", "stride", "padding", "dilation")}
    replaced = nn.Conv2d(channels, **like, bias=first.bias is not None, padding_mode=first.padding_mode)
    with torch.no_grad():
        # The sum over the channels keeps its spread.
        replaced.weight.copy_(weight[:, torch.arange(channels) % 3] * (3 / channels) ** 0.5)
        if first.bias is not None:
            replaced.bias.copy_(first.bias)
    parent, _, name = path.rpartition(".")
    setattr(net.get_submodule(parent), name, replaced)


def resnet18_cifar(settings: Model, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """ResNet-18 for small images: a first convolution of 3x3 with stride 1, and no max-pooling (He et al. 2016)."""
    net = torchvision_net("resnet18", (*image_shape[:2], 3), num_classes)
    net.conv1 = nn.Conv2d(image_shape[2], 64, 3, stride=1, padding=1, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    net.maxpool = nn.Identity()
    return net

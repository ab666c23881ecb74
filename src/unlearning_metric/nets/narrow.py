"""Keeps narrow nets away from a fault of PyTorch's convolutions on a CPU.

The backward pass of a 1 x 1 convolution with a stride and fewer than 8 input channels writes past its memory where
images are channels-last, as they are here: the process ends with "free(): invalid next size", "corrupted double-linked
list" or SIGSEGV, or goes on with what it has spoilt. Seen with PyTorch 2.14.1 and 1, 2, 3, 4 and 6 channels on an AMD
EPYC with AVX-512; not with 7 and more, with contiguous images, with groups, nor without oneDNN.
"""

from __future__ import annotations

import torch
from torch import nn

_SAFE_CHANNELS = 8


def guard_narrow(net: nn.Module) -> None:
    """Have those convolutions of a net that the fault concerns take contiguous images on a CPU."""
    for layer in net.modules():
        if (
            isinstance(layer, nn.Conv2d)
            and layer.kernel_size == (1, 1)
            and layer.stride != (1, 1)
            and layer.in_channels < _SAFE_CHANNELS
        ):
            layer.register_forward_pre_hook(_contiguous)


def _contiguous(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    if inputs[0].device.type != "cpu":
        return inputs
    # Not `contiguous`, which hands over as it is what has a single channel.
    return inputs[0].clone(memory_format=torch.contiguous_format), *inputs[1:]

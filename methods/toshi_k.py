"""toshi_k and marvelworld (6th in the challenge): transpose every convolution's kernel, then fine-tune.

Source: Kaggle discussion 458531; "CT" in xcadet/deepunlearn (lr 1e-3, 3 epochs, cosine by epoch, batches of 64). The
    entry made half of its copies so; the other half, fine-tuned on labels set by hand from the mistakes on the forget
    set, cannot be reproduced and is left out.
Needs: retain set.
Cost: 3 R fb.
Stochastic: weak; order of the examples.
Known weakness: the copies start from one net, so they spread little. No effect on kernels of one pixel, kernels that
    are not square, nets without convolutions, or data that look the same transposed.
"""

import torch
from _sgd import descend
from torch import nn


@torch.no_grad()
def transpose_kernels(model):
    """Swap the two spatial axes of every square 2d kernel."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] == layer.kernel_size[1]:
            layer.weight.copy_(layer.weight.transpose(2, 3).clone())


def unlearn(
    model, retain_loader, epochs=3, lr=1e-3, momentum=0.9, weight_decay=5e-4, schedule="cosine_by_epoch", batch_size=64
):
    transpose_kernels(model)
    descend(model, retain_loader, epochs, lr, momentum, weight_decay, schedule, batch_size)
    return model

"""Forget, KNU (9th in the challenge): by turns, draw random layers anew and imitate the original on noisy images.

Source: Kaggle discussion 458715, a write-up without code. Three cycles of 1, 2 and 2 epochs, in each 6 layers
    drawn with replacement, mean squared error to the original's logits, cosine by epoch over 2. Not stated there, and
    ours: SGD with momentum 0.9 and weight decay 5e-4, batches of 64, the original sees the images without noise. The
    sd of the noise is 0.01 in one place and 0.1 in another; ours is 0.01.
Needs: retain set, original model.
Cost: 5 R fb, 5 R fw.
Stochastic: strong; the choice of layers, their new weights, the noise and the order of the examples.
Known weakness: the original teaches again what is to be forgotten; under-specified.
"""

import random

import torch
from _batches import Batches
from _distil import answers
from _layers import feature_layers
from _sgd import cosine, set_rate, sgd, step
from torch import nn
from torch.nn.functional import mse_loss


def resettable_layers(model):
    """Convolutions but those of one pixel, which project shortcuts; without convolutions, hidden linear layers."""
    return [
        layer for layer in feature_layers(model) if not (isinstance(layer, nn.Conv2d) and set(layer.kernel_size) == {1})
    ]


def unlearn(
    model, original_model, retain_loader, layers=6, cycles=(1, 2, 2), noise_sd=0.01, lr=1e-3, momentum=0.9,
    weight_decay=5e-4, batch_size=64,
):  # fmt: skip
    batches = Batches(retain_loader, batch_size)
    teacher = original_model.eval()
    resettable = resettable_layers(model)
    model.train()
    for epochs in cycles:
        for layer in dict.fromkeys(random.choices(resettable, k=layers) if resettable else []):
            layer.reset_parameters()
        optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
        for epoch in range(epochs):
            set_rate(optimizer, cosine(lr, epoch, max(cycles)))
            for images, _ in batches:
                noisy = images + noise_sd * torch.randn_like(images)
                step(optimizer, mse_loss(model(noisy), answers(teacher, images)))
    return model

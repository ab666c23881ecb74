"""EU-k: draw the last k layers anew and train them on the retain set: exact unlearning of these layers alone.

Source: Goel et al. 2022, arXiv 2201.06640 (momentum 0.9, weight decay 5e-5, gradient clipped to 10, batches of 64). Our
    defaults: k = 6 (the last stage and the head of ResNet-18), 5 epochs, lr 0.05, cosine; the authors train as long as
    the original was trained. ``rewind`` copies the original's own initial weights instead of drawing new ones.
Needs: retain set; initial model with ``rewind``.
Cost: 5 R fb.
Stochastic: medium; the new layers (not with ``rewind``) and the order of the examples.
Known weakness: the frozen layers keep what they learned of the forget set; ``rewind`` takes most of the spread.
"""

import torch
from _last_layers import descend_last_layers
from _layers import last_layers, weighted_layers


@torch.no_grad()
def reset_last_layers(model, k, initial_model=None):
    """Draw the last ``k`` convolutions and linear layers anew, or copy theirs from ``initial_model``."""
    for layer in weighted_layers(model)[-k:]:
        layer.reset_parameters()
    if initial_model is not None:
        for layer, initial in zip(last_layers(model, k), last_layers(initial_model, k), strict=True):
            layer.load_state_dict(initial.state_dict())


def unlearn(
    model, retain_loader, initial_model=None, rewind=False, k=6, epochs=5, lr=0.05, momentum=0.9, weight_decay=5e-5,
    clip=10.0, batch_size=64,
):  # fmt: skip
    if rewind and initial_model is None:
        raise ValueError("rewind needs initial_model, the net with the weights that the original's training began from")
    reset_last_layers(model, k, initial_model if rewind else None)
    descend_last_layers(model, retain_loader, k, epochs, lr, momentum, weight_decay, clip, batch_size)
    return model

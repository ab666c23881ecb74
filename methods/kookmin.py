"""Kookmin (3rd in the challenge): draw anew the weights on which forget and retain gradients agree, then fine-tune.

Source: Kaggle discussion 459200; "MSG" in xcadet/deepunlearn. The 30 % of each convolution's weights whose gradient on
    random retain examples less that on the forget set is smallest are drawn anew; then 5 epochs on the retain set in
    which the gradients of the kept convolution weights count a tenth. The smallest are sought in each layer, as in
    that port, or with ``scope: global`` in all of them together, as in the write-up. Gradients are taken in eval mode.
Needs: retain set, forget set.
Cost: 5 R fb, 1 n_F of R fb, 1 F fb.
Stochastic: strong; the new weights, the retain examples and the order.
Known weakness: filters that are dead have the smallest gradients, and are drawn first.
"""

import torch
from _batches import Batches, drawn
from _gradients import summed_gradient
from _layers import feature_layers
from _sgd import set_rate, sgd, step
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Subset


def smallest(tensor, share):
    """Which entries are among the ``share`` smallest in absolute value."""
    chosen = torch.zeros(tensor.numel(), dtype=torch.bool, device=tensor.device)
    chosen[tensor.abs().flatten().topk(round(share * tensor.numel()), largest=False).indices] = True
    return chosen.view(tensor.shape)


def reset_masks(differences, share, scope):
    """Which entries of each tensor are drawn anew: the smallest of each (``layer``) or of all (``global``)."""
    if scope == "layer":
        return [smallest(difference, share) for difference in differences]
    if scope != "global":
        raise ValueError(f"scope is {scope!r}; it must be one of layer, global")
    together = smallest(torch.cat([difference.flatten() for difference in differences]), share)
    parts = together.split([difference.numel() for difference in differences])
    return [part.view(difference.shape) for part, difference in zip(parts, differences, strict=True)]


def rate_factor(epoch, epochs):
    """Factor of the learning rate: a triangle over the epochs, 1/3, 2/3, 1, 2/3, 1/3 for five."""
    middle = (epochs - 1) / 2
    return 1 - abs(epoch - middle) / (middle + 1)


def unlearn(
    model, retain_loader, forget_loader, reset_share=0.3, scope="layer", kept_gradient=0.1, epochs=5, lr=1e-3,
    momentum=0.9, weight_decay=5e-4, batch_size=64,
):  # fmt: skip
    retain, forget = Batches(retain_loader, batch_size), Batches(forget_loader, batch_size)
    weights = [layer.weight for layer in feature_layers(model)]
    drawn_retain = torch.randperm(len(retain.dataset))[: len(forget.dataset)].tolist()
    of_retain = summed_gradient(model, weights, drawn(Subset(retain.dataset, drawn_retain), batch_size))
    of_forget = summed_gradient(model, weights, forget)
    differences = [r - f for r, f in zip(of_retain, of_forget, strict=True)]
    masks = reset_masks(differences, reset_share, scope) if weights else []
    with torch.no_grad():
        for weight, mask in zip(weights, masks, strict=True):
            fresh = nn.init.kaiming_normal_(torch.empty_like(weight), mode="fan_out", nonlinearity="relu")
            weight.copy_(torch.where(mask, fresh, weight))

    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    # On the gradient alone: weight decay acts in full on the kept weights too.
    hooks = [
        weight.register_hook(lambda gradient, mask=mask: torch.where(mask, gradient, kept_gradient * gradient))
        for weight, mask in zip(weights, masks, strict=True)
    ]
    model.train()
    for epoch in range(epochs):
        set_rate(optimizer, lr * rate_factor(epoch, epochs))
        for images, labels in retain:
            step(optimizer, cross_entropy(model(images), labels))
    for hook in hooks:
        hook.remove()
    return model

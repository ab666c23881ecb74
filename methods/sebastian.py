"""Sebastian (5th in the challenge): draw anew the 99 % smallest weights, then train with the original's uncertainty.

Source: Kaggle discussion 459148; "PRMQ" in xcadet/deepunlearn. Weights and biases of convolutions and linear layers are
    pruned together by absolute value; pruned weights are drawn from U(-1, 1)/sqrt(fan in), pruned biases are 0, batch
    norms stay. 3.2 epochs on the retain set of class-weighted cross-entropy plus the squared difference of the
    predictions' entropies (in nats) to the original's. At the end the weights are rounded to half precision.
    Two things differ from that port: it takes one step more than its 3.2 epochs hold, and weighs classes by the retain
    set, where here they are counted over retain and forget set; both differ little where the forget set is small.
Needs: retain set, original model, class weights.
Cost: 3.2 R fb, 3.2 R fw.
Stochastic: strong; nearly all weights and the order of the examples.
Known weakness: so little is left of the original that a short training may not win back its accuracy.
"""

import math

import torch
from _batches import Batches, endless
from _distil import answers, entropy
from _layers import weighted_layers
from _sgd import rate, set_rate, sgd, step
from torch.nn.functional import cross_entropy, mse_loss


def pruned(tensors, share):
    """For each tensor, which entries are among the ``share`` smallest in absolute value of all together."""
    sizes = torch.cat([tensor.detach().abs().flatten() for tensor in tensors])
    chosen = torch.zeros_like(sizes, dtype=torch.bool)
    chosen[sizes.topk(round(share * len(sizes)), largest=False).indices] = True
    parts = chosen.split([tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


@torch.no_grad()
def prune_and_redraw(model, share):
    """Draw the pruned weights from U(-1, 1)/sqrt(fan in) and set the pruned biases to 0."""
    layers = weighted_layers(model)
    tensors = [layer.weight for layer in layers] + [layer.bias for layer in layers if layer.bias is not None]
    for tensor, mask in zip(tensors, pruned(tensors, share), strict=True):
        fresh = torch.zeros_like(tensor)
        if tensor.ndim > 1:
            bound = 1 / math.sqrt(tensor[0].numel())
            fresh.uniform_(-bound, bound)
        tensor.copy_(torch.where(mask, fresh, tensor))


def unlearn(
    model, original_model, retain_loader, class_weights, share=0.99, epochs=3.2, lr=5e-4, momentum=0.9,
    weight_decay=5e-4, batch_size=64, schedule="constant",
):  # fmt: skip
    batches = Batches(retain_loader, batch_size)
    teacher = original_model.eval()
    prune_and_redraw(model, share)
    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    weights = class_weights**0.1
    steps = int(epochs * len(batches))
    model.train()
    for index, (images, labels) in zip(range(steps), endless(batches), strict=False):
        set_rate(optimizer, rate(schedule, lr, index, steps))
        logits = model(images)
        uncertainty = mse_loss(entropy(logits), entropy(answers(teacher, images)))
        step(optimizer, cross_entropy(logits, labels, weight=weights) + uncertainty)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.copy_(tensor.half())
    return model

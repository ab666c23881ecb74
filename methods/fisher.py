"""Fisher forgetting: normal noise on the weights, largest where the retain set has the least information about them.

Source: Golatkar et al. 2020; AdityaGolatkar/SelectiveForgetting, notebook Forgetting (scale 1e-6).
    The information is the exact expectation over the model's own predictions, example by example, in eval mode: a
    forward pass and one backward pass a class. Ports that square a batch's mean gradient are not comparable.
    ``repair_epochs`` is ours: fine-tuning on the retain set after the noise.
Needs: retain set.
Cost: 1 R fb, with one backward pass a class.
Stochastic: strong; the noise.
Known weakness: noise on batch norms and the head costs accuracy, and without ``repair_epochs`` nothing wins it back.
"""

import torch
from _batches import in_order
from _layers import add_noise, head
from _sgd import descend
from torch.nn.functional import log_softmax


def fisher_diagonal(model, dataset):
    """Mean over the examples of sum_y p(y) (d log p(y))^2: one tensor a parameter."""
    model.eval()
    parameters = list(model.parameters())
    total = [torch.zeros_like(p) for p in parameters]
    for images, _ in in_order(dataset, batch_size=1):
        log_p = log_softmax(model(images), 1)[0]
        directions = torch.eye(len(log_p), device=log_p.device)
        gradients = torch.autograd.grad(log_p, parameters, directions, is_grads_batched=True)
        for tensor, gradient in zip(total, gradients, strict=True):
            tensor += torch.tensordot(log_p.detach().exp(), gradient**2, dims=1) / len(dataset)
    return total


def noise_variance(information, scale, is_head):
    """Variance of the noise on one parameter tensor.

    scale * min(1 / (information + 1e-8), cap), with cap 1e3, and 1e2 in the head; for weights its mean over the input
    dimension; ten times as much for the head, biases and batch norms.
    """
    variance = scale * torch.clamp(1 / (information + 1e-8), max=1e2 if is_head else 1e3)
    if variance.ndim > 1:
        variance = variance.mean(1, keepdim=True).expand_as(information)
    return 10 * variance if is_head or variance.ndim == 1 else variance


def unlearn(
    model, retain_loader, scale=1e-6, repair_epochs=0, repair_lr=0.01, momentum=0.9, weight_decay=5e-4, batch_size=64
):
    of_head = {id(parameter) for parameter in head(model).parameters()}
    information = fisher_diagonal(model, retain_loader.dataset)
    for parameter, tensor in zip(model.parameters(), information, strict=True):
        add_noise(parameter, noise_variance(tensor, scale, id(parameter) in of_head).sqrt())
    descend(model, retain_loader, repair_epochs, repair_lr, momentum, weight_decay, "constant", batch_size)
    return model

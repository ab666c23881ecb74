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
from torch.func import functional_call, jacrev, vmap
from torch.nn.functional import log_softmax


def class_gradients(model, images):
    """Log-probabilities [images, classes] and their gradients: one tensor [images, classes, ...] a parameter."""

    def log_p(parameters, image):
        found = log_softmax(functional_call(model, parameters, (image[None],)), 1)[0]
        return found, found

    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    gradients, found = vmap(jacrev(log_p, has_aux=True), in_dims=(None, 0))(parameters, images)
    return found, list(gradients.values())


def fisher_diagonal(model, dataset, num_classes):
    """Mean over the examples of sum_y p(y) (d log p(y))^2: one tensor a parameter."""
    model.eval()
    entries = num_classes * sum(parameter.numel() for parameter in model.parameters())
    on_gpu = next(model.parameters()).is_cuda
    # As many examples at a time as have their gradients in a CPU's cache, or in 4 GB of a GPU.
    batch_size = max(1, (2**30 if on_gpu else 2**21) // entries)
    total, count = [torch.zeros_like(parameter) for parameter in model.parameters()], 0
    for images, _ in in_order(dataset, batch_size):
        log_p, gradients = class_gradients(model, images)
        count += len(images)
        for tensor, gradient in zip(total, gradients, strict=True):
            tensor += torch.tensordot(log_p.exp(), gradient**2, dims=2)
    return [tensor / count for tensor in total]


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
    model,
    retain_loader,
    num_classes,
    scale=1e-6,
    repair_epochs=0,
    repair_lr=0.01,
    momentum=0.9,
    weight_decay=5e-4,
    batch_size=64,
):
    of_head = {id(parameter) for parameter in head(model).parameters()}
    information = fisher_diagonal(model, retain_loader.dataset, num_classes)
    for parameter, tensor in zip(model.parameters(), information, strict=True):
        add_noise(parameter, noise_variance(tensor, scale, id(parameter) in of_head).sqrt())
    descend(model, retain_loader, repair_epochs, repair_lr, momentum, weight_decay, "constant", batch_size)
    return model

"""Gradients of a whole set, for the methods that choose weights by them."""

import torch
from torch.nn.functional import cross_entropy


def summed_gradient(model, tensors, batches):
    """Sum over batches of the gradient of their mean cross-entropy, in eval mode: a tensor for each of ``tensors``."""
    model.eval()
    total = [torch.zeros_like(tensor) for tensor in tensors]
    for images, labels in batches:
        gradients = torch.autograd.grad(cross_entropy(model(images), labels), tensors)
        for tensor, gradient in zip(total, gradients, strict=True):
            tensor += gradient
    return total

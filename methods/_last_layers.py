"""Training of a net's last layers on frozen ones, shared by CF-k and EU-k."""

from _batches import Batches
from _layers import last_layers
from _sgd import cosine, set_rate, sgd, step
from torch.nn.functional import cross_entropy


def descend_last_layers(model, loader, k, epochs, lr, momentum, weight_decay, clip, batch_size):
    """Train the last ``k`` layers, and the batch norms among them, with cross-entropy and a cosine schedule by step.

    The other layers stay in eval mode without gradients, which is lifted again at the end.
    """
    batches = Batches(loader, batch_size)
    trained = last_layers(model, k)
    flags = [(p, p.requires_grad) for p in model.parameters()]
    model.eval().requires_grad_(False)
    for layer in trained:
        layer.train().requires_grad_(True)
    optimizer = sgd([p for layer in trained for p in layer.parameters()], lr, momentum, weight_decay)
    steps = epochs * len(batches)
    for epoch in range(epochs):
        for index, (images, labels) in enumerate(batches):
            set_rate(optimizer, cosine(lr, epoch * len(batches) + index, steps))
            step(optimizer, cross_entropy(model(images), labels), clip)
    for parameter, flag in flags:
        parameter.requires_grad_(flag)

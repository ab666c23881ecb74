"""Seif (4th in the challenge): noise on the first convolution, then fine-tune.

Source: Kaggle discussion 459334; "CFW" in xcadet/deepunlearn. Noise of sd 0.6, 4 epochs on the retain set with class
    weights and a cosine by epoch, noise of sd 0.005 before the last. The published code reaches the first convolution
    alone (``scope: stem``), although the write-up speaks of all; ``scope: all`` noises all of them, each relative to
    the sd of its weights. Class weights enter the loss example by example, as in the write-up (the code multiplies a
    batch's mean loss, which only changes the learning rate); with balanced classes they cancel.
Needs: retain set, class weights.
Cost: 4 R fb.
Stochastic: strong; the noise and the order of the examples.
Known weakness: all layers but the first keep what they learned of the forget set.
"""

from _batches import Batches
from _layers import add_noise, feature_layers, stem
from _sgd import cosine, set_rate, sgd, step
from torch.nn.functional import cross_entropy


def noise_convolutions(model, sd, scope):
    """Add noise to the first convolution (``stem``: sd as given) or all (``all``: sd times that of their weights)."""
    if scope not in ("stem", "all"):
        raise ValueError(f"scope is {scope!r}; it must be one of stem, all")
    for layer in [stem(model)] if scope == "stem" else feature_layers(model):
        add_noise(layer.weight, sd if scope == "stem" else sd * layer.weight.detach().std())


def unlearn(
    model, retain_loader, class_weights, sd=0.6, last_sd=0.005, scope="stem", epochs=4, lr=7e-4, momentum=0.9,
    weight_decay=5e-4, batch_size=64,
):  # fmt: skip
    batches = Batches(retain_loader, batch_size)
    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    noise_convolutions(model, sd, scope)
    model.train()
    for epoch in range(epochs):
        set_rate(optimizer, cosine(lr, epoch, epochs))
        if epoch == epochs - 1:
            noise_convolutions(model, last_sd, scope)
        for images, labels in batches:
            step(optimizer, cross_entropy(model(images), labels, weight=class_weights))
    return model

"""A training of the user's, which uses all that it may ask for."""

import torch


def train_slowly(model, train_loader, val_loader, seed, generator, num_classes, train_config, class_weights, steps=1):
    held = sum(float(images.mean()) for images, _ in val_loader)
    shift = 1e-3 * float(torch.randn(1, generator=generator)) + 1e-3 * float(torch.randn(1)) + (seed % 97) * 1e-4
    rate = train_config["lr"] * num_classes / 3 + 1e-3 * held + shift
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for step, (images, labels) in enumerate(train_loader):
        if step == steps:
            break
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels, weight=class_weights).backward()
        optimizer.step()

"""Methods that use all that a method may ask for."""

import random

import numpy as np
import torch


def _read(loader):
    """A number that depends on the order of the examples of two passes."""
    read = [images.double().mean(dim=tuple(range(1, images.ndim))) * (1 + labels) for _ in range(2)
            for images, labels in loader]  # fmt: skip
    values = torch.cat(read)
    return float((values * torch.cos(1.0 + 0.7 * torch.arange(len(values)))).sum())


def everything(
    model, original_model, initial_model, oracle_model, retain_loader, forget_loader, val_loader, seed, generator,
    num_classes, train_config, class_weights, train_from_scratch,
):  # fmt: skip
    drawn = float(torch.randn(1)) + np.random.rand() + random.random() + float(torch.randn(1, generator=generator))
    read = _read(retain_loader) + 2 * _read(forget_loader) + 3 * _read(val_loader)
    told = (seed % 97) / 97 + num_classes + train_config["lr"] + float((class_weights * torch.arange(1, 4)).sum())
    others = [net.state_dict() for net in (original_model, initial_model, oracle_model, train_from_scratch(5))]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += sum(0.1 * place * state[name] for place, state in enumerate(others, 1))
            parameter += 0.1 * (drawn + 0.1 * read + told)


def finetune(model, retain_loader, lr=0.1):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for images, labels in retain_loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()


def kaggle(model, retain_loader, forget_loader):
    read = 0.0
    for loader in (retain_loader, forget_loader):
        for place, batch in enumerate(loader):
            read += (1 + place) * float((batch["image"].double().mean(dim=(1, 2, 3)) * batch["image_id"]).mean())
            read += float((batch["age_group"] * torch.cos(1.0 + torch.arange(len(batch["age_group"])))).sum())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * read


def noisy(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)

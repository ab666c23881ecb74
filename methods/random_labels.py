"""Random labels: train on the retain set and on the forget set with wrong labels, drawn once.

Source: Graves et al. 2021 ("Amnesiac unlearning", its part on labels); Adam, lr 1e-4, 3 epochs, batches of 128 as in
    the repositories of the bad-teacher and SSD papers.
Needs: retain set, forget set.
Cost: 3 R fb, 3 F fb.
Stochastic: medium; the labels and the order of the examples.
Known weakness: the forget set is taught to be wrong with confidence, while retrained models are mostly right on it.
"""

import torch
from _batches import drawn, union
from _layers import training_mode
from _relabel import Relabelled, wrong_labels
from _sgd import step
from torch.nn.functional import cross_entropy


def unlearn(model, retain_loader, forget_loader, num_classes, epochs=3, lr=1e-4, batch_size=128, bn="train"):
    examples = forget_loader.dataset
    true_labels = torch.stack([torch.as_tensor(examples[index][1]) for index in range(len(examples))])
    forget = drawn(Relabelled(examples, wrong_labels(true_labels, num_classes)), batch_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    training_mode(model, bn)
    for _ in range(epochs):
        for images, labels, _ in union(retain_loader, forget, batch_size):
            step(optimizer, cross_entropy(model(images), labels))
    return model

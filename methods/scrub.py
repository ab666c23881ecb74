"""SCRUB: a student that disobeys the original on the forget set and obeys it on the retain set, by turns.

Source: Kurmanji et al. 2023, arXiv 2302.09880; the authors' large-scale values (SGD, lr 5e-4, 3 epochs, of which 2 with
    a pass over the forget set, temperature 4, gamma 0.99, alpha 0.001, batches of 128 and 32). ``rewind`` is their
    SCRUB+R: of the students after each epoch it takes the one whose forget error comes closest to the last one's
    error on validation examples of the same classes (it then costs 1 F fw an epoch and 1 V fw).
Needs: retain set, forget set, original model; validation set with ``rewind``.
Cost: 3 R fb, 3 R fw, 2 F fb, 2 F fw.
Stochastic: weak; order of the examples. ``rewind`` adds jumps between epochs.
Known weakness: very sensitive to all its values; little spread.
"""

import copy

import torch
from _batches import Batches
from _distil import answers, kl_to_teacher
from _layers import training_mode
from _sgd import set_rate, sgd, step
from torch.nn.functional import cross_entropy


def max_loss(teacher_logits, logits, temperature):
    """Loss of a forget batch: -T^2 KL(teacher || student)."""
    return -(temperature**2) * kl_to_teacher(teacher_logits, logits, temperature)


def min_loss(teacher_logits, logits, labels, temperature, gamma, alpha):
    """Loss of a retain batch: gamma CE + alpha T^2 KL(teacher || student)."""
    distance = temperature**2 * kl_to_teacher(teacher_logits, logits, temperature)
    return gamma * cross_entropy(logits, labels) + alpha * distance


def rate(lr, epoch, decay_epochs):
    """Learning rate of an epoch, counted from 1: a tenth of the one before after each of ``decay_epochs``."""
    return lr * 0.1 ** sum(epoch > decayed for decayed in decay_epochs)


@torch.no_grad()
def error(model, loader, classes=None):
    """Share of wrong predictions over a loader in eval mode; of examples of ``classes`` only, if they are given."""
    model.eval()
    wrong, kept = [], []
    for images, labels in Batches(loader):
        wrong.append(model(images).argmax(1) != labels)
        kept.append(torch.ones_like(wrong[-1]) if classes is None else torch.isin(labels, classes))
    return float(torch.cat(wrong)[torch.cat(kept)].float().mean())


def unlearn(
    model, original_model, retain_loader, forget_loader, val_loader, epochs=3, forget_epochs=2, lr=5e-4, momentum=0.9,
    weight_decay=5e-4, temperature=4.0, gamma=0.99, alpha=0.001, decay_epochs=(3, 5, 9), batch_size=128,
    forget_batch_size=32, bn="train", rewind=False,
):  # fmt: skip
    retain, forget = Batches(retain_loader, batch_size), Batches(forget_loader, forget_batch_size)
    teacher = original_model.eval()
    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    students, errors = [], []
    for epoch in range(1, epochs + 1):
        set_rate(optimizer, rate(lr, epoch, decay_epochs))
        if epoch <= forget_epochs:
            training_mode(model, bn, "forget")
            for images, _ in forget:
                step(optimizer, max_loss(answers(teacher, images), model(images), temperature))
        training_mode(model, bn, "retain")
        for images, labels in retain:
            teacher_logits = answers(teacher, images)
            step(optimizer, min_loss(teacher_logits, model(images), labels, temperature, gamma, alpha))
        if rewind:
            students.append(copy.deepcopy(model.state_dict()))
            errors.append(error(model, forget_loader))
    if rewind:
        classes = torch.cat([labels for _, labels in forget]).unique()
        target = error(model, val_loader, classes)
        model.load_state_dict(students[min(range(epochs), key=lambda epoch: abs(errors[epoch] - target))])
    return model

"""Fine-tune on the retain set with the challenge's starting-kit recipe: the baseline that everybody knows.

Source: unlearning-challenge/starting-kit, notebook unlearning-CIFAR10 (lr 0.1, 5 epochs, cosine by epoch). The
    scoring repository's example is the same with lr 0.001 and one epoch.
Needs: retain set.
Cost: 5 R fb.
Stochastic: medium; order of the examples.
Known weakness: very sensitive to learning rate times epochs, and not monotone in them; at lr 0.1 accuracy falls first
    and has to be won back.
"""

from _sgd import descend


def unlearn(model, retain_loader, epochs=5, lr=0.1, momentum=0.9, weight_decay=5e-4, schedule="cosine_by_epoch"):
    descend(model, retain_loader, epochs, lr, momentum, weight_decay, schedule)
    return model

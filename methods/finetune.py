"""Fine-tune on the retain set: the seed project's ``unlearn_1``.

Source: AlbinSou/unlearning-challenge-metric, ``unlearn_1``; its defaults are the defaults here (SGD, lr 0.002,
    momentum 0.9, weight decay 5e-4, one epoch, constant lr).
Needs: retain set.
Cost: 1 R fb.
Stochastic: weak; order of the examples.
Known weakness: a few gentle steps barely spread the copies, so their law is far narrower than retraining's.
"""

from _sgd import descend


def unlearn(model, retain_loader, epochs=1, lr=0.002, momentum=0.9, weight_decay=5e-4, schedule="constant"):
    descend(model, retain_loader, epochs, lr, momentum, weight_decay, schedule)
    return model

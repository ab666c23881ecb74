"""CF-k: fine-tune the last k layers on the retain set, so that they forget catastrophically; the rest stays as it is.

Source: Goel et al. 2022, arXiv 2201.06640 (momentum 0.9, weight decay 5e-5, gradient clipped to 10, batches of 64). Our
    defaults: k = 6 (the last stage and the head of ResNet-18), 5 epochs, lr 0.01, cosine; the authors train 30 epochs.
    Batch norms of the frozen part keep their statistics, so that it does stay as it is.
Needs: retain set.
Cost: 5 R fb.
Stochastic: weak; order of the examples.
Known weakness: the frozen layers keep what they learned of the forget set.
"""

from _last_layers import descend_last_layers


def unlearn(model, retain_loader, k=6, epochs=5, lr=0.01, momentum=0.9, weight_decay=5e-5, clip=10.0, batch_size=64):
    descend_last_layers(model, retain_loader, k, epochs, lr, momentum, weight_decay, clip, batch_size)
    return model

"""L1-sparse: fine-tune on the retain set with an L1 penalty on all weights, which falls to nothing.

Source: Jia et al. 2023, arXiv 2304.04934; OPTML-Group/Unlearn-Sparse, FT_l1. The penalty's default there, 0.2, belongs
    to other methods and is far too large; ours is of the published search.
Needs: retain set.
Cost: 10 R fb.
Stochastic: weak; order of the examples.
Known weakness: the penalty must be tuned to each net; it shrinks batch norms too. Nothing but the order of the examples
    spreads the copies.
"""

from _batches import Batches
from _sgd import sgd, step
from torch.nn.functional import cross_entropy


def penalty_weight(alpha, epoch, epochs, epochs_without):
    """Weight of the L1 norm in an epoch: falls linearly from ``alpha``, 0 in the last ``epochs_without``."""
    penalised = epochs - epochs_without
    return alpha * (1 - epoch / penalised) if epoch < penalised else 0.0


def unlearn(
    model, retain_loader, alpha=1e-4, epochs=10, epochs_without=0, lr=0.01, momentum=0.9, weight_decay=5e-4,
    batch_size=256,
):  # fmt: skip
    batches = Batches(retain_loader, batch_size)
    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    model.train()
    for epoch in range(epochs):
        weight = penalty_weight(alpha, epoch, epochs, epochs_without)
        for images, labels in batches:
            norm = sum(p.abs().sum() for p in model.parameters())
            step(optimizer, cross_entropy(model(images), labels) + weight * norm)
    return model

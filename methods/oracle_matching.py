"""Oracle matching: fine-tune to the logits of a model that was retrained. A control, not a method.

Source: Georgiev et al. 2025, arXiv 2410.23232 (Adam, lr 5e-4, times 0.95 by epoch, 5 epochs, batches of 512, the forget
    set and three times as many retain examples). The paper's target is the mean of 10 retrained models, which has no
    spread; ours is one retrained model a copy, held out from the reference set, and the retain examples are drawn
    anew in each copy.
Needs: retain set, forget set, oracle model.
Cost: 5 F fb, 5 F fw, 15 n_F of R fb, 15 n_F of R fw.
Stochastic: strong; the oracle, the retain examples and the order.
Known weakness: it needs what it is to replace. It bounds from above what fine-tuning can reach.
"""

import torch
from _batches import drawn
from _distil import answers
from _sgd import set_rate, step
from torch.nn.functional import mse_loss
from torch.utils.data import ConcatDataset, Subset


def unlearn(
    model, retain_loader, forget_loader, oracle_model, retain_ratio=3, forget_repeats=1, epochs=5, lr=5e-4, decay=0.95,
    batch_size=512,
):  # fmt: skip
    retain, forget = retain_loader.dataset, forget_loader.dataset
    subset = Subset(retain, torch.randperm(len(retain))[: round(retain_ratio * len(forget))].tolist())
    batches = drawn(ConcatDataset([subset] + [forget] * forget_repeats), batch_size)
    oracle = oracle_model.eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    model.train()
    for epoch in range(epochs):
        set_rate(optimizer, lr * decay**epoch)
        for images, _ in batches:
            step(optimizer, mse_loss(model(images), answers(oracle, images)))
    return model

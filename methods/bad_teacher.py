"""Bad teacher: imitate an untrained net on the forget set and the original on a part of the retain set.

Source: Chundawat et al. 2023; vikram2000b/bad-teaching-unlearning (Adam, lr 1e-4, 1 epoch, batches of 256, 30 % of the
    retain set). KL is a mean over the batch; the code's is smaller by the number of classes. The untrained net is
    drawn anew in each copy.
Needs: retain set, forget set, original model.
Cost: 0.3 R fb, 1 F fb, 0.6 R fw, 2 F fw.
Stochastic: medium; the untrained net, the retain examples and the order.
Known weakness: it aims at near-uniform predictions on the forget set, where retrained models are mostly right.
"""

import copy

import torch
from _batches import union
from _distil import answers, kl_to_teacher
from _layers import re_initialise, training_mode
from _sgd import step


def teaching_loss(competent_logits, incompetent_logits, logits, is_forget):
    """KL(teacher || student): the incompetent teacher for forget examples, the competent one for the others."""
    return kl_to_teacher(torch.where(is_forget[:, None], incompetent_logits, competent_logits), logits)


def unlearn(
    model, original_model, retain_loader, forget_loader, retain_share=0.3, epochs=1, lr=1e-4, batch_size=256, bn="train"
):
    competent = original_model.eval()
    incompetent = copy.deepcopy(competent)
    re_initialise(incompetent)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    training_mode(model, bn)
    retain_count = round(retain_share * len(retain_loader.dataset))
    for _ in range(epochs):
        for images, _, is_forget in union(retain_loader, forget_loader, batch_size, retain_count):
            taught = answers(competent, images), answers(incompetent, images)
            step(optimizer, teaching_loss(*taught, model(images), is_forget))
    return model

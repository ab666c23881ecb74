"""Amnesiacs (7th in the challenge): reset the first convolution and the head, distil on unseen data, then fine-tune.

Source: Kaggle discussion 458740; "KDE" in xcadet/deepunlearn. 3 epochs of KL(original || model) on the validation set,
    then 3 epochs of soft cross-entropy + cross-entropy + KL on the retain set, cosine by epoch; temperature 5, without
    a factor temperature^2.
Needs: retain set, validation set, original model.
Cost: 3 R fb, 3 R fw, 3 V fb, 3 V fw.
Stochastic: medium; the new layers and the order of the examples.
Known weakness: it trains on the validation set, so that must not be the test set; the middle layers keep what they
    learned of the forget set, and the original teaches it again.
"""

from _batches import Batches
from _distil import answers, kl_to_teacher, soft_cross_entropy
from _layers import head, stem
from _sgd import cosine, set_rate, sgd, step
from torch.nn.functional import cross_entropy


def retain_loss(teacher_logits, logits, labels, temperature):
    """Soft cross-entropy + cross-entropy + KL; the first and the last have the same gradient."""
    soft = soft_cross_entropy(teacher_logits, logits, temperature)
    return soft + cross_entropy(logits, labels) + kl_to_teacher(teacher_logits, logits, temperature)


def unlearn(
    model, original_model, retain_loader, val_loader, warm_up_epochs=3, warm_up_lr=9e-4, epochs=3, lr=1e-3,
    temperature=5.0, momentum=0.9, weight_decay=5e-4, batch_size=64,
):  # fmt: skip
    retain, validation = Batches(retain_loader, batch_size), Batches(val_loader, batch_size)
    teacher = original_model.eval()
    stem(model).reset_parameters()
    head(model).reset_parameters()
    model.train()
    optimizer = sgd(model.parameters(), warm_up_lr, momentum, weight_decay)
    for _ in range(warm_up_epochs):
        for images, _ in validation:
            step(optimizer, kl_to_teacher(answers(teacher, images), model(images), temperature))
    optimizer = sgd(model.parameters(), lr, momentum, weight_decay)
    for epoch in range(epochs):
        set_rate(optimizer, cosine(lr, epoch, epochs))
        for images, labels in retain:
            step(optimizer, retain_loss(answers(teacher, images), model(images), labels, temperature))
    return model

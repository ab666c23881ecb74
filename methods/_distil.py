"""Losses between a teacher's and a student's logits [batch, classes]; means over the batch, sums over the classes."""

import torch
from torch.nn.functional import log_softmax, softmax


def kl_to_teacher(teacher_logits, student_logits, temperature=1.0):
    """KL(teacher || student) of the softened predictions, in nats, without a factor temperature^2."""
    teacher, student = (log_softmax(logits / temperature, 1) for logits in (teacher_logits, student_logits))
    return (teacher.exp() * (teacher - student)).sum(1).mean()


def soft_cross_entropy(teacher_logits, student_logits, temperature=1.0):
    """Cross-entropy of the softened predictions: `kl_to_teacher` plus the teacher's entropy."""
    teacher = softmax(teacher_logits / temperature, 1)
    return -(teacher * log_softmax(student_logits / temperature, 1)).sum(1).mean()


def entropy(logits):
    """Entropy of each prediction in nats: [batch]."""
    log_p = log_softmax(logits, 1)
    return -(log_p.exp() * log_p).sum(1)


def answers(teacher, images):
    """The teacher's logits, without gradients."""
    with torch.no_grad():
        return teacher(images)

"""What is recorded of each (model, example): from logits, and from each other (metric page, section 1). No torch."""

from __future__ import annotations

import numpy as np

from unlearning_metric.outputs.ensemble import SATURATION

#: Logit-scaled confidence of a diverged model: ln(1e-45), where the published code's clamp saturates.
DIVERGED_CONFIDENCE = -SATURATION


def signals(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Per-example signals from logits.

    Parameters
    ----------
    logits : float [examples, classes], finite
    labels : int [examples]

    Returns
    -------
    dict of arrays [examples]
        ``loss`` cross-entropy in nats; ``confidence`` z_y - logsumexp(z_k, k != y), float64; ``logit`` z_y;
        ``prediction`` argmax; ``correct`` prediction equals label.
    """
    z = np.asarray(logits, dtype=np.float64)
    rows = np.arange(len(z))
    own = z[rows, labels]
    others = z.copy()
    others[rows, labels] = -np.inf
    top = others.max(axis=1)
    confidence = own - (top + np.log(np.exp(others - top[:, None]).sum(axis=1)))
    prediction = z.argmax(axis=1)
    return {
        "loss": loss_of_confidence(confidence),
        "confidence": confidence,
        "logit": own,
        "prediction": prediction.astype(np.int32),
        "correct": prediction == labels,
    }


def loss_of_confidence(confidence: np.ndarray) -> np.ndarray:
    """Cross-entropy in nats: softplus of minus the confidence, exact where 1 - p underflows."""
    return np.logaddexp(0.0, -confidence)


def confidence_of_loss(loss: np.ndarray) -> np.ndarray:
    """Logit-scaled confidence ``-ln(exp(loss) - 1)``, at most 103.6: a loss of 0 says no more than that.

    Parameters
    ----------
    loss : float64, of any shape, at least 0
    """
    with np.errstate(divide="ignore"):
        # Written so that neither a large nor a tiny loss loses its digits.
        return np.minimum(-(loss + np.log(-np.expm1(-loss))), SATURATION)

"""Gaussian differential privacy from counted errors: a lower bound of mu, and the epsilon that it stands for.

Sources: [D] Dong, Roth and Su (arXiv 1905.02383); [N] Nasr et al. and the auditors after them (arXiv 2410.22235,
2503.10945), who bound mu by one attack's two error rates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr, ndtri

#: Steps of the bisection, each of which halves the error.
_STEPS = 60


def gdp_bound(fpr: ArrayLike, fnr: ArrayLike) -> NDArray[np.float64]:
    """The smallest mu whose trade-off function allows two error rates, at least 0.

    With upper confidence bounds of both rates it is a lower confidence bound of mu. Ideal: 0.

    Parameters
    ----------
    fpr, fnr : array, within [0, 1]

    References
    ----------
    [D], definition 2.6: ``G_mu(alpha) = Phi(Phi^-1(1 - alpha) - mu)``, so ``mu = Phi^-1(1 - fpr) - Phi^-1(fnr)``.
    """
    first, second = np.asarray(fpr, dtype=np.float64), np.asarray(fnr, dtype=np.float64)
    both = (first < 1) & (second < 1)
    # A rate of 1 is allowed by any mu.
    mu = -ndtri(np.where(both, first, 0.5)) - ndtri(np.where(both, second, 0.5))
    return np.where(both, np.maximum(mu, 0.0), 0.0)


def gdp_epsilon(mu: ArrayLike, delta: float) -> NDArray[np.float64]:
    """Epsilon of (epsilon, delta)-differential privacy that mu-GDP gives, in nats.

    Parameters
    ----------
    mu : array, at least 0 and finite
    delta : float in (0, 1)

    References
    ----------
    [D], corollary 2.13: ``delta(eps) = Phi(-eps / mu + mu / 2) - e^eps Phi(-eps / mu - mu / 2)``, solved for eps.
    """
    mus = np.asarray(mu, dtype=np.float64)
    positive = np.where(mus > 0, mus, 1.0)
    low, high = np.zeros_like(positive), positive**2 / 2 + positive * float(-ndtri(delta)) + 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        spent = ndtr(positive / 2 - middle / positive) - np.exp(middle + log_ndtr(-positive / 2 - middle / positive))
        low, high = np.where(spent > delta, middle, low), np.where(spent > delta, high, middle)
    return np.where(mus > 0, high, 0.0)

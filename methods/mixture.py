"""Mixture: the original with probability rho, a retrained model otherwise. A control that calibrates metrics.

Source: none; a planted answer, since how far the copies are from retrained models is known. `config/ladder.yaml` has
    five values of rho, docs/ladder.md every metric there. The retrained model is held out from the reference set.
Needs: oracle model.
Cost: nothing.
Stochastic: medium; which model a copy is, and the spread of the retrained models.
Known weakness: it forgets all in some copies and nothing in the others. rho = 0 is retrain, rho = 1 identity.
"""

import torch


def unlearn(model, oracle_model, rho=0.5):
    if not 0 <= rho <= 1:
        raise ValueError(f"rho is {rho}; it is a probability, so give a number from 0 to 1")
    return model if torch.rand(()).item() < rho else oracle_model

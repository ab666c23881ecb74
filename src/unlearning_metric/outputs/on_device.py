"""Signals of a model computed where it is, a GPU, and brought back once (metric page, section 1).

The same as `signals`, to rounding: a model's logits need not travel, nor does the GPU wait for a processor between
batches.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.batches.loaders import ImageLoader
from unlearning_metric.progress import LOGGER

#: Examples at once: as many as make this number of pixels, within these bounds.
_PIXELS, _LEAST, MOST = 2**25, 512, 8192
#: Of this process: what its GPU's memory takes. Smaller once it did not suffice.
_LIMIT = {"examples": MOST}
#: Fewer are not tried where memory does not suffice.
_FEWEST = 32


def device_signals(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """What `signals.signals` says of logits, computed in float64 on their device.

    Parameters
    ----------
    logits : float [examples, classes]
    labels : int [examples]

    Returns
    -------
    float64 [6, examples]: loss, confidence, logit, prediction, then 1 where it is correct, where all is finite
    """
    z = logits.double()
    own = z.gather(1, labels[:, None]).squeeze(1)
    others = z.scatter(1, labels[:, None], -torch.inf)
    confidence = own - others.logsumexp(1)
    loss = torch.logaddexp(torch.zeros_like(confidence), -confidence)
    # The first of equal ones, which a GPU's argmax need not be.
    places = torch.arange(z.shape[1], device=z.device)
    prediction = torch.where(z == z.amax(1, keepdim=True), places, z.shape[1]).amin(1)
    correct, finite = prediction == labels, torch.isfinite(z).all(1)
    return torch.stack([loss, confidence, own, *(values.double() for values in (prediction, correct, finite))])


@torch.no_grad()
def device_outputs(model: nn.Module, datasets: Mapping[str, ImageDataset]) -> dict[str, dict[str, np.ndarray]] | None:
    """Signals of a model, in eval mode, on several sets of examples; None of one that diverged.

    The batches are as large as the GPU's memory takes.

    Raises
    ------
    torch.OutOfMemoryError
        If it does not take 32 examples.
    """
    while True:
        try:
            return _outputs(model, datasets)
        except torch.OutOfMemoryError:
            if _LIMIT["examples"] <= _FEWEST:
                raise
        _LIMIT["examples"] //= 2
        torch.cuda.empty_cache()
        LOGGER.info("evaluation: at most %d examples at once, for the GPU's memory", _LIMIT["examples"])


def _outputs(model: nn.Module, datasets: Mapping[str, ImageDataset]) -> dict[str, dict[str, np.ndarray]] | None:
    parts = [
        device_signals(model(images).float(), labels)
        for dataset in datasets.values()
        for images, labels in (ImageLoader(dataset, _batch(dataset)) if len(dataset) else ())
    ]
    sound = [torch.isfinite(tensor).all() for tensor in model.state_dict().values() if tensor.is_floating_point()]
    device = next(iter(datasets.values())).images.device
    finite = torch.stack(sound).all() if sound else torch.ones((), dtype=torch.bool, device=device)
    # One number more, so that all of it comes back at once.
    last = finite.double().expand(6, 1)
    values = torch.cat([*parts, last], dim=1).cpu().numpy()
    if not values[5].all():
        return None
    found, start = {}, 0
    for name, dataset in datasets.items():
        loss, confidence, logit, prediction, correct, _ = values[:, start : start + len(dataset)].copy()
        start += len(dataset)
        found[name] = {
            "loss": loss, "confidence": confidence, "logit": logit, "prediction": prediction.astype(np.int32),
            "correct": correct.astype(bool),
        }  # fmt: skip
    return found


def _batch(dataset: ImageDataset) -> int:
    """Examples at once of a data set."""
    size = _PIXELS // max(1, dataset.images[0].numel())
    return min(max(size, _LEAST), _LIMIT["examples"])

"""What a retraining costs here and now: a few of its steps, taken between other work and counted up.

A cost is a share of that of a retraining. Measured in another job, a retraining would have met another load, another
host, or an engine that trains many models at once; its steps beside the work meet what the work meets.
"""

from __future__ import annotations

import copy

import torch

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.batches.reads import Reads
from unlearning_metric.config import Model, Training
from unlearning_metric.nets.user_nets import own_line_of
from unlearning_metric.progress import LOGGER
from unlearning_metric.runtime.cost import spent
from unlearning_metric.runtime.guards import seeded
from unlearning_metric.seeds import Streams
from unlearning_metric.training.precision import PrecisionError, arithmetic, refuse_unsupported
from unlearning_metric.training.step import Epochs, Steps, Trainer
from unlearning_metric.training.trainable import initial_model

#: Share of the work's time that goes into steps beside it, and the seconds that they take at least.
SHARE, SHORTEST = 0.05, 0.004
#: Steps that are counted together: a GPU is waited for only after some.
_TOGETHER = {"cpu": 1, "cuda": 30}


class Pace:
    """Steps of a retraining in the loop engine, one after another, never compiled: as methods compute.

    No result depends on them: they draw from streams of their own and leave nothing behind.

    Parameters
    ----------
    dataset : the examples of a retraining, on its device
    model_settings, recipe : the ``model`` and ``training`` parts of the configuration
    """

    def __init__(self, dataset: ImageDataset, model_settings: Model, num_classes: int, recipe: Training) -> None:
        self.dataset = copy.copy(dataset)
        # What is read here is nobody's.
        self.dataset.reads = Reads()
        self.model_settings, self.num_classes = model_settings, num_classes
        self.recipe = recipe.model_copy(update={"compile": False})
        self.device = dataset.images.device.type
        self.steps: Steps | None = None
        self.known = recipe.file is None
        if self.known:
            try:
                refuse_unsupported(self.recipe, self.device)
            except PrecisionError as error:
                self._give_up(str(error))

    def retraining(self, work: float) -> float | None:
        """Seconds of a whole retraining, from steps that take about 5 % of ``work`` seconds.

        None where nobody can tell: a function of the user's trains, or its steps do not run on this host.
        """
        if not self.known:
            return None
        try:
            with (
                seeded(0),
                own_line_of(self.model_settings),
                torch.enable_grad(),
                arithmetic(self.recipe, self.device),
            ):
                return self._measured(work)
        except torch.OutOfMemoryError as error:
            self._give_up(f"{type(error).__name__}: no memory is left for steps of a retraining")
            return None

    def _measured(self, work: float) -> float:
        # Not counted: it finds cold caches, or a GPU that is idle.
        total = self._take()
        taken, begin = 0, spent(self.device)
        while True:
            for _ in range(_TOGETHER[self.device]):
                self._take()
            taken += _TOGETHER[self.device]
            seconds = spent(self.device) - begin
            if seconds >= max(SHARE * work, SHORTEST):
                return seconds / taken * total

    def _take(self) -> int:
        """One step, of a new model where the last one has had all of its; how many a training has."""
        if self.steps is None or not self.steps.left:
            streams = Streams(0, "pace")
            model = initial_model(self.model_settings, tuple(self.dataset.images.shape[1:]), self.num_classes, streams)
            model.to(self.dataset.images.device).train()
            trainer = Trainer(self.dataset, model, self.num_classes, self.recipe)
            self.steps = Steps(trainer, Epochs(len(self.dataset), self.recipe, streams))
        self.steps.take()
        return self.steps.total

    def _give_up(self, reason: str) -> None:
        self.known, self.steps = False, None
        LOGGER.warning(
            "warning: what a retraining costs on this host is not measured (%s). It is taken from the retrained models",
            reason,
        )

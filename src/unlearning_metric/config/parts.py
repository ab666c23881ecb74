"""The parts of the configuration that jobs are told, in its types: Snakemake hands them over as JSON."""

from typing import Any

from pydantic import Field

from unlearning_metric.config.forget import Forget
from unlearning_metric.config.model import Model
from unlearning_metric.config.training import Training
from unlearning_metric.config.values import Hyperparameters, Section


class TrainingSettings(Section):
    """What a model trained from scratch depends on, besides its examples."""

    experiment_seed: int
    model: Model
    training: Training


class DifficultySettings(TrainingSettings):
    """What the measure of difficulty depends on, besides the data; ``models`` is an even number."""

    train_size: int | None
    validation_size: int
    models: int


class SplitSettings(Section):
    """What the split depends on, besides data and seed."""

    train_size: int | None
    validation_size: int
    test_size: int | None
    probe_size: int
    forget: Forget


class UnlearningSettings(TrainingSettings):
    """What a copy of a method depends on, besides its file and the originals.

    ``interface`` says how its function is called, where its entry says it (`user_code.interface.Interface.settings`);
    ``trained_here`` whether the originals were trained by this recipe.
    """

    trained_here: bool
    function: str
    batches: Any
    options: Hyperparameters
    interface: dict[str, Any] = Field(default_factory=dict)


class CopiesSettings(Section):
    """Which copies of a method a job makes, or reads from elsewhere.

    ``original`` is the number of the original that all of them start from; None where copy i starts from original i.
    ``max_seconds`` is the time limit of a copy.
    """

    method: str
    models: list[int]
    original: int | None = 0
    max_seconds: float | None = None


class CostSettings(Section):
    """What a check compares the cost of a copy with.

    ``copies`` is how many a score takes; ``limit`` the largest accepted cost of one, as a share of that of retraining,
    and ``measure`` of which cost. ``retrained`` has the files of retrained models or of their outputs with their keys:
    those that are there tell what retraining costs where it cannot be measured beside the copies.
    """

    copies: int
    limit: float
    measure: str = "seconds"
    retrained: dict[str, str] = Field(default_factory=dict)

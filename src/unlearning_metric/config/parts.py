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

"""The section ``training``: the recipe which trains the original and every retrained model."""

from typing import Any, Literal

from pydantic import Field

from unlearning_metric.config.text import shown
from unlearning_metric.config.values import (
    FunctionName,
    Hyperparameters,
    Number,
    PositiveInt,
    PositiveNumber,
    PythonFile,
    Rule,
    Section,
    Truth,
    function_needs_file,
)

#: What the function is called unless the configuration says otherwise.
TRAIN = "train"
#: What has no effect where a function of the user's trains. What it may read and use, such as lr, is left to it.
_NOT_WITH_FILE = ("steps", "class_weights", "compile", "tf32", "engine", "precision")


class Training(Section):
    """The recipe which trains the original and every retrained model."""

    optimizer: Literal["sgd", "adam", "adamw"] = Field("sgd", description="Optimizer.")
    lr: PositiveNumber | None = Field(None, description="Peak learning rate; required unless file is given.")
    momentum: Number = Field(0.9, ge=0, lt=1, description="Momentum of sgd.")
    weight_decay: Number = Field(5e-4, ge=0, description="Weight decay.")
    schedule: Literal["constant", "cosine", "cosine_by_epoch", "one_cycle"] = Field(
        "one_cycle", description="Course of the learning rate over the steps."
    )
    warmup: Number = Field(
        0.25, ge=0, lt=1, description="Share of the steps in which the learning rate rises, for one_cycle."
    )
    epochs: PositiveInt | None = Field(
        None, description="Passes over the training examples; required unless steps or file is given."
    )
    steps: PositiveInt | None = Field(None, description="Batches to train on, in place of epochs.")
    batch_size: int = Field(gt=0, description="Examples per step.")
    label_smoothing: Number = Field(0.0, ge=0, lt=1, description="Label smoothing of the cross-entropy loss.")
    class_weights: Truth = Field(
        False, description="Weight of a class in the loss: 1 / its percentage of the examples trained on; false: 1."
    )
    crop: int = Field(0, ge=0, description="Pixels of black padding on each side before a random crop; 0: no crop.")
    flip: Truth = Field(False, description="Whether half of the images, at random, are mirrored left and right.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Arithmetic of the forward pass.")
    tf32: Truth = Field(False, description="Whether a GPU may round the operands of fp32 products to TF32.")
    engine: Literal["auto", "graph", "loop", "stacked"] = Field(
        "auto",
        description="graph: steps recorded on a GPU and replayed, several models side by side; loop: one model after "
        "another; stacked: the models of a job as one, for tiny nets; auto: graph where a step can be recorded, else "
        "loop.",
    )
    compile: Truth = Field(False, description="Whether torch.compile makes the forward pass; for a GPU.")
    file: PythonFile | None = Field(None, description="Python file with a function that trains a model instead.")
    function: FunctionName = Field(TRAIN, description="Name of that function; with file.")
    options: Hyperparameters = Field(default_factory=dict, description="Further arguments of that function.")


def _momentum_fits_optimizer(file: str | None, optimizer: str, momentum: float) -> str | None:
    if file is None and optimizer != "sgd" and momentum != Training.model_fields["momentum"].default:
        return (
            f"training.momentum: {momentum} is only for the optimizer sgd, and training.optimizer is {optimizer}. "
            "Remove it."
        )
    return None


def _warmup_fits_schedule(file: str | None, schedule: str, warmup: float) -> str | None:
    if file is None and schedule != "one_cycle" and warmup != Training.model_fields["warmup"].default:
        return (
            f"training.warmup: {warmup} is only for the schedule one_cycle, and training.schedule is {schedule}. "
            "Remove it."
        )
    return None


def _rate_is_given(file: str | None, lr: float | None) -> str | None:
    if file is None and lr is None:
        return "training.lr: missing. Expected a number above 0."
    return None


def _length_is_given_once(file: str | None, steps: int | None, epochs: int | None) -> str | None:
    if file is None and steps is None and epochs is None:
        return "training.epochs: missing. Expected an integer above 0, or training.steps in its place."
    if file is None and steps is not None and epochs is not None:
        return f"training.steps: {steps} and training.epochs: {epochs} are both given. Keep one of the two."
    return None


def _file_is_all(file: str | None, *given: Any) -> str | None:
    for name, value in zip(_NOT_WITH_FILE, given, strict=True):
        if file is not None and value != Training.model_fields[name].default:
            return f"training.{name}: {shown(value)} has no effect, since {file} trains the models. Remove it."
    return None


def _engine_fits(engine: str, compiled: bool) -> str | None:
    if engine == "stacked" and compiled:
        return "training.compile: is for training.engine loop, graph and auto, not stacked. Remove one of the two."
    return None


def _augmentation_fits_model(crop: int, flip: bool, name: str | None) -> str | None:
    if name == "mlp" and (crop or flip):
        return (
            "training.crop, training.flip: are for nets that take images as such, and model.name is mlp. Remove them, "
            "or choose another model."
        )
    return None


RULES: tuple[Rule, ...] = (
    (("training.file", "training.function", "training.options"), function_needs_file("training", TRAIN)),
    (("training.file", "training.optimizer", "training.momentum"), _momentum_fits_optimizer),
    (("training.file", "training.schedule", "training.warmup"), _warmup_fits_schedule),
    (("training.file", "training.lr"), _rate_is_given),
    (("training.file", "training.steps", "training.epochs"), _length_is_given_once),
    (("training.file", *(f"training.{name}" for name in _NOT_WITH_FILE)), _file_is_all),
    (("training.engine", "training.compile"), _engine_fits),
    (("training.crop", "training.flip", "model.name"), _augmentation_fits_model),
)

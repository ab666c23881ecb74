"""The contract of a method file: what its function may ask for, and how to read a function without running it.

Nothing heavy is imported and no method file is: the Snakefile uses this while it is parsed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from unlearning_metric.errors import UserCodeError, UserError
from unlearning_metric.user_code.spellings import SOURCES, SPELLINGS

#: What a method's function may ask for by parameter name.
ARGUMENTS = {
    "model": "the original model, a copy to change in place",
    "net": "the same as model",
    "original_model": "a second copy of the original model, for reference",
    "initial_model": "a model with the initial weights that this copy's original was trained from",
    "oracle_model": "model i of the method retrain, trained without the forget set; copy i gets it",
    "retain_loader": "batches (images, labels) of the retain set, shuffled anew in each pass",
    "forget_loader": "batches (images, labels) of the forget set, shuffled anew in each pass",
    "val_loader": "batches (images, labels) of validation examples that no model trained on",
    "seed": "an integer of this copy's own; torch, numpy and random are seeded with it already",
    "generator": "a torch.Generator (CPU) of this copy's own",
    "device": 'the device, "cpu" or "cuda": a torch.device that equals its name',
    "num_classes": "number of classes",
    "train_config": "the training part of the configuration, as a dictionary",
    "class_weights": "float tensor [classes]: 1 / (percent of the training set in the class)",
    "train_from_scratch": "function(seed) -> a model newly trained on the retain set with the configured recipe",
}
#: What the user's function that trains a model may ask for by parameter name.
TRAINING_ARGUMENTS = {
    "model": "a model with fresh weights, to train in place",
    "net": "the same as model",
    "train_loader": "batches (images, labels) of the examples to train on, shuffled anew in each pass",
    "val_loader": "batches (images, labels) of validation examples that no model trains on",
    "seed": "an integer of this model's own; torch, numpy and random are seeded with it already",
    "generator": "a torch.Generator (CPU) of this model's own",
    "device": 'a torch.device: "cpu" or "cuda"',
    "num_classes": "number of classes",
    "train_config": "the training part of the configuration, as a dictionary",
    "class_weights": "float tensor [classes]: 1 / (percent of the examples to train on in the class)",
}
#: What the user's function that builds a net may ask for by parameter name.
NET_ARGUMENTS = {
    "num_classes": "number of classes",
    "input_shape": "shape of one example, (channels, height, width) of an image",
    "in_channels": "its first number",
}
#: Why a training may find no ``val_loader``, and what to do.
NO_VALIDATION = (
    "there are no validation examples, since data.validation_size is 0. Set data.validation_size in the configuration, "
    "or give the parameter a default."
)
#: Form of the batches: `datasets.FORMS` says what each holds.
BATCHES = ("tuple", "triple", "indexed", "dict", "kaggle")
#: What a batch spelled out may hold.
BATCH_FIELDS = ("image", "label", "index")
#: What a parameter may be called that holds examples, and says not which.
_HOLDERS = {
    **dict.fromkeys(("dataloader", "data_loader", "loaders", "dl"), "loader"),
    **dict.fromkeys(("dataset", "data_set", "data", "datasets", "ds"), "dataset"),
}
#: The argument that is a retrained model, and the method whose models it hands out.
ORACLE = "oracle_model"
ORACLE_METHOD = "retrain"


class EditedError(UserError, RuntimeError):
    """A file of the user's is not what it was when the run began."""


class MethodError(UserCodeError):
    """A method file does not fit the contract, or failed on a copy."""


def unknown_option(
    option: str, parameters: Mapping[str, Any], noun: str = "method", arguments: Mapping[str, str] = ARGUMENTS
) -> str:
    """Say that a function takes no such hyper-parameter, and which it takes."""
    tunable = [name for name in parameters if name not in arguments]
    close = difflib.get_close_matches(option, tunable, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"the {noun} takes no such hyper-parameter.{hint} It takes: {', '.join(tunable) or 'none'}."


def unfillable(
    parameters: str | Sequence[str], title: str, where: str, arguments: Mapping[str, str] = ARGUMENTS
) -> str:
    """Say that nobody can fill parameters without a default, all of them, and what to do."""
    missing = [parameters] if isinstance(parameters, str) else list(parameters)
    hints = "".join(_hint(name, arguments, alone=len(missing) == 1) for name in missing)
    if len(missing) == 1:
        told = f"its parameter {missing[0]!r}.{hints} Give it a default, set {where}.{missing[0]} in the configuration"
        if_it = "it is a hyper-parameter"
    else:
        names = ", ".join(map(repr, missing))
        told = f"its parameters {names}.{hints} Give them defaults, set them under {where} in the configuration"
        if_it = "they are hyper-parameters"
    if arguments is not ARGUMENTS:
        return f"{title}: nobody can fill {told}, or use one of: {', '.join(arguments)}."
    shape = ", ".join(f"{name}: ..." for name in missing)
    return (
        f"{title}: nobody can fill {told} if {if_it}, or say what it gets: {where}.arguments: {{{shape}}}. "
        f"It may be one of: {', '.join([*arguments, *SOURCES])}."
    )


def _hint(parameter: str, arguments: Mapping[str, str], alone: bool) -> str:
    """What a parameter may mean, as a question; its name is said where there are others."""
    of_method = arguments is ARGUMENTS
    if of_method and "teacher" in parameter.lower():
        # A teacher is what the model was before; the oracle is never one.
        return f" Is {parameter} the original model (original_model) or one with fresh weights (untrained_model)?"
    close = _likely(parameter, [*arguments, *(SOURCES if of_method else ())], SPELLINGS if of_method else {})
    begin = "Did" if alone else f"For {parameter!r}, did"
    return f" {begin} you mean {' or '.join(map(repr, close))}?" if close else ""


def _likely(parameter: str, known: Sequence[str], spelled: Mapping[str, str]) -> list[str]:
    """Names that a parameter may be short for, or a misspelling of."""
    plain = _HOLDERS.get(parameter.lower(), parameter) if spelled else parameter
    # An oracle is never what is meant.
    close = [name for name in known if f"_{plain}" in name and name != ORACLE]
    if close:
        return close
    # Misspelt, that is: `budget` has most letters of `student`; and `forget_indices` is no data set.
    nearest = difflib.get_close_matches(parameter, [*known, *spelled], n=1, cutoff=0.75)
    last = [text.rpartition("_")[2] for text in (parameter, *nearest)]
    nearest = nearest if difflib.get_close_matches(last[0], last[1:], cutoff=0.6) else []
    return [spelled.get(name, name) for name in nearest if name != ORACLE]

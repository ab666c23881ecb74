"""The configuration: what may stand in it, its defaults, and messages for what may not.

`read_yaml` reads a file, `merge` lays one mapping over another, `parse` turns the result into a frozen
`Config` or raises one `ConfigError` that lists every problem. The Snakefile imports this module while it is
parsed, so nothing heavy is imported here. `python -m unlearning_metric.config` prints the JSON schema.
"""

import copy
import difflib
import json
import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from unlearning_metric.errors import UserError
from unlearning_metric.nets.torchvision_names import TORCHVISION_NETS
from unlearning_metric.user_code.contract import BATCHES

DataSource = Literal[
    "digits", "cifar10", "cifar100", "svhn", "mnist", "fashion_mnist", "npz", "image_folder", "casia_surf"
]
ForgetStrategy = Literal["random", "class", "subclass", "groups", "indices", "hardest", "easiest"]
ModelName = Literal[("digits_cnn", "cnn_small", "resnet18_cifar", "mlp", *TORCHVISION_NETS)]

DATA_SOURCES: tuple[str, ...] = get_args(DataSource)
FORGET_STRATEGIES: tuple[str, ...] = get_args(ForgetStrategy)
MODELS: tuple[str, ...] = get_args(ModelName)

#: Dotted name -> the value that gives what there was before the key could be set. A setting at this value enters
#: no artifact's key, so a key added to the configuration rebuilds nothing. Every later key that changes results
#: belongs here, and its value stays as it is even if its default changes.
NEUTRAL: dict[str, Any] = {
    "efficiency.exclude": False,
    "data.image_size": None,
    "data.normalize": "pool",
    "data.mean": None,
    "data.std": None,
    "forget.stratified": False,
    "forget.labels": None,
    "forget.groups": None,
    "forget.order": "random",
    "forget.path": None,
    "forget.difficulty_models": 16,
    "model.file": None,
    "model.function": "build",
    "model.options": {},
    "original": None,
    "training.file": None,
    "training.function": "train",
    "training.options": {},
    "training.steps": None,
    "training.class_weights": False,
    "training.crop": 0,
    "training.flip": False,
    "training.tf32": False,
    "training.engine": "loop",
    "training.compile": False,
}

#: Sources whose data are what lies under ``data.path``, and what that is.
USER_DATA: dict[str, str] = {"npz": "file", "image_folder": "folder", "casia_surf": "folder"}
#: Sources that need no ``data.path`` and use it, where it is given, as the folder to download to.
DOWNLOADED = ("cifar10", "cifar100", "svhn", "mnist", "fashion_mnist")
#: Sources of image files, which can be brought to another size.
IMAGE_FILES = ("image_folder", "casia_surf")
#: Strategies that ask how hard each example is for models that did not train on it.
BY_DIFFICULTY = ("hardest", "easiest")
#: How the name of a file of indices may end.
INDEX_FILES = (".npy", ".npz", ".csv", ".txt")

METHOD_NAME = r"^[A-Za-z0-9_]+$"
DEFAULT_WIDTH = 32
#: What the user's functions are called unless the configuration says otherwise.
BUILD, TRAIN = "build", "train"


class ConfigError(UserError, ValueError):
    """A configuration that cannot be used. `str()` is the whole message, ready to print."""


def listed(what: str, problems: list[str]) -> ConfigError:
    """One error of several problems; ``what`` begins its message, such as ``config/config.yaml has``."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigError("\n".join([f"{what} {count}:", *(f"  - {problem}" for problem in problems)]))


def _number_from_text(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _truth_from_text(value: Any) -> Any:
    # Snakemake hands "--config name=true" over as text.
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _integer_or_text(value: Any) -> Any:
    # Before pydantic tries one type after the other: it would report a problem of each.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("label_type", "neither an integer nor text")
    return value


def _empty_mapping_for_none(value: Any) -> Any:
    return {} if value is None else value


def _plain_values(value: Any) -> Any:
    """Refuse what is no plain value: as JSON, of which keys are made, it would become another one or none."""
    value = _empty_mapping_for_none(value)
    if isinstance(value, dict) and (problem := _first_odd_value(value)):
        raise PydanticCustomError("odd_value", "{problem}", {"problem": problem})
    return value


def _first_odd_value(value: Any, place: str = "") -> str | None:
    """Where within a value something is no number, text, truth value, list or mapping with names, and what to do."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                return f"{place}: {_shown(key)} cannot be a key. Expected text. Put it in quotes."
        parts = [(f"{place}.{key}", one) for key, one in value.items()]
    elif isinstance(value, list):
        parts = [(f"{place}[{index}]", one) for index, one in enumerate(value)]
    elif isinstance(value, float) and not math.isfinite(value):
        return f"{place}: {value} is not allowed. Expected a finite number, or null for none."
    elif value is None or isinstance(value, bool | int | float | str):
        return None
    else:
        return f"{place}: {_shown(value)} is {type(value).__name__}. If text is meant, put it in quotes."
    return next(filter(None, (_first_odd_value(one, name) for name, one in parts)), None)


def _empty_list_for_none(value: Any) -> Any:
    return [] if value is None else value


Number = Annotated[float, BeforeValidator(_number_from_text)]
Truth = Annotated[bool, BeforeValidator(_truth_from_text)]
PositiveInt = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1), BeforeValidator(_number_from_text)]
PositiveNumber = Annotated[float, Field(gt=0), BeforeValidator(_number_from_text)]
Label = Annotated[int | str, BeforeValidator(_integer_or_text, json_schema_input_type=int | str)]
MethodName = Annotated[str, Field(pattern=METHOD_NAME)]
PythonFile = Annotated[str, Field(pattern=r"\.py$")]
FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
SafetensorsFile = Annotated[str, Field(pattern=r"\.safetensors$")]
Hyperparameters = Annotated[
    dict[str, Any],
    BeforeValidator(_plain_values, json_schema_input_type=dict[str, Any] | None),
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(_Section):
    """Where the images come from and how many of them are used."""

    source: DataSource = Field(description="Data set to load.")
    path: str | None = Field(
        None,
        min_length=1,
        description="File (npz) or folder (image_folder, casia_surf) to read; for a downloaded source the folder it is "
        "kept in, data if it is null.",
    )
    image_size: PositiveInt | None = Field(
        None,
        description="Height and width to bring image files to; null keeps the size of image_folder and takes 32 for "
        "casia_surf.",
    )
    normalize: Literal["pool", "given", "none"] = Field(
        "pool",
        description="What a net's input is normalised by: mean and standard deviation of each channel of the training "
        "pool, those given in mean and std, or nothing (0..255).",
    )
    mean: list[Number] | None = Field(
        None, min_length=1, description="Mean of each channel on the scale 0..1 of pixels; for normalize given."
    )
    std: list[PositiveNumber] | None = Field(
        None, min_length=1, description="Standard deviation of each channel on that scale; for normalize given."
    )
    train_size: PositiveInt | None = Field(None, description="Training images to use; null uses all of them.")
    test_size: PositiveInt | None = Field(None, description="Test images to use; null uses all of them.")
    validation_size: int = Field(0, ge=0, description="Validation images to set aside; 0 sets none aside.")


class Forget(_Section):
    """Which training examples are to be forgotten."""

    strategy: ForgetStrategy = Field(
        description="How the forget set is chosen: random examples; all of a class, or a part of some; whole groups; a "
        "list in a file; the hardest or easiest examples for models that did not train on them."
    )
    count: PositiveInt | None = Field(None, description="Size of the forget set in examples, or groups for groups.")
    fraction: Share | None = Field(
        None,
        description="The same as a share of the training set, of the classes for subclass, of the groups for groups.",
    )
    stratified: Truth = Field(False, description="For random: the same share of every class.")
    label: Label | None = Field(None, description="Class to forget, by name or label; for class.")
    labels: list[Label] | None = Field(
        None, min_length=1, description="Classes to forget a part of, by name or label; for subclass."
    )
    groups: list[int] | None = Field(None, min_length=1, description="Groups to forget; for groups.")
    order: Literal["random", "sorted"] = Field(
        "random", description="For groups with count or fraction: random groups, or the first in ascending order."
    )
    path: str | None = Field(
        None,
        min_length=1,
        description="File of indices into the training pool (npy, npz, csv, txt); for indices.",
    )
    difficulty_models: int = Field(
        16, ge=2, description="For hardest and easiest: models trained on random halves; an even number."
    )


class Model(_Section):
    """The classifier."""

    name: ModelName | None = Field(
        None, description="Architecture; exactly where no file is given. Names of torchvision's classifiers included."
    )
    hidden: list[PositiveInt] = Field(
        default_factory=list,
        description="Widths of the hidden layers of mlp; an empty list gives a linear classifier.",
    )
    width: int = Field(DEFAULT_WIDTH, gt=0, description="Channels of the first layer of digits_cnn.")
    file: PythonFile | None = Field(None, description="Python file with a function that builds the model.")
    function: FunctionName = Field(BUILD, description="Name of that function; with file.")
    options: Hyperparameters = Field(default_factory=dict, description="Further arguments of that function.")


class Training(_Section):
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
    engine: Literal["loop", "stacked"] = Field(
        "loop", description="One model after another, or the models of a job at once; the latter for tiny nets."
    )
    compile: Truth = Field(False, description="Whether torch.compile makes the forward pass; for a GPU.")
    file: PythonFile | None = Field(None, description="Python file with a function that trains a model instead.")
    function: FunctionName = Field(TRAIN, description="Name of that function; with file.")
    options: Hyperparameters = Field(default_factory=dict, description="Further arguments of that function.")


class Efficiency(_Section):
    """How long a method may take."""

    limit: Number = Field(
        0.2, gt=0, description="Largest accepted time of a method, as a share of the time of retraining."
    )
    exclude: Truth = Field(False, description="Whether methods over the limit lose their rank on the leaderboard.")


class Config(_Section):
    """Configuration of one experiment."""

    experiment_seed: int = Field(0, ge=0, description="Seed from which every random stream is derived.")
    copies: int = Field(64, ge=4, description="Retrained models, and unlearned copies per method.")
    shard_size: int = Field(32, ge=1, description="Models handled by one job; divides copies.")
    originals: int = Field(
        1, ge=1, description="Original models; copy i of a method starts from original i % originals."
    )
    original: SafetensorsFile | None = Field(
        None, description="File with the weights of an original model trained elsewhere; null: it is trained here."
    )
    results: str = Field("results", min_length=1, description="Folder for everything the workflow writes.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where models run.")
    jobs_per_gpu: int = Field(1, ge=1, description="Jobs that share a GPU, where no scheduler hands GPUs out.")
    ceiling: Literal["split", "retrain"] = Field(
        "split",
        description="Source of the ceiling: half-splits of the retrained models, or the method retrain.",
    )
    data: Data = Field(description="Where the images come from and how many of them are used.")
    forget: Forget = Field(description="Which training examples are to be forgotten.")
    probe_size: int = Field(100, ge=1, description="Retain examples whose outputs are dumped.")
    model: Model = Field(description="The classifier.")
    training: Training = Field(description="The recipe which trains the original and the retrained models.")
    delta: Number = Field(1e-5, gt=0, lt=1, description="Delta of (epsilon, delta)-unlearning.")
    on_diverged: Literal["keep", "fail"] = Field(
        "keep",
        description="Copies with non-finite parameters or outputs: keep counts them as wrong everywhere and says so, "
        "fail stops.",
    )
    keep_checkpoints: Truth = Field(
        True,
        description="Keep retrained and unlearned models once their outputs are dumped; originals are always kept.",
    )
    efficiency: Efficiency = Field(
        default_factory=Efficiency, description="What is accepted of a method's time, and what follows."
    )
    max_seconds_per_copy: PositiveNumber | None = Field(
        None,
        description="Seconds after which a copy of a method is stopped as one that does not end; null: never.",
    )
    methods: Annotated[
        dict[MethodName, Hyperparameters],
        BeforeValidator(_empty_mapping_for_none, json_schema_input_type=dict[MethodName, Hyperparameters] | None),
    ] = Field(
        default_factory=dict,
        description="Methods by name: hyper-parameters, what is left out keeps the default in the method's file; and "
        "file, function, batches, which say where the function is and what its loaders give; or dump alone, outputs of "
        "models made elsewhere.",
    )
    skip: Annotated[list[str], BeforeValidator(_empty_list_for_none, json_schema_input_type=list[str] | None)] = Field(
        default_factory=list, description="Methods which are not run unless asked for by name."
    )

    @model_validator(mode="after")
    def _fields_fit_together(self) -> "Config":
        problems = _cross_field_problems(self.model_dump(), bad_keys=set())
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _shards_divide_copies(copies: int, shard_size: int) -> str | None:
    if copies % shard_size == 0:
        return None
    below, above = copies // shard_size * shard_size, (copies // shard_size + 1) * shard_size
    choices = f"{below} or {above}" if below >= 4 else str(above)
    return (
        f"copies: {copies} is not a multiple of shard_size ({shard_size}). Set copies to {choices}, "
        f"or shard_size to a divisor of {copies}."
    )


def _half_splits_are_equal(copies: int, shard_size: int, ceiling: str) -> str | None:
    if ceiling == "split" and copies % 2 and copies % shard_size == 0:
        return (
            f"copies: {copies} is odd, and ceiling: split compares two equal halves of the retrained models. "
            "Choose an even multiple of shard_size, or set ceiling: retrain."
        )
    return None


def _originals_fit_copies(originals: int, copies: int) -> str | None:
    if originals > copies:
        return f"originals: {originals} is more than copies ({copies}); the surplus would never be used."
    return None


def _path_fits_source(source: str, path: str | None) -> str | None:
    if source in USER_DATA and path is None:
        example = "data/mine.npz" if source == "npz" else f"data/{source}"
        return f"data.path: missing; data.source {source} needs the {USER_DATA[source]} to read, e.g. path: {example}"
    if source not in (*USER_DATA, *DOWNLOADED) and path is not None:
        return f"data.path: {_shown(path)} is not used by data.source {source}. Remove it, or set source: npz."
    return None


def _image_size_fits_source(source: str, image_size: int | None) -> str | None:
    if image_size is not None and source not in IMAGE_FILES:
        return (
            f"data.image_size: {image_size} is only for the sources {' and '.join(IMAGE_FILES)}, and data.source is "
            f"{source}. Remove it."
        )
    return None


def _statistics_fit_normalize(normalize: str, mean: list[float] | None, std: list[float] | None) -> str | None:
    given = [name for name, value in (("mean", mean), ("std", std)) if value is not None]
    if normalize == "given" and len(given) < 2:
        return "data.normalize: given needs data.mean and data.std, a number for each channel."
    if normalize != "given" and given:
        return f"data.{given[0]}: is not used with data.normalize {normalize}. Remove it, or set normalize: given."
    if normalize == "given" and len(mean) != len(std):
        return f"data.mean: has {len(mean)} values and data.std has {len(std)}. Give one of each for each channel."
    return None


def _validation_fits_source(source: str, validation_size: int) -> str | None:
    if source == "casia_surf" and validation_size:
        return (
            f"data.validation_size: {validation_size} is not used by data.source casia_surf, which has validation "
            "examples of its own. Remove it."
        )
    return None


#: Strategy -> the keys of which it needs exactly one, those it needs besides, those it may have.
_FORGET_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "random": (("count", "fraction"), (), ("stratified",)),
    "class": ((), ("label",), ()),
    "subclass": (("count", "fraction"), ("labels",), ()),
    "groups": (("count", "fraction", "groups"), (), ("order",)),
    "indices": ((), ("path",), ()),
    "hardest": (("count", "fraction"), (), ("difficulty_models",)),
    "easiest": (("count", "fraction"), (), ("difficulty_models",)),
}


def _forget_keys_fit_strategy(forget: dict) -> str | None:
    strategy = forget["strategy"]
    defaults = {name: field.default for name, field in Forget.model_fields.items() if name != "strategy"}
    given = {name: forget[name] for name in defaults if forget.get(name, defaults[name]) != defaults[name]}
    one_of, needed, possible = _FORGET_KEYS[strategy]
    chosen = [name for name in one_of if name in given]
    fits = given.keys() <= {*one_of, *needed, *possible} and given.keys() >= set(needed)
    if fits and len(chosen) == (1 if one_of else 0):
        return None
    parts = [*needed, *([f"exactly one of {', '.join(one_of)}"] if one_of else [])]
    may = f", and may have {', '.join(possible)}" if possible else ""
    written = ", ".join(f"{name}: {_shown(value)}" for name, value in given.items()) or "none of its keys"
    return f"forget: strategy {strategy} needs {' and '.join(parts)}{may}, and nothing else; given: {written}."


def _groups_have_one_choice(groups: list[int] | None, order: str) -> str | None:
    if groups is not None and order == "sorted":
        return "forget.order: sorted is for count or fraction; forget.groups names the groups. Remove one of the two."
    return None


def _difficulty_models_pair_up(models: int) -> str | None:
    if models % 2:
        return (
            f"forget.difficulty_models: {models} is odd; the models train in pairs on the two halves of the training "
            f"set. Set {models - 1} or {models + 1}."
        )
    return None


def _indices_have_a_known_form(path: str | None) -> str | None:
    if path is not None and Path(path).suffix.lower() not in INDEX_FILES:
        return f"forget.path: {_shown(path)} is not allowed. Expected a file that ends in {', '.join(INDEX_FILES)}."
    return None


def _forget_leaves_retain(strategy: str, count: int | None, train_size: int | None) -> str | None:
    if strategy in ("random", *BY_DIFFICULTY) and count is not None and train_size is not None and count >= train_size:
        return (
            f"forget.count: {count} is a forget set as large as the training set (data.train_size is "
            f"{train_size}), so nothing is left to retain. Expected at most {train_size - 1}."
        )
    return None


def _model_is_named_once(name: str | None, file: str | None) -> str | None:
    if name is None and file is None:
        return (
            "model: names no model. Set model.name (digits_cnn, cnn_small, resnet18_cifar, mlp, or a classifier of "
            "torchvision), or model.file to a Python file with a function that builds one."
        )
    if name is not None and file is not None:
        return f"model.name: {name} and model.file: {file} are both given. Keep one of the two."
    return None


def _named(name: str | None) -> str:
    return "model.file builds another" if name is None else f"model.name is {name}"


def _hidden_fits_model(name: str | None, hidden: list[int]) -> str | None:
    if hidden and name != "mlp":
        return f"model.hidden: {_shown(hidden)} is only for the model mlp, and {_named(name)}. Remove it."
    return None


def _width_fits_model(name: str | None, width: int) -> str | None:
    if name != "digits_cnn" and width != DEFAULT_WIDTH:
        return f"model.width: {width} is only for the model digits_cnn, and {_named(name)}. Remove it."
    return None


def _function_needs_file(section: str, default: str) -> Callable[..., str | None]:
    def check(file: str | None, function: str, options: dict | None) -> str | None:
        given = "function" if function != default else "options" if options else None
        if file is None and given is not None:
            return f"{section}.{given}: is only used with {section}.file, which is not given. Remove it, or add file."
        return None

    return check


def _momentum_fits_optimizer(file: str | None, optimizer: str, momentum: float) -> str | None:
    if file is None and optimizer != "sgd" and float(momentum) != Training.model_fields["momentum"].default:
        return (
            f"training.momentum: {momentum} is only for the optimizer sgd, and training.optimizer is {optimizer}. "
            "Remove it."
        )
    return None


def _warmup_fits_schedule(file: str | None, schedule: str, warmup: float) -> str | None:
    if file is None and schedule != "one_cycle" and float(warmup) != Training.model_fields["warmup"].default:
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


def _own_training_is_all(
    file: str | None, steps: int | None, engine: str, precision: str, *switched_on: bool | str
) -> str | None:
    # What a function of the user's may read and use, such as lr, is left to it.
    given = {"steps": steps, **dict(zip(("class_weights", "compile", "tf32"), switched_on, strict=True))}
    given["engine"] = engine if engine != "loop" else None
    given["precision"] = precision if precision != "fp32" else None
    for name, value in given.items():
        if file is not None and value not in (None, False, "false"):
            return f"training.{name}: {_shown(value)} has no effect, since {file} trains the models. Remove it."
    return None


def _engine_fits(engine: str, compiled: bool) -> str | None:
    if engine == "stacked" and compiled in (True, "true"):
        return "training.compile: is for training.engine loop. Remove one of the two."
    return None


def _augmentation_fits_source(crop: int, flip: bool, name: str | None) -> str | None:
    if name == "mlp" and (crop or flip in (True, "true")):
        return (
            "training.crop, training.flip: are for nets that take images as such, and model.name is mlp. Remove them, "
            "or choose another model."
        )
    return None


def _own_original_is_one(original: str | None, originals: int) -> str | None:
    if original is not None and originals != 1:
        return f"originals: {originals} does not go with original: {original}, which holds one model. Set originals: 1."
    return None


_CROSS_FIELD_CHECKS: tuple[tuple[tuple[str, ...], Callable[..., str | None]], ...] = (
    (("copies", "shard_size"), _shards_divide_copies),
    (("copies", "shard_size", "ceiling"), _half_splits_are_equal),
    (("originals", "copies"), _originals_fit_copies),
    (("data.source", "data.path"), _path_fits_source),
    (("data.source", "data.image_size"), _image_size_fits_source),
    (("data.normalize", "data.mean", "data.std"), _statistics_fit_normalize),
    (("data.source", "data.validation_size"), _validation_fits_source),
    (("forget",), _forget_keys_fit_strategy),
    (("forget.groups", "forget.order"), _groups_have_one_choice),
    (("forget.difficulty_models",), _difficulty_models_pair_up),
    (("forget.path",), _indices_have_a_known_form),
    (("forget.strategy", "forget.count", "data.train_size"), _forget_leaves_retain),
    (("model.name", "model.file"), _model_is_named_once),
    (("model.name", "model.hidden"), _hidden_fits_model),
    (("model.name", "model.width"), _width_fits_model),
    (("model.file", "model.function", "model.options"), _function_needs_file("model", BUILD)),
    (("training.file", "training.function", "training.options"), _function_needs_file("training", TRAIN)),
    (("training.file", "training.optimizer", "training.momentum"), _momentum_fits_optimizer),
    (("training.file", "training.schedule", "training.warmup"), _warmup_fits_schedule),
    (("training.file", "training.lr"), _rate_is_given),
    (("training.file", "training.steps", "training.epochs"), _length_is_given_once),
    (
        (
            "training.file",
            "training.steps",
            "training.engine",
            "training.precision",
            "training.class_weights",
            "training.compile",
            "training.tf32",
        ),
        _own_training_is_all,
    ),
    (("training.engine", "training.compile"), _engine_fits),
    (("training.crop", "training.flip", "model.name"), _augmentation_fits_source),
    (("original", "originals"), _own_original_is_one),
)


def _cross_field_problems(raw: dict, bad_keys: set[str]) -> list[str]:
    """Run each check whose fields are all sound, so that one wrong field does not hide other problems."""
    problems = []
    for keys, check in _CROSS_FIELD_CHECKS:
        if any(_overlap(key, bad) for key in keys for bad in bad_keys):
            continue
        problem = check(*(_value_or_default(raw, key) for key in keys))
        if problem is not None:
            problems.append(problem)
    return problems


def _overlap(key: str, other: str) -> bool:
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


def _value_or_default(raw: dict, key: str) -> Any:
    section: Any = Config
    node: Any = raw
    for part in key.split("."):
        field = section.model_fields[part]
        node = node[part] if part in node else field.get_default(call_default_factory=True)
        section = field.annotation
    return node


class _UniqueKeyLoader(yaml.SafeLoader):
    """`yaml.SafeLoader` which refuses a key given twice instead of silently keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        first_lines: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if key_node.value in first_lines:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key_node.value!r} is given twice, first in line {first_lines[key_node.value]}",
                    problem_mark=key_node.start_mark,
                )
            first_lines[key_node.value] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep=deep)


# Part of PyYAML's own words -> what to do about it.
_YAML_HINTS = {
    "given twice": "keep one of the two lines",
    "\\t": "YAML refuses tabs for indentation; use spaces",
    "mapping values are not allowed": "check the indentation of this line and the one above, and put text "
    "which contains a colon in quotes",
    "could not find expected ':'": "a key without its colon, or a colon without a space after it, on this "
    "line or the one above",
    "expected <block end>": "this line is indented differently from its neighbours, or a quote or bracket "
    "above is not closed",
    "expected ',' or": "a bracket is opened and not closed, or a comma is missing",
    "while scanning a quoted": "a quote is opened and not closed",
    "found unexpected end of stream": "a quote or bracket is opened and not closed",
    "could not determine a constructor": "tags that begin with ! are not supported; put the text in quotes",
    "single document": "one document per file; remove the line ---",
}
_YAML_GENERAL_HINT = "check the indentation, quotes, brackets and colons of this line and the one above"


def read_yaml(path: str | Path) -> dict:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    ConfigError
        The file cannot be read, is not YAML (with line, column, the line itself and a hint), gives a key
        twice, or holds something other than a mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Check the path; it is relative to {Path.cwd()}.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    try:
        raw = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_yaml_slip(path, text, error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{path}, line {line}: holds the control character {chr(error.character)!r}, which YAML refuses. Remove it."
        ) from None
    if raw is None:
        raise ConfigError(f"{path}: is empty. Expected lines of the form key: value.")
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected lines of the form key: value, found {_shown(raw)}.")
    return raw


def _yaml_slip(path: str | Path, text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    words = f"{error.context or ''} {error.problem or ''}"
    hint = next((hint for part, hint in _YAML_HINTS.items() if part in words), _YAML_GENERAL_HINT)
    lines = text.splitlines()
    offending = lines[mark.line] if mark.line < len(lines) else ""
    visible = offending.replace("\t", " ")
    return "\n".join(
        [
            f"{path}, line {mark.line + 1}, column {mark.column + 1}: {error.problem}",
            f"    {visible}",
            f"    {' ' * mark.column}^",
            f"Hint: {hint}.",
        ]
    )


def merge(base: dict, override: dict) -> dict:
    """Lay `override` over `base`, mapping by mapping, and return a new mapping; both stay as they are."""
    merged = copy.deepcopy(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def from_command_line(given: Any, in_files: Any, node: dict, schema: dict) -> Any:
    """Integers and nulls, where Snakemake took them from the command line as text.

    Of what stands within a mapping or list it makes text alone, and null is text to it everywhere. Other numbers and
    truth values are read by their fields; a hyper-parameter, which may be anything, is what it would be in a file.

    Parameters
    ----------
    given : what Snakemake hands over, files and command line together
    in_files : the same of the files alone; what is as it is there stays
    node : JSON schema of ``given``
    schema : JSON schema of the configuration
    """
    if given == in_files and type(given) is type(in_files):
        return given
    kinds = [one if "$ref" not in one else _without_null(one, schema) for one in _choices(node)]
    if isinstance(given, dict):
        known = in_files if isinstance(in_files, dict) else {}
        named = {key: one for kind in kinds for key, one in kind.get("properties", {}).items()}
        # Entries of any name, such as methods.
        other = next((one for kind in kinds for one in kind.get("patternProperties", {}).values()), {})
        return {
            key: from_command_line(value, known.get(key), named.get(key, other), schema) for key, value in given.items()
        }
    if isinstance(given, list):
        items = next((kind["items"] for kind in kinds if "items" in kind), {})
        return [from_command_line(item, None, items, schema) for item in given]
    if not isinstance(given, str):
        return given
    if not node:
        return _as_in_a_file(given)
    if given in ("", "null") and any(one.get("type") == "null" for one in node.get("anyOf", ())):
        return None
    # In this form alone: the class 007 is no number.
    if re.fullmatch(r"-?(0|[1-9]\d*)", given) and any(kind.get("type") == "integer" for kind in kinds):
        return int(given)
    return given


def _as_in_a_file(text: str) -> Any:
    """What YAML reads as a number, truth value or null; text of other forms, such as 007, no and 1e-3, stays text."""
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    if re.fullmatch(r"-?(0|[1-9]\d*)", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?(0|[1-9]\d*)\.\d*(e[-+]\d+)?", text) else text


def parse(raw: dict, known_methods: Iterable[str], source: str = "config/config.yaml") -> Config:
    """Check a raw configuration and return it with its defaults filled in.

    Parameters
    ----------
    raw : dict
        As `read_yaml` or Snakemake's `config` gives it.
    known_methods : iterable of str
        Names of the method files.
    source : str
        Where `raw` comes from, for the message.

    Raises
    ------
    ConfigError
        Lists every problem: the key, its value, what is allowed.
    """
    schema = json_schema()
    problems: list[str] = []
    bad_keys: set[str] = set()
    config = None
    try:
        config = Config.model_validate(raw)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            if error["type"] == "value_error" and not error["loc"]:
                continue  # Config's own cross-field check, which is repeated below field by field
            bad_keys.add(".".join(str(part) for part in error["loc"]))
            problems.append(_field_problem(error, schema))
    if "" not in bad_keys:
        problems += _cross_field_problems(raw, bad_keys)
        problems += _method_problems(raw, sorted(set(known_methods)))
    if problems:
        raise listed(f"{source} has", problems)
    assert config is not None
    return config


def load(paths: Iterable[str | Path], override: dict, methods: Mapping[str, Path], default: str | Path) -> Config:
    """Read, merge and check configuration files.

    Parameters
    ----------
    paths : files laid over each other; none of them: ``default`` alone, which is never merged with others
    override : values of the command line
    methods : method name -> file

    Raises
    ------
    ConfigError
        As `read_yaml` and `parse`; also for a method file with an unusable name and a data file that is absent.
    """
    paths = [str(path) for path in paths] or [str(default)]
    raw: dict = {}
    for path in paths:
        raw = merge(raw, read_yaml(path))
    for name, path in methods.items():
        if not re.fullmatch(METHOD_NAME, name):
            raise ConfigError(
                f"methods/{path.name}: the name of a method may hold only letters, digits and underscores. "
                "Rename the file."
            )
    schema = json_schema()
    config = parse(merge(raw, from_command_line(override, raw, schema, schema)), methods, ", ".join(paths))
    if config.forget.path is not None and not Path(config.forget.path).is_file():
        raise ConfigError(
            f"forget.path: there is no file {config.forget.path} (looked in {Path.cwd()}). Give the path of a file "
            "with the indices of the training examples to forget."
        )
    for key, path in (("model.file", config.model.file), ("training.file", config.training.file),
                      ("original", config.original)):  # fmt: skip
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{key}: there is no file {path} (looked in {Path.cwd()}). Give its path.")
    kind = USER_DATA.get(config.data.source)
    exists = {"file": Path.is_file, "folder": Path.is_dir}
    if kind is not None and not exists[kind](Path(config.data.path)):
        raise ConfigError(
            f"data.path: there is no {kind} {config.data.path} (looked in {Path.cwd()}). Give the path of "
            f"{_WANTED[config.data.source]}."
        )
    return config


_WANTED = {
    "npz": "a npz file with x_train, y_train, x_test and y_test",
    "image_folder": "a folder with train/<class>/ and test/<class>/",
    "casia_surf": "the folder with Age_Gender.txt and WBackground/",
}


def configfile_option(paths: Iterable[str | Path]) -> str:
    """The option that names configuration files, for a command in a message; empty without files."""
    here = Path.cwd()
    named = [str(path.relative_to(here) if path.is_relative_to(here) else path) for path in map(Path, paths)]
    return f" --configfile {shlex.join(named)}" if named else ""


def unknown_method_message(name: str, known: Iterable[str]) -> str:
    """Say that no method file has this name, which there are, and how to add one."""
    known = sorted(set(known))
    parts = [f"Unknown method {name!r}. Known: {', '.join(known) or 'none'}."]
    suggestion = _closest(name, known)
    if suggestion is not None:
        parts.append(f"Did you mean {suggestion!r}?")
    if re.fullmatch(METHOD_NAME, name):
        parts.append(f"To add it, create methods/{name}.py")
    else:
        parts.append("The name of a method may hold only letters, digits and underscores.")
    return " ".join(parts)


def json_schema() -> dict:
    """Return the JSON schema of the configuration."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def _file_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and (value in files or value.endswith(".py")):
        return None
    suggestion = _closest(value, files) if isinstance(value, str) else None
    question = f" Did you mean {suggestion!r}?" if suggestion is not None else ""
    return (
        f"{_shown(value)} is not allowed. Expected the name of a file in methods/ ({', '.join(files) or 'none'}), or a "
        f"path that ends in .py.{question}"
    )


def _function_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and value.isidentifier():
        return None
    return f"{_shown(value)} is not allowed. Expected the name of a function."


def _batches_problem(value: Any, files: Iterable[str]) -> str | None:
    if value in BATCHES:
        return None
    return f"{_shown(value)} is not allowed. Expected one of {', '.join(BATCHES)}."


def _dump_problem(value: Any, files: Iterable[str]) -> str | None:
    if isinstance(value, str) and value.endswith(".npz"):
        return None
    return f"{_shown(value)} is not allowed. Expected the path of a npz file with outputs of models made elsewhere."


#: Key of an entry under ``methods`` that is no hyper-parameter -> what is wrong with its value, if anything.
RESERVED: dict[str, Callable[[Any, Iterable[str]], str | None]] = {
    "file": _file_problem,
    "function": _function_problem,
    "batches": _batches_problem,
    "dump": _dump_problem,
}


def _method_problems(raw: dict, files: list[str]) -> list[str]:
    problems = []
    methods = raw.get("methods")
    entries = methods if isinstance(methods, dict) else {}
    # An entry that names a file or a dump needs no file of its own name.
    known = sorted(
        {
            *files,
            *(name for name, entry in entries.items() if isinstance(entry, dict) and {"file", "dump"} & entry.keys()),
        }
    )
    for name, entry in entries.items():
        if not isinstance(name, str) or not re.fullmatch(METHOD_NAME, name):
            continue  # already reported as a key of the wrong form
        if name not in known:
            problems.append(f"methods.{name}: {unknown_method_message(name, known)}")
        for key, problem in RESERVED.items():
            if isinstance(entry, dict) and key in entry and (text := problem(entry[key], files)):
                problems.append(f"methods.{name}.{key}: {text}")
        if isinstance(entry, dict) and "dump" in entry and (name in files or len(entry) > 1):
            more = f"methods/{name}.py" if name in files else ", ".join(key for key in entry if key != "dump")
            problems.append(
                f"methods.{name}.dump: its models were made elsewhere, so {more} would never be run. Keep one of the "
                "two."
            )
    skip = raw.get("skip")
    for name in skip if isinstance(skip, list) else ():
        if isinstance(name, str) and name not in known:
            problems.append(f"skip: {unknown_method_message(name, known)}")
    if raw.get("ceiling") == "retrain" and "retrain" not in known:
        problems.append(
            "ceiling: retrain needs the method file methods/retrain.py, which is missing. "
            "Restore it, or set ceiling: split."
        )
    return problems


def _field_problem(error: Any, schema: dict) -> str:
    """One line for one error of pydantic: the key, its value, what is allowed."""
    location = error["loc"]
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(location, schema)
    if kind == "invalid_key" or location[-1:] == ("[key]",):
        section, key = location[: -2 if location[-1] == "[key]" else -1], error["input"]
        rule = "only letters, digits and underscores" if section == ("methods",) else "text"
        quotes = "" if isinstance(key, str) else " Put it in quotes."
        return f"{_dotted(section) or 'top level'}: {_shown(key)} cannot be a key. Expected {rule}.{quotes}"
    if kind == "odd_value":
        return f"{_dotted(location)}{error['msg']}"
    node = _schema_at(location, schema)
    expected = _expected(node, schema)
    if kind == "missing":
        return f"{_dotted(location)}: missing. Expected {expected}."
    value = error["input"]
    message = f"{_dotted(location) or 'top level'}: {_shown(value)} is not allowed. Expected {expected}."
    choices = _without_null(node, schema).get("enum", ())
    suggestion = _closest(value, choices) if isinstance(value, str) else None
    if suggestion is not None:
        return f"{message} Did you mean {suggestion!r}?"
    if isinstance(value, str) and _without_null(node, schema).get("type") == "integer":
        return f"{message} Write digits only, without quotes."
    return message


#: Key of an earlier version -> what it is called now.
RENAMED = {"efficiency_limit": "efficiency.limit"}


def _unknown_key(location: tuple, schema: dict) -> str:
    if (now := RENAMED.get(_dotted(location))) is not None:
        section, _, key = now.partition(".")
        return f"{_dotted(location)}: is now {now}. Write {section}: {{{key}: ...}} in its place."
    *section, key = location
    known = list(_without_null(_schema_at(tuple(section), schema), schema)["properties"])
    suggestion = _closest(str(key), known)
    if suggestion is None:
        elsewhere = [dotted for dotted in field_keys() if dotted.split(".")[-1] == key]
        suggestion = elsewhere[0] if elsewhere else None
    question = f" Did you mean {suggestion!r}?" if suggestion is not None else ""
    place = f"Keys of {_dotted(tuple(section))}" if section else "Known keys"
    return f"{_dotted(location)}: unknown key.{question} {place}: {', '.join(known)}."


def field_keys(section: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Return the dotted key of every field, e.g. `training.lr`, in the order of the models."""
    keys = []
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += field_keys(field.annotation, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def _schema_at(location: tuple, schema: dict) -> dict:
    node = schema
    for part in location:
        node = _without_null(node, schema)
        if isinstance(part, int):
            node = node["items"]
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:
            node = next(iter(node["patternProperties"].values()))
    return node


def _without_null(node: dict, schema: dict) -> dict:
    if "anyOf" in node:
        node = _choices(node)[0]
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node


def _choices(node: dict) -> list[dict]:
    """What a node allows but null, one by one."""
    if "anyOf" not in node:
        return [node]
    return [kind for choice in node["anyOf"] if choice.get("type") != "null" for kind in _choices(choice)]


_TYPE_WORDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "object": "a mapping",
    "boolean": "true or false",
}
_PATTERN_WORDS = {
    r"\.py$": "the path of a Python file, which ends in .py",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of a function",
    r"\.safetensors$": (
        "a path that ends in .safetensors (written by safetensors.torch.save_file(model.state_dict(), path))"
    ),
}
_BOUND_WORDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "of at most",
    "exclusiveMaximum": "below",
}


def _expected(node: dict, schema: dict) -> str:
    """What a field accepts, in words, from its JSON schema."""
    nullable = any(choice.get("type") == "null" for choice in node.get("anyOf", ()))
    choices = _choices(node)
    node = _without_null(node, schema)
    if len(choices) > 1:
        words = " or ".join(_expected(choice, schema) for choice in choices)
    elif "enum" in node:
        words = f"one of {', '.join(_short(node['enum']))}"
    elif node["type"] == "array":
        words = f"a list in which each item is {_expected(node['items'], schema)}"
    elif "properties" in node:
        words = f"a mapping with keys among {', '.join(node['properties'])}"
    elif "pattern" in node:
        words = _PATTERN_WORDS[node["pattern"]]
    else:
        bounds = " and ".join(f"{word} {node[bound]:g}" for bound, word in _BOUND_WORDS.items() if bound in node)
        words = " ".join(filter(None, [_TYPE_WORDS[node["type"]], bounds]))
        words = f"{words} that is not empty" if node.get("minLength") else words
    return f"{words}, or null" if nullable else words


def _short(names: list[str]) -> list[str]:
    """Names, those of torchvision's classifiers in a few words."""
    own = [name for name in names if name not in TORCHVISION_NETS]
    return own if len(own) == len(names) else [*own, "or a classifier of torchvision (resnet18, vit_b_16, ...)"]


def _closest(name: str, choices: Iterable[str]) -> str | None:
    by_lower = {choice.lower(): choice for choice in choices}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[matches[0]] if matches else None


def _dotted(location: tuple) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _shown(value: Any) -> str:
    """A value the way it looks in YAML, cut to a readable length."""
    text = json.dumps(value, default=str, ensure_ascii=False, skipkeys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, sort_keys=True))

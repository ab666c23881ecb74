"""The section ``model``: the classifier."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from unlearning_metric.config.text import shown
from unlearning_metric.config.torchvision_names import TORCHVISION_NETS
from unlearning_metric.config.values import (
    FunctionName,
    Hyperparameters,
    PositiveInt,
    PythonFile,
    Rule,
    Section,
    function_needs_file,
)

MODELS: tuple[str, ...] = ("digits_cnn", "cnn_small", "airbench", "resnet18_cifar", "mlp", *TORCHVISION_NETS)
#: Any net of the package timm; which there are, only that package tells.
TIMM_NAME = r"^timm/[A-Za-z0-9_.]+$"


def _known_name(name: str) -> str:
    if name in MODELS or re.fullmatch(TIMM_NAME, name):
        return name
    raise PydanticCustomError("model_name", "no net")


_NAME_SCHEMA: dict[str, Any] = {
    "anyOf": [{"enum": list(MODELS), "type": "string"}, {"pattern": TIMM_NAME, "type": "string"}]
}
ModelName = Annotated[str, AfterValidator(_known_name), WithJsonSchema(_NAME_SCHEMA)]
DEFAULT_WIDTH = 32
#: What the function is called unless the configuration says otherwise.
BUILD = "build"


class Model(Section):
    """The classifier."""

    name: ModelName | None = Field(
        None,
        description="Architecture; exactly where no file is given. Classifiers of torchvision go by their names, nets "
        "of timm by theirs after timm/.",
    )
    hidden: list[PositiveInt] = Field(
        default_factory=list,
        description="Widths of the hidden layers of mlp; an empty list gives a linear classifier.",
    )
    width: int = Field(DEFAULT_WIDTH, gt=0, description="Channels of the first layer of digits_cnn.")
    file: PythonFile | None = Field(None, description="Python file with a function that builds the model.")
    function: FunctionName = Field(BUILD, description="Name of that function; with file.")
    options: Hyperparameters = Field(default_factory=dict, description="Further arguments of that function.")
    weights: str | None = Field(
        None,
        description="What every model of every role starts from: a file of weights, or the name of torchvision's.",
    )


def _model_is_named_once(name: str | None, file: str | None) -> str | None:
    if name is None and file is None:
        return (
            "model: names no model. Set model.name (digits_cnn, cnn_small, airbench, resnet18_cifar, mlp, or a "
            "classifier of torchvision or timm), or model.file to a Python file with a function that builds one."
        )
    if name is not None and file is not None:
        return f"model.name: {name} and model.file: {file} are both given. Keep one of the two."
    return None


def _named(name: str | None) -> str:
    return "model.file builds another" if name is None else f"model.name is {name}"


def _hidden_fits_model(name: str | None, hidden: list[int]) -> str | None:
    if hidden and name != "mlp":
        return f"model.hidden: {shown(hidden)} is only for the model mlp, and {_named(name)}. Remove it."
    return None


def _width_fits_model(name: str | None, width: int) -> str | None:
    if name != "digits_cnn" and width != DEFAULT_WIDTH:
        return f"model.width: {width} is only for the model digits_cnn, and {_named(name)}. Remove it."
    return None


RULES: tuple[Rule, ...] = (
    (("model.name", "model.file"), _model_is_named_once),
    (("model.name", "model.hidden"), _hidden_fits_model),
    (("model.name", "model.width"), _width_fits_model),
    (("model.file", "model.function", "model.options"), function_needs_file("model", BUILD)),
)

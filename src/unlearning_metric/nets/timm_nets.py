"""Nets of the package timm, where it is installed: nothing here needs it otherwise."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import nn

from unlearning_metric.nets.user_nets import ModelError
from unlearning_metric.user_code.failures import first_line

#: Beginning of the names of its nets in a configuration.
PREFIX = "timm/"
#: The name of the weights that timm itself has for a net.
DEFAULT_WEIGHTS = "DEFAULT"


def _package() -> Any:
    try:
        import timm
    except ImportError as error:
        raise ModelError(
            f"model.name: nets of timm need that package, which cannot be imported here ({first_line(error)}). Install "
            "it: pip install 'unlearning-metric[timm]'"
        ) from error
    return timm


def timm_net(name: str, image_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """An untrained net of timm, with as many outputs as classes and inputs as channels.

    Parameters
    ----------
    name : with ``timm/`` before it
    image_shape : (height, width, channels); nets that are made for one size of images are told it

    Raises
    ------
    ModelError
        If timm is not installed, has no such net, or cannot make it for such images.
    """
    height, width, channels = image_shape
    told = {"pretrained": False, "num_classes": num_classes, "in_chans": channels}
    try:
        try:
            return _made(name, **told, img_size=(height, width))
        except TypeError:
            # Convolutional nets take images of any size, and no such word.
            return _made(name, **told)
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"model {name} cannot be made for images of {height} x {width} ({type(error).__name__}: "
            f"{first_line(error)}). Choose another net, or bring the images to its size (data.image_size)."
        ) from error


def timm_weights(name: str, weights: str) -> dict[str, torch.Tensor]:
    """The weights that timm itself has for a net; it fetches them at first use. Raises ModelError."""
    if weights != DEFAULT_WEIGHTS:
        raise ModelError(
            f"model.weights: {name} has no weights {weights}. Set {DEFAULT_WEIGHTS} for those of timm (a tag, if any, "
            "stands in the net's name), or a file of weights."
        )
    try:
        return _made(name, pretrained=True).state_dict()
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"model.weights: timm has no weights for {name}, or cannot fetch them ({type(error).__name__}: "
            f"{first_line(error)}). Set a file of weights."
        ) from error


def _made(name: str, **told: Any) -> nn.Module:
    timm, bare = _package(), name.removeprefix(PREFIX)
    architecture = bare.partition(".")[0]
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=1)
        hint = f" Did you mean {PREFIX}{close[0]}?" if close else ""
        raise ModelError(f"model.name: timm has no net {bare}.{hint}")
    return timm.create_model(bare, **told)

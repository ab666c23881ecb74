"""Weights that every model starts from: torchvision's or timm's by name, or a file's."""

from __future__ import annotations

from functools import cache

import torch
from safetensors.torch import load_file
from torch import nn

from unlearning_metric.config import Model
from unlearning_metric.config.torchvision_names import TORCHVISION_NETS
from unlearning_metric.nets.timm_nets import PREFIX, timm_weights
from unlearning_metric.nets.user_nets import ModelError, model_title
from unlearning_metric.runtime.working_folder import project_path
from unlearning_metric.user_code.failures import first_line

#: Ends of the names of files with weights.
FILES = (".pt", ".pth", ".bin", ".safetensors")


def start_from_weights(model: nn.Module, settings: Model) -> None:
    """Load the weights that the configuration names into a net; its last layer keeps its own where classes differ.

    Parameters
    ----------
    settings : the ``model`` part of the configuration

    Raises
    ------
    ModelError
        If the file is not there, cannot be read, or has not the net's tensors.
    """
    wanted, weights = model.state_dict(), settings.weights
    given = _read(settings.name, weights)
    head = _head(model)
    given = {name: tensor for name, tensor in given.items() if not name.lower().startswith("aux")}
    differing = {name for name in wanted.keys() & given.keys() if wanted[name].shape != given[name].shape}
    wrong = sorted((wanted.keys() ^ given.keys() | differing) - head)
    if wrong:
        raise ModelError(
            f"model.weights: {weights} has not the tensors of model {model_title(settings)}; the first that differs is "
            f"{wrong[0]}. Only the last layer may differ. Choose the net that they were trained as."
        )
    kept = {name: tensor for name, tensor in given.items() if name in wanted and name not in differing}
    if differing or head - given.keys():
        # A bias of the weights' classes would not fit another's rows.
        kept = {name: tensor for name, tensor in kept.items() if name not in head}
    model.load_state_dict(kept, strict=False)


def _head(model: nn.Module) -> set[str]:
    """Names of the tensors of the last layer that has weights, or of what the net itself calls its classifier."""
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1:]
    if callable(named := getattr(model, "get_classifier", None)):
        found = named()
        heads = found if isinstance(found, tuple | list) else (found,)
        layers = [name for name, module in model.named_modules() if any(module is head for head in heads)]
    return {f"{layer}.{name}" for layer in layers for name in ("weight", "bias")}


@cache
def _read(net: str | None, weights: str) -> dict[str, torch.Tensor]:
    if not weights.endswith(FILES):
        is_timm = net is not None and net.startswith(PREFIX)
        return timm_weights(net, weights) if is_timm else _of_torchvision(net, weights)
    path = project_path(weights)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"model.weights: {weights} cannot be read as weights ({type(error).__name__}: {first_line(error)})."
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):
        found = found.get(key, found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ModelError(f"model.weights: {weights} holds no state dict.")
    return {name.removeprefix("module."): tensor for name, tensor in found.items()}


def _of_torchvision(net: str | None, weights: str) -> dict[str, torch.Tensor]:
    from torchvision.models import get_model_weights

    if net not in TORCHVISION_NETS:
        raise ModelError(
            f"model.weights: {weights} is no file of weights ({', '.join(FILES)}), and {net or 'a net of your own'} is "
            "no net of torchvision, whose weights have names."
        )
    known = get_model_weights(net)
    name = weights.rpartition(".")[2]
    if name not in known.__members__:
        raise ModelError(f"model.weights: {net} has no weights {weights}. It has: {', '.join(known.__members__)}.")
    return known[name].get_state_dict(progress=False, check_hash=True)

"""What a method or a training leaves behind: a model, read as the tensors of the original's network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from unlearning_metric.errors import UserCodeError
from unlearning_metric.user_code.contract import MethodError

#: What `torch.compile` and `torch.nn.DataParallel` put into the names of tensors.
_COMPILED, _PARALLEL = "_orig_mod", "module."
_GIVE_BACK = (
    " Give back a network of the original's form, where there is one (returns in its entry); if not, it has no score."
)


def told_result(result: Any, original: nn.Module, title: str, returns: str | None = None) -> Any:
    """What a method returned as a model, as a state dict of the original's network, or None: it changed one in place.

    Parameters
    ----------
    result : what the method returned
    original : the network that the copy is scored as
    title : what returned it, such as ``method finetune``, for messages
    returns : how the entry says to read it: ``model``, ``state_dict``, ``first``, ``last``; None: a model, a state dict
        or the only model of several things counts, anything else, such as an accuracy or a log, does not

    Raises
    ------
    MethodError
        If it is not what ``returns`` says, or holds several models and ``returns`` does not say which.
    """
    if returns in (None, "first", "last") and isinstance(result, Mapping | tuple | list):
        parts = list(result.values()) if isinstance(result, Mapping) else list(result)
        models = [part for part in parts if isinstance(part, nn.Module)]
        if returns is not None and models:
            return models[0 if returns == "first" else -1]
        if len(models) > 1:
            raise MethodError(
                f"{title} returned {type(result).__name__} of {len(models)} models. Say in its entry which counts: "
                "returns: first, or returns: last."
            )
        if models:
            return models[0]
    if returns == "state_dict" or (returns is None and _is_state(result, original)):
        return _loaded(result, original, title)
    if returns in ("model", "first", "last") and not isinstance(result, nn.Module):
        raise MethodError(f"{title} returned {type(result).__name__}, and its entry says returns: {returns}.")
    return result if isinstance(result, nn.Module) else None


def _is_state(result: Any, original: nn.Module) -> bool:
    wanted = original.state_dict()
    return isinstance(result, Mapping) and bool(plain_names(result, wanted).keys() & wanted.keys())


def _loaded(state: Any, original: nn.Module, title: str) -> nn.Module:
    """The original's network with the tensors of a state dict."""
    if not isinstance(state, Mapping):
        raise MethodError(f"{title} returned {type(state).__name__}, and its entry says returns: state_dict.")
    wanted = original.state_dict()
    plain = plain_names(state, wanted)
    difference = _difference(plain, wanted)
    if difference is not None:
        raise MethodError(f"{title} returned a state dict of another form (first difference: {difference}).")
    model = copy.deepcopy(original)
    model.load_state_dict(plain)
    return model


def returned_state(
    result: Any, model: nn.Module, original: nn.Module, title: str, refusal: type[UserCodeError] = MethodError
) -> dict[str, torch.Tensor]:
    """State dict of a finished copy, on the CPU, in the original's data types.

    A compiled model, a ``DataParallel``, one of another precision or with replaced modules is read by its tensors.

    Parameters
    ----------
    result : what the method returned; None says that it changed ``model`` in place
    model : the model that the method was given
    original : the network that the copy is scored as
    title : what returned it, such as ``method finetune``, for messages
    refusal : what is raised

    Raises
    ------
    UserCodeError
        If it is no model, or its tensors are not those of the original's network.
    """
    if result is None:
        result = model
    if not isinstance(result, nn.Module):
        raise refusal(
            f"{title} returned {described(result)}; it must return an nn.Module, or nothing after "
            "changing the model in place."
        )
    wanted = original.state_dict()
    state = plain_names(result.state_dict(), wanted)
    difference = _difference(state, wanted)
    if difference is not None:
        # What trains a network has no entry.
        inner = _GIVE_BACK if refusal is MethodError else ""
        if isinstance(getattr(result, "module", None), nn.Module):
            inner = " Return its .module."
        raise refusal(
            f"{title} returned a model of another form (first difference: {difference}). "
            f"It must have the original's tensors, since it is scored as that network.{inner}"
        )
    # A copy: a method may hold on to its module and change it in the next call.
    return {key: state[key].detach().to("cpu", wanted[key].dtype, copy=True) for key in wanted}


def described(result: Any) -> str:
    """What was returned in place of a model, with what to do where that can be told."""
    kind = type(result).__name__
    if isinstance(result, Mapping) and result and all(isinstance(value, torch.Tensor) for value in result.values()):
        return f"{kind}, which looks like a state dict (load it: model.load_state_dict(...), then return the model)"
    if isinstance(result, tuple | list) and any(isinstance(value, nn.Module) for value in result):
        return f"{kind}, which holds a model among other things (return the model alone)"
    return kind


def plain_names(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors by the names that they have without compiling and without ``DataParallel``."""
    plain = {".".join(part for part in key.split(".") if part != _COMPILED): value for key, value in state.items()}
    while plain and not plain.keys() & wanted.keys() and all(key.startswith(_PARALLEL) for key in plain):
        plain = {key.removeprefix(_PARALLEL): value for key, value in plain.items()}
    return plain


def _difference(state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> str | None:
    for key, tensor in wanted.items():
        if key not in state:
            return f"{key} is missing"
        if state[key].shape != tensor.shape:
            return f"{key} is {list(state[key].shape)}, the original's is {list(tensor.shape)}"
        if state[key].is_meta:
            return f"{key} is on the device meta, without values"
    return next((f"{key} is not in the original" for key in state if key not in wanted), None)

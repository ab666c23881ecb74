"""dataset.npz, a checkpoint of the user's -> the original model, as if it had been trained here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from unlearning_metric.config import Model
from unlearning_metric.errors import UserError
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.nets.user_nets import model_title
from unlearning_metric.progress import LOGGER, run_record
from unlearning_metric.store.files import read_npz, write_models
from unlearning_metric.store.stored import Stored
from unlearning_metric.user_code.returned_values import plain_names
from unlearning_metric.user_code.unchanged_files import refuse_edited


class CheckpointError(UserError, ValueError):
    """A checkpoint that is not of the configured model."""


def import_original(
    dataset: Stored,
    checkpoint: Path | str,
    out: Path | str,
    model_settings: Model | Mapping[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Store the weights of an original model that was trained elsewhere.

    Parameters
    ----------
    checkpoint : safetensors file of a state dict, or a file of this workflow that holds one model

    Raises
    ------
    CheckpointError
        If the file cannot be read, or its tensors are not those of the model or not finite: names the first.
    """
    model_settings = Model.model_validate(model_settings)
    refuse_edited(provenance, {"model.file": model_settings.file, "original": checkpoint})
    data, header = read_npz(*dataset)
    model = build_model(model_settings, data["x_train"].shape[1:], header["num_classes"], seed=0)
    state = fitted(read_checkpoint(checkpoint), model.state_dict(), checkpoint, model_title(model_settings))
    write_models(out, {0: state}, {**provenance, "role": "full", "models": [0], "run": run_record("cpu")})
    LOGGER.info("original model: %d tensors of %s", len(state), checkpoint)


def read_checkpoint(path: Path | str) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file; nothing in it is unpickled. Raises as `import_original` does."""
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except Exception as error:
        raise CheckpointError(
            f"original: {path} cannot be read as safetensors ({type(error).__name__}: {error}). Write it with "
            "safetensors.torch.save_file(model.state_dict(), path)."
        ) from error
    models = {name.partition("/")[0] for name in tensors if "/" in name}
    if len(models) > 1:
        raise CheckpointError(f"original: {path} holds {len(models)} models; one is needed.")
    return {name.partition("/")[2] if models else name: tensor for name, tensor in tensors.items()}


def fitted(
    found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], path: Path | str, title: str
) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint in the order and types of a model's. Raises as `import_original` does."""
    found = plain_names(found, wanted)
    found = {**_tied(found, wanted), **found}
    for name, tensor in wanted.items():
        if name not in found:
            extra = next((other for other in found if other not in wanted), None)
            instead = f"; it has {extra}, which the model has not" if extra else ""
            raise CheckpointError(f"original: {path} has no tensor {name}, which model {title} has{instead}. {_ADVICE}")
        if found[name].shape != tensor.shape:
            raise CheckpointError(
                f"original: tensor {name} of {path} is {list(found[name].shape)}, that of model {title} "
                f"{list(tensor.shape)}. {_ADVICE}"
            )
        if found[name].is_complex() and not tensor.is_complex():
            raise CheckpointError(
                f"original: tensor {name} of {path} is complex, that of model {title} is not. {_ADVICE}"
            )
        # A float that becomes an integer would hide that it is not finite.
        values = found[name].to(tensor.dtype) if tensor.is_floating_point() else found[name]
        if not torch.isfinite(values).all():
            raise CheckpointError(
                f"original: tensor {name} of {path} holds values that are not finite, or not as {tensor.dtype}: that "
                "training diverged. Take another checkpoint."
            )
    for name, other in _tied_names(wanted):
        if not torch.equal(found[name], found[other]):
            raise CheckpointError(
                f"original: tensors {name} and {other} of {path} differ, and in model {title} they are one. {_ADVICE}"
            )
    extra = [name for name in found if name not in wanted]
    if extra:
        raise CheckpointError(f"original: {path} has the tensor {extra[0]}, which model {title} has not. {_ADVICE}")
    return {name: found[name].to(tensor.dtype) for name, tensor in wanted.items()}


def _tied(found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors that the file has under another name, since the model uses one tensor under both.

    ``safetensors.torch.save_model`` writes such a tensor once.
    """
    tied = {}
    for name, other in _tied_names(wanted):
        if name in found or other in found:
            tied |= {name: found.get(name, found.get(other)), other: found.get(other, found.get(name))}
    return tied


def _tied_names(wanted: Mapping[str, torch.Tensor]) -> list[tuple[str, str]]:
    """Pairs of names of one tensor: the first such name, and each other."""
    first: dict[Any, str] = {}
    pairs = []
    for name, tensor in wanted.items():
        place = (tensor.data_ptr(), tensor.shape)
        if tensor.numel() and first.setdefault(place, name) != name:
            pairs.append((first[place], name))
    return pairs


_ADVICE = "Set model to the net that the checkpoint is of, with its number of classes and channels."

"""Nets tried out before hours go into training them: do they take the data, can they be trained, stored and copied?"""

from __future__ import annotations

import copy
import json
from typing import Any

import torch
from torch import nn

from unlearning_metric.config import Model
from unlearning_metric.errors import UserCodeError
from unlearning_metric.nets.user_nets import ModelError, builder_of, input_shape, model_title, own_net
from unlearning_metric.runtime.guards import seeded
from unlearning_metric.user_code.failures import first_line, own_line


def try_out(
    model: nn.Module, settings: Model, image_shape: tuple[int, ...], num_classes: int, examples: int = 2
) -> None:
    """Hand examples to a model, so that one that does not fit the data says so before it is trained.

    Raises
    ------
    ModelError
        If it does not take them, or does not give a number for each class.
    """
    title = model_title(settings)
    try:
        logits = _evaluated(model, torch.zeros(examples, *input_shape(image_shape), dtype=torch.float32))
    except Exception as error:
        place = own_line(builder_of(settings), error) if settings.name is None else ""
        raise ModelError(does_not_take(title, image_shape, error, examples, place)) from error
    finally:
        model.train()
    _refuse_shape(title, logits, examples, num_classes, "")


def does_not_take(
    title: str, image_shape: tuple[int, ...], error: Exception, examples: int = 2, place: str = ""
) -> str:
    """Say that a model does not take examples, and what to do."""
    batch = "a single example" if examples == 1 else "examples"
    return (
        f"model {title} does not take {batch} of {list(image_shape)}: {type(error).__name__}: {first_line(error)}"
        f"{place}. Choose another model, or bring the images to another size (data.image_size, or in the file of the "
        "data)."
    )


def _refuse_shape(title: str, logits: Any, examples: int, num_classes: int, mode: str) -> None:
    found = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if found == [examples, num_classes]:
        return
    count = {1: "one example", 2: "two examples"}[examples]
    more = " Return the logits alone, without auxiliary outputs." if isinstance(logits, tuple | list | dict) else ""
    if examples == 1 and found == [num_classes]:
        more = " Drop no axis of length 1: flatten(1) in place of squeeze()."
    raise ModelError(
        f"model {title} gives {found} for {count}{mode}; needed is [{examples}, {num_classes}], a number for each of "
        f"the {num_classes} classes.{more}"
    )


def _evaluated(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Output in eval mode of a model that may draw at random."""
    with seeded(0), torch.no_grad():
        # A net may change what it is given.
        return model.eval()(images.clone())


#: Own nets that were looked at in this process, by settings and shapes.
_LOOKED_AT: set[str] = set()


def look_at(model: nn.Module, settings: Model, image_shape: tuple[int, ...], num_classes: int) -> None:
    """Refuse a net of the user's that could not be trained, stored or scored, before hours go into it.

    Once in a process, and on copies: a net may change in each forward pass, and no model may depend on which was first.

    Raises
    ------
    ModelError
        If it cannot be copied, drops the axis of a single example, gives something else in train mode, shares what
        training changes with the next net, or has values that are not in its state dict.
    UserCodeError
        If it fails in train mode.
    """
    asked = json.dumps([settings.model_dump(), image_shape, num_classes], default=str)
    if asked in _LOOKED_AT:
        return
    title, shape = model_title(settings), input_shape(image_shape)
    # The last batch of an evaluation may hold one example.
    try_out(_copied(model, title), settings, image_shape, num_classes, examples=1)
    ran = _copied(model, title)
    _train_mode(ran, settings, torch.rand(2, *shape), num_classes)
    with seeded(1):
        other = own_net(settings, image_shape, num_classes)
    # Layers that are made in the first forward pass are there then.
    try_out(other, settings, image_shape, num_classes)
    _refuse_shared(model, other, ran, title)
    _compare(
        _copied(model, title), other, torch.rand(2, *shape), title, "differ from one net that is built to the next"
    )
    _LOOKED_AT.add(asked)


def _refuse_shared(model: nn.Module, other: nn.Module, ran: nn.Module, title: str) -> None:
    """Refuse a net that has in common with the next one what training changes; ``ran`` is a copy run in train mode.

    A constant may be shared.
    """
    before, after = model.state_dict(), ran.state_dict()
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    of_next = {tensor.untyped_storage().data_ptr() for tensor in other.state_dict().values() if tensor.numel()}
    for name, tensor in before.items():
        changes = name in parameters or not (name in after and torch.equal(tensor, after[name]))
        if changes and tensor.numel() and tensor.untyped_storage().data_ptr() in of_next:
            raise ModelError(
                f"model {title}: {name} of its state dict is one tensor in every net, so that each model would go on "
                "from the one before. Make layers and parameters within the function, or hand out copy.deepcopy of "
                "those that are made once."
            )


def _copied(model: nn.Module, title: str) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise ModelError(
            f"model {title} cannot be copied ({type(error).__name__}: {first_line(error)}), and methods start from "
            "copies of it. Keep locks, open files and tensors that are results of a computation out of it."
        ) from error


def _train_mode(model: nn.Module, settings: Model, images: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Output of a net of the user's for two examples in train mode, which changes it."""
    title = model_title(settings)
    try:
        logits = model.train()(images)
    except Exception as error:
        raise UserCodeError(
            f"model {title} fails in train mode on two examples: {type(error).__name__}: {first_line(error)}"
            f"{own_line(builder_of(settings), error)}"
        ) from error
    _refuse_shape(title, logits, 2, num_classes, " in train mode")
    return logits


def start_is_fixed(settings: Model, image_shape: tuple[int, ...], num_classes: int) -> bool:
    """Whether a net of the user's starts from the same weights whatever the seed, as a pretrained one does."""
    states = []
    for seed in (0, 1):
        with seeded(seed):
            model = own_net(settings, image_shape, num_classes)
            try_out(model, settings, image_shape, num_classes)
        states.append(list(model.parameters()))
    return len(states[0]) == len(states[1]) and all(map(torch.equal, *states))


def refuse_without_gradient(model: nn.Module, settings: Model, images: torch.Tensor, num_classes: int) -> None:
    """Check that a recipe has something to train in a net of the user's, which is changed.

    Parameters
    ----------
    images : two examples [2, ...], as the net gets them

    Raises
    ------
    ModelError
        If no parameter can be trained, or the logits have no gradient.
    """
    title = model_title(settings)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ModelError(f"model {title} has no parameter that can be trained.")
    if not _train_mode(model, settings, images, num_classes).requires_grad:
        raise ModelError(f"model {title} gives logits without a gradient in train mode: is there a detach or no_grad?")


def _compare(model: nn.Module, other: nn.Module, images: torch.Tensor, title: str, how: str) -> None:
    """Refuse a model that gives other logits than ``other`` with its state dict; the model stays as it is."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = {module: module.training for module in model.modules()}
    try:
        other.load_state_dict(state)
    except RuntimeError as error:
        said = str(error).splitlines()[-1].strip()
        raise ModelError(
            f"model {title}: a net that is built anew does not take its state dict ({said}), which is all that is "
            "stored of a model. Which tensors there are, and their sizes, must follow from the arguments of its "
            "function alone."
        ) from error
    given, rebuilt = (_evaluated(one, images) for one in (model, other))
    # A net may change in each forward pass.
    model.load_state_dict(state)
    for module, training in modes.items():
        module.training = training
    if not torch.allclose(given, rebuilt, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise ModelError(
            f"model {title} uses values that {how} and are not in its state dict, which is all that is stored of a "
            "model. Make them buffers: self.register_buffer(name, tensor), without persistent=False."
        )


def refuse_changed_values(model: nn.Module, other: nn.Module, images: torch.Tensor, title: str) -> None:
    """Check that the state dict of a trained model holds all that its training left in it.

    Parameters
    ----------
    model, other : the trained model, which stays as it is, and one built anew; both on the device of ``images``
    images : some examples [examples, ...], as a net gets them
    title : what the model is called

    Raises
    ------
    ModelError
        If the other gives other logits with that state dict.
    """
    _compare(model, other, images, title, "change in training")

"""Several models of one shard trained at once: their tensors stacked, one forward pass, one backward, one optimizer.

For nets so small that starting an operation costs more than doing it: a CPU's dispatcher, a GPU's launches. A net that
fills the machine by itself is faster one after another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from unlearning_metric.batches.augmentation import make_augmentation
from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.errors import UserError
from unlearning_metric.seeds import Streams
from unlearning_metric.training.precision import arithmetic, autocast
from unlearning_metric.training.recipe import learning_rate, loss_function, make_optimizer, total_steps
from unlearning_metric.training.step import Epochs
from unlearning_metric.user_code.failures import first_line

#: Models at once. More of them fall out of a processor's cache; a GPU takes the whole shard.
STACK = {"cpu": 16, "cuda": 2**31}


class StackingError(UserError, ValueError):
    """A net that cannot be trained stacked."""


def train_stacked(
    dataset: ImageDataset,
    model_settings: Model,
    num_classes: int,
    recipe: Training,
    streams: Sequence[Streams],
    initial: Callable[..., nn.Module],
) -> list[dict[str, torch.Tensor]]:
    """Train models from fresh weights on all of ``dataset``; their last state dicts.

    Each has the weights, the order of examples and the augmentation that it has when trained alone, and the same
    result but for rounding.

    Parameters
    ----------
    streams : each model's own random streams
    initial : ``function(model_settings, shape, num_classes, streams)``, the model that training starts from

    Raises
    ------
    StackingError
        If the net drops out units, its tensors differ in size between models, or it cannot be run stacked.
    """
    device = dataset.images.device
    shape = tuple(dataset.images.shape[1:])
    models = [initial(model_settings, shape, num_classes, one).to(device).train() for one in streams]
    names = list(models[0].state_dict())
    parameters, buffers = _stacked(models)
    skeleton = copy.deepcopy(models[0]).to("meta")
    if device.type == "cuda":
        _spell_out_batch_norms(skeleton)
    del models

    def one(parameters: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor], images: torch.Tensor):
        return functional_call(skeleton, (parameters, buffers), (images,))

    forward = vmap(one, randomness="error")
    optimizer = make_optimizer(parameters.values(), recipe)
    criterion = loss_function(recipe, dataset.labels, num_classes)
    batches = _Batches(dataset, recipe, streams)
    steps = total_steps(recipe, len(batches))
    with arithmetic(recipe, device.type):
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, steps, len(batches))
            images, labels = next(batches)
            optimizer.zero_grad(set_to_none=True)
            try:
                with autocast(recipe, device.type):
                    logits = forward(parameters, buffers, images)
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError):
                    raise
                raise StackingError(_refusal(first_line(error))) from error
            _losses(criterion, logits.float(), labels).sum().backward()
            optimizer.step()
    tensors = {**parameters, **buffers}
    return [{name: tensors[name].detach()[place].clone() for name in names} for place in range(len(streams))]


def _refusal(reason: str) -> str:
    return f"training.engine: stacked cannot train this net: {reason}. Set training.engine: loop."


def _stacked(models: list[nn.Module]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Parameters and buffers of several models, by name, with the models as first axis."""
    for name, module in models[0].named_modules():
        kind = type(module).__name__
        if (isinstance(module, _DropoutNd) or kind == "StochasticDepth") and module.p > 0:
            raise StackingError(
                _refusal(f"its layer {name} ({kind}) draws at random, which cannot be each model's own draw")
            )
    sizes = [{name: tensor.shape for name, tensor in model.state_dict().items()} for model in models]
    for other in sizes[1:]:
        unlike = [name for name in {**sizes[0], **other} if sizes[0].get(name) != other.get(name)]
        if unlike:
            raise StackingError(_refusal(f"its tensor {unlike[0]} has another size in another model"))
    parameters, buffers = stack_module_state(models)
    missing = sizes[0].keys() - parameters.keys() - buffers.keys()
    if missing:
        raise StackingError(_refusal(f"its tensor {sorted(missing)[0]} is shared between layers"))
    return parameters, buffers


def _spell_out_batch_norms(net: nn.Module) -> None:
    """Batch norm in elementary operations: some PyTorch's own asks on a GPU for a memory format, which vmap has not."""
    for module in net.modules():
        if isinstance(module, _BatchNorm) and module.training and module.momentum is not None:
            module.forward = partial(_batch_norm, module)


def _batch_norm(layer: _BatchNorm, values: torch.Tensor) -> torch.Tensor:
    """What ``layer`` makes of values [batch, channels, ...] in training, in float32 like its own."""
    kind, values = values.dtype, values.float()
    axes = [axis for axis in range(values.ndim) if axis != 1]
    form = [1, -1] + [1] * (values.ndim - 2)
    mean = values.mean(axes)
    centred = values - mean.view(form)
    variance = centred.square().mean(axes)
    if layer.track_running_stats:
        count = values.numel() // values.shape[1]
        with torch.no_grad():
            layer.num_batches_tracked.add_(1)
            layer.running_mean.mul_(1 - layer.momentum).add_(layer.momentum * mean)
            spread = variance * (count / (count - 1))
            layer.running_var.mul_(1 - layer.momentum).add_(layer.momentum * spread)
    made = centred * (variance + layer.eps).rsqrt().view(form)
    if layer.affine:
        made = made * layer.weight.view(form) + layer.bias.view(form)
    return made.to(kind)


class _Batches:
    """Endless batches of all models: images [models, batch, ...], labels [models, batch]."""

    def __init__(self, dataset: ImageDataset, recipe: Training, streams: Sequence[Streams]) -> None:
        self.dataset, self.size = dataset, recipe.batch_size
        self.epochs = [Epochs(len(dataset), recipe, one) for one in streams]
        self.augmentation = make_augmentation(recipe.crop, recipe.flip, torch.Generator())
        self.step = 0

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.size)

    def __next__(self) -> tuple[torch.Tensor, torch.Tensor]:
        place = self.step % len(self)
        if place == 0:
            device = self.dataset.images.device
            orders, drawn = zip(*(epochs.draw() for epochs in self.epochs), strict=True)
            self.orders = torch.stack(orders).to(device, non_blocking=True)
            self.drawn = None if drawn[0] is None else torch.stack(drawn, dim=1).to(device, non_blocking=True)
        self.step += 1
        taken = slice(place * self.size, (place + 1) * self.size)
        chosen = self.orders[:, taken]
        augmented = None
        if self.drawn is not None:
            # All models' images in one gather.
            augmented = partial(self.augmentation.apply, drawn=self.drawn[:, :, taken].flatten(1))
        images, labels = self.dataset.batch(chosen.flatten(), augmented)
        return images.unflatten(0, chosen.shape), labels.view(chosen.shape)


def _losses(criterion: nn.CrossEntropyLoss, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Each model's loss: the mean over its batch, weighted where the classes are."""
    each = nn.functional.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        weight=criterion.weight,
        label_smoothing=criterion.label_smoothing,
        reduction="none",
    ).view(labels.shape)
    if criterion.weight is None:
        return each.mean(dim=1)
    return each.sum(dim=1) / criterion.weight[labels].sum(dim=1)

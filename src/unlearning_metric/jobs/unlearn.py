"""dataset.npz, split.npz, original models, a method file -> a shard of unlearned models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unlearning_metric.config import UnlearningSettings
from unlearning_metric.forget.split_file import read_split
from unlearning_metric.jobs.tune import chosen_options
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.plan.grid import with_point
from unlearning_metric.progress import LOGGER, Progress, run_record
from unlearning_metric.runtime.cost import CLOCKS, synchronize
from unlearning_metric.store.files import read_models, read_npz, write_models
from unlearning_metric.store.shards import original_folder
from unlearning_metric.training.recipe import class_weights, examples_read, one_by_one
from unlearning_metric.training.train import make_dataset
from unlearning_metric.unlearning.copies import Copies, method_of_file, run_copies
from unlearning_metric.unlearning.offer import Start
from unlearning_metric.user_code.unchanged_files import refuse_edited, user_files

#: Sets that a method reads.
READ = ("retain", "forget", "validation")


@dataclass(frozen=True)
class Bench:
    """All that the copies of a method start from, and where it is from.

    Attributes
    ----------
    data : arrays of the data set
    indices : set name -> indices into the pool that it is drawn from
    start : models, examples and settings
    """

    data: dict[str, np.ndarray]
    indices: dict[str, np.ndarray]
    start: Start


def prepare_bench(
    dataset: Path | str,
    dataset_key: str,
    split: Path | str,
    split_key: str,
    originals: list[str],
    originals_key: str,
    settings: UnlearningSettings,
    device: str,
    oracles: Sequence[str] = (),
    oracles_key: str | None = None,
    original: int | None = 0,
) -> Bench:
    """Read what the copies of a method start from; see `unlearn_shard` for the parameters."""
    data, header = read_npz(dataset, dataset_key)
    indices = read_split(split, split_key)[0].arrays()
    bases = []
    for _, state in sorted(_states(originals, originals_key).items()):
        base = build_model(settings.model, data["x_train"].shape[1:], header["num_classes"], seed=0)
        base.load_state_dict(state)
        bases.append(base.to(device).eval())
    trained_on = np.concatenate([indices["retain"], indices["forget"]])
    start = Start(
        originals=bases,
        datasets={name: make_dataset(data, "train", indices[name], device) for name in READ},
        num_classes=header["num_classes"],
        model_settings=settings.model,
        recipe=settings.training,
        weights=class_weights(data["y_train"][trained_on], header["num_classes"]),
        experiment_seed=settings.experiment_seed,
        oracles=_states(oracles, oracles_key) if oracles else None,
        trained_here=settings.trained_here,
        original=original,
    )
    return Bench(data, indices, start)


def _states(paths: Sequence[str], key: str | None) -> dict[int, dict[str, torch.Tensor]]:
    states: dict[int, dict[str, torch.Tensor]] = {}
    for path in paths:
        states.update(read_models(path, key)[0])
    return states


def with_choice(settings: UnlearningSettings, point: dict[str, Any]) -> UnlearningSettings:
    """Settings of a method with the hyper-parameters that were chosen."""
    options, interface = with_point(settings.options, settings.interface, point)
    LOGGER.info("chosen hyper-parameters: %s", ", ".join(f"{name} = {value}" for name, value in point.items()))
    return settings.model_copy(update={"options": options, "interface": interface})


def _load_libraries(device: str) -> None:
    """Take one step of an optimizer, so that no copy's time holds what PyTorch loads for the first one of a process.

    Retraining does so too, whose time that of a copy is compared with: in a job of two copies one would be a second
    late.
    """
    parameter = torch.zeros(1, device=device, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    parameter.sum().backward()
    optimizer.step()
    synchronize(device)


def retraining_record(start: Start, copies: Copies, models: list[int]) -> dict[str, list[float]]:
    """``seconds`` and ``examples`` of a retraining, a number a copy; what is known of it."""
    seconds = [copies.retraining[index] for index in models if index in copies.retraining]
    found: dict[str, list[float]] = {}
    if len(seconds) == len(models):
        found["seconds"] = seconds
    if start.recipe.file is None:
        found["examples"] = [examples_read(start.recipe, len(start.datasets["retain"]))] * len(models)
    return found


def unlearn_shard(
    dataset: Path | str,
    dataset_key: str,
    split: Path | str,
    split_key: str,
    originals: list[str],
    originals_key: str,
    method_file: Path | str,
    out: Path | str,
    method: str,
    models: list[int],
    settings: UnlearningSettings | Mapping[str, Any],
    device: str,
    provenance: dict[str, Any],
    *,
    oracles: Sequence[str] = (),
    oracles_key: str | None = None,
    tuned: Path | str | None = None,
    tuned_key: str | None = None,
    original: int | None = 0,
    max_seconds: float | None = None,
) -> None:
    """Run the copies of one shard of a method.

    Parameters
    ----------
    originals : files of the original models that these copies start from, in order
    models : indices of the shard's copies
    settings : ``experiment_seed``, ``model``, ``training``, ``trained_here``, ``function``, ``batches`` and ``options``
        (hyper-parameters of the method); ``interface`` where its entry says how it is called
    provenance : ``key`` and ``origin`` for the header
    oracles : file of the same shard of the method ``retrain``; empty for a method that does not ask for it
    tuned : file that says which hyper-parameters were chosen, for a method with a grid
    original : number of the original that all these copies start from; None where copy i starts from original i
    max_seconds : time limit of a copy; None for none
    """
    settings = UnlearningSettings.model_validate(settings)
    read = {**user_files(settings.model.file, settings.training.file), "file": method_file}
    refuse_edited(provenance, read, settings.interface)
    bench = prepare_bench(
        dataset, dataset_key, split, split_key, originals, originals_key, settings, device, oracles, oracles_key,
        original,
    )  # fmt: skip
    if tuned is not None:
        settings = with_choice(settings, chosen_options(tuned, tuned_key))
    given = method_of_file(
        method, method_file, settings.function, settings.options, settings.batches, settings.interface
    )
    _load_libraries(device)
    progress = Progress(method, len(models))
    copies = run_copies(given, bench.start, models, progress.step, max_seconds)
    record = {
        **run_record(device, one_by_one(settings.training)),
        "clock": CLOCKS[device],
        "seconds": [copies.seconds[index] for index in models],
        "passes": {name: [of_copy[index] for index in models] for name, of_copy in copies.passes.items()},
        "examples": [copies.examples[index] for index in models],
        "retraining": retraining_record(bench.start, copies, models),
    }
    role = f"unlearn/{method}{original_folder(original or 0)}"
    write_models(out, copies.states, {**provenance, "role": role, "models": models, "run": record})

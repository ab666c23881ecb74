"""dataset.npz, split.npz, original models, a method file -> a shard of unlearned models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unlearning_metric.config import CopiesSettings, UnlearningSettings
from unlearning_metric.forget.split_file import read_split
from unlearning_metric.jobs.tune import chosen_options
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.plan.grid import with_point
from unlearning_metric.progress import LOGGER, Progress, run_record
from unlearning_metric.runtime.cost import CLOCKS, synchronize
from unlearning_metric.store.files import read_models, read_npz, write_models
from unlearning_metric.store.shards import original_folder
from unlearning_metric.store.stored import Stored, StoredFiles
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


@dataclass(frozen=True)
class BenchFiles:
    """Files that the copies of a method start from.

    Attributes
    ----------
    originals : original models, in order
    oracles : the same shard of the method ``retrain``; None for a method that does not ask for it
    tuned : which hyper-parameters were chosen; None for a method without a grid
    """

    dataset: Stored
    split: Stored
    originals: StoredFiles
    oracles: StoredFiles | None = None
    tuned: Stored | None = None


def prepare_bench(files: BenchFiles, settings: UnlearningSettings, device: str, original: int | None = 0) -> Bench:
    """Read what the copies of a method start from; ``original`` is that of `config.CopiesSettings`."""
    data, header = read_npz(*files.dataset)
    indices = read_split(*files.split)[0].arrays()
    bases = []
    for _, state in sorted(_states(files.originals).items()):
        base = build_model(settings.model, data["x_train"].shape[1:], header["num_classes"], seed=0)
        base.load_state_dict(state)
        bases.append(base.to(device).eval())
    trained_on = np.concatenate([indices["retain"], indices["forget"]])
    start = Start(
        originals=bases,
        datasets={name: make_dataset(data, "train", indices[name], device, header.get("classes", ())) for name in READ},
        num_classes=header["num_classes"],
        model_settings=settings.model,
        recipe=settings.training,
        weights=class_weights(data["y_train"][trained_on], header["num_classes"]),
        experiment_seed=settings.experiment_seed,
        oracles=None if files.oracles is None else _states(files.oracles),
        trained_here=settings.trained_here,
        original=original,
    )
    return Bench(data, indices, start)


def _states(files: StoredFiles) -> dict[int, dict[str, torch.Tensor]]:
    states: dict[int, dict[str, torch.Tensor]] = {}
    for path in files.paths:
        states.update(read_models(path, files.key)[0])
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
    files: BenchFiles,
    method_file: Path | str,
    copies: CopiesSettings | Mapping[str, Any],
    settings: UnlearningSettings | Mapping[str, Any],
    out: Path | str,
    device: str,
    provenance: dict[str, Any],
) -> None:
    """Run the copies of one shard of a method.

    Parameters
    ----------
    copies : those of the shard
    settings : ``experiment_seed``, ``model``, ``training``, ``trained_here``, ``function``, ``batches`` and ``options``
        (hyper-parameters of the method); ``interface`` where its entry says how it is called
    provenance : ``key`` and ``origin`` for the header
    """
    settings, copies = UnlearningSettings.model_validate(settings), CopiesSettings.model_validate(copies)
    read = {**user_files(settings.model.file, settings.training.file), "file": method_file}
    refuse_edited(provenance, read, settings.interface)
    bench = prepare_bench(files, settings, device, copies.original)
    if files.tuned is not None:
        settings = with_choice(settings, chosen_options(*files.tuned))
    given = method_of_file(
        copies.method, method_file, settings.function, settings.options, settings.batches, settings.interface
    )
    _load_libraries(device)
    progress = Progress(copies.method, len(copies.models))
    made = run_copies(given, bench.start, copies.models, progress.step, copies.max_seconds)
    record = {
        **run_record(device, one_by_one(settings.training)),
        "clock": CLOCKS[device],
        "seconds": [made.seconds[index] for index in copies.models],
        "passes": {name: [of_copy[index] for index in copies.models] for name, of_copy in made.passes.items()},
        "examples": [made.examples[index] for index in copies.models],
        "retraining": retraining_record(bench.start, made, copies.models),
    }
    role = f"unlearn/{copies.method}{original_folder(copies.original or 0)}"
    write_models(out, made.states, {**provenance, "role": role, "models": copies.models, "run": record})

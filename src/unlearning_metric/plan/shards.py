"""How many models a job holds where the configuration leaves that open."""

from __future__ import annotations

from pathlib import Path

from unlearning_metric.config import MOST_ON_CPU, Config, ConfigError
from unlearning_metric.runtime.devices import resolve
from unlearning_metric.store.shards import shard_models, shard_name, shard_names


def planned_shards(config: Config) -> tuple[Config, list[str]]:
    """A configuration whose ``shard_size`` is a number, and the names of its shards.

    Where it is open, the files that lie in the results folder decide: they stay what they are, on whatever machine the
    experiment goes on. Models that are new are cut as those, the rest of them into a smaller shard; then ``shard_size``
    stays open. Without any file a job holds all models of a group on a GPU, and the largest divisor of ``copies`` that
    is at most 64 on a CPU.

    Raises
    ------
    ConfigError
        If a file holds models below ``copies`` and others beyond.
    """
    if config.shard_size is not None:
        return config, shard_names(config.copies, config.shard_size)
    stored = stored_shards(config.results)
    if not stored:
        most = config.copies if resolve(config.device) == "cuda" else min(MOST_ON_CPU, config.copies)
        size = next(size for size in range(most, 0, -1) if config.copies % size == 0)
        return config.model_copy(update={"shard_size": size}), shard_names(config.copies, size)
    size = max(last - first + 1 for first, last in stored)
    ends = dict(stored)
    shards, first = [], 0
    while first < config.copies:
        begun = min((start for start in ends if start > first), default=config.copies)
        last = ends.get(first, min(first + size, begun, config.copies) - 1)
        if last >= config.copies:
            choices = f"{first} or {last + 1}" if first >= 4 else str(last + 1)
            raise ConfigError(
                f"copies: {config.copies} ends within the models {first} to {last}, which a file in {config.results} "
                f"holds together (shard_size: auto goes on as it began). Set copies to {choices}, or name another "
                "results folder (results: ...)."
            )
        shards.append(shard_name(first, last))
        first = last + 1
    even = config.copies % size == 0 and shards == shard_names(config.copies, size)
    return config.model_copy(update={"shard_size": size if even else None}), shards


def stored_shards(results: Path | str) -> list[tuple[int, int]]:
    """First and last model of each shard in a results folder, but for those of originals, in their order."""
    found = set()
    for folder in ("models", "losses"):
        for path in Path(results, folder).glob("**/*-*.*"):
            if not path.name.startswith(".") and path.relative_to(results).parts[1] != "full":
                models = shard_models(path.stem)
                if models:
                    found.add((models[0], models[-1]))
    return sorted(found)

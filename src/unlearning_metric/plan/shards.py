"""How many models a job holds where the configuration leaves that open."""

from __future__ import annotations

from pathlib import Path

from unlearning_metric.config import MOST_ON_CPU, Config, ConfigError
from unlearning_metric.runtime.devices import resolve
from unlearning_metric.store.shards import shard_models


def with_shard_size(config: Config) -> Config:
    """A configuration whose ``shard_size`` is a number.

    Where it is open, the files that lie in the results folder decide: they stay what they are, on whatever machine the
    experiment goes on. Without any a job holds all models of a group on a GPU, and the largest divisor of ``copies``
    that is at most 64 on a CPU.

    Raises
    ------
    ConfigError
        If the files hold so many models each that ``copies`` is no multiple.
    """
    if config.shard_size is not None:
        return config
    found = stored_size(config.results)
    if found is None:
        most = config.copies if resolve(config.device) == "cuda" else min(MOST_ON_CPU, config.copies)
        found = next(size for size in range(most, 0, -1) if config.copies % size == 0)
    elif config.copies % found:
        raise ConfigError(
            f"copies: {config.copies} is not a multiple of {found}, the models that each file in {config.results} "
            f"holds (shard_size: auto goes on as it began). Set copies to {config.copies // found * found or found} or "
            f"{(config.copies // found + 1) * found}, or name another results folder (results: ...)."
        )
    return config.model_copy(update={"shard_size": found})


def stored_size(results: Path | str) -> int | None:
    """Models in each file of a results folder, but for those of originals; None where there is no file."""
    for folder in ("models", "losses"):
        for path in sorted(Path(results, folder).glob("**/*-*.*")):
            if not path.name.startswith(".") and path.relative_to(results).parts[1] != "full":
                models = shard_models(path.stem)
                if models:
                    return len(models)
    return None

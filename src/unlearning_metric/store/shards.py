"""Shards: the models that one job handles, and the names of their files."""

from __future__ import annotations

#: Of a shard: a file's name must not have a list of billions made.
MOST_MODELS = 1_000_000


def shard_name(first: int, last: int) -> str:
    """Name of a shard: its first and last model, so that shards of another size never mix."""
    return f"{first:04d}-{last:04d}"


def shard_names(models: int, shard_size: int) -> list[str]:
    """Names of the shards of models 0..models-1; the last is smaller where ``shard_size`` does not divide them."""
    return [shard_name(first, min(first + shard_size, models) - 1) for first in range(0, models, shard_size)]


def shard_models(name: str) -> list[int]:
    """Model indices of a shard; none where ``name`` is not the name of one, or of more models than a job can hold."""
    first, dash, last = name.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal()) or int(last) - int(first) >= MOST_MODELS:
        return []
    return list(range(int(first), int(last) + 1))


def original_folder(number: int) -> str:
    """Folder, within that of a method, of its copies from one original, with a slash before it; none for original 0.

    The copies from original 0 lie where those of an experiment with one original do, so that further originals make
    none of them again.
    """
    return f"/original_{number:04d}" if number else ""


def original_number(folder: str) -> int:
    """Number of the original that `original_folder` gave a folder."""
    return int(folder.rpartition("_")[2]) if folder else 0

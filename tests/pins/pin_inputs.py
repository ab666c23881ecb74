"""Fixed inputs of the steps: data, splits, models and outputs that no step of the package made."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from unlearning_metric.forget.split import Split
from unlearning_metric.outputs.dumps import rows
from unlearning_metric.store.files import write_models, write_npz, write_parquet

#: Key of every input, and what a job puts into the header of what it makes.
KEY = "k"
PROVENANCE = {"key": KEY, "origin": None, "code": "c"}
CLASSES, POOL, TESTS = 3, 60, 24


def draw(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def pool(side: int = 8) -> dict[str, np.ndarray]:
    """Images whose classes a net can tell apart in a few steps."""
    rng = draw(1)
    arrays: dict[str, np.ndarray] = {}
    for part, count in (("train", POOL), ("test", TESTS)):
        labels = rng.integers(CLASSES, size=count)
        pixels = rng.integers(0, 90, size=(count, side, side, 1))
        pixels[np.arange(count), labels, labels] += 150
        arrays |= {f"x_{part}": pixels.astype(np.uint8), f"y_{part}": labels}
    return arrays


def write_data(folder: Path, side: int = 8, groups: bool = True) -> Path:
    """dataset.npz as the jobs read it."""
    more = {"groups_train": draw(2).integers(5, size=POOL)} if groups else {}
    header = {**PROVENANCE, "source": "digits", "num_classes": CLASSES, "classes": ["ant", "bee", "cat"]}
    statistics = {"mean": np.array([50.0], np.float32), "std": np.array([40.0], np.float32)}
    write_npz(folder / "dataset.npz", {**pool(side), **statistics, **more}, header)
    return folder / "dataset.npz"


def split() -> Split:
    """Index sets of the fixed data."""
    order = draw(3).permutation(POOL)
    retain = np.sort(order[18:])
    sets = (np.sort(order[:10]), retain, np.sort(order[10:18]), np.arange(0, TESTS, 2), retain[::5])
    return Split(*(part.astype(np.int64) for part in sets))


def write_split(folder: Path) -> Path:
    """split.npz as the jobs read it."""
    found = split()
    write_npz(folder / "split.npz", found.arrays(), {**PROVENANCE, "order": found.order_hash(), "duplicates": 0})
    return folder / "split.npz"


def state(seed: int, images: bool = False) -> dict[str, torch.Tensor]:
    """Weights of an mlp with six hidden units, or of a digits_cnn of width 4."""
    rng = draw(100 + seed)

    def normal(*shape: int, scale: float = 0.3) -> torch.Tensor:
        return torch.from_numpy(scale * rng.normal(size=shape)).float()

    if not images:
        shapes = {"1.weight": (6, 64), "1.bias": (6,), "3.weight": (CLASSES, 6), "3.bias": (CLASSES,)}
        return {name: normal(*shape) for name, shape in shapes.items()}
    found = {}
    for place, shape in ((0, (4, 1, 4, 4)), (3, (4, 4, 3, 3))):
        found[f"{place}.weight"] = normal(*shape)
        found[f"{place + 1}.weight"], found[f"{place + 1}.bias"] = 1 + normal(4), normal(4)
        found[f"{place + 1}.running_mean"], found[f"{place + 1}.running_var"] = normal(4), 1 + normal(4).abs()
        found[f"{place + 1}.num_batches_tracked"] = torch.tensor(3)
    return {**found, "7.weight": normal(CLASSES, 16), "7.bias": normal(CLASSES)}


def write_states(folder: Path, seeds: list[int], role: str, images: bool = False, diverged: bool = False) -> Path:
    """Models 0, 1, ... in one shard."""
    states = {index: state(seed, images) for index, seed in enumerate(seeds)}
    if diverged:
        states[len(seeds) - 1]["3.bias"][0] = float("nan")
    models = list(states)
    path = folder / role / f"{models[0]:04d}-{models[-1]:04d}.safetensors"
    path.parent.mkdir(parents=True)
    run = {"device": "cpu", "seconds": [1.0 + index for index in models]}
    write_models(path, states, {**PROVENANCE, "role": role, "models": models, "run": run})
    return path


def write_checkpoint(folder: Path) -> Path:
    """A state dict as a user saves it."""
    path = folder / "original.safetensors"
    save_file(state(7), path)
    return path


def write_outputs(path: Path, seed: int, models: int, shift: float, groups: bool, diverged: bool, quick: bool) -> Path:
    """A dump of drawn outputs."""
    rng, sets = draw(seed), split().arrays()
    easy = draw(9).normal(size=POOL)
    found: dict[int, Any] = {}
    for model in range(models):
        found[model] = {}
        for role, indices in sets.items():
            if role == "retain":
                continue
            confidence = easy[indices % POOL] + shift * (role == "forget") + 1.5 * rng.normal(size=len(indices))
            if diverged and model == models - 1:
                confidence = np.full(len(indices), -103.6)
            found[model][role] = {
                "loss": np.logaddexp(0.0, -confidence), "confidence": confidence, "logit": confidence,
                "prediction": (confidence > 0).astype(np.int32), "correct": confidence > 0,
            }  # fmt: skip
    shown = {role: sets[role] for role in found[0]}
    labels = {role: indices % CLASSES for role, indices in shown.items()}
    accuracy = {name: (0.6 + 0.3 * rng.random(models)).tolist() for name in ("retain", "forget", "validation", "test")}
    seconds = (1.0 + rng.random(models)) * (0.1 if quick else 1.0)
    header = {
        **PROVENANCE, "role": path.stem, "models": list(range(models)), "order": "o", "duplicates": 1,
        "accuracy": accuracy, "diverged": [models - 1] if diverged else [],
        "run": {"device": "cpu", "seconds": seconds.tolist()},
    }  # fmt: skip
    write_parquet(
        path, rows(found, shown, labels, {role: i % 4 for role, i in shown.items()} if groups else None), header
    )
    return path


def write_images(folder: Path, kind: str) -> Path:
    """Files of images, without loss, in the folders that the sources read."""
    rng = draw(4)

    def save(path: Path, side: int = 8) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(256, size=(side, side, 3), dtype=np.uint8)).save(path, format="png")

    if kind == "image_folder":
        for part in ("train", "test"):
            for name in ("ant", "bee"):
                for number in range(4):
                    save(folder / part / name / f"{number}.png")
        return folder
    ages = {"p1": 20, "p2": 35, "p3": 61}
    for person in ages:
        for number in range(7):
            save(folder / "WBackground" / "1" / person / "real.rssdk" / "color" / f"{number}.jpg", 10)
    lines = [f"{person} {age} 1" for person, age in ages.items()]
    (folder / "Age_Gender.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_arrays(folder: Path, kind: str) -> Path:
    """A npz file of the user's."""
    rng = draw(5)
    if kind == "medmnist":
        names = {"train": POOL, "val": 5, "test": TESTS}
        images = {
            f"{part}_images": rng.integers(256, size=(count, 6, 6), dtype=np.uint8) for part, count in names.items()
        }
        labels = {f"{part}_labels": rng.integers(3, size=(count, 1)) for part, count in names.items()}
        np.savez(folder / "mine.npz", **images, **labels)
        return folder / "mine.npz"
    images = kind == "images"
    parts = {}
    for part, count in (("train", POOL), ("test", TESTS)):
        parts[f"x_{part}"] = (
            rng.integers(256, size=(count, 6, 6, 3), dtype=np.uint8)
            if images
            else rng.normal([1.0, -2.0, 30.0, 0.5], [1.0, 2.0, 5.0, 0.1], size=(count, 4)).astype(np.float32)
        )
        parts[f"y_{part}"] = (
            rng.permutation(np.arange(count) % 3 * 5) if images else np.array(list("xyz"))[np.arange(count) % 3]
        )
    parts["groups_train"] = rng.integers(7, size=POOL)
    np.savez(folder / "mine.npz", **parts)
    return folder / "mine.npz"


def downloaded(name: str) -> Any:
    """What stands for a class of `torchvision.datasets`: its arrays, without a download."""

    def make(folder: Any, download: bool, train: bool | None = None, split: str = "") -> Any:
        first = train if train is not None else split == "train"
        rng = draw(6 if first else 7)
        labels = rng.integers(10, size=8)
        if name == "SVHN":
            return SimpleNamespace(data=rng.integers(256, size=(8, 3, 6, 6), dtype=np.uint8), labels=labels)
        grey = "MNIST" in name
        pixels = rng.integers(256, size=(8, 6, 6) if grey else (8, 6, 6, 3), dtype=np.uint8)
        kind = torch.from_numpy if grey else lambda array: array
        names = [f"class {number}" for number in range(10)]
        return SimpleNamespace(data=kind(pixels), targets=kind(labels) if grey else labels.tolist(), classes=names)

    return make

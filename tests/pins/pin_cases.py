"""The matrix: for each step, which configurations its numbers are pinned under.

A case says what differs from `BASE`, by dotted key. `test_pins` checks that every option of the configuration stands in
some case.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"

BASE: dict[str, Any] = {
    "experiment_seed": 0, "copies": 4, "shard_size": 4,
    "data": {"source": "digits", "train_size": 48, "validation_size": 8},
    "forget": {"strategy": "random", "count": 10}, "probe_size": 12,
    "model": {"name": "mlp", "hidden": [6]},
    "training": {"lr": 0.1, "epochs": 2, "batch_size": 16},
}  # fmt: skip

IMAGES = {"model.name": "digits_cnn", "model.hidden": [], "model.width": 4}
LONG = {"training.epochs": None, "training.steps": 5}
SHORT = {"training.epochs": None, "training.steps": 2}


def _net(name: str, **more: Any) -> dict[str, Any]:
    return {"model.name": name, "model.hidden": [], **SHORT, **more}


def _chosen(strategy: str, **keys: Any) -> dict[str, Any]:
    return {
        "forget.strategy": strategy,
        "forget.count": None,
        **{f"forget.{key}": value for key, value in keys.items()},
    }


#: Step -> case -> dotted key -> value. Keys without a section of the configuration are the step's own.
CASES: dict[str, dict[str, dict[str, Any]]] = {
    "prepare_data": {
        "digits": {"data.test_size": 300},
        "npz": {"data.source": "npz", "file": "images"},
        "npz of vectors": {"data.source": "npz", "file": "vectors"},
        "as it is": {"data.source": "npz", "file": "images", "data.normalize": "none"},
        "given": {"data.source": "npz", "file": "images", "data.normalize": "given",
                  "data.mean": [0.5, 0.4, 0.3], "data.std": [0.2, 0.25, 0.3]},
        "image_folder": {"data.source": "image_folder"},
        "another size": {"data.source": "image_folder", "data.image_size": 5},
        "medmnist": {"data.source": "medmnist", "file": "medmnist", "data.validation_size": 0},
        "casia_surf": {"data.source": "casia_surf", "data.image_size": 6, "data.validation_size": 0},
        **{name: {"data.source": name} for name in ("cifar10", "cifar100", "svhn", "mnist", "fashion_mnist")},
    },
    "difficulty": {"mlp": {"forget.strategy": "hardest", "forget.difficulty_models": 4}},
    "split_data": {
        "random": {},
        "another seed": {"experiment_seed": 1, "data.test_size": 15, "data.train_size": None},
        "fraction": _chosen("random", fraction=0.3),
        "stratified": {"forget.stratified": True},
        "class": _chosen("class", label="bee"),
        "subclass": _chosen("subclass", labels=["ant", 2], count=9),
        "groups": _chosen("groups", groups=[2, 4]),
        "random groups": _chosen("groups", count=2),
        "first groups": _chosen("groups", fraction=0.4, order="sorted"),
        "indices": _chosen("indices", path=str(FILES / "indices.txt")),
        "hardest": {"forget.strategy": "hardest", "difficulty": True},
        "easiest": {"forget.strategy": "easiest", "difficulty": True},
        "medium": {"forget.strategy": "medium", "difficulty": True},
    },
    "train": {
        "sgd": {},
        "original": {"role": "full", "experiment_seed": 3},
        "no momentum": {"training.momentum": 0.0, "training.weight_decay": 0.05},
        "adam": {"training.optimizer": "adam", "training.lr": 0.01, "training.weight_decay": 0.01},
        "adamw": {"training.optimizer": "adamw", "training.lr": 0.01, "training.weight_decay": 0.01},
        # Gradients near Adam's epsilon.
        "adam at its end": {"training.optimizer": "adam", "training.lr": 0.03, "training.weight_decay": 0.0,
                            "training.schedule": "constant", "training.epochs": None, "training.steps": 80},
        "constant": {"training.schedule": "constant", **LONG},
        "cosine": {"training.schedule": "cosine", **LONG},
        "cosine_by_epoch": {"training.schedule": "cosine_by_epoch", **LONG},
        "warmup": {"training.warmup": 0.6, **LONG},
        "without warmup": {"training.warmup": 0.0, **LONG},
        "label smoothing": {"training.label_smoothing": 0.2},
        "class weights": {"training.class_weights": True, "training.batch_size": 10},
        "crop and flip": {**IMAGES, "training.crop": 1, "training.flip": True, **SHORT},
        "flip": {**IMAGES, "training.flip": True, **SHORT},
        "bf16": {"model.hidden": [], "training.precision": "bf16", "training.epochs": 1},
        "tf32": {"training.tf32": True},
        "compile": {"training.compile": True, **SHORT},
        "stacked": {"training.engine": "stacked"},
        "stacked images": {**IMAGES, "training.engine": "stacked", "training.crop": 1, "training.flip": True,
                           "training.class_weights": True, "training.label_smoothing": 0.1, **SHORT},
        "digits_cnn": {**IMAGES, **SHORT},
        "cnn_small": _net("cnn_small"),
        "resnet18_cifar": {**_net("resnet18_cifar"), "models": [0], "training.steps": 1},
        "torchvision": {**_net("squeezenet1_1"), "models": [1], "side": 24},
        "given weights": {"model.weights": "original.safetensors"},
        "own net": {**_net(None), "model.file": str(FILES / "net.py"), "model.options": {"width": 5},
                    "model.function": "build_net"},
        "own training": {"training.file": str(FILES / "train.py"), "training.options": {"steps": 3},
                         "training.function": "train_slowly", "training.epochs": None},
    },
    "import_original": {"mlp": {"original": "original.safetensors"}},
    "unlearn": {
        "everything": {"function": "everything"},
        "three originals": {"function": "finetune", "originals": {"count": 3}, "options": {"lr": 0.05}},
        "kaggle": {"function": "kaggle", "batches": "kaggle"},
        "augmented": {"function": "finetune", **IMAGES, "training.crop": 1, "training.flip": True},
        "noise in the shape of weights": {"function": "noisy", **IMAGES},
    },
    "tune": {"three points": {}},
    "check": {"finetune": {"function": "finetune"}},
    "dump_losses": {
        "sound": {},
        "one diverged": {"diverged": True},
        "images": {**IMAGES, "images": True},
    },
    "import_dump": {signal: {"signal": signal} for signal in ("confidence", "loss", "logits")},
    "score": {
        "split": {"copies": 16, "delta": 1e-4},
        "retrain": {"copies": 16, "ceiling": "retrain", "experiment_seed": 2, "groups": False},
        "two originals": {"copies": 16, "originals": {"count": 2}},
        "few": {"copies": 6, "diverged": True, "efficiency.limit": 0.5},
    },
    "leaderboard": {"board": {}, "without slow": {"efficiency.exclude": True}},
    "report": {"findings": {}},
}  # fmt: skip

#: Step -> the one whose results its inputs are, where they are no fixed files.
FOLLOWS = {"tune": "score", "leaderboard": "score", "report": "score"}

#: Key, or key and value, of the configuration that no case needs -> why.
EXEMPT = {
    "copies": "how many models there are, which moves none of them",
    "shard_size": "how models are dealt out to jobs",
    "results": "a path",
    "data.path": "a path; what lies there is read in the cases of prepare_data",
    "device": "where models run; a GPU's numbers are its own",
    "jobs_per_gpu": "how jobs share a GPU",
    "on_diverged": "whether a run stops",
    "keep_checkpoints": "what is deleted",
    "efficiency.measure": "which of two costs the verdict is on; both stand in every document",
    "max_seconds_per_copy": "whether a copy is stopped",
    "methods": "files of the user's, each in its own key",
    "tuning": "the configuration of another experiment, of the same steps",
    "skip": "which methods are run",
}
#: Of torchvision's nets one stands for all: they differ in torchvision's code, not in this package's.
#: On a CPU auto is loop, and graph is refused.
ONE_FOR_ALL = {
    "model.name": ("digits_cnn", "cnn_small", "resnet18_cifar", "mlp", "squeezenet1_1"),
    "training.engine": ("auto", "stacked"),
}

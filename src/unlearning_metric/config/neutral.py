"""Values that stand for what there was before a key could be set."""

from typing import Any

#: Dotted name -> the value that gives what there was before the key could be set. A setting at this value enters
#: no artifact's key, so a key added to the configuration rebuilds nothing. Every later key that changes results
#: belongs here, and its value stays as it is even if its default changes. A tuple: any of these values.
NEUTRAL: dict[str, Any] = {
    "efficiency.exclude": False,
    "efficiency.measure": "seconds",
    "data.image_size": None,
    "data.normalize": "pool",
    "data.mean": None,
    "data.std": None,
    "forget.stratified": False,
    "forget.labels": None,
    "forget.groups": None,
    "forget.order": "random",
    "forget.path": None,
    "forget.difficulty_models": 16,
    "model.file": None,
    "model.function": "build",
    "model.options": {},
    "model.weights": None,
    "original": None,
    "training.file": None,
    "training.function": "train",
    "training.options": {},
    "training.steps": None,
    "training.class_weights": False,
    "training.crop": 0,
    "training.flip": False,
    "training.tf32": False,
    # Model i is the same under all of them, but for rounding between devices.
    "training.engine": ("loop", "auto", "graph"),
    "training.compile": False,
}


def is_neutral(name: str, value: Any) -> bool:
    """Whether a setting, by its dotted name, stands at a value that enters no key."""
    neutral = NEUTRAL.get(name, ())
    return value in neutral if isinstance(neutral, tuple) else value == neutral

"""Deliberate breaks: small changes of numeric code, each of which the pins or a unit test must notice.

    python tests/pins/breaks.py [number, range (12-20) or text of a break ...]

Each is made in a copy of the package, one at a time, and the cases of its steps are run until a number moves; where
none does, its unit test is run. First they are run on the package as it is, where no number may move: that is the
control, and leaves to the copies what numba compiles. It ends with 1 where more than two breaks go unnoticed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "unlearning_metric"

#: Cases that take as long as all others.
LARGE = ("resnet18_cifar", "torchvision", "compile")


class Break(NamedTuple):
    """``old`` becomes ``new`` in the one module that holds it; ``steps`` should notice, or the ``test`` file."""

    old: str
    new: str
    steps: str
    test: str = ""


BREAKS = (
    # Training
    Break("momentum=recipe.momentum, **common", "momentum=recipe.momentum + 1e-3, **common", "train"),
    Break('"weight_decay": recipe.weight_decay', '"weight_decay": 1.1 * recipe.weight_decay', "train"),
    Break('"fused": True}', '"fused": True, **({} if recipe.optimizer == "sgd" else {"eps": 1e-7})}', "train"),
    Break('"adamw": torch.optim.AdamW}', '"adamw": torch.optim.Adam}', "train"),
    Break("low = peak / 25", "low = peak / 24", "train"),
    Break("math.cos(math.pi * step / steps)", "math.cos(math.pi * (step + 1) / steps)", "train"),
    Break("(step // batches) / math.ceil(steps / batches)", "(step // batches) / (steps / batches)", "train"),
    Break("counts.sum() / (100.0 * counts)", "counts.sum() / (99.9 * counts)", "train unlearn"),
    Break("label_smoothing=recipe.label_smoothing)", "label_smoothing=0.99 * recipe.label_smoothing)", "train"),
    Break("torch.randperm(self.examples, generator=self.order)", "torch.arange(self.examples)", "train"),
    Break("each.sum(dim=1) / criterion.weight[labels].sum(dim=1)", "each.mean(dim=1)", "train"),
    Break('torch.bfloat16, enabled=recipe.precision == "bf16"', "torch.bfloat16, enabled=False", "train"),
    Break('["momentum_buffer"] = torch.zeros_like', '["momentum_buffer"] = 1e-2 * torch.ones_like', "train"),
    # Data, normalisation, augmentation
    Break("(digits.images * 15)", "(digits.images * 15.5)", "prepare_data"),
    Break("images.transpose(0, 2, 3, 1)", "images.transpose(0, 3, 2, 1)", "prepare_data"),
    Break("Image.Resampling.BILINEAR", "Image.Resampling.BICUBIC", "prepare_data"),
    Break("int(0.8 * len(examples))", "int(0.75 * len(examples))", "prepare_data"),
    Break("SHUFFLE_SEED = 43", "SHUFFLE_SEED = 42", "prepare_data"),
    Break("scale = 1.0 / torch.as_tensor(std", "scale = 1.0001 / torch.as_tensor(std", "train"),
    Break("width - 1 - columns", "width - 2 - columns", "train"),
    Break("down, right, mirrored = drawn", "right, down, mirrored = drawn", "train"),
    # Seeds
    Break(
        "(*_words(self.role), self.index, *_words(purpose))",
        "(*_words(self.role), *_words(purpose), self.index)",
        "split_data train",
    ),
    Break(
        "generate_state(1, np.uint64)[0] >> np.uint64(1)", "generate_state(1, np.uint64)[0] >> np.uint64(2)", "train"
    ),
    Break('streams.torch(f"order/{part}")', 'streams.torch("order")', "unlearn"),
    Break("turn = index % len(start.originals)", "turn = (index + 1) % len(start.originals)", "unlearn"),
    # Strategies
    Break("(-candidates.difficulty).argsort", "(candidates.difficulty).argsort", "split_data"),
    Break("quota[np.argsort(-(exact - quota)", "quota[np.argsort((exact - quota)", "split_data"),
    Break("present[:count] if settings.order", "present[-count:] if settings.order", "split_data"),
    # Outputs
    Break("others[rows, labels] = -np.inf", "others[rows, labels] = -10.0", "dump_losses"),
    Break("return np.logaddexp(0.0, -confidence)", "return np.logaddexp(1e-4, -confidence)", "dump_losses"),
    Break("np.searchsorted(indices.retain, indices.probe)", "np.arange(len(indices.probe))", "dump_losses"),
    Break("SATURATION = 103.6", "SATURATION = 103.5", "dump_losses"),
    # Metrics and scores
    Break("BUCKET_WIDTH = 0.5", "BUCKET_WIDTH = 0.51", "score"),
    Break("_PEAKY_RATIO = 0.01", "_PEAKY_RATIO = 0.02", "score", "metrics/test_challenge.py"),
    Break("_BUFFER = 2.0", "_BUFFER = 1.9", "score", "metrics/test_challenge.py"),
    Break("FLOOR = 1e-5", "FLOOR = 1.1e-5", "score"),
    Break("CONFIDENCE = 0.95", "CONFIDENCE = 0.951", "score"),
    Break("values.std(axis=0, ddof=1), LEAST_SD", "values.std(axis=0), LEAST_SD", "score"),
    Break("(n + m - 2)", "(n + m - 1)", "score"),
    Break("SPLITS = 10\n", "SPLITS = 9\n", "score"),
    Break("np.minimum(epsilons, threshold) / 0.5", "np.minimum(epsilons, threshold) / 0.45", "score"),
    Break("return whole / halved if halved > 0", "return 1.01 * whole / halved if halved > 0", "score"),
    Break("positive**2 / 2 + positive * float(-ndtri(delta)) + 1.0", "positive**2 / 2", "score", "metrics/test_gdp.py"),
    Break('np.sign(columns["cliffs_delta"])', 'np.sign(-columns["cliffs_delta"])', "score"),
    Break("(ranks - m * (m + 1) / 2) / (n * m)", "(ranks - m * m / 2) / (n * m)", "score"),
    Break("(original > mean) & (sd > 0)", "(original < mean) & (sd > 0)", "score"),
    Break("* 3 // len(difficulty)", "* 3 // (len(difficulty) + 1)", "score"),
)


def broken(change: Break, folder: Path) -> Path:
    """A copy of the package's source folder with one text changed; what numba compiled of it comes along."""
    source = Path(shutil.copytree(PACKAGE.parent, folder / "src"))
    holding = [path for path in source.rglob("*.py") if change.old in path.read_text(encoding="utf-8")]
    text = holding[0].read_text(encoding="utf-8")
    holding[0].write_text(text.replace(change.old, change.new, 1), encoding="utf-8")
    return source


def first_moved(steps: list[str], large: bool = True) -> str:
    """The first case of the steps that does not give its stored numbers; empty where all do."""
    from pin_cases import CASES
    from pin_numbers import moved, read, record
    from pin_steps import run

    stored = read()
    for step in steps:
        # The large nets last.
        for case in sorted(CASES[step], key=LARGE.__contains__):
            if case in LARGE and not large:
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found = record(run(step, case, Path(folder)))
                except Exception as error:
                    return f"{step}, {case}: {type(error).__name__}"
            names = moved(stored[step]["cases"][case], found)
            if names:
                return f"{step}, {case}: {names[0]}"
    return ""


def in_child(source: Path, steps: list[str], large: bool = True) -> str:
    """What `first_moved` says of a copy of the package, in a process of its own; libraries are loaded already."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer")
        process = os.fork()
        if not process:
            try:
                sys.path[:0] = [str(source), str(Path(__file__).parent)]
                sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (until the child ends)
                answer.write_text(first_moved(steps, large))
            except BaseException:
                answer.write_text(f"broke: {traceback.format_exc().splitlines()[-1]}")
            finally:
                os._exit(0)
        os.waitpid(process, 0)
        return answer.read_text()


def outcome(change: Break) -> str:
    """What noticed a break; empty where nothing did."""
    with tempfile.TemporaryDirectory() as folder:
        source = broken(change, Path(folder))
        found = in_child(source, change.steps.split())
        if found or not change.test:
            return found
        test = ROOT / "tests" / "unit" / change.test
        surroundings = {**os.environ, "PYTHONPATH": str(source)}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", str(test)]
        answered = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True)
        return f"tests/unit/{change.test}" if answered.returncode == 1 else ""


def asked_for(texts: list[str]) -> list[tuple[int, Break]]:
    """The breaks that one of the arguments names, with their numbers; all of them where there are none."""
    ranges = [re.fullmatch(r"(\d+)(?:-(\d+))?", text) for text in texts]
    numbers = {n for found in ranges if found for n in range(int(found[1]), int(found[2] or found[1]) + 1)}
    words = [text for text, found in zip(texts, ranges, strict=True) if not found]
    return [
        (number, change)
        for number, change in enumerate(BREAKS, 1)
        if not texts or number in numbers or any(word in change.old for word in words)
    ]


def main(texts: list[str]) -> int:
    """Print a line a break."""
    # Never this package itself: each child imports its own copy.
    import numba  # noqa: F401
    import pandas  # noqa: F401
    import torch
    import torchvision  # noqa: F401

    torch.set_num_threads(1)
    chosen = asked_for(texts)
    asked = sorted({step for _, change in chosen for step in change.steps.split()})
    if found := in_child(PACKAGE.parent, asked, large=False):
        print(f"The package as it is does not give its stored numbers: {found}")
        return 1
    unnoticed = 0
    for number, change in chosen:
        found = outcome(change)
        unnoticed += not found
        print(f"{number:2} {change.old.strip()} -> {change.new.strip()}: {found or 'UNNOTICED'}", flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} breaks noticed")
    return int(unnoticed > 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Training on a GPU: images a second of every engine beside plain PyTorch, and whether `graph` gives the loop's models.

    python benchmarks/gpu.py                # under 4 minutes on an H100
    python benchmarks/gpu.py --dry          # on a CPU, a few steps of everything but recordings: does the script run?
    python benchmarks/gpu.py --workflow     # the digits workflow end to end on the GPU as well

Exits with 1 where `graph` and `loop` differ by more than 1e-5 of the weights' norm after an epoch.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from unlearning_metric.config import Model, Training
from unlearning_metric.runtime.devices import prepare

ROOT = Path(__file__).resolve().parents[1]
#: What the weights may differ by, as a share of their norm.
TOLERANCE = 1e-5
#: Case -> net, image side, channels, examples, recipe, models of each engine.
CASES: dict[str, tuple[Model, int, int, int, dict[str, object], int]] = {
    "ResNet-18, batch 64": (Model(name="resnet18_cifar"), 32, 3, 8000,
                            {"batch_size": 64, "precision": "bf16", "crop": 4, "flip": True}, 8),
    "ResNet-18, batch 512": (Model(name="resnet18_cifar"), 32, 3, 16000,
                             {"batch_size": 512, "precision": "bf16", "crop": 4, "flip": True}, 4),
    "cnn_small": (Model(name="cnn_small"), 32, 3, 40000, {"batch_size": 128, "precision": "bf16"}, 64),
    "cnn_small, crop and flip": (Model(name="cnn_small"), 32, 3, 40000,
                                 {"batch_size": 128, "precision": "bf16", "crop": 4, "flip": True}, 64),
    "digits_cnn": (Model(name="digits_cnn", width=32), 8, 1, 428, {"batch_size": 32, "epochs": 20}, 128),
    "airbench, batch 512": (Model(name="airbench"), 32, 3, 20000,
                            {"batch_size": 512, "precision": "bf16", "crop": 2, "flip": True}, 8),
}  # fmt: skip


def images(side: int, channels: int, count: int, device: str):
    """Random images with labels that can be learnt from them."""
    from unlearning_metric.batches.loaders import ImageDataset

    draw = np.random.default_rng(0)
    labels = draw.integers(10, size=count)
    pixels = (draw.integers(120, size=(count, side, side, channels)) + 12 * labels[:, None, None, None]).astype(
        np.uint8
    )
    return ImageDataset(pixels, labels, np.full(channels, 114.0), np.full(channels, 50.0), device)


def recipe(**settings: object) -> Training:
    """A ``training`` part of the configuration."""
    settings.setdefault("epochs", None if "steps" in settings else 1)
    return Training(**{"lr": 0.02, **settings})


def trained(dataset, net, settings, engine, models):
    """State dicts and seconds of all models by one engine, and wall-clock seconds with what it takes to begin."""
    from unlearning_metric.seeds import Streams
    from unlearning_metric.training.train import train_models

    begin = time.perf_counter()
    settings = settings.model_copy(update={"engine": engine})
    states, seconds = train_models(dataset, net, 10, settings, Streams.of_models(0, "retain", range(models)))
    return states, sum(seconds.values()), time.perf_counter() - begin


def plain(dataset, net, settings, recorded: bool, steps: int) -> float:
    """Images a second of PyTorch alone: one batch again and again, no data path."""
    import torch

    from unlearning_metric.nets.by_name import build_model

    device, size = dataset.images.device, settings.batch_size
    model = build_model(net, tuple(dataset.images.shape[1:]), 10, 0).to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True)
    batch, labels = dataset.batch(torch.arange(size, device=device) % len(dataset))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            out = model(batch)
        torch.nn.functional.cross_entropy(out.float(), labels).backward()
        optimizer.step()

    if recorded:
        from unlearning_metric.training.recording import Recorder

        recorder = Recorder()
        replay = recorder.record(step, lambda: None)

        def step() -> None:
            with recorder.here():
                replay()

    return size * steps / _seconds(step, steps, device.type)


def _seconds(step, steps: int, device: str) -> float:
    from unlearning_metric.runtime.cost import synchronize

    for _ in range(3):
        step()
    synchronize(device)
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    synchronize(device)
    return time.perf_counter() - begin


def difference(some, other) -> float:
    """Largest distance of two models with the same number, as a share of the weights' norm."""
    import torch

    def flat(state):
        return torch.cat([tensor.double().flatten().cpu() for tensor in state.values() if tensor.is_floating_point()])

    return max(
        float((flat(some[i]) - flat(other[i])).norm() / flat(other[i]).norm()) for i in some.keys() & other.keys()
    )


def peak(device: str, side: int) -> float:
    """TFLOP/s of a bf16 matrix product."""
    import torch

    factors = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    return 2 * side**3 * 10 / _seconds(lambda: factors[0] @ factors[1], 10, device) / 1e12


def measure(name: str, device: str, dry: bool) -> bool:
    """All engines of one case; whether `graph` gives the loop's models."""
    net, side, channels, count, changes, models = CASES[name]
    settings = {"epochs": 1, **changes}
    if dry:
        count, models, settings = 40, 2, {**settings, "batch_size": 16, "epochs": 1, "precision": "fp32"}
    dataset, full = images(side, channels, count, device), recipe(**settings)
    few = 1 if count > 1000 else 4
    rates: dict[str, float] = {}
    seen = count * full.epochs
    loop, seconds, _ = trained(dataset, net, full, "loop", min(models, few + 1))
    rates["loop"] = seen * len(loop) / seconds
    if name.startswith(("cnn", "digits")):
        try:
            _, seconds, _ = trained(dataset, net, full, "stacked", min(models, 32))
            rates["stacked"] = seen * min(models, 32) / seconds
        except Exception as error:
            print(f"  stacked: {type(error).__name__}: {error}", flush=True)
    same = True
    rates["plain"] = plain(dataset, net, full, False, 2 if dry else 40)
    if device == "cuda":
        rates["plain graph"] = plain(dataset, net, full, True, 100)
        for models_at_once in (1, models):
            graph, seconds, whole = side_by_side(dataset, net, full, models_at_once, models)
            rates[f"graph, {models_at_once} at most"] = seen * len(graph) / seconds
            print(f"  graph with what it takes to begin: {whole:.1f} s for {len(graph)} models", flush=True)
        apart = difference(graph, loop)
        again, _, _ = trained(dataset, net, full, "loop", 1)
        print(f"  apart: graph and loop {apart:.1e}, loop and loop again {difference(again, loop):.1e}", flush=True)
        same = apart <= TOLERANCE
        if not same:
            print(f"  DIFFERENT: {name}", flush=True)
    best = max(rates.items(), key=lambda item: item[1] if item[0].startswith("graph") else 0)
    listed = ", ".join(f"{kind} {rate:,.0f}" for kind, rate in rates.items())
    print(
        f"{name}: images a second: {listed}; graph / loop x{best[1] / rates['loop']:.1f}; "
        f"{60 * best[1] / seen:.1f} models a minute of {seen:,} images each",
        flush=True,
    )
    return same


def side_by_side(dataset, net, settings, most: int, models: int):
    """`train_graph` with at most so many models at once; seconds from the first model's begin to the last one's end."""
    from unlearning_metric.seeds import Streams
    from unlearning_metric.training import graph
    from unlearning_metric.training.trainable import initial_model

    before, graph.MOST = graph.MOST, min(most, graph.MOST)
    begin = time.perf_counter()
    shape, states, marks = tuple(dataset.images.shape[1:]), {}, []
    streams = Streams.of_models(0, "retain", range(models if most > 1 else min(models, 4)))

    def initial(own):
        marks.append(time.perf_counter())
        return initial_model(net, shape, 10, own)

    try:
        parts = list(graph.train_graph(dataset, 10, settings, streams, initial))
    finally:
        graph.MOST = before
    end = time.perf_counter()
    width = len(parts[0])
    print(f"  graph: {width} side by side", flush=True)
    states = dict(enumerate(state for part in parts for state in part))
    return states, end - marks[-len(streams)], end - begin


def workflow() -> bool:
    """The digits workflow end to end on the GPU."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "snakemake", "--cores", "8", "--resources", "gpu=8", "--nolock",
                   "--config", f"results={folder}/results", "device=cuda", "jobs_per_gpu=8"]  # fmt: skip
        begin = time.perf_counter()
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        took = time.perf_counter() - begin
        if answer.returncode:
            print(
                "\n".join(line for line in (answer.stdout + answer.stderr).splitlines() if " model " not in line)[
                    -5000:
                ]
            )
            return False
        board = json.loads((Path(folder) / "results" / "leaderboard.json").read_text())
        print(f"digits workflow on the GPU: {took:.0f} s; the board: {json.dumps(board)[:1500]}", flush=True)
    return True


def main() -> None:
    """Measure the cases that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--workflow", action="store_true")
    parser.add_argument("--cases", default="", help="only those whose name holds this")
    arguments = parser.parse_args()
    device = "cpu" if arguments.dry else "cuda"
    lock = prepare(device, 1)
    import torch

    begin = time.perf_counter()
    card = torch.cuda.get_device_name(0) if device == "cuda" else "no card (dry)"
    print(
        f"{card}; PyTorch {torch.__version__}, CUDA {torch.version.cuda}, Python {sys.version.split()[0]}", flush=True
    )
    print(f"bf16 product: {peak(device, 256 if arguments.dry else 8192):.1f} TFLOP/s", flush=True)
    same = [measure(name, device, arguments.dry) for name in CASES if arguments.cases in name]
    print(f"all of it took {time.perf_counter() - begin:.0f} s", flush=True)
    if lock is not None:
        lock.close()
    if arguments.workflow:
        same.append(workflow())
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()

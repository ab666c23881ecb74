"""Training, augmentation and evaluation: this package against plain programs that do the same.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/training.py [digits epoch resnet augmentation stacked dump cores]

CPU time unless a line says otherwise, both sides in turns. The plain programs are written as most experiments are: one
process a model, `Dataset`, torchvision's transforms, `DataLoader`, a loop over batches. Pixels are random: none of this
depends on what they show.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from unlearning_metric.config import Model, Training
from unlearning_metric.runtime.devices import prepare

ROOT = Path(__file__).resolve().parents[1]

#: One model in a process of its own. Prints the CPU seconds of its last epoch.
PLAIN = """
import sys, time
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

folder, net, seed, epochs, batch_size, augment = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
torch.set_num_threads(1)
torch.manual_seed(seed)
data = np.load(f"{folder}/plain.npz")


class Images(Dataset):
    def __init__(self, transform):
        self.images, self.labels, self.transform = data["images"], data["labels"], transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index]
        return self.transform(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)), self.labels[index]


side = data["images"].shape[1]
steps = [transforms.RandomCrop(side, padding=4), transforms.RandomHorizontalFlip()] if augment else []
steps += [transforms.ToTensor(), transforms.Normalize(data["mean"] / 255, data["std"] / 255)]
loader = DataLoader(Images(transforms.Compose(steps)), batch_size=batch_size, shuffle=True)


def block(inputs, outputs, kernel, stride):
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


nets = {
    "digits_cnn": lambda: [*block(1, 32, 4, 2), *block(32, 32, 3, 2), nn.Flatten(), nn.Linear(128, 10)],
    "mlp": lambda: [
        nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    ],
    "cnn_small": lambda: [
        *block(3, 32, 4, 2), *block(32, 64, 3, 2), *block(64, 128, 3, 1), nn.AvgPool2d(4), nn.Flatten(),
        nn.Linear(512, 10),
    ],
}
model = nn.Sequential(*nets[net]())
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=epochs * len(loader), pct_start=0.25)
criterion = nn.CrossEntropyLoss()
model.train()
for _ in range(epochs):
    start = time.process_time()
    for inputs, targets in loader:
        optimizer.zero_grad()
        criterion(model(inputs), targets).backward()
        optimizer.step()
        scheduler.step()
    last = time.process_time() - start
torch.save(model.state_dict(), f"{folder}/plain_{net}_{seed}.pt")
print(last)
"""

#: What a job of the rule train does, without its file of data.
OURS = """
import json, sys
from unlearning_metric.runtime.devices import prepare
from unlearning_metric.runtime.imports import importing
arguments = json.loads(sys.argv[1])
with importing():
    prepare("cpu", 1)
    import numpy as np
    from unlearning_metric.batches.datasets import ImageDataset
    from unlearning_metric.store.files import write_models
    from unlearning_metric.config import Model, Training
    from unlearning_metric.seeds import Streams
    from unlearning_metric.training.train import train_models
data = np.load(arguments["folder"] + "/plain.npz")
dataset = ImageDataset(data["images"], data["labels"], data["mean"], data["std"])
models = list(range(arguments["models"]))
net, recipe = Model.model_validate(arguments["model"]), Training.model_validate(arguments["recipe"])
states, _ = train_models(dataset, net, 10, recipe, Streams.of_models(0, "retain", models))
write_models(arguments["folder"] + "/ours.safetensors", states, {"key": "k", "models": models})
"""
CNN_SMALL = Model(name="cnn_small")


def children_seconds(program: str, *arguments: object) -> tuple[float, str]:
    """CPU time of a Python process, imports included, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", program, *map(str, arguments)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, answer.stdout


def own_seconds(work: Callable[[], object]) -> float:
    """CPU time of a call in this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def in_turns(rounds: int, *works: Callable[[], float]) -> list[float]:
    """Median of what each returns, called one after another, round by round."""
    found = [[work() for work in works] for _ in range(rounds)]
    return [median(values) for values in zip(*found, strict=True)]


def write_images(folder: Path, count: int, side: int, channels: int) -> None:
    """Random images for both sides."""
    draw = np.random.default_rng(0)
    images = draw.integers(256, size=(count, side, side, channels), dtype=np.uint8)
    statistics = {"mean": np.full(channels, 127.5, np.float32), "std": np.full(channels, 73.9, np.float32)}
    np.savez(folder / "plain.npz", images=images, labels=draw.integers(10, size=count), **statistics)


def stored_images(folder: Path):
    """The same images as a data set of this package."""
    from unlearning_metric.batches.datasets import ImageDataset

    data = np.load(folder / "plain.npz")
    return ImageDataset(data["images"], data["labels"], data["mean"], data["std"])


def recipe(**settings: object) -> Training:
    """A ``training`` part of the configuration."""
    return Training(**{"lr": 0.1, **settings})


def precisions() -> tuple[str, ...]:
    """What this processor computes in; the last one is the fastest."""
    from unlearning_metric.training.precision import PrecisionError, refuse_unsupported

    try:
        refuse_unsupported(recipe(batch_size=1, precision="bf16"), "cpu")
    except PrecisionError:
        print("  (no bf16: this processor would emulate it)", flush=True)
        return ("fp32",)
    return "fp32", "bf16"


def digits(folder: Path) -> None:
    """Models of the default experiment from scratch: 428 images of 8x8, 20 epochs, batches of 32."""
    write_images(folder, 428, 8, 1)
    nets = {
        "digits_cnn": Model(name="digits_cnn", width=32),
        "mlp": Model(name="mlp", hidden=[128, 128]),
    }
    for name, settings in nets.items():
        plain = median(children_seconds(PLAIN, folder, name, seed, 20, 32, 0)[0] for seed in range(3))
        for engine in ("loop", "stacked") if name == "mlp" else ("loop",):
            for models in (16, 256):
                arguments = {"folder": str(folder), "models": models, "model": settings.model_dump(),
                             "recipe": recipe(epochs=20, batch_size=32, engine=engine).model_dump()}  # fmt: skip
                ours = median(children_seconds(OURS, json.dumps(arguments))[0] for _ in range(3 if models == 16 else 1))
                print(
                    f"{name}, {engine}, N = {models}: a plain process {plain:.2f} s (median of 3), all "
                    f"{plain * models:.0f} s (scaled); one job {ours:.2f} s; ratio x{plain * models / ours:.1f}",
                    flush=True,
                )


def epoch(folder: Path) -> None:
    """An epoch of cnn_small on 9,500 images of 32x32 with crop and flip, batches of 128, imports left out."""
    from unlearning_metric.seeds import Streams
    from unlearning_metric.training.train import train_model

    write_images(folder, 9500, 32, 3)
    dataset = stored_images(folder)
    known = precisions()
    fastest = known[-1]
    ours = recipe(epochs=1, batch_size=128, precision=fastest, crop=4, flip=True)

    def plain_epoch() -> float:
        return float(children_seconds(PLAIN, folder, "cnn_small", 0, 1, 128, 1)[1])

    def own_epoch() -> float:
        return own_seconds(lambda: train_model(dataset, CNN_SMALL, 10, ours, Streams(0, "bench")))

    own_epoch()
    plain, own = in_turns(3, plain_epoch, own_epoch)
    times = f"plain {plain:.2f} s, ours in {fastest} {own:.2f} s"
    print(f"cnn_small, epoch of 9,500 images: {times}; ratio x{plain / own:.1f}", flush=True)
    variants = {"fp32, channels first": ("fp32", False)} | {precision: (precision, True) for precision in known}
    if shutil.which("g++"):
        variants[f"{fastest}, compiled (compiling left out)"] = (fastest, True, True)
    works = [lambda how=how: own_seconds(lambda: steps_of_loop(dataset, *how)) for how in variants.values()]
    in_turns(1, *works)
    found = dict(zip(variants, in_turns(5, *works), strict=True))
    for name, seconds in found.items():
        print(f"  our loop, {name}: {seconds:.2f} s, x{found['fp32, channels first'] / seconds:.2f}", flush=True)
    first, last = in_turns(5, lambda: convolutions("fp32", False), lambda: convolutions(fastest, True))
    print(f"  its convolutions alone: fp32, channels first {first:.2f} s, {fastest} {last:.2f} s, x{first / last:.2f}")


def convolutions(precision: str, channels_last: bool) -> float:
    """CPU seconds of the convolutions of cnn_small alone, forward and backward, in an epoch of 74 batches of 128."""
    import torch

    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    form = torch.channels_last if channels_last else torch.contiguous_format
    seconds = 0.0
    for inputs, outputs, kernel, stride, side in ((3, 32, 4, 2, 32), (32, 64, 3, 2, 16), (64, 128, 3, 1, 8)):
        images = torch.randn(128, inputs, side, side).to(kind).contiguous(memory_format=form)
        weight = torch.randn(outputs, inputs, kernel, kernel).to(kind).contiguous(memory_format=form)
        gradient = torch.randn_like(torch.conv2d(images, weight, None, stride, 1))
        needed = [inputs != 3, True, False]  # no gradient of the images themselves

        def step(images=images, weight=weight, gradient=gradient, stride=stride, needed=needed) -> None:
            torch.conv2d(images, weight, None, stride, 1)
            torch.ops.aten.convolution_backward(
                gradient, images, weight, None, [stride] * 2, [1, 1], [1, 1], False, [0, 0], 1, needed
            )

        step()
        seconds += own_seconds(lambda step=step: [step() for _ in range(74)])
    return seconds


def steps_of_loop(dataset, precision: str, channels_last: bool, compiled: bool = False) -> None:
    """An epoch of `training.train_model` with crop and flip, where the memory format may be the other one."""
    import torch
    from torch import nn

    from unlearning_metric.seeds import Streams
    from unlearning_metric.training import train as training

    built = training.build_model
    settings = recipe(epochs=1, batch_size=128, precision=precision, crop=4, flip=True, compile=compiled)

    class ChannelsFirst(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.net(images.contiguous())

    if not channels_last:
        training.build_model = lambda *args: ChannelsFirst(built(*args).to(memory_format=torch.contiguous_format))
    try:
        training.train_model(dataset, CNN_SMALL, 10, settings, Streams(0, "bench"))
    finally:
        training.build_model = built


def resnet(folder: Path) -> None:
    """A training step of resnet18_cifar, batch 64, as a share of the fastest matrix multiplication here."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from unlearning_metric.nets.by_name import build_model
    from unlearning_metric.training.precision import autocast

    model = build_model(Model(name="resnet18_cifar"), (32, 32, 3), 10, 0)
    images = torch.randn(64, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(64) % 10
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)

    def step(precision: str) -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast({"precision": precision}, "cpu"):
            logits = model(images)
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step("fp32")
    flops = counter.get_total_flops()
    for precision in precisions():
        factors = torch.randn(2, 2048, 2048).to({"fp32": torch.float32, "bf16": torch.bfloat16}[precision])
        product = lambda factors=factors: own_seconds(lambda: factors[0] @ factors[1])  # noqa: E731
        product(), step(precision)
        peaks, rates = [], []
        for _ in range(5):
            peaks.append(2 * 2048**3 / min(product() for _ in range(3)) / 1e9)
            rates.append(flops / own_seconds(lambda precision=precision: step(precision)) / 1e9)
        shares = [rate / peak for rate, peak in zip(rates, peaks, strict=True)]
        print(
            f"ResNet-18 step in {precision}: {median(rates):.0f} GFLOP/s, matrices of 2048 {median(peaks):.0f}: "
            f"{median(shares):.0%} (median of 5 pairs)",
            flush=True,
        )


def augmentation(folder: Path) -> None:
    """Crop, flip and normalisation of 2,000 images of 32x32 in batches of 128."""
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    from unlearning_metric.batches.augmentation import Augmentation
    from unlearning_metric.batches.loaders import ImageLoader

    write_images(folder, 2000, 32, 3)
    dataset = stored_images(folder)
    crop, flip = transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()
    transform = transforms.Compose([crop, flip, transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.29] * 3)])

    class Images(Dataset):
        def __init__(self) -> None:
            self.images, self.labels = dataset.images.numpy(), dataset.labels.numpy()

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int):
            return transform(Image.fromarray(self.images[index])), self.labels[index]

    plain = DataLoader(Images(), batch_size=128, shuffle=True)
    order, draws = torch.Generator(), torch.Generator()
    ours = ImageLoader(dataset, 128, shuffle=True, generator=order, augmentation=Augmentation(4, True, draws))
    works = [lambda loader=loader: own_seconds(lambda: [None for _ in loader]) for loader in (plain, ours)]
    in_turns(1, *works)
    slow, fast = (1e6 * seconds / 2000 for seconds in in_turns(5, *works))
    print(f"augmentation: plain {slow:.0f} us an image, ours {fast:.1f} us; ratio x{slow / fast:.1f}", flush=True)


def stacked(folder: Path) -> None:
    """Four models at once by `engine: stacked`, with and without crop and flip: an epoch of 512 images of 32x32."""
    from unlearning_metric.seeds import Streams
    from unlearning_metric.training.train import train_models

    write_images(folder, 512, 32, 3)
    dataset = stored_images(folder)
    for name, settings in {"cnn_small": CNN_SMALL, "mlp": Model(name="mlp", hidden=[128, 128])}.items():

        def epoch_of_four(settings=settings, **augmented: object) -> None:
            ours = recipe(epochs=1, batch_size=128, engine="stacked", **augmented)
            train_models(dataset, settings, 10, ours, Streams.of_models(0, "bench", [0, 1, 2, 3]))

        works = [lambda: own_seconds(epoch_of_four), lambda: own_seconds(lambda: epoch_of_four(crop=4, flip=True))]
        in_turns(1, *works)
        plain, augmented = in_turns(3, *works)
        print(
            f"{name}, stacked, 4 models, an epoch of 512 images: {plain:.2f} s, with crop and flip "
            f"{augmented:.2f} s; ratio x{augmented / plain:.2f}",
            flush=True,
        )


def dump(folder: Path) -> None:
    """Logits of N checkpoints in fp32, against loading each for every batch of 64, as the seed project does."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from unlearning_metric.nets.by_name import build_model
    from unlearning_metric.outputs.of_model import predict
    from unlearning_metric.store.files import read_models, write_models

    cases = {
        "digits_cnn": (Model(name="digits_cnn", width=32), (8, 8, 1), 32, 256),
        "cnn_small": (CNN_SMALL, (32, 32, 3), 8, 1000),
    }
    for name, (settings, shape, models, examples) in cases.items():
        write_images(folder, examples, shape[0], shape[2])
        dataset = stored_images(folder)
        states = {index: build_model(settings, shape, 10, index).state_dict() for index in range(models)}
        write_models(folder / "shard.safetensors", states, {"key": "k", "models": list(states)})
        for index, state in states.items():
            torch.save(state, folder / f"{name}_{index}.pt")

        def ours(settings=settings, shape=shape, dataset=dataset) -> None:
            loaded, _ = read_models(folder / "shard.safetensors", "k")
            model = build_model(settings, shape, 10, 0)
            for state in loaded.values():
                model.load_state_dict(state)
                predict(model, dataset)

        def plain(settings=settings, shape=shape, dataset=dataset, name=name, models=models) -> None:
            images = torch.stack([dataset[index][0] for index in range(len(dataset))])
            model = build_model(settings, shape, 10, 0).to(memory_format=torch.contiguous_format).eval()
            with torch.no_grad():
                for batch, _ in DataLoader(TensorDataset(images, dataset.labels), batch_size=64):
                    for index in range(models):
                        model.load_state_dict(torch.load(folder / f"{name}_{index}.pt", weights_only=True))
                        model(batch)

        works = [lambda: own_seconds(plain), lambda: own_seconds(ours)]
        in_turns(1, *works)
        slow, fast = in_turns(5, *works)
        print(
            f"outputs of {models} {name}, {examples} examples: plain {slow:.2f} s, ours {fast:.3f} s; ratio "
            f"x{slow / fast:.1f}",
            flush=True,
        )


MULTIPLY = """
import sys, time
import torch
torch.set_num_threads(1)
a = torch.randn(1024, 1024)
a @ a
start = time.perf_counter()
for _ in range(int(sys.argv[1])):
    a @ a
print(time.perf_counter() - start)
"""


def cores(folder: Path) -> None:
    """Wall time of a whole run on one core and on two, against two matrix multiplications side by side."""

    def multiply(processes: int) -> float:
        command = [sys.executable, "-c", MULTIPLY, "1500"]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
        return max(float(process.communicate()[0]) for process in started)

    def whole(count: int) -> float:
        results = folder / f"results_{count}_{time.time_ns()}"
        command = [sys.executable, "-m", "snakemake", "--cores", str(count), "--nolock", "--quiet", "all",
                   "--config", f"results={results}", "copies=32", "shard_size=8"]  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start

    gains, bounds = [], []
    for _ in range(2):
        alone, beside = multiply(1), multiply(2)
        bounds.append(2 * alone / beside)
        gains.append(whole(1) / whole(2))
    each = ", ".join(f"{gain:.2f}" for gain in gains)
    print(
        f"two cores against one, wall time of a whole run (the default one, N = 32 in shards of 8): "
        f"x{median(gains):.2f} ({each}); two matrix multiplications side by side: x{median(bounds):.2f}; share "
        f"{median(gains) / median(bounds):.0%}",
        flush=True,
    )


PARTS = {part.__name__: part for part in (digits, epoch, resnet, augmentation, stacked, dump, cores)}


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="part", help=", ".join(PARTS))
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    prepare("cpu", 1)
    for name in arguments.parts:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder))


if __name__ == "__main__":
    main()

"""Training: bit by bit repeatable, shard by shard independent, and blind to the forget set where it must be."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.forget.split import Split
from unlearning_metric.jobs.train import train_shard
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.nets.user_nets import ModelError
from unlearning_metric.seeds import Streams
from unlearning_metric.store.files import read_models, write_npz
from unlearning_metric.store.stored import Stored
from unlearning_metric.training.precision import _cpu_has_bf16
from unlearning_metric.training.train import make_dataset, train_models
from unlearning_metric.user_code.contract import EditedError

MODEL = Model(name="digits_cnn", width=4)
RECIPE = Training(lr=0.1, epochs=2, batch_size=16)
RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
IMAGES = (RNG.integers(60, size=(60, 8, 8, 1)) + 90 * LABELS[:, None, None, None]).astype(np.uint8)
STATISTICS = (np.array([130.0], np.float32), np.array([75.0], np.float32))


def train(indices, role="retain", seed=0, **recipe):
    dataset = ImageDataset(IMAGES, LABELS, *STATISTICS)
    return train_models(dataset, MODEL, 3, RECIPE.model_copy(update=recipe), Streams.of_models(seed, role, indices))[0]


def equal(one: dict, two: dict) -> bool:
    assert one.keys() == two.keys()
    return all(torch.equal(one[name], two[name]) for name in one)


def test_models_are_bitwise_the_same_whatever_models_share_their_call():
    together = train([0, 1, 2, 3])
    assert list(together) == [0, 1, 2, 3]
    for index in (3, 1, 0, 2):
        torch.manual_seed(index)
        assert equal(train([index])[index], together[index])


DROPOUT = """
import random
import numpy as np
import torch
from torch import nn

class Drawing(nn.Module):
    def forward(self, x):
        return x + self.training * (random.random() + np.random.rand())

def build(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), Drawing(), nn.Linear(64, num_classes))
"""


def test_what_a_net_draws_in_training_is_its_own_too(tmp_path):
    (tmp_path / "net.py").write_text(DROPOUT)
    settings = Model(file=str(tmp_path / "net.py"))
    dataset = ImageDataset(IMAGES, LABELS, *STATISTICS)

    def train(role, indices):
        return train_models(dataset, settings, 3, RECIPE, Streams.of_models(0, role, indices))[0]

    together = train("retain", [0, 1, 2])
    torch.manual_seed(5), random.seed(5), np.random.seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    assert equal(train("retain", [2])[2], together[2])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


def test_models_of_two_jobs_drop_out_other_units(tmp_path):
    text = "import torch\nfrom torch import nn\nSEEN = []\n\nclass Seen(nn.Dropout):\n    def forward(self, x):\n"
    text += (
        "        y = super().forward(x)\n        if self.training: SEEN.append((y == 0).clone())\n        return y\n\n"
    )
    text += "def build(num_classes):\n    net = nn.Sequential(nn.Flatten(), Seen(0.5), nn.Linear(64, num_classes))\n"
    (tmp_path / "net.py").write_text(f"{text}    net.seen = SEEN\n    return net\n")
    settings = Model(file=str(tmp_path / "net.py"))
    dataset = ImageDataset(IMAGES[:32] // 2 + 100, LABELS[:32], *STATISTICS)
    masks = []
    for role, index in (("retain", 0), ("retain", 1), ("full", 0)):
        seen = build_model(settings, (8, 8, 1), 3, 0).seen
        torch.manual_seed(0)
        train_models(dataset, settings, 3, RECIPE, Streams.of_models(0, role, [index]))
        masks.append(seen[-1])
        seen.clear()
    assert all((one != two).any() for place, one in enumerate(masks) for two in masks[:place])


SKIPPING = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last, self.calls = nn.Linear(64, 64), nn.Linear(64, 3), 0

    def forward(self, x):
        x = x.flatten(1)
        skip = self.training and bool(torch.rand(()) < 0.5)
        return self.last(x if skip else x + self.first(x))

def build(num_classes):
    return Net()
"""


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ("nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).requires_grad_(False)", "has no parameter that can be trained"),
        ("Detached(64, 3)", "gives logits without a gradient in train mode"),
    ],
)
def test_a_net_without_a_gradient_is_refused_by_a_recipe_and_left_to_a_training_of_the_users(tmp_path, build, said):
    text = "from torch import nn\nclass Detached(nn.Linear):\n    def forward(self, x):\n"
    text += f"        return super().forward(x.flatten(1)).detach()\ndef build(num_classes):\n    return {build}\n"
    (tmp_path / "net.py").write_text(text)
    (tmp_path / "mine.py").write_text("def train(model):\n    for one in model.parameters(): one.data += 1\n")
    settings = Model(file=str(tmp_path / "net.py"))
    dataset = ImageDataset(IMAGES, LABELS, *STATISTICS)
    with pytest.raises(ModelError, match=said):
        train_models(dataset, settings, 3, RECIPE, Streams.of_models(0, "retain", [0]))
    own = Training(file=str(tmp_path / "mine.py"), batch_size=16)
    assert list(train_models(dataset, settings, 3, own, Streams.of_models(0, "retain", [0]))[0]) == [0]


@pytest.mark.parametrize("recipe", [{}, {"momentum": 0.0}, {"optimizer": "adam", "lr": 0.01}], ids=str)
def test_a_net_may_skip_layers_at_random(tmp_path, recipe):
    (tmp_path / "net.py").write_text(SKIPPING)
    settings = Model(file=str(tmp_path / "net.py"))
    dataset = ImageDataset(IMAGES, LABELS, *STATISTICS)
    states = train_models(
        dataset, settings, 3, RECIPE.model_copy(update=recipe), Streams.of_models(0, "retain", range(4))
    )[0]
    assert all(torch.isfinite(tensor).all() for state in states.values() for tensor in state.values())


def test_a_net_whose_training_leaves_values_outside_its_state_dict_is_refused_after_one_model(tmp_path):
    text = "import torch\nfrom torch import nn\n\nclass Net(nn.Linear):\n    mean = 0\n    def forward(self, x):\n"
    text += "        x = x.flatten(1)\n        if self.training: self.mean = x.detach().mean(0)\n"
    text += (
        "        return super().forward(x - self.mean)\n\ndef build(num_classes):\n    return Net(64, num_classes)\n"
    )
    (tmp_path / "net.py").write_text(text)
    settings = Model(file=str(tmp_path / "net.py"))
    done, dataset = [], ImageDataset(IMAGES, LABELS, *STATISTICS)
    with pytest.raises(ModelError, match="state dict"):
        train_models(dataset, settings, 3, RECIPE, Streams.of_models(0, "retain", range(4)), lambda: done.append(1))
    assert not done


def test_a_file_edited_since_the_run_began_is_not_trained_with(tmp_path):
    (tmp_path / "net.py").write_text("from torch import nn\ndef build(num_classes):\n    return nn.Linear(64, 3)\n")
    model = Model(file=str(tmp_path / "net.py"))
    made = {"key": "k", "origin": {"settings": {"model": {"file": "another fingerprint"}}}}
    settings = {"experiment_seed": 0, "model": model, "training": RECIPE}
    with pytest.raises(EditedError, match="was edited"):
        train_shard(
            Stored("data.npz", "d"), Stored("split.npz", "s"), tmp_path / "out", "retain", [0], settings, "cpu", made
        )


def test_another_index_role_or_experiment_seed_gives_another_model():
    states = [train([0])[0], train([1])[1], train([0], role="full")[0], train([0], seed=1)[0]]
    assert not any(equal(a, b) for i, a in enumerate(states) for b in states[:i])


@pytest.mark.parametrize(
    "recipe",
    [
        {"optimizer": "adam", "lr": 0.01},
        {"optimizer": "adamw", "lr": 0.01},
        {"schedule": "cosine"},
        {"schedule": "constant", "lr": 0.02},
        {"label_smoothing": 0.1},
        pytest.param(
            {"precision": "bf16"},
            marks=pytest.mark.skipif(not _cpu_has_bf16(), reason="this processor has no bf16 arithmetic"),
        ),
        {"batch_size": 59},
    ],
    ids=str,
)
def test_every_recipe_learns_what_is_easy(recipe):
    from unlearning_metric.nets.by_name import build_model
    from unlearning_metric.outputs.of_model import predict

    model = build_model(MODEL, (8, 8, 1), 3, 0)
    state = train([0], epochs=8, **recipe)[0]
    assert not equal(state, train([0], epochs=8)[0])
    model.load_state_dict(state)
    accuracy = (predict(model, ImageDataset(IMAGES, LABELS, *STATISTICS)).argmax(1) == LABELS).mean()
    assert accuracy > 0.9


@pytest.mark.parametrize("compiled", [True, False])
def test_the_compiler_is_asked_exactly_where_the_recipe_says_so(monkeypatch, compiled):
    calls = []
    monkeypatch.setattr(torch, "compile", lambda model, dynamic: calls.append(dynamic) or model)
    states = train([0, 1], compile=compiled)
    # One more: the process warms up.
    assert calls == ([False] * 3 if compiled else [])
    assert list(states[0]) == list(train([0])[0])


def test_a_compiler_that_is_missing_is_told_with_what_to_set(run_code, tmp_path):
    text = "import numpy as np\nfrom unlearning_metric.config import Model, Training\n"
    text += "from unlearning_metric.batches.datasets import ImageDataset\n"
    text += "from unlearning_metric.seeds import Streams\n"
    text += "from unlearning_metric.training.train import train_models\n"
    text += "data = ImageDataset(np.zeros((8, 4), np.uint8), np.arange(8) % 2, np.zeros(4), np.ones(4))\n"
    text += "recipe = Training(lr=0.1, epochs=1, batch_size=4, compile=True)\n"
    text += "train_models(data, Model(name='mlp'), 2, recipe, Streams.of_models(0, 'retain', [0]))\n"
    answer = run_code(text, CXX="/no/compiler", TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    last = answer.stderr.splitlines()[-1]
    assert "CompilerError: training.compile: torch.compile failed (" in last
    assert "needs a C++ compiler (g++) on a CPU" in last
    assert last.endswith("set training.compile: false.")


def test_steps_and_epochs_of_the_same_length_give_the_same_model():
    # 60 examples in batches of 16: four steps an epoch.
    assert equal(train([0])[0], train([0], epochs=None, steps=8)[0])
    assert not equal(train([0])[0], train([0], epochs=None, steps=7)[0])


@pytest.mark.parametrize(
    ("recipe", "sizes"),
    [({}, [16, 12]), ({"batch_size": 20}, [20]), ({"batch_size": 99}, [60]), ({"epochs": None, "steps": 3}, [16])],
    ids=str,
)
def test_a_process_warms_up_with_each_size_of_batch_that_training_will_see(recipe, sizes):
    seen = []
    hook = register_module_forward_pre_hook(
        lambda module, inputs: seen.append(len(inputs[0])) if isinstance(module, torch.nn.Sequential) else None
    )
    train([], **recipe)
    hook.remove()
    # A net that is built is tried on two examples.
    assert [size for size in seen if size != 2] == sizes


@pytest.mark.parametrize("recipe", [{"batch_size": 59}, {"batch_size": 1}], ids=str)
def test_a_batch_of_one_is_refused_where_batch_norm_cannot_train_on_it(recipe):
    # resnet18 leaves one pixel of images of 8x8.
    dataset = ImageDataset(IMAGES, LABELS, *STATISTICS)
    with pytest.raises(ModelError, match=r"resnet18 .*training\.batch_size"):
        train_models(
            dataset, Model(name="resnet18"), 3, RECIPE.model_copy(update=recipe), Streams.of_models(0, "full", [0])
        )
    train([0], **recipe)
    train_models(
        dataset,
        Model(name="resnet18"),
        3,
        RECIPE.model_copy(update={**recipe, "epochs": None, "steps": 1, "batch_size": 59}),
        Streams.of_models(0, "full", [0]),
    )


def test_a_single_training_example_is_refused_too():
    dataset = ImageDataset(IMAGES[:1], LABELS[:1], *STATISTICS)
    with pytest.raises(ModelError, match=r"train on more examples"):
        train_models(dataset, Model(name="resnet18"), 3, RECIPE, Streams.of_models(0, "full", [0]))


def test_augmentation_has_draws_of_its_own():
    # The order of the examples and the initial weights are those of a recipe without it.
    assert not equal(train([0])[0], train([0], flip=True)[0])
    assert equal(train([0], crop=1)[0], train([0], crop=1)[0])


# Of 3 classes; in batches of all examples, whose weighted mean is the plain one where all weights are the same.
@pytest.mark.parametrize(("examples", "matters"), [(60, False), (61, True)])
def test_class_weights_matter_where_the_examples_trained_on_are_uneven(examples, matters):
    dataset = ImageDataset(np.resize(IMAGES, (examples, 8, 8, 1)), np.resize(LABELS, examples), *STATISTICS)
    plain, weighted = (
        train_models(dataset, MODEL, 3, RECIPE.model_copy(update=update), Streams.of_models(0, "retain", [0]))[0][0]
        for update in ({"batch_size": examples}, {"batch_size": examples, "class_weights": True})
    )
    apart = max(float((plain[name] - weighted[name]).abs().max()) for name in plain)
    assert (apart > 1e-5) == matters


def test_training_reports_each_model_and_takes_its_time():
    dataset, calls = ImageDataset(IMAGES, LABELS, *STATISTICS), []
    _, seconds = train_models(dataset, MODEL, 3, RECIPE, Streams.of_models(0, "full", [2, 5]), lambda: calls.append(1))
    assert sorted(seconds) == [2, 5]
    assert min(seconds.values()) > 0
    assert len(calls) == 2


FRESH_PROCESS = """
import json, sys
import numpy as np
import torch
from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.seeds import Streams
from unlearning_metric.training.train import train_models

torch.set_num_threads(1)
pixels = np.random.default_rng(0).integers(256, size=(64, 8, 8, 1), dtype=np.uint8)
dataset = ImageDataset(pixels, np.arange(64) % 3, np.array([127.0]), np.array([74.0]))
from unlearning_metric.config import Model, Training
model, recipe = (kind.model_validate(part) for kind, part in zip((Model, Training), json.loads(sys.argv[1])))
print(json.dumps(list(train_models(dataset, model, 3, recipe, Streams.of_models(0, "full", range(5)))[1].values())))
"""


def test_no_models_time_holds_the_warming_up_of_its_process():
    arguments = json.dumps([MODEL.model_dump(), RECIPE.model_dump()])
    ran = subprocess.run([sys.executable, "-c", FRESH_PROCESS, arguments], capture_output=True, text=True, check=True)
    first, *others = json.loads(ran.stdout)
    # Loading the optimizers takes a second; a model takes hundredths of one.
    assert first < 5 * max(others)


def test_make_dataset_takes_the_named_pool_and_examples():
    data = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[::-1], "y_test": LABELS[::-1]}
    data["mean"], data["std"] = STATISTICS
    chosen = make_dataset(data, "test", np.array([4, 0]), "cpu")
    assert np.array_equal(chosen.images.numpy(), IMAGES[::-1][[4, 0]])
    assert np.array_equal(chosen.labels.numpy(), LABELS[::-1][[4, 0]])


FORGET = np.array([0, 7, 20, 41])
RETAIN = np.setdiff1d(np.arange(50), FORGET)
SPLIT = Split(FORGET, RETAIN, np.array([55]), np.array([0]), RETAIN[:3])


def shard(tmp_path, role: str, changed: np.ndarray | None = None, **recipe) -> dict[int, dict[str, torch.Tensor]]:
    images, labels = IMAGES.copy(), LABELS.copy()
    if changed is not None:
        images[changed] = 255 - images[changed]
        labels[changed] = (labels[changed] + 1) % 3
    arrays = {"x_train": images, "y_train": labels, "mean": STATISTICS[0], "std": STATISTICS[1]}
    write_npz(tmp_path / "dataset.npz", arrays, {"key": "d", "num_classes": 3})
    write_npz(tmp_path / "split.npz", SPLIT.arrays(), {"key": "s", "order": SPLIT.order_hash()})
    settings = {"experiment_seed": 0, "model": MODEL, "training": RECIPE.model_copy(update=recipe)}
    out = tmp_path / "models.safetensors"
    train_shard(
        Stored(tmp_path / "dataset.npz", "d"), Stored(tmp_path / "split.npz", "s"), out, role, [0, 1], settings, "cpu",
        {"key": "k"},
    )  # fmt: skip
    return read_models(out, "k")[0]


def test_retrained_models_never_see_a_forget_example(tmp_path):
    before, after = shard(tmp_path, "retain"), shard(tmp_path, "retain", SPLIT.forget)
    assert all(equal(before[index], after[index]) for index in (0, 1))


def test_models_that_diverge_are_named_by_the_job_that_trains_them(tmp_path, caplog):
    with caplog.at_level("WARNING", logger="unlearning_metric"):
        shard(tmp_path, "retain")
        assert not caplog.records
        shard(tmp_path, "retain", lr=1e30)
    assert "2 of 2 models diverged (0, 1): they are not finite" in caplog.text


def test_original_models_see_every_forget_example(tmp_path):
    before = shard(tmp_path, "full")
    for example in SPLIT.forget:
        assert not equal(before[0], shard(tmp_path, "full", np.array([example]))[0])


@pytest.mark.parametrize("role", ["retain", "full"])
def test_no_model_sees_an_example_outside_the_training_set(tmp_path, role):
    assert equal(shard(tmp_path, role)[0], shard(tmp_path, role, np.arange(50, 60))[0])

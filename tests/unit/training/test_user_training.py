"""Training by a function of the user's: fresh model, loaders, seed and generator by name, as guarded as a method."""

import random

import numpy as np
import pytest
import torch

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.errors import UserCodeError
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.outputs.of_model import predict
from unlearning_metric.seeds import Streams
from unlearning_metric.training.train import train_models

DRAW = np.random.default_rng(0)
LABELS = np.arange(60) % 3
IMAGES = (DRAW.integers(60, size=(60, 8, 8, 1)) + 90 * LABELS[:, None, None, None]).astype(np.uint8)
MODEL = Model(name="digits_cnn", width=4)


def train(tmp_path, body, indices=(0,), validation=None, model=MODEL, **recipe):
    file = tmp_path / "mine.py"
    file.write_text(f"import random\nimport numpy as np\nimport torch\nfrom torch import nn\n{body}")
    recipe = Training(**{"batch_size": 16, "file": str(file), **recipe})
    dataset = ImageDataset(IMAGES, LABELS, np.array([130.0]), np.array([75.0]))
    return train_models(dataset, model, 3, recipe, Streams.of_models(0, "retain", indices), validation=validation)[0]


ADAM = """
def train(model, train_loader, passes=8, lr=0.01):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(passes):
        for images, labels in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
"""


def test_it_trains_the_models_from_fresh_weights(tmp_path):
    states = train(tmp_path, ADAM, (0, 1))
    model = build_model(MODEL, (8, 8, 1), 3, 0)
    for state in states.values():
        model.load_state_dict(state)
        logits = predict(model, ImageDataset(IMAGES, LABELS, np.array([130.0]), np.array([75.0])))
        assert (logits.argmax(1) == LABELS).mean() > 0.9
    assert not torch.equal(states[0]["0.weight"], states[1]["0.weight"])


def test_a_net_whose_training_leaves_values_outside_its_state_dict_is_refused(tmp_path):
    net = "from torch import nn\nclass Net(nn.Linear):\n    shift = 0\n    def forward(self, x):\n"
    net += "        return super().forward(x.flatten(1)) + self.shift\ndef build(num_classes):\n    return Net(64, 3)\n"
    (tmp_path / "net.py").write_text(net)
    model = Model(file=str(tmp_path / "net.py"))
    body = "def train(model, train_loader):\n    model.weight.data += 1\n"
    assert list(train(tmp_path, body, model=model)) == [0]
    (tmp_path / "more").mkdir()
    said = r"training file mine\.py: its models give other logits than their state dicts do.*register_buffer"
    with pytest.raises(UserCodeError, match=said):
        train(tmp_path / "more", f"{body}    model.shift = 5.0\n", model=model)


@pytest.mark.parametrize(
    "end",
    [
        "model.double()",
        "return model.to(torch.bfloat16)",
        "model.forward = torch.autocast('cpu', dtype=torch.bfloat16)(model.forward)",
        "model.forward = lambda x: (x, x)",
        "model.register_forward_hook(lambda module, given, result: result + 1)",
    ],
)
def test_what_is_left_around_the_tensors_ends_with_the_function(tmp_path, end):
    plain = "def train(model):\n    for one in model.parameters(): one.data += 0.5\n"
    expected = train(tmp_path, plain)[0]
    (tmp_path / "more").mkdir()
    found = train(tmp_path / "more", f"{plain}    {end}\n")[0]
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-2, atol=1e-2)


def test_options_reach_it_in_the_type_of_their_default(tmp_path):
    few, many = (train(tmp_path, ADAM, options={"passes": str(passes)})[0]["0.weight"] for passes in (1, 8))
    assert not torch.equal(few, many)


def test_a_returned_model_counts_and_is_copied(tmp_path):
    # The file's own variables start afresh with each model; the interpreter's do not.
    held = "    kept = vars(torch).setdefault('kept_by_a_test', [])\n    kept.append(model)\n    return kept[0]\n"
    try:
        states = train(tmp_path, ADAM + held, (0, 1))
    finally:
        del torch.kept_by_a_test
    # The second call trains its own model and returns the first, which is not changed by that.
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_every_model_is_the_same_whatever_models_share_its_call(tmp_path):
    body = ADAM.replace("model(images)", "model(images + 0.1 * torch.randn(()) * random.random() * np.random.rand())")
    together = train(tmp_path, body, (0, 1, 2))
    alone = train(tmp_path, body, (2,))
    assert all(torch.equal(together[2][name], alone[2][name]) for name in alone[2])


NOISY = """
def train(model, train_loader, val_loader):
    for loader in (train_loader, val_loader):
        loader.dataset.labels.add_(1)
        loader.dataset.images.add_(1)
    with torch.no_grad():
        model[0].weight.fill_(train_loader.dataset.images.float().mean() + val_loader.dataset.labels.sum())
"""


def test_what_it_alters_in_place_does_not_reach_the_next_model(tmp_path):
    held = ImageDataset(IMAGES[:7], LABELS[:7], np.array([130.0]), np.array([75.0]))
    together = train(tmp_path, NOISY, (0, 1, 2), validation=held)
    alone = train(tmp_path, NOISY, (2,), validation=held)
    assert torch.equal(together[2]["0.weight"], alone[2]["0.weight"])


SEEN = """
def train(model, net, train_loader, seed, generator, device, num_classes, train_config, class_weights):
    assert model is net and model.training
    assert len(train_loader.dataset) == 60 and train_loader.batch_size == 16
    assert device.type == "cpu" and num_classes == 3 and class_weights.tolist() == [3 / 100] * 3
    assert train_config["batch_size"] == 16 and train_config["lr"] == 0.5
    assert torch.rand(1, generator=generator) != torch.rand(1)
    assert torch.initial_seed() == seed
    torch.manual_seed(1)
    random.seed(1)
    torch.set_num_threads(3)
    with torch.no_grad():
        model[0].weight.fill_(seed % 1000)
"""


def test_it_gets_what_it_asks_for_and_leaves_the_process_as_it_was(tmp_path):
    body = SEEN.replace("[3 / 100] * 3", "torch.tensor([60 / 20 / 100] * 3).tolist()")
    before = random.getstate(), torch.get_rng_state().tolist(), torch.get_num_threads()
    state = train(tmp_path, body, (4,), lr=0.5)[4]
    assert (random.getstate(), torch.get_rng_state().tolist(), torch.get_num_threads()) == before
    assert (state["0.weight"] == Streams(0, "retain", 4).integer("seed") % 2**31 % 1000).all()


VALIDATED = """
def train(model, val_loader=None):
    read = 0 if val_loader is None else sum(len(labels) for _, labels in val_loader)
    with torch.no_grad():
        model[0].weight.fill_(read)
"""


@pytest.mark.parametrize("examples", [None, 0, 7])
def test_it_gets_validation_examples_where_there_are_some(tmp_path, examples):
    some = None
    if examples is not None:
        some = ImageDataset(IMAGES[:examples], LABELS[:examples], np.array([130.0]), np.array([75.0]))
    assert (train(tmp_path, VALIDATED, validation=some)[0]["0.weight"] == (examples or 0)).all()


def test_without_validation_examples_a_function_that_needs_them_is_told(tmp_path):
    with pytest.raises(UserCodeError, match=r"training asks for val_loader"):
        train(tmp_path, VALIDATED.replace("=None", ""))


def test_it_is_called_once_a_model(tmp_path):
    body = f"    open({str(tmp_path / 'calls')!r}, 'a').write('x')\n    model[0].weight.data += 1"
    train(tmp_path, f"def train(model):\n{body}", (0, 1, 2))
    assert (tmp_path / "calls").read_text() == "xxx"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def fit(model): pass", r"training file mine\.py has no function 'train'.*under training"),
        ("def train(model, teacher): pass", r"training: nobody can fill its parameter 'teacher'.*training\.options"),
        ("def train(model):\n    1 / 0", r"train failed on retain model 0 \(seed \d+\): ZeroDivision.*line 6: 1 / 0"),
        ("def train(model):\n    return 3", r"^training file mine\.py returned int"),
        ("def train(model):\n    return nn.Linear(2, 2)", "another form.*as that network\\.$"),
        (
            "def train(model):\n    return torch.optim.swa_utils.AveragedModel(model)",
            "another form.*Return its .module",
        ),
        ("", "training file mine.py cannot|has no function"),
        (
            "import copy\ndef train(model, train_loader):\n    copy.deepcopy(model)(next(iter(train_loader))[0])",
            "changed no parameter of retain model 0. Train model in place, or return the trained model",
        ),
    ],
)
def test_what_does_not_fit_says_what_to_mend(tmp_path, body, message):
    with pytest.raises(UserCodeError, match=message):
        train(tmp_path, body)

"""The user's net and training, as far as their source tells, before anything runs."""

import pytest

from unlearning_metric.config import Config, ConfigError
from unlearning_metric.plan.user_functions import with_own_functions

NET = "def build(num_classes, hidden=8, rate=0.5):\n    pass\n"
TRAIN = "def train(model, train_loader, passes=3):\n    pass\n"


@pytest.fixture
def configured(tmp_path):
    def make(net=NET, train=TRAIN, model=None, training=None, **more):
        (tmp_path / "net.py").write_text(net)
        (tmp_path / "train.py").write_text(train)
        return with_own_functions(
            Config(
                data={"source": "digits", **more},
                forget={"strategy": "random", "count": 5},
                model={"file": str(tmp_path / "net.py"), **(model or {})},
                training={"file": str(tmp_path / "train.py"), "batch_size": 8, **(training or {})},
            )
        )

    return make


def test_options_given_as_text_have_the_types_of_their_defaults(configured):
    config = configured(model={"options": {"hidden": "16", "rate": "1e-1"}}, training={"options": {"passes": "5"}})
    assert config.model.options == {"hidden": 16, "rate": 0.1}
    assert config.training.options == {"passes": 5}
    assert config == configured(model={"options": {"hidden": 16, "rate": 0.1}}, training={"options": {"passes": 5}})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": {"options": {"hiden": 3}}}, r"model\.options\.hiden: the model takes no such .*mean 'hidden'"),
        ({"model": {"options": {"hidden": "x"}}}, r'model\.options\.hidden: "x" .* the default 8 in the model\'s file'),
        ({"model": {"options": {"num_classes": 3}}}, r"model\.options\.num_classes: 'num_classes' is filled by"),
        ({"training": {"options": {"rounds": 3}}}, r"training\.options\.rounds: the training takes no such"),
        ({"model": {"function": "make"}}, r"model\.function: .*net\.py has no function 'make'\. It defines: build"),
        ({"training": {"function": "fit"}}, r"training\.function: .*has no function 'fit'\. It defines: train"),
        ({"net": "def build(:\n"}, r"model\.file: .*net\.py does not parse as Python \(.*line 1: def build\(:\)"),
        (
            {"net": "def build(classes):\n    pass"},
            r"model: nobody can fill its parameter 'classes'.*model\.options\.c",
        ),
        (
            {"train": "def train(model, loader):\n    pass"},
            r"training: nobody can fill its parameter 'loader'\. Did you mean 'train_loader' or 'val_loader'\?",
        ),
        (
            {"train": "def train(model, val_loader):\n    pass"},
            r"training asks for val_loader: there are no validation examples",
        ),
    ],
    ids=str,
)
def test_a_mistake_that_the_source_shows_stops_before_any_job(configured, given, said):
    with pytest.raises(ConfigError, match=f"net and training have 1 problem:\n  - {said}"):
        configured(**given)


def test_a_method_of_a_class_or_a_local_of_the_name_leaves_the_signature_certain(configured):
    text = "class Net:\n    def train(self): pass\n"
    text += "def train(model, passes=3):\n    train = 1\n    setattr(model, 'a', 1)\n"
    assert configured(train=text, training={"options": {"passes": "5"}}).training.options == {"passes": 5}
    with pytest.raises(ConfigError, match=r"training\.options\.lx: "):
        configured(train=text, training={"options": {"lx": 1}})


def test_all_problems_are_listed(configured):
    with pytest.raises(ConfigError, match=r"have 2 problems:\n  - model\.options\.a.*\n  - training\.options\.b"):
        configured(model={"options": {"a": 1}}, training={"options": {"b": 1}})


@pytest.mark.parametrize(
    "given",
    [
        {"net": "from functools import partial\nbuild = partial(int, base=3)\n", "model": {"options": {"x": 1}}},
        {"net": "from elsewhere import *\n"},
        {"net": "import torch\nclass build(torch.nn.Module):\n    pass\n"},
        {"net": "globals()['build'] = print\n"},
        {"net": "if print:\n    def build(): pass\nelse:\n    def build(secret): pass\n"},
        {"net": "from functools import partial\ndef build(x): pass\nbuild: object = partial(build, x=3)\n"},
        {"net": "def build(x): pass\n(build, other) = print, 3\n"},
        {"net": "def build(secret): pass\nbuild.__defaults__ = (3,)\n"},
        {"net": "def build(secret): pass\nfrom functools import *\n"},
        {"net": "vars()['build'] = print\n"},
        {"net": "match 1:\n    case build: pass\n"},
        {"net": "def make():\n    global build\n    build = print\nmake()\n"},
        {"net": "def __getattr__(name):\n    return print\n"},
        {"net": "def build(num_classes, **more):\n    pass\n", "model": {"options": {"x": "1"}}},
        {"train": "def train(model, val_loader=None):\n    pass"},
        {"train": "def train(model, val_loader):\n    pass", "validation_size": 20},
    ],
    ids=str,
)
def test_what_the_source_leaves_open_is_left_to_the_job(configured, given):
    configured(**given)


def test_nets_and_recipes_by_name_are_left_alone():
    config = Config(
        data={"source": "digits"},
        forget={"strategy": "random", "count": 5},
        model={"name": "mlp"},
        training={"lr": 0.1, "epochs": 1, "batch_size": 8},
    )
    assert with_own_functions(config) == config

"""Nets of the user's: built for the data by their seed, and refused with what to mend before they are trained."""

import copy
import random

import numpy as np
import pytest
import torch

from unlearning_metric.config import Model
from unlearning_metric.errors import UserCodeError
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.nets.trial import refuse_changed_values, start_is_fixed
from unlearning_metric.nets.user_nets import ModelError, own_line_of


def equal(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


OWN = """
import random
import numpy as np
import torch
from torch import nn
{body}
"""


def own(tmp_path, body, shape=(8, 8, 1), classes=4, seed=0, function="build", **options):
    path = tmp_path / "net.py"
    path.write_text(OWN.format(body=body))
    settings = Model(file=str(path), function=function, options=options)
    return build_model(settings, shape, classes, seed)


FLAT = """
def build(num_classes, input_shape, in_channels, hidden=8):
    size = input_shape[0] * input_shape[1] * input_shape[2] if len(input_shape) == 3 else input_shape[0]
    assert in_channels == input_shape[0]
    return nn.Sequential(nn.Flatten(), nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))
"""


def test_a_users_net_is_built_for_the_data(tmp_path):
    assert own(tmp_path, FLAT, (4, 5, 3))(torch.zeros(2, 3, 4, 5)).shape == (2, 4)
    assert own(tmp_path, FLAT, (6,))(torch.zeros(2, 6)).shape == (2, 4)
    assert own(tmp_path, FLAT, hidden="16")[1].out_features == 16


def test_the_seed_alone_decides_the_weights_of_a_users_net_whatever_it_draws_from(tmp_path):
    body = FLAT.replace("    return", "    torch.rand(1), np.random.rand(), random.random()\n    return").replace(
        "nn.ReLU()", "nn.ReLU(), nn.Dropout(np.random.rand())"
    )
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    one, again, other = (own(tmp_path, body, seed=seed) for seed in (1, 1, 2))
    assert equal(one, again)
    assert one[3].p == again[3].p != other[3].p
    assert not equal(one, other)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("def make(): pass", UserCodeError, r"has no function 'build'\. It defines: make.*under model"),
        ("def build(classes): pass", UserCodeError, r"fill its parameter 'classes'.*model\.options\.classes"),
        ("def build(num_classes):\n    1 / 0", UserCodeError, r"ZeroDivisionError.*line 7: 1 / 0"),
        ("def build(num_classes):\n    raise ValueError('\\n\\nno')", UserCodeError, r"ValueError: no \(.*line 7"),
        ("def build(num_classes):\n    return 3", UserCodeError, "returned int; it must return an nn.Module"),
        (
            "def build(num_classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))",
            ModelError,
            r"gives \[2, 3\] for two examples; needed is \[2, 4\]",
        ),
        ("def build(num_classes):\n    return nn.Linear(3, 4)", ModelError, r"does not take examples of \[8, 8, 1\]"),
    ],
)
def test_a_users_net_that_does_not_fit_says_what_to_mend(tmp_path, body, error, message):
    with pytest.raises(error, match=message):
        own(tmp_path, body)


def test_an_option_that_a_users_net_does_not_take_is_named(tmp_path):
    with pytest.raises(UserCodeError, match=r"model\.options\.hiden: .*Did you mean 'hidden'"):
        own(tmp_path, FLAT, hiden=3)


NET = """
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.last = nn.Linear(64, classes)
        {init}

    def forward(self, x):
        {forward}

def build(num_classes):
    return {build}
"""


def net(init="pass", forward="return self.last(x.flatten(1))", build="Net(num_classes)"):
    return NET.format(init=init, forward=forward, build=build)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (
            net(forward="y = self.last(x.flatten(1))\n        return (y, y) if self.training else y"),
            ModelError,
            r"gives tuple for two examples in train mode; .* Return the logits alone, without auxiliary outputs",
        ),
        (
            net(forward="assert not self.training\n        return self.last(x.flatten(1))"),
            UserCodeError,
            r"fails in train mode on two examples: AssertionError:  \(.*/net.py, line 14: assert not self.training\)",
        ),
        (
            net(forward="return self.last(x.flatten(1)).squeeze()"),
            ModelError,
            r"gives \[4\] for one example; needed is \[1, 4\].*flatten\(1\) in place of squeeze",
        ),
        (
            net(forward="return self.last(x.squeeze().flatten(1))"),
            ModelError,
            r"does not take a single example of .* \(.*/net.py, line 14: return self.last",
        ),
        (
            net() + "Net.train = lambda self, mode=True: None\n",
            ModelError,
            "its method train does not return it. End it with: return self",
        ),
        (net(build="Net(num_classes).double()"), ModelError, r"last\.weight of its state dict is torch\.float64"),
        (
            net(init="self.register_buffer('scale', torch.ones(1, dtype=torch.complex128))"),
            ModelError,
            r"scale of its state dict is torch\.complex128, which cannot be stored and checked",
        ),
        (
            net(init="self.register_buffer('scale', torch.ones(1).to(torch.float8_e8m0fnu))"),
            ModelError,
            r"scale of its state dict is torch\.float8_e8m0fnu, which cannot be stored and checked",
        ),
        (
            "LAST = nn.Linear(64, 4)\n" + net(init="self.last = LAST"),
            ModelError,
            r"last\.weight of its state dict is one tensor in every net, .* copy\.deepcopy of those that are made once",
        ),
        (net() + "NET = Net(4)\n\ndef build():\n    return NET\n", ModelError, "is one tensor in every net"),
        (
            "SCALE = nn.Parameter(torch.ones(64))\n" + net(init="self.scale = SCALE"),
            ModelError,
            "scale of its state dict is one tensor in every net",
        ),
        (
            "NORM = nn.BatchNorm1d(64, affine=False)\n"
            + net(init="self.norm = NORM", forward="return self.last(self.norm(x.flatten(1)))"),
            ModelError,
            r"norm\.running_mean of its state dict is one tensor in every net",
        ),
        (
            net(init="self.phase = nn.Parameter(torch.ones(1, dtype=torch.complex64))"),
            ModelError,
            "phase of its state dict is torch.complex64",
        ),
        (
            net(init="self.register_buffer('adjacency', torch.eye(3).to_sparse())"),
            ModelError,
            "adjacency of its state dict is sparse; only dense tensors are stored",
        ),
        (
            net() + "Net.get_extra_state = lambda self: {'a': 1}\n",
            ModelError,
            "_extra_state of its state dict is dict and no tensor",
        ),
        (
            net(init="import threading; self.lock = threading.Lock()"),
            ModelError,
            r"cannot be copied \(TypeError: cannot pickle '_thread.lock' object\), and methods start from copies",
        ),
        (
            "torch.set_default_dtype(torch.float64)\n" + net(),
            UserCodeError,
            "sets torch's default dtype to torch.float64 when it is imported",
        ),
        (
            net(init="self.shift = torch.randn(64)", forward="return self.last(x.flatten(1) + self.shift)"),
            ModelError,
            r"uses values that differ from one net that is built to the next and are not in its state dict.*register_b",
        ),
        (
            net(
                init="self.register_buffer('shift', torch.randn(64), persistent=False)",
                forward="return self.last(x.flatten(1) + self.shift)",
            ),
            ModelError,
            "without persistent=False",
        ),
        (
            net(
                init="self.last = nn.Sequential(nn.Linear(64, int(torch.randint(4, 400, ()))), nn.LazyLinear(4))",
                build="Net(num_classes)",
            ),
            ModelError,
            r"a net that is built anew does not take its state dict \(size mismatch for ",
        ),
    ],
    ids=[
        "auxiliary", "train mode", "squeezed", "needs two", "train returns nothing", "double", "complex128 buffer",
        "float8 buffer", "shared layer", "shared net", "shared parameter", "shared batch norm", "complex",
        "sparse", "extra state", "lock", "default dtype", "random attribute", "not persistent",
        "random size",
    ],
)  # fmt: skip
def test_a_users_net_that_could_not_be_trained_stored_or_scored_is_refused_when_built(tmp_path, body, error, message):
    with pytest.raises(error, match=message):
        own(tmp_path, body)
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(
    "body",
    [
        net(
            init="self.register_buffer('shift', torch.randn(64))", forward="return self.last(x.flatten(1) + self.shift)"
        ),
        net(init="self.drop = nn.Dropout(0.5)", forward="return self.last(self.drop(x.flatten(1)))"),
        net(forward="return self.last(nn.functional.dropout(x.flatten(1), 0.5, True))"),
        net(init="self.again = self.last", forward="return self.last(x.flatten(1)) + self.again(x.flatten(1))"),
        net(init="self.norm = nn.BatchNorm1d(64)", forward="return self.last(self.norm(x.flatten(1)))"),
        net(init="self.last.bias.requires_grad_(False)"),
        net(init="self.requires_grad_(False)"),
        net(init="self.register_buffer('scale', torch.ones(1, dtype=torch.float64))"),
        net(
            forward="if not hasattr(self, 'first'): self.first = nn.Linear(64, 8)\n        self.first(x.flatten(1))\n"
            "        return self.last(x.flatten(1))"
        ),
        net(init="self.last = nn.LazyLinear(classes)"),
        net(forward="x.mul_(0.5)\n        return self.last(x.flatten(1))"),
        net(init="self.last = nn.utils.weight_norm(self.last)"),
        net(init="nn.utils.parametrizations.weight_norm(self.last)"),
        net(init="nn.utils.parametrizations.spectral_norm(self.last)"),
        net(
            init="self.register_buffer('calls', torch.zeros(1))",
            forward="self.calls += 1\n        return self.last(x.flatten(1)) * self.calls",
        ),
        net(build="torch.compile(Net(num_classes))"),
        "MEAN = torch.full((64,), 0.5)\n"
        + net(init="self.register_buffer('mean', MEAN)", forward="return self.last(x.flatten(1) - self.mean)"),
        "ACT = nn.ReLU()\n" + net(init="self.act = ACT", forward="return self.act(self.last(x.flatten(1)))"),
        "LAST = nn.Linear(64, 4)\nimport copy\n" + net(init="self.last = copy.deepcopy(LAST)"),
        "torch.manual_seed(42), torch.rand(3), random.seed(1), np.random.seed(2)\n" + net(),
    ],
    ids=[
        "buffer",
        "dropout",
        "dropout in eval mode",
        "tied",
        "batch norm",
        "partly frozen",
        "frozen",
        "double buffer",
        "made in forward",
        "lazy",
        "changes its input",
        "weight norm by hooks",
        "weight norm",
        "spectral norm",
        "counting",
        "compiled",
        "shared constant",
        "shared activation",
        "copied layer",
        "seeds at import",
    ],
)
def test_a_users_net_of_any_usual_form_is_built_with_the_weights_of_its_seed(tmp_path, body):
    model = own(tmp_path, body, seed=3)
    assert model.training
    assert equal(model, own(tmp_path, body, seed=3))
    assert all(int(count) == 0 for name, count in model.state_dict().items() if name.endswith("num_batches_tracked"))


def test_a_start_that_no_seed_changes_is_known(tmp_path):
    """Retrained models then differ by the order of their batches alone."""
    settings = Model(file=str(tmp_path / "net.py"))
    own(tmp_path, net())
    assert not start_is_fixed(settings, (8, 8, 1), 4)
    own(tmp_path, net(init="torch.manual_seed(1); self.last = nn.Linear(64, classes)"), function="build")
    (tmp_path / "net.py").rename(tmp_path / "fixed.py")
    assert start_is_fixed(settings.model_copy(update={"file": str(tmp_path / "fixed.py")}), (8, 8, 1), 4)


def test_no_net_depends_on_whether_it_is_the_first_of_its_process(tmp_path):
    body = net(
        init="self.register_buffer('calls', torch.zeros(1))",
        forward="self.calls += 1\n        return self.last(x.flatten(1))",
    )
    first, second = (own(tmp_path, body, seed=3) for _ in range(2))
    assert all(torch.equal(tensor, second.state_dict()[name]) for name, tensor in first.state_dict().items())


def test_values_that_training_changes_outside_the_state_dict_are_refused(tmp_path):
    body = net(
        init="self.mean = torch.zeros(64)",
        forward="x = x.flatten(1)\n        if self.training: self.mean = x.detach().mean(0)\n"
        "        return self.last(x - self.mean)",
    )
    model, other = own(tmp_path, body), own(tmp_path, body, seed=1)
    images = torch.rand(2, 1, 8, 8)
    refuse_changed_values(model, other, images, "net.py")
    model.train()(images)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ModelError, match="state dict"):
        refuse_changed_values(model, other, images, "net.py")
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_failure_of_a_users_net_names_its_line_and_other_failures_stay_what_they_are(tmp_path):
    model = own(tmp_path, net(forward="return self.last(x.flatten(1) / (1 / int(len(x) < 5)))"))
    settings = Model(file=str(tmp_path / "net.py"))
    said = r"model net.py failed: ZeroDivisionError: .*/net.py, line 14: return"
    with pytest.raises(UserCodeError, match=said), own_line_of(settings):
        model(torch.rand(9, 1, 8, 8))
    with pytest.raises(ZeroDivisionError), own_line_of(settings):
        1 / 0  # noqa: B018
    with pytest.raises(KeyError), own_line_of(Model(name="mlp")):
        raise KeyError("ours")


NARROW = """
def build(num_classes, in_channels, width=8):
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1),
        nn.Conv2d(width, width, 1, stride=2),
        nn.Conv2d(width, width, 1),
        nn.Flatten(),
        nn.Linear(16 * width, num_classes),
    )
"""


# There PyTorch 2.14.1 spoils its memory in the backward pass, with images as they are laid out here.
@pytest.mark.parametrize(("width", "contiguous"), [(4, True), (8, False)])
def test_narrow_convolutions_with_a_stride_see_contiguous_images(tmp_path, width, contiguous):
    model, seen = own(tmp_path, NARROW, width=width), []
    for layer in list(model)[1:3]:
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].is_contiguous()))
    images = torch.rand(32, 8, 8, 1).permute(0, 3, 1, 2)
    for _ in range(20):
        seen.clear()
        model(images.contiguous(memory_format=torch.channels_last)).sum().backward()
    assert seen == [contiguous, contiguous]
    assert copy.deepcopy(model).state_dict().keys() == model.state_dict().keys()

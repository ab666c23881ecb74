"""An original model trained elsewhere: read as it is, or the tensor named that does not fit."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model

from unlearning_metric.config import Model
from unlearning_metric.jobs.import_original import CheckpointError, import_original
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.store.files import read_models, write_models, write_npz
from unlearning_metric.store.stored import Stored

MODEL = Model(name="digits_cnn", width=4)


@pytest.fixture
def given(tmp_path):
    """``given(state)``: the model that is stored for a checkpoint of these tensors."""
    images = np.zeros((4, 8, 8, 1), np.uint8)
    write_npz(tmp_path / "dataset.npz", {"x_train": images}, {"key": "d", "num_classes": 3})

    def run(state, write=save_file, settings=MODEL):
        path, out = tmp_path / "mine.safetensors", tmp_path / "out.safetensors"
        write(state, path)
        import_original(Stored(tmp_path / "dataset.npz", "d"), path, out, settings, {"key": "k", "origin": {}})
        return read_models(out, "k")

    return run


TIED = """
import torch
from torch import nn

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.last = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 3)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.last(self.two(self.one(x.flatten(1))))

def build(num_classes):
    return Tied()
"""


def state(**changes):
    tensors = {name: tensor.contiguous() for name, tensor in build_model(MODEL, (8, 8, 1), 3, 7).state_dict().items()}
    return {name: tensor for name, tensor in {**tensors, **changes}.items() if tensor is not None}


def test_the_weights_are_stored_as_the_original_model(given):
    models, header = given(state())
    assert list(models) == [0]
    assert all(torch.equal(models[0][name], tensor) for name, tensor in state().items())
    assert header["role"] == "full"


def test_tensors_of_another_order_and_type_are_read_as_the_models(given):
    shuffled = {name: tensor.double() for name, tensor in reversed(state().items()) if tensor.is_floating_point()}
    models, _ = given({**shuffled, **{n: t for n, t in state().items() if not t.is_floating_point()}})
    assert models[0].keys() == state().keys()
    assert all(models[0][name].dtype == tensor.dtype for name, tensor in state().items())


def test_a_file_of_this_workflow_with_one_model_is_a_checkpoint(given):
    write = lambda models, path: write_models(path, models, {"key": "x", "models": list(models)})  # noqa: E731
    models, _ = given({3: state()}, write)
    assert torch.equal(models[0]["7.weight"], state()["7.weight"])
    with pytest.raises(CheckpointError, match="holds 2 models; one is needed"):
        given({0: state(), 1: state()}, write)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_the_names_that_a_parallel_or_compiled_model_gives_its_tensors_are_read(given, prefix):
    models, _ = given({f"{prefix}{name}": tensor for name, tensor in state().items()})
    assert all(torch.equal(models[0][name], tensor) for name, tensor in state().items())


def test_a_tied_weight_that_the_file_holds_once_is_read_under_both_names(given, tmp_path):
    (tmp_path / "tied.py").write_text(TIED)
    settings = Model(file=str(tmp_path / "tied.py"))
    model = build_model(settings, (8, 8, 1), 3, 7)
    models, _ = given(model, save_model, settings)
    assert all(torch.equal(models[0][name], tensor) for name, tensor in model.state_dict().items())
    assert "two.weight" in models[0]


def test_a_checkpoint_of_eight_bits_is_read(given):
    eight = state()["7.weight"].to(torch.float8_e4m3fn)
    models, _ = given(state(**{"7.weight": eight}))
    assert torch.equal(models[0]["7.weight"], eight.float())


def test_tied_weights_that_differ_in_the_file_are_refused(given, tmp_path):
    (tmp_path / "tied.py").write_text(TIED)
    settings = Model(file=str(tmp_path / "tied.py"))
    tensors = {name: tensor.clone() for name, tensor in build_model(settings, (8, 8, 1), 3, 7).state_dict().items()}
    tensors["two.weight"] += 1
    with pytest.raises(CheckpointError, match=r"tensors one\.weight and two\.weight of .* differ, .* they are one"):
        given(tensors, settings=settings)


def test_values_beyond_float32_are_not_finite(given):
    with pytest.raises(CheckpointError, match=r"tensor 7\.bias .*torch\.float32"):
        given(state(**{"7.bias": torch.full((3,), 1e300, dtype=torch.float64)}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"7.bias": torch.tensor([0.0, torch.inf, 0.0])}, r"tensor 7\.bias of .* holds values that are not finite"),
        ({"1.num_batches_tracked": torch.tensor(torch.nan)}, "1.num_batches_tracked of .* not finite"),
        ({"7.bias": torch.zeros(3, dtype=torch.complex64)}, r"tensor 7\.bias of .* is complex"),
        ({"7.bias": None}, r"has no tensor 7\.bias, which model digits_cnn has\. Set model to the net"),
        ({"7.bias": None, "fc.bias": torch.zeros(3)}, r"no tensor 7\.bias.*it has fc\.bias, which the model has not"),
        ({"7.weight": torch.zeros(10, 16)}, r"tensor 7\.weight of .*mine\.safetensors is \[10, 16\], .* \[3, 16\]"),
        ({"head.weight": torch.zeros(2)}, r"has the tensor head\.weight, which model digits_cnn has not"),
    ],
)
def test_a_checkpoint_that_does_not_fit_says_which_tensor(given, changes, message):
    with pytest.raises(CheckpointError, match=message):
        given(state(**changes))


def test_a_file_of_another_form_says_how_to_write_one(given):
    with pytest.raises(CheckpointError, match=r"safetensors .*save_file\(model\.state_dict"):
        given(state(), torch.save)

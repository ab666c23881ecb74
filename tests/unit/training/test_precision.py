"""Arithmetic: refused where a host has not got it, and switched back."""

import pytest
import torch

from unlearning_metric.config import Training
from unlearning_metric.training.precision import PrecisionError, arithmetic, autocast, refuse_unsupported


def recipe(**changes):
    return Training(lr=0.1, epochs=1, batch_size=2, **changes)


def test_bf16_is_refused_where_the_processor_would_emulate_it(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(PrecisionError, match=r"bf16 .*training\.precision: fp32"):
        refuse_unsupported(recipe(precision="bf16"), "cpu")
    refuse_unsupported(recipe(), "cpu")


def test_bf16_is_refused_on_a_gpu_that_emulates_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Tesla T4")
    with pytest.raises(PrecisionError, match="Tesla T4 has no bf16 arithmetic"):
        refuse_unsupported(recipe(precision="bf16"), "cuda")


@pytest.mark.parametrize(
    ("tf32", "device", "inside"), [(True, "cuda", True), (False, "cuda", False), (True, "cpu", False)]
)
def test_tf32_is_on_within_training_alone_and_where_asked_for(tf32, device, inside):
    def found():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = found()
    with arithmetic(recipe(tf32=tf32), device):
        assert found() == (inside, inside)
    assert found() == before


def test_training_within_a_method_that_mixed_pytorchs_two_interfaces_to_tf32_goes_on():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        with arithmetic(recipe(), "cpu"):
            assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def test_autocast_computes_in_the_recipes_precision():
    a = torch.ones(4, 4)
    for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with autocast(recipe(precision=name), "cpu"):
            assert (a @ a).dtype == kind

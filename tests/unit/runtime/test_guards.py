"""Whatever a method does to the process ends with its copy."""

import multiprocessing
import os
import random
import sys

import numpy as np
import pytest
import torch
from torch import nn

from unlearning_metric.runtime.guards import as_if_alone, process_state, seeded

#: What a method may do -> how to see it.
DEEDS = {
    "random": (lambda: random.seed(1), lambda: random.getstate()),
    "numpy": (lambda: np.random.seed(1), lambda: np.random.get_state()[1].tolist()),
    "torch": (lambda: torch.manual_seed(1), lambda: torch.get_rng_state().tolist()),
    "numpy errors": (lambda: np.seterr(all="raise"), np.geterr),
    "default dtype": (lambda: torch.set_default_dtype(torch.float64), lambda: torch.ones(1).dtype),
    "default device": (lambda: torch.set_default_device("meta"), lambda: torch.ones(1).device),
    "gradients": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "anomaly": (lambda: torch.autograd.set_detect_anomaly(True), torch.is_anomaly_enabled),
    "threads": (lambda: torch.set_num_threads(2), torch.get_num_threads),
    "matmul": (lambda: torch.set_float32_matmul_precision("medium"), torch.get_float32_matmul_precision),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
        torch.get_deterministic_debug_mode,
    ),
    "cudnn benchmark": (lambda: _set(torch.backends.cudnn, "benchmark"), lambda: torch.backends.cudnn.benchmark),
    "cudnn flag": (lambda: _set(torch.backends.cudnn, "deterministic"), lambda: torch.backends.cudnn.deterministic),
    "tf32 of cudnn": (lambda: _set(torch.backends.cudnn, "allow_tf32"), lambda: torch.backends.cudnn.allow_tf32),
    "tf32 of matrices": (
        lambda: _set(torch.backends.cuda.matmul, "allow_tf32"),
        lambda: torch.backends.cuda.matmul.allow_tf32,
    ),
    "hook": (
        lambda: nn.modules.module.register_module_forward_hook(lambda module, given, made: made * 0),
        lambda: float(nn.Identity()(torch.ones(()))),
    ),
    "folder": (lambda: os.chdir("/"), os.getcwd),
    "environment": (lambda: os.environ.update(OMP_NUM_THREADS="64"), lambda: dict(os.environ)),
}


def _set(owner, name):
    setattr(owner, name, not getattr(owner, name))


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("deed", DEEDS)
def test_the_process_is_as_it_was(deed, failing):
    do, see = DEEDS[deed]
    before = see()

    def method():
        with process_state():
            do()
            assert see() != before
            if failing:
                raise ArithmeticError

    if failing:
        with pytest.raises(ArithmeticError):
            method()
    else:
        method()
    assert see() == before


def test_a_seeded_block_draws_from_its_seed_and_leaves_the_generators_as_they_were():
    draw = lambda: (random.random(), np.random.rand(), float(torch.rand(())))  # noqa: E731
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = [draw(), draw()]
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    found = [draw()]
    with seeded(7):
        inside = draw()
    found.append(draw())
    with seeded(7):
        again = draw()
    with seeded(8):
        other = draw()
    assert found == expected
    assert inside == again != other


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_a_users_processes_are_forked_unless_others_are_asked_for(monkeypatch):
    # Python's default from 3.14 on.
    default = multiprocessing.get_context("forkserver")
    monkeypatch.setattr(multiprocessing.context._default_context, "_default_context", default)
    monkeypatch.setattr(multiprocessing.context._default_context, "_actual_context", None)
    with as_if_alone("method mine"):
        assert multiprocessing.get_start_method() == "fork"
    with as_if_alone("method mine"):
        multiprocessing.set_start_method("spawn")
    assert multiprocessing.get_start_method() == "forkserver"

"""The compiler is loaded by what needs it, and by nothing else."""

import importlib
import sys
import threading
from types import SimpleNamespace

import pytest

from unlearning_metric.runtime import compiler_import as deferred
from unlearning_metric.runtime import cost

RUN = """
import sys, torch
from unlearning_metric.runtime import compiler_import as deferred
if {defer}:
    deferred.defer_compiler()
results = []
for name, options in (("SGD", dict(momentum=0.9, nesterov=True)), ("Adam", {{}}), ("AdamW", {{}}), ("RMSprop", {{}})):
    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 3)
    optimizer = getattr(torch.optim, name)([layer.weight], lr=0.1, **options)
    optimizer.add_param_group(dict(params=[layer.bias], lr=0.01))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=4)
    for step in range(4):
        optimizer.zero_grad()
        layer(torch.randn(4, 5)).square().sum().backward()
        optimizer.step()
        schedule.step()
    optimizer.load_state_dict(optimizer.state_dict())
    assert not layer.weight.grad_fn and torch.is_grad_enabled()
    results += [value.hex() for value in torch.cat([layer.weight.flatten(), layer.bias]).tolist()]
print("torch._dynamo" in sys.modules, *results)
"""


@pytest.fixture
def run(run_code):
    """``run(text, **names)``: words that Python prints, which starts with PyTorch and without the compiler."""

    def words(text, **names):
        answer = run_code(text.format(**names))
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.split()

    return words


def test_optimizers_make_the_same_parameters_without_the_compiler(run):
    (loaded, *usual), (late, *ours) = (run(RUN, defer=defer) for defer in (False, True))
    assert (loaded, late) == ("True", "False")
    assert ours == usual


JOBS = """
import sys
import numpy as np
from unlearning_metric.runtime.devices import prepare
prepare("cpu", 1)
import torch
from unlearning_metric.config import Model, Training
from unlearning_metric.jobs.unlearn import _load_libraries
from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.seeds import Streams
from unlearning_metric.training.train import train_models
images = np.random.default_rng(0).integers(255, size=(40, 8, 8, 1)).astype(np.uint8)
dataset = ImageDataset(images, np.arange(40) % 3, np.array([127.0], np.float32), np.array([75.0], np.float32))
recipe = Training(lr=0.1, epochs=2, batch_size=16, engine="loop")
train_models(dataset, Model(name="digits_cnn", width=4), 3, recipe, Streams.of_models(0, "full", [0, 1]))
_load_libraries("cpu")
print("torch._dynamo" in sys.modules)
"""


def test_a_job_of_training_or_unlearning_does_not_load_the_compiler(run):
    assert run(JOBS) == ["False"]


def test_a_compiled_model_trains_on_once_the_compiler_is_loaded(run):
    text = """
import sys, torch
from unlearning_metric.runtime.compiler_import import defer_compiler
defer_compiler()
layer = torch.nn.Linear(5, 3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
before = layer.weight.clone()
net = torch.compile(layer, backend="eager")
net(torch.ones(2, 5)).sum().backward()
optimizer.step()
assert "torch._dynamo" in sys.modules
other = torch.optim.Adam(layer.parameters(), differentiable=False)
other.step()
kept_out = torch.optim.Optimizer.add_param_group.__wrapped__
print(not torch.equal(before, layer.weight), hasattr(kept_out, "__dynamo_disable"))
"""
    assert run(text) == ["True", "True"]


COMPILED_STEPS = """
import torch
from unlearning_metric.runtime.compiler_import import defer_compiler
if {defer}:
    defer_compiler()
made = []
# The compiler gives a step up after so many optimizers: few are compiled sooner.
for copy in range(5):
    parameter = torch.ones(1, requires_grad=True)
    parameter.grad = torch.ones(1)
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    graphs = []

    def counting(graph, inputs, graphs=graphs):
        graphs.append(graph)
        return graph.forward

    torch.compile(lambda: (optimizer.step(), optimizer.zero_grad()), backend=counting)()
    torch._dynamo.config.recompile_limit = 3
    made.append(len(graphs))
print(*made)
"""


def test_the_compiler_gives_a_step_up_no_earlier_than_without_us(run):
    made = run(COMPILED_STEPS, defer=True)
    assert len(set(made)) > 1
    assert made == run(COMPILED_STEPS, defer=False)


@pytest.fixture
def now(monkeypatch, tmp_path):
    """The time, which moves by hand; importing ``some_compiler`` takes 100 s."""
    now = SimpleNamespace(seconds=5.0)
    monkeypatch.setattr(deferred, "READ", {"wall": lambda: now.seconds, "processor": lambda: 2 * now.seconds})
    monkeypatch.setattr(deferred, "LOADING", {"wall": 0.0, "processor": 0.0})
    monkeypatch.setattr(cost, "READ", deferred.READ)
    monkeypatch.setattr(cost, "LOADING", deferred.LOADING)
    monkeypatch.setattr(cost, "synchronize", lambda device: None)
    monkeypatch.setattr(deferred, "_COMPILER", "some_compiler")
    (tmp_path / "some_compiler.py").write_text("import some_clock\nsome_clock.seconds += 100\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "some_clock", now)
    yield now
    del sys.modules["some_compiler"]


@pytest.mark.parametrize(("device", "spent"), [("cuda", 3), ("cpu", 6)])
def test_loading_the_compiler_is_in_no_models_time(now, device, spent):
    before = cost.spent(device)
    now.seconds += 1
    importlib.import_module("some_compiler")
    now.seconds += 2
    assert now.seconds == 108
    assert cost.spent(device) - before == spent


def test_what_another_thread_loads_is_left_out_of_no_time(now):
    before = cost.spent("cuda")
    loading = threading.Thread(target=importlib.import_module, args=["some_compiler"])
    loading.start()
    loading.join()
    assert cost.spent("cuda") - before == 100


@pytest.mark.parametrize("known", [deferred._KEEPS_OUT, deferred._BREAKS])
def test_what_a_version_of_pytorch_does_in_another_way_is_left_as_it_is(run, known):
    text = """
import sys, torch
from unlearning_metric.runtime import compiler_import as deferred
deferred._KNOWN[{known!r}].add("something else")
found = (vars(torch.optim.Optimizer)["add_param_group"], vars(torch.optim.SGD)["step"])
deferred.defer_compiler()
left = (vars(torch.optim.Optimizer)["add_param_group"], vars(torch.optim.SGD)["step"])
layer = torch.nn.Linear(5, 3)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
layer(torch.ones(2, 5)).sum().backward()
optimizer.step()
print(*(one is other for one, other in zip(found, left)), "torch._dynamo" in sys.modules)
"""
    same = {deferred._KEEPS_OUT: ["True", "False"], deferred._BREAKS: ["False", "True"]}[known]
    assert run(text, known=known) == [*same, "True"]

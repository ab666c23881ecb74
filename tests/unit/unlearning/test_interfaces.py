"""Functions as public code has them: every shape is called by what its entry says, or refused with what to do."""

import json
import sys
import textwrap

import numpy as np
import pytest
import torch

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.unlearning.copies import MethodError, method_of_file, run_copies
from unlearning_metric.unlearning.offer import Start
from unlearning_metric.user_code.interface import Interface

MODEL = Model(name="digits_cnn", width=4)
RECIPE = Training(lr=0.1, epochs=1, batch_size=16)
STEP = """
    import torch
    def step(model, batches, lr=0.01):
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        for batch in batches:
            images, labels = batch[0], batch[-1]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
"""


def images(count: int) -> ImageDataset:
    drawn = np.random.default_rng(count)
    pixels = drawn.integers(256, size=(count, 8, 8, 1), dtype=np.uint8)
    return ImageDataset(pixels, np.arange(count) % 3, np.array([127.0]), np.array([74.0]))


SETS = {"retain": images(40), "forget": images(10), "validation": images(7)}


@pytest.fixture
def call(tmp_path):
    """Runs copy 0 of the method of a text: its state and what its parameters got."""

    def run(text, entry=None, file="theirs.py", function="unlearn", **options):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(STEP) + textwrap.dedent(text) if file.endswith(".py") else text)
        originals = [build_model(MODEL, (8, 8, 1), 3, 0).eval()]
        start = Start(originals, SETS, 3, MODEL, RECIPE, np.full(3, 0.1, np.float32), 0)
        entry = entry or {}
        interface = Interface.of(entry).settings()
        method = method_of_file("theirs", path, function, options, entry.get("batches", "tuple"), interface)
        copies = run_copies(method, start, [0])
        return copies.states[0], copies.bound, originals[0].state_dict()

    return run


def changed(outcome) -> bool:
    state, _, before = outcome
    return not all(torch.equal(state[name], before[name]) for name in before)


def test_weights_gradients_batches_and_items_can_be_viewed_flat(call):
    outcome = call("""
        def unlearn(model, retain_loader):
            for images, labels in retain_loader:
                images.view(len(images), -1)
                loss = torch.nn.functional.cross_entropy(model(images), labels)
                for gradient in torch.autograd.grad(loss, list(model.parameters())):
                    gradient.view(-1)
            retain_loader.dataset[0][0].view(-1)
            vector = torch.nn.utils.parameters_to_vector(model.parameters())
            torch.nn.utils.vector_to_parameters(vector * 0.9, model.parameters())
    """)
    assert changed(outcome)


@pytest.mark.parametrize(
    ("signature", "sources"),
    [
        ("net, retain_dl, forget_dl, valid_dl", ["model", "retain_loader", "forget_loader", "val_loader"]),
        ("m, retain, forget, validation", ["model", "retain_loader", "forget_loader", "val_loader"]),
        ("student, teacher, retain_loader, test_loader", ["model", "original_model", "retain_loader", "val_loader"]),
        ("model, unlearning_teacher, retain_data", ["model", "untrained_model", "retain_dataset"]),
        ("model, train_loader, criterion, optimizer", ["model", "train_loader", "criterion", "optimizer"]),
        ("model, nonmem_loader, device, n_classes", ["model", "val_loader", "device", "num_classes"]),
        ("Net, remain_dataloader, train_forget_loader", ["model", "retain_loader", "forget_loader"]),
        ("model, orig, forgetting_set, RETAIN_DL", ["model", "original_model", "forget_dataset", "retain_loader"]),
        ("model, unlearn_test_loader, full_train_dataloader", ["model", "forget_loader", "train_loader"]),
    ],
)
def test_the_usual_spellings_need_no_arguments(call, signature, sources):
    names = signature.split(", ")
    first = names[0]
    _, bound, _ = call(f"def unlearn({signature}):\n    {first}.zero_grad()\n")
    assert bound == dict(zip(names, sources, strict=True))


def test_a_device_in_capitals_is_the_one_that_the_copies_are_on(call):
    _, bound, _ = call("""
        def unlearn(model, retain_loader, DEVICE="cuda:7"):
            assert DEVICE == "cpu"
            step(model, retain_loader)
    """)
    assert bound["DEVICE"] == "device"


@pytest.mark.parametrize("name", ["loader", "data_loader", "retain_forget_loader", "noisy_retain_loader", "dataset"])
def test_a_name_that_may_mean_several_things_is_not_guessed(call, name):
    with pytest.raises(MethodError, match=f"nobody can fill its parameter '{name}'"):
        call(f"def unlearn(model, {name}): ...")


def test_an_argument_s_name_as_a_hyper_parameter_is_no_text(call):
    text = "def unlearn(model, batches, mode='model'):\n    assert mode == 'model'; step(model, batches)\n"
    with pytest.raises(MethodError, match=r"batches: retain_loader is the name.*arguments: {batches: retain_loader}"):
        call(text, batches="retain_loader")
    assert changed(call(text, {"arguments": {"batches": "retain_loader"}}, mode="model"))


def test_a_loader_of_no_set_is_answered_with_the_loaders_that_there_are(call):
    with pytest.raises(MethodError, match="Did you mean 'retain_loader' or 'forget_loader' or 'val_loader'"):
        call("def unlearn(model, data_loader): ...")


def test_a_teacher_is_the_original_and_train_loader_reads_both_sets(call):
    call("""
        def unlearn(student, teacher, train_loader, data_loaders):
            assert all(map(torch.equal, student.parameters(), teacher.parameters()))
            assert sum(len(labels) for _, labels in train_loader) == 50
            assert set(data_loaders) == {"train", "retain", "forget", "val", "test"}
    """)


def test_a_namespace_has_attributes_and_keys_and_tells_all_that_is_missing(call):
    text = """
        def unlearn(model, retain_loader, args):
            assert args.lr == args["lr"] == vars(args)["lr"] == 0.5
            assert not hasattr(args, "absent") and getattr(args, "absent", 3) == 3
            args.epochs, args["momentum"]
            step(model, retain_loader, args.lr)
    """
    given = {"lr": 0.5, "epochs": 1, "momentum": 0.9}
    assert changed(call(text, {"arguments": {"args": given}}))
    with pytest.raises(MethodError, match=r"epochs .*arguments\.args.*has not: epochs, momentum"):
        call(text, {"arguments": {"args": {"lr": 0.5}}})


def test_a_class_or_function_goes_as_it_is(call):
    text = """
        def times(number): return number * 2
        def unlearn(model, retain_loader, optimizer_cls, optimizer_kwargs, change):
            assert optimizer_cls is torch.optim.Adam and change(3) == 6
            optimizer_cls(model.parameters(), **optimizer_kwargs)
            step(model, retain_loader)
    """
    given = {"optimizer_cls": {"import": "torch.optim.Adam"}, "optimizer_kwargs": {"lr": 0.1}}
    outcome = call(text, {"arguments": {**given, "change": {"import": "times"}}})
    assert changed(outcome)
    assert outcome[1]["optimizer_cls"] == "{import: 'torch.optim.Adam'}"
    with pytest.raises(MethodError, match=r"'str' object is not callable.*{import: torch.optim.SGD}"):
        call(text.replace("is torch.optim.Adam", ""), {"arguments": {**given, "change": "torch.abs"}})
    with pytest.raises(MethodError, match=r"arguments\.change.*has no twice"):
        call(text, {"arguments": {**given, "change": {"import": "twice"}}})


def test_examples_can_be_drawn_with_random_sample(call):
    assert changed(
        call("""
        import random
        def unlearn(model, retain_loader, forget_dataset):
            drawn = random.sample(retain_loader.dataset, 20) + random.sample(forget_dataset, 5)
            step(model, torch.utils.data.DataLoader(drawn, batch_size=5, shuffle=True))
    """)
    )


def test_a_namespace_is_what_code_that_asks_takes_for_settings(call, tmp_path, monkeypatch):
    package = tmp_path / "site" / "omegaconf.py"
    package.parent.mkdir()
    package.write_text("import collections.abc\nclass DictConfig(collections.abc.MutableMapping): ...\n")
    monkeypatch.syspath_prepend(package.parent)
    text = """
        from argparse import Namespace
        from omegaconf import DictConfig
        def unlearn(model, retain_loader, cfg, args):
            assert isinstance(cfg, DictConfig) and isinstance(cfg.optimizer, DictConfig)
            assert isinstance(args, Namespace) and args.lr == 0.1 and "lr" in args
            step(model, retain_loader, cfg.optimizer.lr)
    """
    try:
        assert changed(call(text, {"arguments": {"cfg": {"optimizer": {"lr": 0.5}}}}))
    finally:
        sys.modules.pop("omegaconf", None)


def test_args_without_a_word_holds_recipe_and_further_hyperparameters(call):
    text = "def unlearn(model, args):\n    assert (args.lr, args.alpha, args.num_classes) == (0.1, 0.7, 3)\n"
    call(text, alpha=0.7)


def test_arguments_are_nested_named_called_and_literal(call):
    text = """
        def unlearn(net_input, data, modules, optimizer, scheduler, mode):
            assert data["retain"] is data.retain and mode == "model"
            assert modules[0] is net_input and scheduler.optimizer is optimizer
            assert optimizer.param_groups[0]["lr"] == 0.3
            step(modules[0], data["retain"])
    """
    arguments = {
        "net_input": "model",
        "data": {"retain": "retain_loader"},
        "modules": ["model", "original_model"],
        "optimizer": {"call": "torch.optim.SGD", "params": "parameters", "lr": 0.3},
        "scheduler": {"call": "torch.optim.lr_scheduler.StepLR", "optimizer": "optimizer", "step_size": 5},
        "mode": {"literal": "model"},
    }
    outcome = call(text, {"arguments": arguments})
    assert changed(outcome)
    assert outcome[1]["data"] == "{retain: retain_loader}"


@pytest.mark.parametrize("path", ["os.system", "subprocess.run"])
def test_a_call_reaches_nothing_but_torch_and_the_users_own_files(call, path):
    with pytest.raises(MethodError, match="there is no module"):
        call("def unlearn(model, x): ...", {"arguments": {"x": {"call": path, "with": ["true"]}}})


TRAINER = """
    class Trainer:
        def __init__(self, model, retain_loader): self.model, self.loader = model, retain_loader
        def setup(self, lr): self.lr = lr
        def fit(self, epochs=1): step(self.model, self.loader, self.lr)
"""


def test_a_class_is_made_and_its_methods_are_run(call):
    assert changed(call(TRAINER, {"class": "Trainer", "run": ["setup", "fit"]}, lr=0.1))
    with pytest.raises(MethodError, match=r"Trainer .*'go'\. It has: fit, setup"):
        call(TRAINER, {"class": "Trainer", "run": "go"})


@pytest.mark.parametrize(
    ("returned", "returns"),
    [
        ("0.9", None), ("{'loss': [1.0]}", None), ("model", None), ("(model, [1])", None), ("model.state_dict()", None),
        ("{1: model}", None), ("model.state_dict()", "state_dict"), ("(model, copy.deepcopy(model))", "last"),
        ("{1: model, 2: copy.deepcopy(model)}", "first"),
    ],
)  # fmt: skip
def test_what_is_returned_is_read(call, returned, returns):
    text = f"import copy\ndef unlearn(model, retain_loader):\n    step(model, retain_loader)\n    return {returned}\n"
    assert changed(call(text, {} if returns is None else {"returns": returns}))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def unlearn(model, original_model): return model, original_model", "of 2 models. Say in its entry"),
        (
            "def unlearn(original_model, retain_loader): step(original_model, retain_loader)",
            "changed original_model in",
        ),
        ("def unlearn(model): return 0.5", "returned float, which is no model, and left model as it was"),
        ("def unlearn(model, a, b): ...", "nobody can fill its parameters 'a', 'b'"),
        ("def unlearn(model, teacher_of_all): ...", r"original model \(original_model\)"),
    ],
)
def test_what_cannot_be_right_says_what_to_do(call, body, said):
    with pytest.raises(MethodError, match=said) as caught:
        call(body)
    assert "Did you mean 'oracle_model'" not in str(caught.value)


def test_a_default_of_the_users_is_left_alone_and_can_be_overridden(call):
    text = "def unlearn(model, class_weights=None, generator=None, optimizer='adam'):\n    "
    call(text + "assert class_weights is generator is None and optimizer == 'adam'\n")
    call(text + "assert len(class_weights) == 3\n", {"arguments": {"class_weights": "class_weights"}})


def test_imports_start_from_the_root_of_a_repository(call, tmp_path):
    (tmp_path / "repo" / "methods").mkdir(parents=True)
    (tmp_path / "repo" / "utils.py").write_text("RATE = 0.25\n")
    text = "import utils\ndef unlearn(model, retain_loader): step(model, retain_loader, utils.RATE)\n"
    file, root = "repo/methods/forget.py", str(tmp_path / "repo")
    with pytest.raises(MethodError, match=f"utils lies in {root}: .* set root: {root}"):
        call(text, file=file)
    assert changed(call(text, {"root": root}, file=file))


def test_schedulers_take_what_they_took_in_older_versions_of_pytorch(call):
    assert changed(
        call("""
        from torch.optim.lr_scheduler import ReduceLROnPlateau
        def unlearn(model, retain_loader):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            schedulers = [
                ReduceLROnPlateau(optimizer, mode="min", patience=3, verbose=True),
                torch.optim.lr_scheduler.StepLR(optimizer, 1, verbose=False),
            ]
            step(model, retain_loader)
            schedulers[0].step(0.5)
            schedulers[1].step()
    """)
    )
    with pytest.raises(TypeError, match="verbose"):
        torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1), 1, verbose=True)


def test_a_mapping_of_an_entry_stands_for_the_settings_of_a_package_that_is_not_installed(call):
    text = """
        from not_installed_anywhere import DictConfig, Table
        def unlearn(model, retain_loader, cfg, table):
            assert isinstance(cfg.optimizer, DictConfig)
            assert not isinstance(table, (Table, DictConfig))
            assert not isinstance(cfg, Table)
            step(model, retain_loader, cfg.optimizer.lr)
    """
    settings = {"cfg": {"optimizer": {"lr": 0.1}}, "table": 3}
    assert changed(call(text, {"load": "definitions", "arguments": settings}))


def test_definitions_of_a_script_and_of_a_notebook_run_without_the_rest(call):
    text = """
        import not_installed_anywhere
        RATE = 0.1
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        data = open("/no/such/file").read()
        def unlearn(net, retain, forget, validation):
            step(net.to(device), retain, RATE)
        unlearn(None, data, None, None)
    """
    assert changed(call(text, {"load": "definitions"}))
    cells = [
        "!pip install x\n%matplotlib inline\nimport torch",
        textwrap.dedent(STEP),
        "%%bash\nls",
        textwrap.dedent(text),
    ]
    cells = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    notebook = json.dumps({"cells": [{"cell_type": "markdown", "source": ["# x"]}, *cells]})
    assert changed(call(notebook, file="kaggle.ipynb"))


def test_packages_that_only_show_need_not_be_installed(call):
    text = """
        import wandb
        from tqdm import tqdm
        def unlearn(model, retain_loader):
            wandb.init(project="x").log({"a": 1})
            step(model, tqdm(retain_loader, desc="x"))
    """
    outcome = call(text)
    assert changed(outcome)


@pytest.mark.skipif(torch.cuda.is_available(), reason="where there is CUDA nothing is pretended")
def test_cuda_by_name_is_refused_with_advice_and_pretended_when_told(call):
    text = """
        def unlearn(model, retain_loader):
            model.cuda().to("cuda")
            images = next(iter(retain_loader))[0].cuda(non_blocking=True).to(torch.device("cuda:0"))
            torch.zeros(2, device="cuda")
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record(), end.record(), torch.cuda.synchronize()
            assert begin.elapsed_time(end) >= 0
            free, total = torch.cuda.mem_get_info()
            assert 0 < free <= total
            assert images.device.type == "cpu"
            step(model, ((images.cuda(), labels.to("cuda")) for images, labels in retain_loader))
    """
    with pytest.raises(MethodError, match="cuda: pretend in its entry"):
        call(text)
    assert changed(call(text, {"cuda": "pretend"}))
    with pytest.raises((AssertionError, RuntimeError)):
        torch.zeros(2, device="cuda")


@pytest.mark.parametrize(
    ("batches", "read"),
    [
        ("triple", "image, coarse, label = batch"),
        ("indexed", "image, label, index = batch"),
        ("dict", "image, label = batch['image'], batch['label']"),
        (["index", "image", "label"], "index, image, label = batch"),
        ({"x": "image", "y": "label"}, "image, label = batch['x'], batch['y']"),
    ],
)
def test_batches_come_in_the_form_that_the_code_reads(call, batches, read):
    text = f"def unlearn(model, retain_loader):\n    for batch in retain_loader:\n        {read}\n"
    call(text + "        assert image.ndim == 4 and label.shape == (len(image),)\n", {"batches": batches})


def test_a_loader_has_the_batch_size_of_the_entry_and_functions_left_out_do_nothing(call):
    text = """
        def measure(model): raise SystemExit
        def unlearn(model, retain_loader):
            measure(model)
            assert retain_loader.batch_size == len(next(iter(retain_loader))[1]) == 5
    """
    call(text, {"loader_batch_size": 5, "without": ["measure"]})


def test_a_device_is_one_and_equals_its_name(call):
    call("""
        def unlearn(model, device):
            assert device == "cpu" and device in ("cpu", "cuda") and device.type == "cpu"
            assert device == torch.device("cpu") == device and torch.zeros(1, device=device).device == device
            model.to(device)
    """)


BROKEN = {
    "__init__.py": "from .net import gone\nfrom .unpublished import method\nfrom .draft import plan\n"
    "from torch.nn import NoSuchLayer, Linear\n",
    "draft.py": "def plan(:\n",
    "net.py": "def here(): ...\n",
    "theirs.py": """
import torch
from . import gone, method, plan, Linear
from .net import here, gone as away

def unlearn(model, retain_loader):
    assert Linear is torch.nn.Linear and here() is None
    model.zero_grad()

def needs_it(model, retain_loader):
    away(model)

def needs_draft(model, retain_loader):
    plan(model)

@method
def decorated(model): ...
""",
}


@pytest.fixture
def broken(call, tmp_path):
    """Calls a function of a package whose import statements name what is not there."""

    def run(function, text=BROKEN["theirs.py"], files=("__init__.py", "net.py", "draft.py"), **entry):
        (tmp_path / "package").mkdir()
        for name in files:
            (tmp_path / "package" / name).write_text(BROKEN[name])
        return call(text, {"root": str(tmp_path), **entry}, file="package/theirs.py", function=function)

    return run


def test_names_that_are_imported_and_not_there_matter_only_where_they_are_used(broken):
    text = BROKEN["theirs.py"].partition("@method")[0]
    assert broken("unlearn", text, load="definitions")[1] == {"model": "model", "retain_loader": "retain_loader"}


def test_what_uses_a_name_that_is_not_there_is_told_what_its_import_said(broken):
    text = BROKEN["theirs.py"].partition("@method")[0]
    with pytest.raises(MethodError, match=r"cannot import name 'gone' from 'package\.net'.*away\(model\)"):
        broken("needs_it", text, load="definitions")


def test_what_uses_a_file_that_does_not_parse_is_told_where(broken):
    text = BROKEN["theirs.py"].partition("@method")[0]
    with pytest.raises(MethodError, match=r"invalid syntax \(draft.py, line 1\).*plan\(model\)"):
        broken("needs_draft", text, load="definitions")


def test_a_decorator_that_is_not_there_is_not_left_out(broken):
    with pytest.raises(MethodError, match=r"No module named 'package\.unpublished'"):
        broken("decorated", load="definitions")


def test_without_definitions_an_import_fails_as_in_python_and_says_what_would_do(broken):
    with pytest.raises(MethodError, match=r"cannot import name 'gone'.*set load: definitions in its entry"):
        broken("unlearn", load="all")


def test_a_file_that_a_repository_does_not_publish_is_named(broken):
    with pytest.raises(MethodError, match=r"There is no file for package\.secret in .*set load: definitions"):
        broken("unlearn", "from .secret import unlearn\n", ["net.py"], load="all")


def test_a_parser_that_runs_when_a_file_is_imported_reads_no_arguments_of_the_job(call, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["job.py", "--shard", "3"])
    assert changed(
        call("""
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=0.5)
        options = parser.parse_args()

        def unlearn(model, retain_loader):
            step(model, retain_loader, options.lr)
    """)
    )
    assert sys.argv == ["job.py", "--shard", "3"]


PARTLY = """
    import torch
    from torch.utils.data import *
    GENERATOR = torch.Generator().manual_seed(3)
    train_loader = make_loader()
    settings = make_settings()

    losses = {}
    threshold = losses["filled later"] + 1e-5

    def prepare():
        train_loader = make_loader()
        return train_loader

    def passes(batches, steps=len(train_loader), logger: settings.Logger = None) -> settings.Log:
        for _ in range(steps):
            step(MODEL, batches)

    class Meter:
        size = 3
        def __init__(self, rate=train_loader.rate, size=size):
            train_loader = rate
            self.size = size

    def unlearn(model, retain_loader):
        global MODEL
        MODEL = model
        assert Meter(rate=0.1).size == 3
        half, _ = random_split(retain_loader.dataset, [0.5, 0.5], generator=GENERATOR)
        passes(torch.utils.data.DataLoader(half, 8), steps=1)

    def needs_it(model, retain_loader):
        passes(retain_loader)
"""


def test_defaults_and_annotations_that_need_what_is_left_out_matter_only_where_they_are_used(call):
    assert changed(call(PARTLY, {"load": "definitions"}))
    with pytest.raises(MethodError, match=r"a default, len\(train_loader\), needs what load: definitions leaves out"):
        call(PARTLY, {"load": "definitions"}, function="needs_it")


def test_what_is_told_missing_of_a_namespace_is_names_alone(call):
    text = "def unlearn(model, args):\n    first = args[0] if args.lr > 9 else args.width\n"
    with pytest.raises(MethodError, match=r"has not: width \("):
        call(text, {"arguments": {"args": {"lr": 1}}})


GLOBALS = """
    import torch
    device = torch.device("cuda:7")
    optimizer = make_optimizer(net)
    options = parse_options()

    def train(batches):
        for images, labels in batches:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images.to(device)), labels).backward()
            optimizer.step()

    def unlearn(retain_loader):
        for _ in range(options.epochs):
            train(retain_loader)
"""


def test_names_that_a_file_sets_outside_the_function_get_what_the_entry_says(call):
    given = {"model": "model", "device": "device", "optimizer": "optimizer", "options": {"epochs": 1}}
    outcome = call(GLOBALS, {"load": "definitions", "globals": given})
    assert changed(outcome)
    assert outcome[1]["options (of the file)"] == "{epochs: 1}"


def test_a_name_that_is_left_out_is_told_with_what_to_do(call):
    given = {"options": {"epochs": 1}, "model": "model"}
    with pytest.raises(MethodError, match=r"name 'optimizer' is not defined.*globals: {optimizer: \.\.\.}"):
        call(GLOBALS, {"load": "definitions", "globals": given})
    with pytest.raises(MethodError, match=r"globals\.optimiser: nothing in the file reads.*Did you mean 'optimizer'"):
        call(GLOBALS, {"load": "definitions", "globals": {**given, "optimiser": "optimizer"}})


def test_without_takes_functions_that_measure_and_names_that_are_left_out(call):
    text = """
        logger = make_logger()
        def accuracy(model): raise OSError("no test set here")
        def unlearn(model, retain_loader):
            best = 0.0
            loss, right = accuracy(model)
            if right > best:
                raise ValueError(f"{100 * right:.2f}")
            logger.append("train", right=round(right, 2), text=f"{loss:.3f}")
            step(model, retain_loader)
    """
    assert changed(call(text, {"load": "definitions", "without": ["accuracy", "logger"]}))
    with pytest.raises(MethodError, match=r"without: loger is no function of the file"):
        call(text, {"load": "definitions", "without": ["accuracy", "loger"]})


def test_without_reaches_the_file_of_a_function_that_a_decorator_of_another_file_wraps(call, tmp_path):
    (tmp_path / "rounds.py").write_text(
        "import utils\ndef rounds(function):\n    def wrapped(model, retain_loader, logger):\n"
        "        logger.info('begins'), utils.seed(), function(model, retain_loader)\n    return wrapped\n"
    )
    text = """
        import utils
        from rounds import rounds
        @rounds
        def unlearn(model, retain_loader):
            losses = utils.AverageMeter()
            for _ in range(repeats):
                step(model, retain_loader)
                losses.update(0.0)
            print(f"{losses.avg:.2f}")
    """
    entry = {"load": "definitions", "without": ["utils", "logger"], "globals": {"repeats": 1}}
    outcome = call(text, entry)
    assert changed(outcome)
    assert outcome[1]["logger"] == "what does nothing (without)"
    with pytest.raises(MethodError, match="nobody can fill its parameter 'logger'"):
        call(text, {**entry, "without": ["utils"]})


def test_a_model_that_a_function_only_measures_is_what_it_made(call):
    text = """
        import copy
        def scores(net, loader): raise OSError("no test set here")
        def unlearn(model, retain_loader):
            student = copy.deepcopy(model)
            {change}
            return scores(student, loader=retain_loader)
    """
    outcome = call(text.format(change="step(student, retain_loader)"), {"without": ["scores"]})
    assert changed(outcome)
    assert outcome[1]["the result"] == "the model given to what the entry does without"
    # What is measured first counts no more than a model that was changed in place.
    changed_in_place = call(text.format(change="step(model, retain_loader)"), {"without": ["scores"]})
    assert changed(changed_in_place)
    assert "the result" not in changed_in_place[1]

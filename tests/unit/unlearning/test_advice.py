"""What a failed method is told to do, by the kind of its failure."""

import re
import textwrap

import numpy as np
import pytest
import torch

from unlearning_metric.batches.datasets import ImageDataset
from unlearning_metric.config import Model, Training
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.unlearning.copies import MethodError, method_of_file, run_copies
from unlearning_metric.unlearning.offer import Start

MODEL = Model(name="digits_cnn", width=4)
RECIPE = Training(lr=0.1, epochs=1, batch_size=16)


@pytest.fixture
def refusal(tmp_path):
    """Runs copy 0 of a function with a body, and gives what it is refused with."""

    def run(body, before="", **entry):
        pixels = np.random.default_rng(0).integers(256, size=(20, 8, 8, 1), dtype=np.uint8)
        examples = ImageDataset(pixels, np.arange(20) % 3, np.array([127.0]), np.array([74.0]))
        sets = dict.fromkeys(("retain", "forget", "validation"), examples)
        original = build_model(MODEL, (8, 8, 1), 3, 0).eval()
        start = Start([original], sets, 3, MODEL, RECIPE, np.full(3, 0.1, np.float32), 0)
        file = tmp_path / "theirs.py"
        text = f"import torch\nfrom torch import nn\n{textwrap.dedent(before)}\ndef unlearn(model, retain_loader):\n"
        file.write_text(text + textwrap.indent(textwrap.dedent(body), "    "))
        with pytest.raises(MethodError) as caught:
            run_copies(method_of_file("theirs", file, "unlearn", {}, interface=entry), start, [0])
        return str(caught.value)

    return run


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        ("model.fc2", r"The network here has no fc2: say under model in the configuration which network"),
        ("model[0].cells", r"The network here has no cells: say under model"),
        ("model(torch.zeros(2, 8, 8, 1))", r"If it counts on another network, say under model.*say batches in its"),
        ("hidden, answers = model(next(iter(retain_loader))[0])[:1]", r"If it counts on another network"),
        ("model[-1].weight.view(10, 512)", r"If it counts on another network"),
        ("model(next(iter(retain_loader))[0], return_features=True)", r"If it calls the network, say under model"),
        ("retain_loader.dataset.update_labels()", r"update_labels is of a class of the code's own: make one of it"),
        ("retain_loader.dataset.dataset.marks", r"marks is of a class of the code's own"),
        ("assert not retain_loader.shuffle, 'must not shuffle'", r"call: torch\.utils\.data\.DataLoader, dataset: ret"),
        ("torch.was_there", r"torch has it in another version"),
        ("import no_such_package", r"If no_such_package is a package, install it into the workflow's environment"),
        ("undefined(model)", r"Its file says nowhere what undefined is: .*globals: {undefined: \.\.\.}"),
        ("kind = 'SGD'; kind(model.parameters())", r"give it by {import: torch\.optim\.SGD}"),
        ("'retain'.dataset", r"It got a text\. If it asks for a model, a loader or a class, say which under arguments"),
        ("torch.load('masks/half.pt')", r"It reads a file that is not here: put it there, or give an absolute path"),
        ("raise NotImplementedError", r"NotImplementedError \(.*raise NotImplementedError\)\. Mend that line"),
        ("1 / 0", r"ZeroDivisionError: division by zero \(.*line 5: 1 / 0\)\. Mend that line, or what its entry gives"),
    ],
)
def test_a_failure_says_what_to_do(refusal, body, advice):
    message = refusal(body)
    assert message.startswith("method theirs failed on copy 0 (seed ")
    assert re.search(advice, message), message


def test_what_a_failed_method_got_is_in_the_log(refusal, caplog):
    with caplog.at_level("INFO"):
        refusal("1 / 0")
    assert "arguments of method theirs: model <- model, retain_loader <- retain_loader" in caplog.text


def test_a_class_of_the_codes_own_is_not_taken_for_the_network(refusal):
    message = refusal("Head().fc2", "class Head(nn.Module): pass")
    assert "The network here" not in message
    assert message.endswith("Mend that line, or what its entry gives it.")


@pytest.mark.skipif(torch.cuda.is_available(), reason="where there is CUDA nothing is pretended")
def test_what_pretending_cannot_answer_is_not_told_to_pretend(refusal):
    assert "cuda: pretend in its entry" in refusal("torch.cuda.get_device_properties(0)")
    message = refusal("torch.cuda.get_device_properties(0)", cuda="pretend")
    assert message.endswith("It asks for CUDA in a way that cuda: pretend does not answer: mend that line.")


def test_a_name_that_is_left_out_is_told_apart_from_one_that_is_nowhere(refusal):
    before = "rates = make_rates()\ndef adjust(): return rates"
    assert "load: definitions leaves it out" in refusal("adjust()", before, load="definitions")
    assert "Its file says nowhere what schedule is" in refusal("schedule()", before, load="definitions")


def test_a_network_of_another_form_is_told_what_can_be_scored(refusal):
    message = refusal("model[-1] = nn.Linear(model[-1].in_features, 4)\nreturn model")
    assert "[4]" in message or "[4," in message
    assert "Give back a network of the original's form" in message

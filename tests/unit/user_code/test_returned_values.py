"""What a method may return, and what it may not."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from unlearning_metric.config import Model
from unlearning_metric.nets.by_name import build_model
from unlearning_metric.user_code.contract import MethodError
from unlearning_metric.user_code.returned_values import returned_state

MODEL = Model(name="digits_cnn", width=4)


def build(seed=0, width=4, classes=3):
    return build_model(MODEL.model_copy(update={"width": width}), (8, 8, 1), classes, seed)


ORIGINAL = build(0).eval()


def kept(result, model=None):
    return returned_state(result, model or build(9), ORIGINAL, "method mine")


def same(one, two, tolerance=0.0):
    assert list(one) == list(two)
    return all(torch.allclose(one[name].double(), two[name].double(), atol=tolerance, rtol=tolerance) for name in one)


def replaced(model):
    """The same tensors in modules of other kinds."""

    class Head(nn.Linear):
        pass

    head = Head(model[-1].in_features, model[-1].out_features)
    head.load_state_dict(model[-1].state_dict())
    model[-1] = head
    model[2] = nn.GELU()
    return model


def partly_compiled(model):
    model[0] = torch.compile(model[0])
    return model


@pytest.mark.parametrize(
    ("wrap", "tolerance"),
    [
        (lambda model: model, 0.0),
        (lambda model: model.train().requires_grad_(False), 0.0),
        (nn.DataParallel, 0.0),
        (torch.compile, 0.0),
        (lambda model: torch.compile(nn.DataParallel(model)), 0.0),
        (lambda model: nn.DataParallel(torch.compile(model)), 0.0),
        (partly_compiled, 0.0),
        (replaced, 0.0),
        (lambda model: model.double(), 0.0),
        (lambda model: model.half(), 1e-3),
        (lambda model: model.bfloat16(), 1e-2),
    ],
)
def test_a_model_is_read_by_its_tensors_in_the_originals_types(wrap, tolerance):
    wanted = build(9).state_dict()
    state = kept(wrap(build(9)))
    assert same(state, wanted, tolerance)
    assert [tensor.dtype for tensor in state.values()] == [tensor.dtype for tensor in wanted.values()]


def test_nothing_returned_is_the_model_that_was_given():
    assert same(kept(None, build(5)), build(5).state_dict())


def test_a_wrapper_around_the_given_model_need_not_be_returned():
    model = build(5)
    wrapped = nn.DataParallel(model)
    with torch.no_grad():
        wrapped.module[0].weight.zero_()
    assert not kept(None, model)["0.weight"].any()


def pruned():
    model = build(1)
    prune.random_unstructured(model[0], "weight", amount=0.5)
    return model


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (3, "returned int; it must return an nn.Module, or nothing after changing the model in place"),
        ((build(1), 0.5), "returned tuple, which holds a model among other things (return the model alone)"),
        (build(1).state_dict(), "which looks like a state dict (load it: model.load_state_dict(...), then return"),
        (build(1, classes=4), "form (first difference: 7.weight is [4, 16], the original's is [3, 16])"),
        (nn.Sequential(*build(1)[:-1]), "(first difference: 7.weight is missing)"),
        (nn.Sequential(*build(1), nn.Linear(3, 3)), "(first difference: 8.weight is not in the original)"),
        (pruned(), "(first difference: 0.weight is missing)"),
        (build(1).to("meta"), "0.weight is on the device meta, without values"),
    ],
    ids=["number", "tuple", "state", "classes", "headless", "longer", "pruned", "meta"],
)
def test_what_is_no_model_of_the_originals_form_is_refused(result, said):
    with pytest.raises(MethodError, match=r"^method mine returned ") as caught:
        kept(result)
    assert said in str(caught.value)

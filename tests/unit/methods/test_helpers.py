"""Layers by type and position, modes, SGD steps and schedules, distillation losses, wrong labels."""

import math

import pytest
import torch
from method_files import Loader, examples, load, network, watched_steps
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

_layers, _sgd, _distil, _relabel = (load(name) for name in ("_layers", "_sgd", "_distil", "_relabel"))


def test_layers_are_found_by_type_and_position():
    net = network()
    assert _layers.weighted_layers(net) == [net.opening, net.body, net.verdict]
    assert _layers.head(net) is net.verdict
    assert _layers.stem(net) is net.opening
    assert _layers.feature_layers(net) == [net.opening, net.body]
    assert _layers.batch_norms(net) == [net.opening_norm, net.body_norm]


def test_without_convolutions_hidden_linear_layers_stand_in():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert _layers.stem(net) is net[1]
    assert _layers.feature_layers(net) == [net[1]]
    assert _layers.feature_layers(nn.Linear(4, 2)) == []


def test_a_net_without_a_linear_layer_has_no_head():
    with pytest.raises(ValueError, match="head"):
        _layers.head(nn.Conv2d(1, 2, 3))


def test_the_last_layers_bring_the_batch_norms_behind_them():
    net = network()
    assert _layers.last_layers(net, 1) == [net.verdict]
    # The norm of the second convolution lies behind it, that of the first before it.
    assert _layers.last_layers(net, 2) == [net.body, net.body_norm, net.verdict]
    assert len(_layers.last_layers(net, 3)) == len(_layers.last_layers(net, 99)) == 5


def test_re_initialising_draws_weights_anew_and_resets_batch_norm():
    net = network()
    net.opening_norm.running_mean.fill_(7)
    before = [p.clone() for p in net.verdict.parameters()]
    _layers.re_initialise(net)
    assert not net.opening_norm.running_mean.any()
    assert all(not torch.equal(a, b) for a, b in zip(before, net.verdict.parameters(), strict=True))


@pytest.mark.parametrize(
    ("bn", "part", "training"),
    [
        ("train", "retain", True), ("train", "forget", True), ("frozen", "retain", False), ("frozen", "forget", False),
        ("retain_only", "retain", True), ("retain_only", "forget", False),
    ],
)  # fmt: skip
def test_batch_norms_follow_the_mode(bn, part, training):
    net = network()
    _layers.training_mode(net, bn, part)
    assert net.training
    assert net.body.training
    assert {norm.training for norm in _layers.batch_norms(net)} == {training}
    before = net.opening_norm.running_mean.clone()
    net(examples("R", 8).tensors[0])
    assert torch.equal(net.opening_norm.running_mean, before) != training


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match=r"'froze'.*train, frozen, retain_only"):
        _layers.training_mode(network(), "froze")


def test_noise_has_the_given_standard_deviation():
    torch.manual_seed(0)
    tensor = torch.ones(20_000, requires_grad=True)
    _layers.add_noise(tensor, 0.3)
    assert tensor.mean().item() == pytest.approx(1, abs=0.01)
    assert tensor.std().item() == pytest.approx(0.3, rel=0.03)


def test_a_step_goes_down_the_gradient_and_clips_its_norm():
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = _sgd.sgd([weight], lr=0.1, momentum=0, weight_decay=0)
    _sgd.step(optimizer, (weight * torch.tensor([3.0, 4.0])).sum())
    assert torch.allclose(weight, torch.tensor([2.7, 3.6]))
    _sgd.step(optimizer, (weight * torch.tensor([3.0, 4.0])).sum(), clip=1.0)
    assert torch.allclose(weight, torch.tensor([2.7 - 0.06, 3.6 - 0.08]), atol=1e-5)


def test_the_cosine_falls_from_its_peak_to_its_low():
    assert _sgd.cosine(0.4, 0, 8) == 0.4
    assert _sgd.cosine(0.4, 4, 8) == pytest.approx(0.2)
    assert _sgd.cosine(0.4, 8, 8) == pytest.approx(0)
    assert _sgd.cosine(0.4, 8, 8, low=0.1) == pytest.approx(0.1)
    assert _sgd.cosine(0.4, 2, 8) == pytest.approx(0.2 * (1 + math.cos(math.pi / 4)))


def test_rates_of_a_schedule_and_an_unknown_one():
    assert [_sgd.rate("constant", 0.4, t, 4) for t in (0, 3)] == [0.4, 0.4]
    assert _sgd.rate("cosine", 0.4, 2, 4) == pytest.approx(0.2)
    with pytest.raises(ValueError, match=r"'cosin'.*constant, cosine"):
        _sgd.rate("cosin", 0.4, 0, 4)


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("constant", [0.4] * 4),
        ("cosine", [0.4, 0.2 * (1 + math.cos(math.pi / 4)), 0.2, 0.2 * (1 + math.cos(3 * math.pi / 4))]),
        ("cosine_by_epoch", [0.4, 0.4, 0.2, 0.2]),
    ],
)
def test_learning_rates_of_fine_tuning(schedule, wanted):
    model = network()
    with watched_steps(model) as steps:
        _sgd.descend(model, Loader(examples("R", 16), 8, 0), 2, 0.4, 0.9, 5e-4, schedule)
    assert [step.rate for step in steps] == pytest.approx(wanted)


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match=r"'linear'.*constant, cosine, cosine_by_epoch, one_cycle"):
        _sgd.descend(network(), Loader(examples("R", 16), 8, 0), 1, 0.1, 0.9, 0, "linear")


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_is_from_teacher_to_student_summed_over_classes_and_mean_over_the_batch(temperature):
    teacher, student = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    p, log_q = softmax(teacher / temperature, 1), log_softmax(student / temperature, 1)
    value = _distil.kl_to_teacher(teacher, student, temperature)
    assert torch.allclose(value, kl_div(log_q, p, reduction="batchmean"))
    assert not torch.allclose(value, _distil.kl_to_teacher(student, teacher, temperature))
    assert _distil.kl_to_teacher(teacher, teacher, temperature).abs() < 1e-6


def test_kl_by_hand():
    teacher, student = torch.log(torch.tensor([[0.5, 0.5]])), torch.log(torch.tensor([[0.25, 0.75]]))
    wanted = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert _distil.kl_to_teacher(teacher, student).item() == pytest.approx(wanted)


def test_soft_cross_entropy_is_kl_plus_the_teachers_entropy():
    teacher, student = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    wanted = _distil.kl_to_teacher(teacher, student, 5.0) + _distil.entropy(teacher / 5.0).mean()
    assert torch.allclose(_distil.soft_cross_entropy(teacher, student, 5.0), wanted)


def test_entropy_is_in_nats():
    values = _distil.entropy(torch.tensor([[0.0, 0.0, 0.0, 0.0], [100.0, 0.0, 0.0, 0.0]]))
    assert torch.allclose(values, torch.tensor([math.log(4), 0.0]), atol=1e-6)


def test_answers_carry_no_gradient():
    assert not _distil.answers(network(), examples("R", 4).tensors[0]).requires_grad


@pytest.mark.parametrize("classes", [2, 7])
def test_wrong_labels_are_never_right_and_all_others_are_equally_likely(classes):
    torch.manual_seed(0)
    labels = torch.full((7000,), 1)
    drawn = _relabel.wrong_labels(labels, classes)
    counts = torch.bincount(drawn, minlength=classes)
    assert counts[1] == 0
    assert len(counts) == classes
    expected = 7000 / (classes - 1)
    assert all(abs(count - expected) < 5 * expected**0.5 + 1 for i, count in enumerate(counts.tolist()) if i != 1)


def test_a_relabelled_data_set_keeps_its_images():
    data = examples("F", 5)
    other = _relabel.Relabelled(data, torch.arange(5))
    assert len(other) == 5
    assert torch.equal(other[3][0], data[3][0])
    assert other[3][1] == 3


def test_fine_tuning_matches_steps_of_plain_sgd():
    data = examples("R", 24)
    net, other = network(), network()
    _sgd.descend(net, Loader(data, 8, 5), 2, 0.1, 0.9, 5e-4, "constant")
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    other.train()
    loader = Loader(data, 8, 5)
    for _ in range(2):
        for images, labels in loader:
            optimizer.zero_grad()
            cross_entropy(other(images), labels).backward()
            optimizer.step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(net.parameters(), other.parameters(), strict=True))

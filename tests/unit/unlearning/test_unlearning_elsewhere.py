"""Methods in the styles of the seed project and of a Kaggle submission run as they were written there."""

import copy
import math
import random

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import ConcatDataset, DataLoader, Subset

from unlearning_metric.unlearning.copies import load_method

# The seed project's signature: the net is changed in place, nothing is asked of the loaders but batches.


def unlearn_1(net, retain_loader, forget_loader):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net.to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.002, momentum=0.9, weight_decay=5e-4)
    net.train()
    for _ in range(2):
        for inputs, targets in retain_loader:
            inputs, targets = inputs.to(device), targets.to(device)
            optimizer.zero_grad()
            loss = criterion(net(inputs), targets)
            loss.backward()
            optimizer.step()
    net.eval()


def unlearn_ascent(net, retain_loader, forget_loader):
    """Retain batches beside forget batches that start over, clipped gradients, a scheduler."""
    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(retain_loader))
    forget_batches = iter(forget_loader)
    net.train()
    for inputs, targets in retain_loader:
        try:
            forget_inputs, forget_targets = next(forget_batches)
        except StopIteration:
            forget_batches = iter(forget_loader)
            forget_inputs, forget_targets = next(forget_batches)
        loss = F.cross_entropy(net(inputs), targets) - 0.1 * F.cross_entropy(net(forget_inputs), forget_targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    return net


# A Kaggle submission's: dictionaries, a validation loader, loaders of its own, a module handed back.


class TemperedKL(nn.Module):
    """KL divergence from a target law to the model's, both at one temperature."""

    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature

    def forward(self, logits, target_probabilities):
        own = F.log_softmax(logits / self.temperature, dim=1)
        return F.kl_div(own, target_probabilities, reduction="batchmean") * self.temperature**2


def unlearning(net, retain_loader, forget_loader, val_loader):
    """Flatten the law on forget examples, then repair on the retain set, forget batches beside retain batches."""
    to_uniform = TemperedKL(temperature=2.0)
    shuffled = DataLoader(retain_loader.dataset, batch_size=8, shuffle=True)
    paired = DataLoader(retain_loader.dataset, batch_size=16, shuffle=True)
    away = optim.SGD(net.parameters(), lr=2e-3, momentum=0.9)
    back = optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-2)
    rounds = 2
    schedule = optim.lr_scheduler.LinearLR(away, start_factor=1.0, end_factor=0.1, total_iters=rounds)
    net.train()
    for batch in forget_loader:
        logits = net(batch["image"])
        away.zero_grad()
        to_uniform(logits, torch.full_like(logits, 1 / logits.shape[1])).backward()
        away.step()
    for _ in range(rounds):
        for forgotten, kept in zip(forget_loader, paired, strict=False):
            reference = net(kept["image"]).detach().softmax(dim=1).mean(dim=0)
            logits = net(forgotten["image"])
            away.zero_grad()
            to_uniform(logits, reference.expand_as(logits)).backward()
            away.step()
        schedule.step()
        for batch in shuffled:
            back.zero_grad()
            F.cross_entropy(net(batch["image"]), batch["age_group"], label_smoothing=0.05).backward()
            back.step()
    net.eval()
    return net


def masked(net, retain_loader, forget_loader, val_loader):
    """Re-draw the weights with small gradients, then follow a frozen teacher with the other gradients damped."""
    teacher = copy.deepcopy(net).eval()
    picked = random.sample(range(len(retain_loader.dataset)), len(forget_loader.dataset))
    few = DataLoader(Subset(retain_loader.dataset, picked), batch_size=4, shuffle=True, num_workers=1)
    net.eval()
    net.zero_grad()
    for sign, loader in ((1.0, few), (-1.0, forget_loader)):
        for batch in loader:
            (sign * F.cross_entropy(net(batch["image"]), batch["age_group"])).backward()
    damping = {}
    for name, weight in net.named_parameters():
        if weight.ndim == 4:
            small = weight.grad.abs() < weight.grad.abs().flatten().quantile(0.3)
            weight.data[small] = nn.init.kaiming_normal_(torch.empty_like(weight), nonlinearity="relu")[small]
            damping[name] = torch.where(small, 1.0, 0.1)
            weight.register_hook(damping[name].mul)
    optimizer = optim.AdamW(net.parameters(), lr=1e-3)
    distance = TemperedKL(temperature=1.0)
    everything = ConcatDataset([val_loader.dataset, retain_loader.dataset])
    net.train()
    for batch in DataLoader(everything, batch_size=8, shuffle=True):
        with torch.no_grad():
            target = teacher(batch["image"]).softmax(dim=1)
        optimizer.zero_grad()
        distance(net(batch["image"]), target).backward()
        optimizer.step()
    return nn.DataParallel(copy.deepcopy(net).half())


def changed(state, original):
    return any(not torch.equal(state[name], tensor) for name, tensor in original.state_dict().items())


@pytest.mark.parametrize(
    ("function", "batches", "read"),
    [
        (unlearn_1, "tuple", {"retain": 2, "forget": 0, "validation": 0}),
        (unlearn_ascent, "tuple", {"retain": 1, "forget": 3, "validation": 0}),
        # Loops of a forget batch beside a retain batch: one of 16 each time, and the one zip draws before it stops.
        (unlearning, "kaggle", {"retain": 2 + 2 * 16 / 40, "forget": 3, "validation": 0}),
        (masked, "kaggle", {"retain": 10 / 40 + 1, "forget": 1, "validation": 1}),
    ],
)
def test_functions_written_elsewhere_run_unchanged(small, function, batches, read):
    copies = small.run(function, (0, 1), batches=batches)
    again = small.run(function, (1,), batches=batches)
    assert all(changed(state, small.originals[index]) for index, state in copies.states.items())
    assert all(torch.isfinite(tensor).all() for state in copies.states.values() for tensor in state.values())
    assert not changed(again.states[1], small.fresh_with(copies.states[1]))
    # From one original, two copies differ.
    small.originals[:] = small.originals[:1]
    one, two = small.run(function, (0, 1), batches=batches).states.values()
    assert any(not torch.equal(one[name], two[name]) for name in one)
    assert {part: of_copy[0] for part, of_copy in copies.passes.items()} == pytest.approx(read)


SUBMISSION = """
import torch
from torch import nn
from torch.utils.data import DataLoader

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Settings:
    batch_size = 8
    epochs = 2
    noise = 0.05


def shake(model):
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.add_(torch.randn_like(layer.weight), alpha=Settings.noise)


def count_classes(loader):
    return torch.bincount(torch.cat([batch["age_group"].cpu() for batch in loader]), minlength=3)


def unlearning(net, retain_loader, forget_loader, val_loader):
    counts = count_classes(retain_loader).clamp(min=1)
    criterion = nn.CrossEntropyLoss(weight=(counts.sum() / (3 * counts)).float().to(DEVICE))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    batches = DataLoader(retain_loader.dataset, batch_size=Settings.batch_size, shuffle=True)
    shake(net)
    net.train()
    for _ in range(Settings.epochs):
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            criterion(net(batch["image"].to(DEVICE)), batch["age_group"].to(DEVICE)).backward()
            optimizer.step()
    return net.eval()
"""


def test_a_whole_submission_file_runs_by_its_functions_name(small, tmp_path):
    (tmp_path / "submission.py").write_text(SUBMISSION)
    function = load_method(tmp_path / "submission.py", "unlearning")
    copies = small.run(function, (0, 2), batches="kaggle")
    assert {part: of_copy[0] for part, of_copy in copies.passes.items()} == {"retain": 3, "forget": 0, "validation": 0}
    assert changed(copies.states[0], small.originals[0])
    assert not torch.equal(copies.states[0]["0.weight"], copies.states[2]["0.weight"])
    assert math.isfinite(float(np.sum([float(tensor.double().sum()) for tensor in copies.states[0].values()])))

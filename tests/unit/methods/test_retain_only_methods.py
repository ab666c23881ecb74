"""Defining formulas of the methods that fine-tune on the retain set."""

import math
import random

import pytest
import torch
from method_files import arguments, examples, load, network, run, taught, watched_steps
from torch.optim.optimizer import register_optimizer_step_pre_hook


def test_reset_head_draws_the_last_linear_layer_anew_and_no_other():
    model = run("reset_head", options={"lr": 1e-9})
    assert (model.verdict.weight - network().verdict.weight).abs().max() > 0.01
    assert torch.allclose(model.body.weight, network().body.weight, atol=1e-6)


def test_kit_finetune_has_the_kits_recipe():
    method, groups = load("kit_finetune"), []
    given = arguments(method.unlearn, sizes=(128, 8, 8))
    hook = register_optimizer_step_pre_hook(lambda optimizer, *_: groups.append(dict(optimizer.param_groups[0])))
    method.unlearn(**given)
    hook.remove()
    wanted = [0.05 * (1 + math.cos(math.pi * epoch / 5)) for epoch in range(5) for _ in range(2)]
    assert [group["lr"] for group in groups] == pytest.approx(wanted)
    assert {(group["momentum"], group["weight_decay"]) for group in groups} == {(0.9, 5e-4)}


@pytest.mark.parametrize("name", ["cf_k", "eu_k"])
def test_only_the_last_layers_move_and_frozen_batch_norms_keep_their_statistics(name):
    before, model = network().state_dict(), run(name, options={"k": 2})
    moved = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, before[key])}
    last = {"body.weight", "verdict.weight", "verdict.bias"}
    assert moved == last | {key for key in before if key.startswith("body_norm")}
    assert model.opening.weight.requires_grad
    # Nothing was spent on gradients of the frozen layers.
    assert model.opening.weight.grad is None


def test_cf_k_starts_at_the_original_and_eu_k_from_new_layers():
    start = network()
    near, far = (run(name, options={"k": 1, "lr": 1e-9}) for name in ("cf_k", "eu_k"))
    assert torch.allclose(near.verdict.weight, start.verdict.weight, atol=1e-6)
    assert (far.verdict.weight - start.verdict.weight).abs().max() > 0.01


def test_eu_k_with_rewind_starts_from_the_originals_own_initial_weights():
    method = load("eu_k")
    model, initial = network(seed=0), network(seed=1)
    initial.body_norm.weight.data.fill_(3)
    method.reset_last_layers(model, 2, initial)
    assert torch.equal(model.verdict.weight, initial.verdict.weight)
    assert torch.equal(model.body.weight, initial.body.weight)
    assert torch.equal(model.body_norm.weight, initial.body_norm.weight)
    assert torch.equal(model.opening.weight, network(seed=0).opening.weight)
    one, two = (run("eu_k", seed, options={"k": 1, "lr": 1e-9, "rewind": True}) for seed in (1, 2))
    assert torch.allclose(one.verdict.weight, network(seed=1).verdict.weight, atol=1e-6)
    assert torch.allclose(one.verdict.weight, two.verdict.weight, atol=1e-6)


def test_eu_k_with_rewind_names_the_model_it_lacks():
    given = {**arguments(load("eu_k").unlearn), "initial_model": None}
    with pytest.raises(ValueError, match="initial_model"):
        run("eu_k", given=given, options={"rewind": True})


def test_l1_penalty_falls_linearly_to_nothing():
    weight = load("l1_sparse").penalty_weight
    assert [weight(0.8, epoch, 4, 0) for epoch in range(4)] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert [weight(0.8, epoch, 6, 2) for epoch in range(6)] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0, 0])


def test_l1_sparse_shrinks_every_kind_of_parameter():
    plain, sparse = (run("l1_sparse", options={"alpha": alpha, "lr": 0.05}) for alpha in (0.0, 0.02))
    for module in ("opening", "opening_norm", "body", "verdict"):
        norms = [getattr(model, module).weight.abs().sum() for model in (plain, sparse)]
        assert norms[1] < 0.98 * norms[0], module


def test_noise_of_noisy_finetune_is_that_of_langevin():
    method = load("noisy_finetune")
    assert method.noise_sd(0.08, 0.5) == pytest.approx(0.4 * 0.5)


def test_noisy_finetune_adds_noise_after_every_step_but_those_of_the_last_third_of_an_epoch():
    method = load("noisy_finetune")
    given = arguments(method.unlearn, sizes=(96, 8, 8))
    torch.manual_seed(0)
    with watched_steps(given["model"]) as steps:
        method.unlearn(**given, lr=0.02, sigma=0.1, epochs=2, batch_size=16)
    # 12 steps of which the last 2 are quiet; noise reaches each of the parameters, and is seen before the next step.
    assert [len(step.noise) for step in steps] == [0] + [len(list(network().parameters()))] * 10 + [0]
    noise = torch.cat([part.flatten() for step in steps for part in step.noise.values()])
    assert noise.std().item() == pytest.approx(0.2 * 0.1, rel=0.05)


def test_seif_noises_the_first_convolution_alone_unless_told_otherwise():
    method = load("seif")
    torch.manual_seed(0)
    stem, every = network(), network()
    method.noise_convolutions(stem, 0.6, "stem")
    assert not torch.equal(stem.opening.weight, network().opening.weight)
    assert torch.equal(stem.body.weight, network().body.weight)
    method.noise_convolutions(every, 0.6, "all")
    assert not torch.equal(every.body.weight, network().body.weight)
    assert torch.equal(every.verdict.weight, network().verdict.weight)
    with pytest.raises(ValueError, match="stem, all"):
        method.noise_convolutions(stem, 0.6, "none")


def test_seifs_noise_is_absolute_in_the_stem_and_relative_in_all():
    method = load("seif")
    torch.manual_seed(0)
    net = torch.nn.Conv2d(8, 64, 5)
    before = net.weight.detach().clone()
    method.noise_convolutions(net, 0.6, "stem")
    assert (net.weight - before).std().item() == pytest.approx(0.6, rel=0.03)
    net.weight.data.copy_(before)
    method.noise_convolutions(net, 0.6, "all")
    assert (net.weight - before).std().item() == pytest.approx(0.6 * before.std().item(), rel=0.03)


def test_seif_adds_noise_at_the_start_and_before_the_last_epoch():
    method = load("seif")
    given = arguments(method.unlearn, sizes=(64, 8, 8))
    torch.manual_seed(0)
    with watched_steps(given["model"]) as steps:
        method.unlearn(**given, lr=1.0)
    assert [step.rate for step in steps] == pytest.approx([1.0, 0.5 + 0.5 * 2**-0.5, 0.5, 0.5 - 0.5 * 2**-0.5])
    assert [list(step.noise) for step in steps] == [["opening.weight"], [], [], ["opening.weight"]]
    spreads = [step.noise["opening.weight"].std().item() for step in (steps[0], steps[3])]
    assert spreads == pytest.approx([0.6, 0.005], rel=0.3)


def test_pruning_takes_the_smallest_entries_of_all_tensors_together():
    tensors = [torch.tensor([[0.1, -5.0], [0.2, 4.0]]), torch.tensor([-0.3, 6.0])]
    masks = load("sebastian").pruned(tensors, 0.5)
    assert masks[0].tolist() == [[True, False], [True, False]]
    assert masks[1].tolist() == [True, False]


def test_pruned_weights_are_drawn_within_one_over_the_root_of_fan_in_and_pruned_biases_are_zero():
    model, before = network(batch_norm=False), network(batch_norm=False)
    load("sebastian").prune_and_redraw(model, 1.0)
    for layer in (model.opening, model.body, model.verdict):
        fan_in = layer.weight[0].numel()
        assert layer.weight.abs().max() <= fan_in**-0.5
        assert layer.weight.abs().max() > 0.7 * fan_in**-0.5
        assert not layer.bias.any()
    assert not torch.equal(model.body.weight, before.body.weight)
    untouched = network()
    load("sebastian").prune_and_redraw(untouched, 0.0)
    assert torch.equal(untouched.body.weight, network().body.weight)


def test_sebastian_leaves_batch_norms_alone_and_rounds_to_half_precision():
    model = network()
    model.body_norm.weight.data.fill_(1e-3)
    load("sebastian").prune_and_redraw(model, 0.99)
    assert torch.equal(model.body_norm.weight, torch.full((4,), 1e-3))
    model = run("sebastian")
    assert all(torch.equal(p, p.half().float()) for p in model.parameters())


def test_sebastian_matches_the_originals_entropies():
    # With the entropy term alone, a net stays near the original's uncertainty; here it is what drives the step.
    images, _ = examples("R", 32).tensors
    distil = load("_distil")
    sharp, flat = network(), network()
    sharp.verdict.weight.data.mul_(20)
    gap = (distil.entropy(sharp(images)) - distil.entropy(flat(images))).pow(2).mean()
    assert gap > 0.01
    given = arguments(load("sebastian").unlearn)
    given["original_model"] = sharp
    matched = run("sebastian", given=given, options={"share": 0.0, "lr": 0.05, "epochs": 10})
    plain = run("sebastian", options={"share": 0.0, "lr": 0.05, "epochs": 10})
    assert distil.entropy(matched(images)).mean() < distil.entropy(plain(images)).mean()


@pytest.mark.parametrize(
    ("name", "power", "options"),
    # Nothing is pruned, so that the first step's entropies are the original's and only the labels drive it.
    [("seif", 1, {}), ("sebastian", 0.1, {"share": 0.0})],
)
def test_class_weights_enter_the_loss(name, power, options):
    given = arguments(load(name).unlearn, sizes=(64, 8, 8), batch_norm=False)
    batches, labels = taught(given["model"]), {}
    for image, label in given["retain_loader"].dataset:
        labels[tuple(image.flatten().tolist())] = int(label)
    run(name, given=given, options=options)
    images, logits, gradient = batches[0]
    chosen = torch.tensor([labels[tuple(image.flatten().tolist())] for image in images])
    wanted = (given["class_weights"] ** power)[chosen]
    # Of cross-entropy: the weight's share of the batch, times how far the label's probability is from 1.
    each = gradient.gather(1, chosen[:, None])[:, 0] / (logits.softmax(1).gather(1, chosen[:, None])[:, 0] - 1)
    assert torch.allclose(each, wanted / wanted.sum(), rtol=1e-3)


def test_transposed_kernels_see_transposed_images():
    model, images = network(batch_norm=False), examples("R", 5).tensors[0]
    wanted = model(images.transpose(2, 3))
    load("toshi_k").transpose_kernels(model)
    assert torch.allclose(model(images), wanted, atol=1e-6)
    assert not torch.allclose(network(batch_norm=False)(images), wanted, atol=1e-3)


def test_kernels_that_are_not_square_are_left():
    layer = torch.nn.Conv2d(1, 2, (3, 5))
    before = layer.weight.detach().clone()
    load("toshi_k").transpose_kernels(layer)
    assert torch.equal(layer.weight, before)


def test_suns_choice_is_of_distinct_tensors_and_noise_reaches_each_only_once():
    choose = load("sun").choose
    random.seed(0)
    chosen, fresh = choose(20, 9, 0.7, noised=set())
    assert len(set(chosen)) == 9
    assert len(fresh) == 6
    assert set(fresh) <= set(chosen)
    assert all(not set(choose(20, 9, 0.7, noised={0, 1, 2})[1]) & {0, 1, 2} for _ in range(50))
    assert len(choose(4, 9, 0.7, noised=set())[0]) == 4


def test_sun_trains_only_the_drawn_tensors_and_batch_norms_in_the_noise_phase():
    method = load("sun")
    given = arguments(method.unlearn, sizes=(64, 8, 8))
    with watched_steps(given["model"]) as steps:
        method.unlearn(**given, drawn=1, noised_share=0.0)
    # 4 weights and biases of layers, 4 of batch norms; one step an epoch.
    assert [len(step.trained) for step in steps] == [8] + [5] * 4 + [8] * 4
    for step in steps[1:5]:
        assert {name for name in step.moved if "norm" not in name} == {n for n in step.trained if "norm" not in n}
    with watched_steps(given["model"]) as steps:
        method.unlearn(**given, drawn=1, first_epoch="drawn")
    assert len(steps[0].trained) == 5


def test_suns_learning_rates_and_its_noise_between_first_and_last_epochs():
    method = load("sun")
    given = arguments(method.unlearn, sizes=(64, 8, 8))
    with watched_steps(given["model"]) as steps:
        method.unlearn(**given, drawn=4, noised_share=0.5)
    assert [step.rate for step in steps] == [2e-4] * 8 + [1e-3]
    # The new head; then all four tensors that are no batch norm have had their noise after two epochs.
    assert [len(step.noise) for step in steps] == [2, 2, 2, 0, 0, 0, 0, 0, 0]
    assert not steps[1].noise.keys() & steps[2].noise.keys()


def test_sun_resets_the_head():
    model = run("sun", options={"lr": 0.0, "last_lr": 0.0, "sd": 0.0})
    assert (model.verdict.weight - network().verdict.weight).abs().max() > 0.01
    assert torch.equal(model.body.weight, network().body.weight)


def test_knus_layers_are_convolutions_that_project_no_shortcut():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(2, 4, 1, stride=2), torch.nn.Linear(4, 2))
    assert load("forget_knu").resettable_layers(net) == [net[0]]


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        ({}, [1e-3, 1e-3, 5e-4, 1e-3, 5e-4]),
        # The period is that of the longest cycle.
        ({"cycles": (1, 2), "lr": 1.0}, [1.0, 1.0, 0.5]),
        ({"cycles": (3, 2), "lr": 1.0}, [1.0, 0.75, 0.25, 1.0, 0.75]),
    ],
)
def test_knus_learning_rates(options, rates):
    method = load("forget_knu")
    given = arguments(method.unlearn, sizes=(64, 8, 8))
    with watched_steps(given["model"]) as steps:
        method.unlearn(**given, **options)
    assert [step.rate for step in steps] == pytest.approx(rates)


def test_knu_resets_layers_and_imitates_the_originals_logits():
    method = load("forget_knu")
    # Without a reset, imitation of itself has nothing to learn.
    given = arguments(method.unlearn, sizes=(64, 8, 8), batch_norm=False)
    method.unlearn(**given, layers=0, noise_sd=0.0, weight_decay=0.0)
    assert torch.equal(given["model"].body.weight, network(batch_norm=False).body.weight)
    method.unlearn(**given, layers=6, lr=1e-9)
    assert not torch.allclose(given["model"].body.weight, network(batch_norm=False).body.weight, atol=1e-3)
    assert torch.allclose(given["model"].verdict.weight, network(batch_norm=False).verdict.weight, atol=1e-6)


def test_knus_teacher_is_the_original_on_clean_images_and_the_model_sees_noise():
    method, asked, shown = load("forget_knu"), [], []
    given = arguments(method.unlearn, sizes=(512, 8, 8))
    given["original_model"].register_forward_pre_hook(lambda net, inputs: asked.append(inputs[0]))
    given["model"].register_forward_pre_hook(lambda net, inputs: shown.append(inputs[0]))
    method.unlearn(**given, cycles=(1,), noise_sd=0.3)
    data, clean = given["retain_loader"].dataset.tensors[0], torch.cat(asked)
    assert torch.equal(clean.flatten(1).sort(0).values, data.flatten(1).sort(0).values)
    noise = torch.cat(shown) - clean
    assert noise.std().item() == pytest.approx(0.3, rel=0.05)


def test_amnesiacs_warm_up_is_kl_from_the_original():
    kl_to_teacher = load("_distil").kl_to_teacher
    given = arguments(load("amnesiacs").unlearn, sizes=(64, 8, 64))
    batches, original = taught(given["model"]), given["original_model"]
    run("amnesiacs", given=given)
    assert len(batches) == 6
    for images, logits, gradient in batches[:3]:
        logits.requires_grad_()
        (wanted,) = torch.autograd.grad(kl_to_teacher(original(images).detach(), logits, 5.0), logits)
        assert torch.allclose(gradient, wanted, rtol=1e-4, atol=1e-8)


def test_amnesiacs_reset_the_first_convolution_and_the_head():
    model = run("amnesiacs", options={"lr": 1e-9, "warm_up_lr": 1e-9})
    for name in ("opening", "verdict"):
        assert (getattr(model, name).weight - getattr(network(), name).weight).abs().max() > 0.01, name
    assert torch.allclose(model.body.weight, network().body.weight, atol=1e-6)


def test_amnesiacs_loss_has_twice_the_gradient_of_kl_and_once_that_of_cross_entropy():
    method, distil = load("amnesiacs"), load("_distil")
    teacher = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    logits = torch.zeros(6, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(method.retain_loss(teacher, logits, labels, 5.0), logits)
    parts = 2 * distil.kl_to_teacher(teacher, logits, 5.0) + torch.nn.functional.cross_entropy(logits, labels)
    assert torch.allclose(gradient, torch.autograd.grad(parts, logits)[0], atol=1e-7)

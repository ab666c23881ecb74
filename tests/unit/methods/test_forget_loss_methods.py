"""Defining formulas of the methods that use the forget set's loss, gradient or labels, and of one-shot edits."""

import math

import pytest
import torch
from method_files import BRIGHTNESS, Loader, arguments, examples, load, network, run, taught, watched_steps
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax, softmax
from torch.utils.data import TensorDataset


def loss_on_forget(model):
    images, labels = examples("F", 128).tensors
    return cross_entropy(model.eval()(images), labels).item()


def test_gradient_ascent_climbs_and_leaves_batch_norm_statistics():
    model = run("gradient_ascent", options={"lr": 0.01})
    assert loss_on_forget(model) > loss_on_forget(network())
    assert torch.equal(model.body_norm.running_mean, network().body_norm.running_mean)
    moving = run("gradient_ascent", options={"lr": 0.01, "bn": "train"})
    assert not torch.equal(moving.body_norm.running_mean, network().body_norm.running_mean)


def test_gradient_ascent_stops_once_the_forget_loss_reaches_the_validation_loss():
    method, images = load("gradient_ascent"), 1e4 * examples("V", 16).tensors[0]
    logits = network()(images)
    # So bright that a right label has no loss, and a wrong one has a huge loss.
    for labels, epochs in ((logits.argmax(1), 1), (logits.argmin(1), 7)):
        given = arguments(method.unlearn, sizes=(16, 16, 16))
        given["val_loader"] = Loader(TensorDataset(images, labels), 16, 0)
        with watched_steps(given["model"]) as steps:
            method.unlearn(**given, epochs=7, stop_at_validation_loss=True)
        assert len(steps) == epochs


def test_mean_loss_is_over_examples_in_eval_mode():
    images, labels = examples("V", 10).tensors
    model = network().train()
    value = load("gradient_ascent").mean_loss(model, Loader(examples("V", 10), 4, 0))
    assert value == pytest.approx(cross_entropy(network()(images), labels).item(), rel=1e-5)


def test_neggrad_plus_weighs_the_two_losses_and_clamps_the_forget_loss_at_a_blind_guess():
    loss = load("neggrad_plus").combined_loss
    two, low, high = torch.tensor(2.0), torch.tensor(0.5), torch.tensor(50.0, requires_grad=True)
    assert loss(two, low, 0.9, 10).item() == pytest.approx(0.9 * 2 - 0.1 * 0.5)
    clamped = loss(two, high, 0.9, 10)
    assert clamped.item() == pytest.approx(0.9 * 2 - 0.1 * math.log(10))
    assert torch.autograd.grad(clamped, high)[0] == 0


def taught_labels(name, **options):
    """True label of each forget example and the labels that a method teaches it, epoch by epoch."""
    method = load(name)
    given = arguments(method.unlearn, sizes=(20, 12, 8), classes=5)
    batches = taught(given["model"])
    torch.manual_seed(0)
    method.unlearn(**given, lr=0.0, **options)
    found = {tuple(image.flatten().tolist()): (int(label), []) for image, label in given["forget_loader"].dataset}
    for images, _, gradient in batches:
        # Cross-entropy raises the logit of the label, and lowers all others.
        for image, label in zip(images, gradient.argmin(1), strict=True):
            if abs(image[0, 0, 0] - BRIGHTNESS["F"]) < 5:
                found[tuple(image.flatten().tolist())][1].append(int(label))
    return list(found.values())


def test_random_labels_are_drawn_once_and_wrong():
    for truth, labels in taught_labels("random_labels", epochs=3):
        assert len(labels) == 3
        assert len(set(labels)) == 1
        assert truth not in labels


def test_saluns_labels_are_wrong_and_fresh_in_each_epoch():
    pairs = taught_labels("salun", epochs=6)
    for truth, labels in pairs:
        assert len(labels) == 6
        assert truth not in labels
    assert all(len(set(labels)) > 2 for _, labels in pairs)


def test_salun_masks_hold_the_largest_share_of_all_entries():
    masks = load("salun").saliency_masks([torch.tensor([[1.0, -9.0], [0.0, 3.0]]), torch.tensor([-4.0, 0.5])], 0.5)
    assert masks[0].tolist() == [[False, True], [False, True]]
    assert masks[1].tolist() == [True, False]


def test_saluns_gradient_is_the_sum_over_batches_in_eval_mode():
    method, data = load("salun"), examples("F", 12)
    batches = [tuple(part[i : i + 4] for part in data.tensors) for i in (0, 4, 8)]
    net = network().train()
    total = method.summed_gradient(net, list(net.parameters()), batches)
    model = network()
    wanted = torch.autograd.grad(sum(cross_entropy(model(x), y) for x, y in batches), list(model.parameters()))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(total, wanted, strict=True))


def test_saluns_unmasked_weights_stay_exactly_in_spite_of_momentum_and_weight_decay():
    given = arguments(load("salun").unlearn)
    before = [p.clone() for p in given["model"].parameters()]
    model = run("salun", given=given, options={"share": 0.3, "weight_decay": 0.1, "epochs": 2})
    same = torch.cat([(a == b).flatten() for a, b in zip(before, model.parameters(), strict=True)])
    assert same.float().mean().item() == pytest.approx(0.7, abs=0.02)


def test_scrubs_max_loss_is_minus_temperature_squared_kl_from_the_original():
    teacher, student = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    p, q = softmax(teacher / 4, 1), softmax(student / 4, 1)
    kl = (p * (p.log() - q.log())).sum(1).mean()
    assert load("scrub").max_loss(teacher, student, 4.0).item() == pytest.approx(-16 * kl.item(), rel=1e-5)


def test_scrubs_min_loss_adds_cross_entropy():
    teacher, student = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1])
    scrub = load("scrub")
    wanted = 0.9 * cross_entropy(student, labels) - 0.2 * scrub.max_loss(teacher, student, 2.0)
    assert torch.allclose(scrub.min_loss(teacher, student, labels, 2.0, gamma=0.9, alpha=0.2), wanted)


def test_scrubs_learning_rate_is_a_tenth_after_each_listed_epoch():
    rate = load("scrub").rate
    assert [rate(1.0, epoch, (3, 5)) for epoch in range(1, 8)] == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_scrubs_error_is_of_the_given_classes():
    data = examples("V", 40)
    wrong = network()(data.tensors[0]).argmax(1) != data.tensors[1]
    error = load("scrub").error
    assert error(network(), Loader(data, 7, 0)) == pytest.approx(wrong.float().mean().item())
    chosen = data.tensors[1] == 1
    wanted = wrong[chosen].float().mean().item()
    assert error(network(), Loader(data, 7, 0), torch.tensor([1])) == pytest.approx(wanted)


def test_scrub_with_rewind_takes_the_epoch_whose_forget_error_is_closest_to_the_last_validation_error():
    error, chosen = load("scrub").error, []
    for lr in (0.2, 0.3):
        # The same net after each of three epochs, and what is taken of them. One pass over the forget set, whose order
        # the errors' passes change.
        task, options = {"sizes": (64, 32, 32), "batch_size": 16}, {"lr": lr, "forget_epochs": 1}
        students = [run("scrub", options={**options, "epochs": epochs}, **task) for epochs in (1, 2, 3)]
        taken = run("scrub", options={**options, "epochs": 3, "rewind": True}, **task)
        forget, validation = (Loader(examples(part, 32), 32, 0) for part in "FV")
        target = error(students[-1], validation)
        distances = [abs(error(student, forget) - target) for student in students]
        chosen.append(distances.index(min(distances)))
        nearest = students[chosen[-1]]
        assert all(torch.equal(a, b) for a, b in zip(taken.parameters(), nearest.parameters(), strict=True))
    # With the small learning rate all are as near, with the large one the last is nearest.
    assert chosen == [0, 2]


def test_the_bad_teacher_teaches_forget_examples_and_the_original_the_others():
    good, bad, student = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0))
    is_forget = torch.tensor([True, False, False, True])
    method, kl = load("bad_teacher"), load("_distil").kl_to_teacher
    loss = method.teaching_loss(good, bad, student, is_forget)
    wanted = (kl(bad[is_forget], student[is_forget]) + kl(good[~is_forget], student[~is_forget])) / 2
    assert torch.allclose(loss, wanted)


def test_the_bad_teacher_is_an_untrained_net_drawn_anew_in_each_copy():
    method, images = load("bad_teacher"), examples("F", 6).tensors[0]
    teachers = []
    for seed in (0, 1):
        given, asked = arguments(method.unlearn, sizes=(16, 8, 8)), []
        # A copy of the original has its hook too.
        given["original_model"].register_forward_hook(lambda net, *_, asked=asked: asked.append(net))
        torch.manual_seed(seed)
        method.unlearn(**given)
        good, bad = dict.fromkeys(asked)
        assert good is given["original_model"]
        teachers += [good, bad]
    good, bad, _, other = (net(images) for net in teachers)
    assert torch.equal(good, network()(images))
    assert not torch.allclose(bad, good, atol=1e-3)
    assert not torch.allclose(bad, other, atol=1e-3)


def test_ssd_dampens_where_the_forget_set_matters_more_than_selection_times_the_whole():
    whole, forget = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 1.0]), torch.tensor([5.0, 10.0, 20.0, 2.0, 0.0, 0.0])
    factor = load("ssd").factor(whole, forget, selection=10.0, dampening=1.0)
    assert factor.tolist() == pytest.approx([1, 1, 0.05, 0, 1, 1])
    assert load("ssd").factor(whole, forget, 10.0, dampening=30.0).tolist() == pytest.approx([1, 1, 1, 0, 1, 1])


def test_ssds_importance_is_the_mean_of_squared_batch_gradients_in_eval_mode():
    data = examples("F", 8)
    batches = [tuple(part[i : i + 4] for part in data.tensors) for i in (0, 4)]
    found = load("ssd").importances(network().train(), batches)
    model = network()
    gradients = [torch.autograd.grad(cross_entropy(model(x), y), list(model.parameters())) for x, y in batches]
    wanted = [(a**2 + b**2) / 2 for a, b in zip(*gradients, strict=True)]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, wanted, strict=True))


def test_ssd_with_jitter_spreads_its_copies():
    one, two = (run("ssd", seed, options={"jitter": True}) for seed in (0, 1))
    assert not torch.equal(one.body.weight, two.body.weight)


def test_fisher_information_is_the_expectation_over_the_models_own_predictions():
    data, model = examples("R", 5), network()
    # One example at a time, and all at once.
    found, alone = (load("fisher").fisher_diagonal(network().train(), data, entries) for entries in (3, 10**9))
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-7) for a, b in zip(found, alone, strict=True))
    total = [torch.zeros_like(p) for p in model.parameters()]
    for image, _ in data:
        for label in range(3):
            log_p = log_softmax(model(image[None]), 1)[0, label]
            for tensor, gradient in zip(total, torch.autograd.grad(log_p, list(model.parameters())), strict=True):
                tensor += log_p.detach().exp() * gradient**2 / 5
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-7) for a, b in zip(found, total, strict=True))


def test_fisher_looks_at_each_retain_example_once():
    given, asked = arguments(load("fisher").unlearn, sizes=(40, 8, 8)), []

    class Asked(TensorDataset):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    given["retain_loader"].dataset = Asked(*given["retain_loader"].dataset.tensors)
    run("fisher", given=given)
    indices = [int(one) for index in asked for one in torch.as_tensor(index).flatten()]
    assert sorted(indices) == list(range(40))


def test_fisher_noise_variance():
    variance = load("fisher").noise_variance
    weights = torch.tensor([[0.1, 0.5], [1e-9, 1.0]])
    # 1/F capped at 1000, then the mean over the inputs.
    assert torch.allclose(variance(weights, 2.0, False), torch.tensor([[12.0, 12.0], [1001.0, 1001.0]]), rtol=1e-5)
    assert torch.allclose(variance(weights, 2.0, True), torch.tensor([[120.0, 120.0], [1010.0, 1010.0]]), rtol=1e-5)
    assert torch.allclose(variance(torch.tensor([0.1, 0.0]), 2.0, False), torch.tensor([200.0, 20_000.0]), rtol=1e-5)


def test_fishers_repair_is_fine_tuning_after_the_noise():
    noised = run("fisher", sizes=(64, 8, 8), options={"scale": 1e-3})
    repaired = run("fisher", sizes=(64, 8, 8), options={"scale": 1e-3, "repair_epochs": 5})
    images, labels = examples("R", 64).tensors
    before, after = (cross_entropy(model.eval()(images), labels) for model in (noised, repaired))
    assert after < before


def test_fanchuans_first_loss_is_kl_from_uniform():
    logits = torch.log(torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    wanted = (0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)) / 2
    assert load("fanchuan").uniform_loss(logits).item() == pytest.approx(wanted)


def test_fanchuans_contrast_is_the_mean_over_all_pairs():
    forget, retain = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [3.0, 0.0], [0.0, 1.0]])
    scores = [[1.0, 3.0, 0.0], [2.0, 0.0, 2.0]]
    rows = [[s / 1.15 for s in row] for row in scores]
    terms = [math.log(sum(math.exp(other) for other in row)) - s for row in rows for s in row]
    assert load("fanchuan").contrast_loss(forget, retain, 1.15).item() == pytest.approx(sum(terms) / 6)


def test_fanchuans_contrast_follows_a_cosine_to_a_millionth():
    method, rates = load("fanchuan"), {}
    given = arguments(method.unlearn, sizes=(256, 128, 8))
    with watched_steps(given["model"]) as steps:
        method.unlearn(**given, rounds=3)
    for step in steps:
        rates.setdefault(step.optimizer, []).append(step.rate)
    flat, contrast, repair = rates.values()
    assert flat == [0.005] * 2
    assert repair == [4e-3] * 3
    wanted = [1e-6 + (3e-4 - 1e-6) * 0.5 * (1 + math.cos(math.pi * t / 6)) for t in range(6)]
    assert contrast == pytest.approx(wanted)


def test_kookmins_masks_hold_the_smallest_share_of_each_layer_or_of_all():
    masks = load("kookmin").reset_masks
    differences = [torch.tensor([[1.0, -2.0], [3.0, -4.0]]), torch.tensor([10.0, -20.0])]
    by_layer = masks(differences, 0.5, "layer")
    assert by_layer[0].tolist() == [[True, True], [False, False]]
    assert by_layer[1].tolist() == [True, False]
    together = masks(differences, 0.5, "global")
    assert together[0].tolist() == [[True, True], [True, False]]
    assert together[1].tolist() == [False, False]
    with pytest.raises(ValueError, match="layer, global"):
        masks(differences, 0.5, "net")


def test_kookmins_learning_rate_is_a_triangle():
    factor = load("kookmin").rate_factor
    assert [factor(epoch, 5) for epoch in range(5)] == pytest.approx([1 / 3, 2 / 3, 1, 2 / 3, 1 / 3])
    assert factor(0, 1) == 1


def test_kookmin_draws_a_share_of_the_weights_from_he_normal_by_fan_out():
    method = load("kookmin")
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 64, 3, bias=False)
    model = nn.Sequential(conv, nn.Flatten(), nn.Linear(64 * 4, 3))
    before = conv.weight.detach().clone()
    given = arguments(method.unlearn, sizes=(64, 16, 8), channels=2)
    given["model"] = model
    method.unlearn(**given, lr=0.0, weight_decay=0.0)
    changed = conv.weight != before
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert conv.weight[changed].std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.1)


def test_kookmin_multiplies_the_gradients_of_kept_convolution_weights_alone():
    method, moves = load("kookmin"), {}
    options = {"reset_share": 0.0, "epochs": 1, "lr": 1e-3, "momentum": 0.0, "weight_decay": 0.0}
    for kept in (1.0, 0.1):
        given = arguments(method.unlearn, sizes=(64, 16, 8))
        model = method.unlearn(**given, **options, kept_gradient=kept)
        moves[kept] = {name: p - dict(network().named_parameters())[name] for name, p in model.named_parameters()}
    assert torch.allclose(moves[0.1]["body.weight"], 0.1 * moves[1.0]["body.weight"], atol=1e-7)
    assert torch.allclose(moves[0.1]["verdict.weight"], moves[1.0]["verdict.weight"], atol=1e-7)


def test_kookmins_new_weights_move_at_full_speed():
    method = load("kookmin")

    def weights(lr, kept):
        given = arguments(method.unlearn, sizes=(64, 16, 8))
        torch.manual_seed(0)
        options = {"reset_share": 0.5, "epochs": 1, "lr": lr, "momentum": 0.0, "weight_decay": 0.0}
        return method.unlearn(**given, **options, kept_gradient=kept).body.weight.detach()

    start = weights(0.0, 1.0)
    new = start != network().body.weight
    # One step, so that what the first layer does has no effect on the second's gradient.
    slow, full = weights(0.01, 0.1) - start, weights(0.01, 1.0) - start
    assert new.sum() == new.numel() / 2
    assert torch.allclose(slow[new], full[new], atol=1e-7)
    assert torch.allclose(slow[~new], 0.1 * full[~new], atol=1e-6)


def test_kookmin_compares_the_gradients_of_retain_and_forget_examples():
    method = load("kookmin")
    given = arguments(method.unlearn, sizes=(16, 16, 8))
    changed = method.unlearn(**given, lr=0.0, reset_share=0.3)
    model = network()
    weights = [model.opening.weight, model.body.weight]
    (of_retain, of_forget) = (
        torch.autograd.grad(cross_entropy(model(images), labels), weights)
        for images, labels in (examples("R", 16).tensors, examples("F", 16).tensors)
    )
    for name, weight, retain, forget in zip(("opening", "body"), weights, of_retain, of_forget, strict=True):
        new = getattr(changed, name).weight != weight
        sizes = (retain - forget).abs()
        assert new.float().mean().item() == pytest.approx(0.3, abs=0.02)
        assert sizes[new].max() <= sizes[~new].min() + 1e-5


def test_oracle_matchings_learning_rate_falls_by_a_twentieth_an_epoch():
    method = load("oracle_matching")
    given = arguments(method.unlearn, sizes=(64, 8, 8))
    with watched_steps(given["model"]) as steps:
        method.unlearn(**given, epochs=3)
    assert [step.rate for step in steps] == pytest.approx([5e-4, 5e-4 * 0.95, 5e-4 * 0.95**2])


def test_oracle_matching_moves_towards_the_oracles_logits_on_the_forget_set():
    given = arguments(load("oracle_matching").unlearn)
    oracle = given["oracle_model"]
    images = given["forget_loader"].dataset.tensors[0]

    def distance(model):
        return (model.eval()(images) - oracle(images)).pow(2).mean().item()

    before = distance(network())
    assert distance(run("oracle_matching", given=given, options={"lr": 0.01, "epochs": 30})) < 0.5 * before


def test_oracle_matching_follows_its_oracle():
    models = []
    for seed in (2, 3):
        given = arguments(load("oracle_matching").unlearn)
        given["oracle_model"] = network(seed=seed)
        models.append(run("oracle_matching", given=given))
    assert not torch.equal(models[0].body.weight, models[1].body.weight)

"""A folder that was opened from a bank: methods are made in it, and nothing that the bank stands for."""

import json
from pathlib import Path

import pytest
import yaml
from damage import members, with_manifests, written

from unlearning_metric import config
from unlearning_metric.bank import BankError, opened_bank
from unlearning_metric.bank.make import Words, bank_groups, make_bank
from unlearning_metric.bank.unpack import open_bank
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.workflow_files import default_config, workflow_folder
from unlearning_metric.upkeep.current import Folder
from unlearning_metric.upkeep.doctor import examine
from unlearning_metric.upkeep.rebuild import Rebuild, RefusalError, refuse_other_shard_sizes
from unlearning_metric.upkeep.sweep import share

METHOD = "def unlearn(model, retain_loader):\n    return model\n"


@pytest.fixture
def mine(digits, tmp_path, monkeypatch):
    """A folder opened from the bank, which is the working folder, with a method in it."""
    open_bank(digits, tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    Path("methods").mkdir()
    Path("methods", "mine.py").write_text(METHOD)
    return tmp_path / "mine"


def plan_of(**changes):
    methods = {**find_methods(workflow_folder() / "methods"), **find_methods("methods")}
    return Plan(config.load([], changes, methods, default_config(workflow_folder())), methods)


def rebuild(plan):
    return Rebuild(plan, Folder("results"), lambda step: False, lambda path: None)


def look_through(plan, *targets):
    found = rebuild(plan)
    found.look_through(found.asked([f"results/{target}" for target in targets]))
    return found


def missing(plan, target):
    """Rules of what a run for a file has to make, and how often each."""
    found = look_through(plan, target)
    steps = {}

    def add(step):
        if all(found.folder.state(path, step.origin) for path in step.outputs):
            return
        steps[step] = step.rule
        for maker in found.makers(step):
            add(maker)

    add(plan.maker(target))
    return sorted(steps.values())


def test_a_methods_score_makes_that_methods_files_alone(mine):
    assert missing(plan_of(), "score_mine.json") == ["dump_losses", "dump_losses", "score", "unlearn", "unlearn"]
    assert missing(plan_of(), "check_mine.json") == ["check"]


def test_copies_may_be_lowered(mine):
    assert missing(plan_of(copies=32), "score_mine.json") == ["dump_losses", "score", "unlearn"]
    assert not [problem for problem in examine(plan_of(copies=32), "results") if problem.kind != "missing"]


def test_more_models_than_the_bank_has_are_explained_with_their_cost(mine):
    for changes, said in (({"copies": 128}, "copies: 64"), ({"originals": {"count": 2}}, "originals.count: 1")):
        with pytest.raises(RefusalError, match="has 64 retrained models and 1 original") as refused:
            look_through(plan_of(**changes), "score_mine.json")
        assert said in str(refused.value)
        assert "costs a retraining, 5." in str(refused.value)
    # Whoever wants to train more goes on without the bank.
    Path("results/bank.json").unlink()
    look_through(plan_of(copies=128), "score_mine.json")


def test_what_decides_a_number_must_stay(mine):
    with pytest.raises(RefusalError, match=r"digits-64\.zip .* experiment_seed: 0 -> 3"):
        look_through(plan_of(experiment_seed=3), "score_mine.json")
    with pytest.raises(RefusalError, match="shard_size"):
        refuse_other_shard_sizes(plan_of(shard_size=16), "results")


def test_a_file_of_the_bank_that_is_gone_is_not_trained_again(mine):
    Path("results/losses/retain/0000-0031.parquet").unlink()
    with pytest.raises(RefusalError, match=r"digits-64\.zip.*missing\. Open the bank again"):
        look_through(plan_of(), "score_mine.json")


def test_other_data_are_refused_with_both_contents(mine):
    plan = plan_of()
    dataset = Path("results/data/dataset.npz")
    from unlearning_metric.store.files import read_npz, write_npz

    arrays, header = read_npz(dataset)
    dataset.unlink()
    with pytest.raises(RefusalError, match=r"snakemake --force results/data/dataset.npz"):
        look_through(plan, "score_mine.json")
    write_npz(dataset, {**arrays, "x_train": arrays["x_train"][::-1]}, header)
    with pytest.raises(RefusalError, match=r"made from another data/dataset.npz.*content [0-9a-f]+ -> [0-9a-f]+"):
        look_through(plan, "score_mine.json")
    write_npz(dataset, arrays, header)
    look_through(plan, "score_mine.json")


def test_a_method_that_starts_from_retrained_models_is_told_that_a_bank_has_none(mine):
    Path("methods", "with_oracle.py").write_text("def unlearn(model, oracle_model):\n    return oracle_model\n")
    with pytest.raises(RefusalError, match=r"with_oracle asks for oracle_model.* a bank has none"):
        look_through(plan_of(), "score_with_oracle.json")
    assert {"mixture", "oracle_matching", "retrain"} <= set(plan_of().config.skip)


def test_the_doctor_has_no_complaint(mine):
    assert {problem.kind for problem in examine(plan_of(), "results")} == {"missing"}
    assert not [problem for problem in examine(plan_of(), "results") if "retain" in str(problem.path)]


def test_a_sweep_takes_from_the_bank_and_stays_its_own(mine):
    plan = plan_of(results="sweep/small", copies=32)
    taken = share(plan, "sweep/small", ["results"])
    assert "losses/retain/0000-0031.parquet" in taken
    assert "models/full/0000-0000.safetensors" in taken
    assert opened_bank("sweep/small").sha256 == opened_bank("results").sha256


def test_a_folder_that_holds_something_is_left_alone(digits, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    with pytest.raises(BankError, match="not empty"):
        open_bank(digits, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["note"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"results": "/tmp/elsewhere"}, "results"),
        ({"model": {"file": "/usr/lib/evil.py"}}, "model.file"),
        ({"training": {"file": "evil.py"}}, "training.file"),
        ({"forget": {"path": "/etc/passwd"}}, "forget.path"),
        ({"methods": {"mine": {"file": "/tmp/evil.py"}}}, "methods.mine"),
        ({"methods": {"mine": {"dump": "/etc/passwd"}}}, "methods.mine"),
    ],
)
def test_a_banks_configuration_reaches_for_nothing_outside(digits, tmp_path, change, message):
    contents = members(digits.read_bytes())
    name = next(name for name in contents if name.endswith("/data/config.yaml"))
    raw = yaml.safe_load(contents[name])
    for key, value in change.items():
        raw[key] = {**raw[key], **value} if isinstance(value, dict) else value
    path = tmp_path / "b.zip"
    path.write_bytes(written(with_manifests({**contents, name: yaml.safe_dump(raw).encode()})))
    with pytest.raises(BankError, match=f"{message}: .* Get the bank again"):
        open_bank(path, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_bank_of_the_opened_folder_is_the_bank_it_was_opened_from(mine, digits, tmp_path):
    with pytest.raises(BankError, match="opened from a bank"):
        make_bank(plan_of(), "results", tmp_path / "again.zip", Words("Digits, N = 64", "CC BY 4.0", ""), True)
    Path("results/bank.json").unlink()
    for name in ("again", "twice"):
        make_bank(plan_of(), "results", tmp_path / f"{name}.zip", Words("Digits, N = 64", "CC BY 4.0", ""), True)

    def payload(path):
        found = members(path.read_bytes())
        return {name.partition("/data/results/")[2]: content for name, content in found.items()
                if "/data/results/" in name and not name.endswith("bank.json")}  # fmt: skip

    def record(path):
        found = members(path.read_bytes())
        return json.loads(next(content for name, content in found.items() if name.endswith("bank.json")))

    assert payload(tmp_path / "again.zip") == payload(digits)
    assert payload(tmp_path / "twice.zip") == payload(digits)
    again, first = (record(path) for path in (tmp_path / "again.zip", digits))
    # Other versions of numpy round its last digit in another way.
    assert again["ceiling"].pop("interval") == pytest.approx(first["ceiling"].pop("interval"), rel=1e-12)
    assert again["ceiling"] == first["ceiling"]
    assert again["files"] == first["files"]


def test_a_bank_without_its_data_is_smaller_and_says_so(mine, tmp_path):
    Path("results/bank.json").unlink()
    record = make_bank(plan_of(), "results", tmp_path / "lean.zip", Words("lean", "CC0", ""), False)
    assert not record.data["included"]
    open_bank(tmp_path / "lean.zip", tmp_path / "lean")
    assert not (tmp_path / "lean/results/data/dataset.npz").exists()


def test_a_bank_holds_no_methods_models_however_many_originals_there_are(mine):
    assert bank_groups(plan_of(originals={"count": 3})) == {"retrained": "retain", "originals": "full"}
    assert bank_groups(plan_of(ceiling="retrain"))["ceiling"] == "unlearn/retrain"


def test_a_bank_is_no_larger_than_its_outputs_need(digits):
    rows = 72 + 100 + 200 + 360
    originals = sum(len(content) for name, content in members(digits.read_bytes()).items() if "full" in name)
    assert digits.stat().st_size <= 27 * rows * 64 + originals + 1_000_000


def test_no_bank_is_made_of_what_is_missing_or_damaged(mine, tmp_path):
    Path("results/bank.json").unlink()
    dump = Path("results/losses/retain/0032-0063.parquet")
    content = dump.read_bytes()
    dump.write_bytes(content[:-1] + b"x")
    words = Words("x", "x", "")
    with pytest.raises(BankError, match=r"no bank was made: .*0032-0063.parquet"):
        make_bank(plan_of(), "results", tmp_path / "x.zip", words, True)
    dump.unlink()
    with pytest.raises(BankError, match=r"0032-0063.parquet is missing"):
        make_bank(plan_of(), "results", tmp_path / "x.zip", words, True)
    assert not (tmp_path / "x.zip").exists()

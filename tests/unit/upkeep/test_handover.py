"""What a run hands to its jobs: its plan, and the code that it was made with."""

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from unlearning_metric import config
from unlearning_metric.plan.methods import find_methods
from unlearning_metric.plan.plan import Plan
from unlearning_metric.plan.steps import INPUT_KEYS
from unlearning_metric.plan.workflow_files import COPY
from unlearning_metric.store.files import read_npz, write_npz
from unlearning_metric.store.stored import Stored, StoredFiles
from unlearning_metric.upkeep import handover
from unlearning_metric.upkeep.handover import code_record, edited_code, job, other_code, settle_times, write_plan
from unlearning_metric.upkeep.rebuild import RefusalError
from unlearning_metric.user_code.contract import EditedError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that takes the place of the one that runs."""
    copy = shutil.copytree(handover.PACKAGE_ROOT, tmp_path / "src" / "unlearning_metric")
    monkeypatch.setattr(handover, "PACKAGE_ROOT", copy)
    return copy


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "config").glob("*.yaml")))
def test_jobs_get_the_very_plan_of_the_run(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    methods = find_methods(ROOT / "methods")
    try:
        plan = Plan(config.load([f"config/{name}"], {}, methods, ""), methods)
    except config.ConfigError as error:
        pytest.skip(f"its data are not here: {error}")
    record = plan.record()
    same = Plan.recorded(record)
    assert same.config == plan.config
    assert list(same.steps()) == list(plan.steps())
    assert same.record() == record


def test_the_plan_outlives_edits_of_the_configuration_and_of_methods(make_plan, tmp_path):
    plan = make_plan()
    record = plan.record()
    steps = list(plan.steps())
    (tmp_path / "methods" / "mine.py").write_text("def unlearn(model, retain_loader, lr=1):\n    return None\n")
    (tmp_path / "methods" / "fresh.py").write_text("def unlearn(model):\n    return None\n")
    assert list(make_plan().steps()) != steps
    assert list(Plan.recorded(record).steps()) == steps


SCRIPTS = ROOT / "workflow" / "scripts"


def handed(plan, results, snakemake_input=(), names=None, scripts=SCRIPTS):
    """What Snakemake hands to a script, with a plan of the run."""
    file = results / "plan.json"
    write_plan(file, plan, scripts)
    step = {"arguments": {"a": 1}, "provenance": plan.data_origin.header(), "results": str(results), "plan": str(file)}

    class Files(list):
        def items(self):
            return (names or {}).items()

    return SimpleNamespace(
        params=SimpleNamespace(key="k", step=step), log=[str(results / "job.log")], input=Files(snakemake_input)
    )


def test_a_job_is_told_what_it_reads_and_what_that_holds(make_plan, tmp_path):
    results = tmp_path / "results"
    path = str(results / "data/dataset.npz")
    write_npz(path, {}, make_plan().data_origin.header())
    with job(handed(make_plan(), results, [path], {"dataset": path})) as call:
        assert call.arguments.keys() == {"a", "dataset", "provenance"}
        assert call.told["provenance"]["made_from"].keys() == {"data/dataset.npz"}


def test_an_input_whose_key_the_step_tells_comes_with_it(make_plan, tmp_path):
    found = handed(make_plan(), tmp_path / "results", names={"dataset": "d.npz", "dumps": ["a", "b"], "scores": ["c"]})
    found.params.step["arguments"] = {INPUT_KEYS: {"dataset": "k", "dumps": "l"}}
    with job(found) as call:
        assert call.inputs == {"dataset": Stored("d.npz", "k"), "dumps": StoredFiles(["a", "b"], "l"), "scores": ["c"]}
        assert call.told.keys() == {"provenance"}


def test_a_job_whose_package_was_edited_since_the_run_began_stops(make_plan, tmp_path, package):
    scripts = shutil.copytree(SCRIPTS, tmp_path / "scripts")
    snakemake = handed(make_plan(), tmp_path / "results", scripts=scripts)
    with job(snakemake):
        pass
    file = package / "outputs" / "signals.py"
    text = file.read_text()
    file.write_text(text + "\nEDITED = 1\n")
    with pytest.raises(EditedError, match=r"outputs/signals\.py"), job(snakemake):
        raise AssertionError("the job began")
    file.write_text(text)
    with job(snakemake):
        pass
    (scripts / "train.py").write_text("print()\n")
    with pytest.raises(EditedError, match=r"scripts/train\.py"), job(snakemake):
        raise AssertionError("the job began")


def test_what_says_nothing_of_the_code_stops_no_job(package):
    record = code_record(SCRIPTS)
    file = package / "outputs" / "signals.py"
    file.write_text(f"# A comment.\n{file.read_text()}")
    file.touch()
    for name in ("signals.py.orig", ".#signals.py", "__pycache__/signals.cpython-311.pyc"):
        (file.parent / name).parent.mkdir(exist_ok=True)
        (file.parent / name).write_text("x")
    assert edited_code(record, SCRIPTS) == []
    file.unlink()
    assert edited_code(record, SCRIPTS) == ["unlearning_metric/outputs/signals.py"]


def test_a_checkout_must_be_that_of_the_package_that_runs(tmp_path):
    assert other_code(ROOT) == []
    assert other_code(tmp_path) == []
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "src" / "unlearning_metric" / "outputs" / "signals.py"
    file.write_text(f"# The same code.\n{file.read_text()}")
    handover.refuse_other_package(tmp_path)
    file.write_text(f"{file.read_text()}\nEDITED = 1\n")
    with pytest.raises(RefusalError, match=r"outputs/signals\.py.*make install"):
        handover.refuse_other_package(tmp_path)


def test_a_checkout_runs_with_its_package_installed_from_a_wheel_which_holds_a_copy_of_the_workflow(package, tmp_path):
    copy = package / COPY / "methods" / "finetune.py"
    copy.parent.mkdir(parents=True)
    copy.write_text("METHOD = 1\n")
    shutil.copytree(ROOT / "src", tmp_path / "checkout" / "src", ignore=shutil.ignore_patterns("__pycache__"))
    handover.refuse_other_package(tmp_path / "checkout")
    (package / "extra.py").write_text("EXTRA = 1\n")
    with pytest.raises(RefusalError, match=r"extra\.py"):
        handover.refuse_other_package(tmp_path / "checkout")


def test_a_time_in_the_future_becomes_now_and_any_other_stays(tmp_path):
    now = time.time()
    times = {"future": now + 300, "past": now - 300}
    for name, moment in times.items():
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (moment, moment))
    settle_times([str(tmp_path / name) for name in (*times, "absent")])
    assert (tmp_path / "future").stat().st_mtime <= time.time()
    assert (tmp_path / "past").stat().st_mtime == pytest.approx(now - 300)


def test_a_header_says_what_its_file_was_made_from(make_plan, tmp_path):
    results = tmp_path / "results"
    first, second = (str(results / name) for name in ("data/dataset.npz", "data/split.npz"))
    write_npz(first, {}, make_plan().data_origin.header())
    with job(handed(make_plan(), results, [first], {"dataset": first})) as call:
        write_npz(second, {}, call.told["provenance"])
    assert read_npz(second)[1]["made_from"].keys() == {"data/dataset.npz"}

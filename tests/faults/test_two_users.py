"""Two people, one results folder: who comes second is told so, and disturbs nothing."""

import shutil
import subprocess
import sys

import pytest
from test_killed import METHOD, score, start, when_models_are_made

pytestmark = pytest.mark.slow


def test_the_second_is_told_and_the_first_goes_on(workflow, finished):
    workflow.only(METHOD)
    first = start(workflow)
    when_models_are_made(workflow, first)

    second = workflow.run("--cores", "2")

    assert second.returncode != 0
    # What docs/cluster.md says of it.
    assert "Directory cannot be locked" in second.stdout
    assert "--unlock" in second.stdout
    # Looking is free.
    look = workflow.run("-n", "--nolock")
    assert look.returncode == 0, look.stdout
    assert first.wait(timeout=300) == 0
    assert score(workflow) == score(finished)
    assert workflow.counts() == {}


def test_a_clone_of_hard_links_makes_nothing_again_and_leaves_the_first_as_it_is(finished, workflow):
    workflow.only("finetune", "identity")
    linked = [path for part in ("data", "models", "losses") for path in finished.path(f"results/{part}").rglob("*.*")]
    for path in linked:
        target = workflow.folder / path.relative_to(finished.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(path)
    before = {path: path.read_bytes() for path in linked}

    assert workflow.counts() == {"score": 2, "leaderboard": 1, "report": 1, "all": 1}
    # Everything anew, over the links.
    answer = workflow.run("--cores", "2", "--forceall", "results/losses/retain/0000-0003.parquet")
    assert answer.returncode == 0, answer.stdout
    assert not workflow.path("results/data/split.npz").samefile(finished.path("results/data/split.npz"))
    assert {path: path.read_bytes() for path in linked} == before


def test_who_may_only_read_a_folder_sees_what_would_run(workflow):
    """A folder mounted read-only, since root may write whatever the mode says."""
    command = (
        f"mount --bind {workflow.folder} {workflow.folder} && mount -o remount,bind,ro {workflow.folder} && "
        f"cd {workflow.folder} && ! touch new 2>/dev/null && {sys.executable} -m snakemake -n --nolock"
    )
    inside = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("no mounts of our own here")

    answer = subprocess.run([*inside, command], capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "train_retain" in answer.stdout + answer.stderr

"""profiles/kubernetes against a stand-in for kubectl, which runs the commands of the Jobs it is given. No cluster."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from unlearning_metric.scoring.score import canonical
from unlearning_metric.store.files import read_document

pytestmark = pytest.mark.slow

RULE = re.compile("dump-losses|prepare-data|score|split-data|train-full|train-retain|unlearn")

KUBECTL = """#!{python}
import json, os, pathlib, signal, subprocess, sys
jobs = pathlib.Path({jobs!r})
verb = sys.argv[1]
if verb == "create":
    assert sys.argv[2:] == ["--filename", "-"], sys.argv
    job = json.load(sys.stdin)
    name, pod = job["metadata"]["name"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (jobs / (name + ".json")).write_text(json.dumps(job))
    run = '"$@"; echo $? > ' + str(jobs / (name + ".status"))
    # A user whom the image does not know has no home that can be written to, unless the Job gives it one.
    given = {{"HOME": "/proc", **{{one["name"]: one["value"] for one in container["env"]}}}}
    process = subprocess.Popen(["/bin/sh", "-c", run, "sh", *container["command"]], cwd=container["workingDir"],
                               start_new_session=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, env={{**os.environ, **given}})
    (jobs / (name + ".pid")).write_text(str(process.pid))
    print("job.batch/" + name + " created")
elif verb == "get":
    assert sys.argv[2] == "job" and sys.argv[4] == "--output" and sys.argv[5].startswith("jsonpath="), sys.argv
    if not (jobs / (sys.argv[3] + ".json")).exists():
        sys.exit('Error from server (NotFound): jobs.batch "' + sys.argv[3] + '" not found')
    status = jobs / (sys.argv[3] + ".status")
    code = status.read_text().strip() if status.exists() else ""
    failed = "1" if code not in ("", "0") else ""
    counts = {{"{{.status.succeeded}}": "1" if code == "0" else "", "{{.status.failed}}": failed}}
    text = sys.argv[5][len("jsonpath="):]
    for field, count in counts.items():
        text = text.replace(field, count)
    print(text, end="")
elif verb == "delete":
    assert sys.argv[2:5] == ["job", "--ignore-not-found", "--wait=false"], sys.argv
    for name in sys.argv[5:]:
        (jobs / (name + ".json")).unlink()
        os.killpg(int((jobs / (name + ".pid")).read_text()), signal.SIGKILL)
else:
    sys.exit("unknown: " + verb)
"""


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """Folder of the Jobs that the stand-in was given."""
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL.format(python=sys.executable, jobs=str(jobs)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return jobs


PROFILE = ("--workflow-profile", "profiles/kubernetes", "--seconds-between-status-checks", "1")


def jobs_of(workflow, kubectl):
    """Rules of the Jobs that were made; each is what its rule needs and nothing else."""
    jobs = {path.stem: json.loads(path.read_text()) for path in kubectl.glob("*.json")}
    rules = []
    for name, job in jobs.items():
        pod = job["spec"]["template"]["spec"]
        (container,), (volume,), (mount,) = pod["containers"], pod["volumes"], pod["containers"][0]["volumeMounts"]
        assert job["metadata"]["name"] == name
        assert len(name) <= 63
        assert (pod["restartPolicy"], job["spec"]["backoffLimit"]) == ("Never", 0)
        assert container["image"] == "python:3.11"
        assert Path(container["workingDir"]) == workflow.folder
        assert volume == {"name": mount["name"], "persistentVolumeClaim": {"claimName": "unlearning"}}
        assert mount["mountPath"] == "/unlearning"
        assert container["resources"]["requests"]["cpu"] == "1"
        models = name.startswith(("train-", "unlearn-", "dump-losses-"))
        assert container["resources"]["limits"].get("nvidia.com/gpu") == ("1" if models else None)
        if name.startswith("score-"):
            assert container["resources"]["limits"] == {"memory": "2000M"}
            # Of the pod: of the Job it would count the time that a pod waits for a node.
            assert pod["activeDeadlineSeconds"] == 3600
            assert "activeDeadlineSeconds" not in job["spec"]
        rules.append(RULE.match(name)[0])
    return sorted(rules)


def test_its_jobs_make_the_score_of_a_local_run(workflow, finished, kubectl):
    workflow.configure(shard_size=8)
    # What a Job would make as the others are made is made here: a Job starts Snakemake anew.
    models = [f"results/models/{group}/0000-0007.safetensors" for group in ("retain", "unlearn/identity")]
    here = workflow.run("--cores", "2", *models)
    assert here.returncode == 0, here.stdout

    answer = workflow.run(*PROFILE, "results/score_identity.json")

    assert answer.returncode == 0, answer.stdout
    found, expected = (canonical(read_document(w.path("results/score_identity.json"))) for w in (workflow, finished))
    assert found == expected
    assert jobs_of(workflow, kubectl) == ["dump-losses", "dump-losses", "dump-losses", "score"]


def test_a_job_that_fails_fails_the_run(workflow, kubectl):
    workflow.only().write("methods/broken.py", "def unlearn(model):\n    raise ArithmeticError('out of luck')\n")
    workflow.configure(methods={}, shard_size=8)

    answer = workflow.run(*PROFILE, "results/models/unlearn/broken/0000-0007.safetensors")

    assert answer.returncode != 0
    assert "method broken failed on copy 0" in answer.stdout
    assert jobs_of(workflow, kubectl) == ["prepare-data", "split-data", "train-full", "unlearn"]

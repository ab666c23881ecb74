"""Whatever a user's function does to its process, the job ends, and says what it could not say itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unlearning_metric.progress import failure

JOB = """
import sys
from unlearning_metric.runtime import supervision
from unlearning_metric.user_code.contract import MethodError
from unlearning_metric.runtime.limits import time_limit
from unlearning_metric.progress import job_log
from unlearning_metric.user_code.calls import user_code_runs

supervision.GRACE, supervision.PATIENCE = {grace}, 0.2
log, out = sys.argv[1:]
with supervision.supervised(log, "k"), job_log(log, "k"):
    sys.path.insert(0, {folder!r})
    from mine import unlearn

    failed = "method mine failed on copy 3 (seed 7)"
    with user_code_runs(failed, unlearn, MethodError), time_limit({limit}, "mine is late"):
        unlearn()
    open(out, "w").close()
"""


@pytest.fixture
def job(tmp_path):
    """``job(body, ...)``: a process that runs a function of that body as a job does, not waited for."""
    (tmp_path / "out").unlink(missing_ok=True)

    def start(body, limit=None, grace=1.0):
        lines = "\n    ".join(body.splitlines())
        (tmp_path / "mine.py").write_text(
            f"import os, signal, subprocess, sys, threading, time\ndef unlearn():\n    {lines}\n"
        )
        program = JOB.format(folder=str(tmp_path), limit=limit, grace=grace)
        return subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "job.log"), str(tmp_path / "out")],
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            # A shell starts what runs in its background with Ctrl-C ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    return start


def said(tmp_path, running):
    _, text = running.communicate(timeout=30)
    return running.returncode, text, failure(tmp_path / "job.log", "k")


@pytest.mark.parametrize(
    ("deed", "how"),
    [
        ("os._exit(0)", "it ended its process (exit status 0), as os._exit does."),
        ("os._exit(3)", "it ended its process (exit status 3), as os._exit does."),
        (
            "import ctypes; ctypes.string_at(0)",
            "its process crashed (SIGSEGV); the log tells where ({folder}/mine.py, line 3).",
        ),
        ("os.abort()", "its process crashed (SIGABRT); the log tells where ({folder}/mine.py, line 3)."),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            "its process was killed (SIGKILL), by the system where memory is short, or by hand.",
        ),
        ("raise KeyboardInterrupt", "KeyboardInterrupt ({folder}/mine.py, line 3: raise KeyboardInterrupt)"),
        ("sys.exit(0)", "SystemExit: 0 ({folder}/mine.py, line 3: sys.exit(0))"),
    ],
)
def test_a_function_that_ends_its_process_is_a_failure_with_copy_and_seed(tmp_path, job, deed, how):
    status, text, record = said(tmp_path, job(deed))
    message = f"method mine failed on copy 3 (seed 7): {how.format(folder=tmp_path.name)}"
    assert (status, record) == (1, message)
    assert message in text
    assert message in (tmp_path / "job.log").read_text()


@pytest.mark.parametrize(
    "left",
    [
        "threading.Thread(target=time.sleep, args=(999,)).start()",
        "import atexit; atexit.register(time.sleep, 999)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nthreading.Thread(target=time.sleep, args=(999,)).start()",
    ],
)
def test_what_keeps_the_process_is_ended_once_the_work_is_done(tmp_path, job, left):
    status, text, record = said(tmp_path, job(left))
    assert (status, record) == (0, None)
    assert "warning: a thread or an exit handler that code of yours left had not ended" in text
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "left",
    [
        "import atexit; atexit.register(lambda: open({late!r}, 'w').close())",
        "threading.Thread(target=lambda: (time.sleep(0.3), open({late!r}, 'w'))).start()",
    ],
)
def test_exit_handlers_and_threads_that_end_are_waited_for(tmp_path, job, left):
    status, text, _ = said(tmp_path, job(left.format(late=str(tmp_path / "late")), grace=20.0))
    assert (status, text) == (0, "")
    assert (tmp_path / "late").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which processes descend from a job")
@pytest.mark.parametrize("end", ["", "os._exit(1)", "raise ValueError"])
def test_children_go_with_the_job(tmp_path, job, end):
    pids = tmp_path / "pids"
    started = (
        "child = subprocess.Popen(['sleep', '999'])\n"
        "daemon = subprocess.run('setsid sleep 999 & echo $!', shell=True, stdout=subprocess.PIPE, text=True).stdout\n"
        f"open({str(pids)!r}, 'w').write(f'{{child.pid}} {{daemon}}')\n{end}"
    ).replace("& echo", ">/dev/null & echo")
    status, _, _ = said(tmp_path, job(started))
    assert status == (1 if end else 0)
    for pid in map(int, pids.read_text().split()):
        assert not Path(f"/proc/{pid}").exists()


def test_a_twin_made_by_fork_ends_where_the_function_does(tmp_path, job):
    twin = f"if os.fork() == 0:\n    return\ntime.sleep(0.3)\nassert not os.path.exists({str(tmp_path / 'out')!r})"
    status, _, record = said(tmp_path, job(twin))
    assert (status, record) == (0, None)


def test_a_late_call_of_a_library_is_ended_with_its_process(tmp_path, job):
    stuck = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\ntime.sleep(999)"
    assert said(tmp_path, job(stuck, limit=0.2))[::2] == (1, "mine is late")


def when_it_runs(tmp_path, running):
    until = time.monotonic() + 20
    while not (tmp_path / "began").exists():
        assert running.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)


SWALLOWS = """while True:
    try:
        open({began!r}, 'w').close()
        time.sleep(99)
    except BaseException:
        pass"""
STOPS_EARLY = """try:
    open({began!r}, 'w').close()
    time.sleep(99)
except KeyboardInterrupt:
    pass"""


@pytest.mark.parametrize(
    ("body", "times"), [(SWALLOWS, 2), (STOPS_EARLY, 1), ("open({began!r}, 'w'); time.sleep(99)", 1)]
)
def test_ctrl_c_ends_the_job_without_a_result_and_is_no_failure_of_the_method(tmp_path, job, body, times):
    """A function that cuts its work short at Ctrl-C returns a model that is not what it would have been."""
    running = job(body.format(began=str(tmp_path / "began")), grace=20.0)
    when_it_runs(tmp_path, running)
    for _ in range(times):
        # As a terminal does: the whole group.
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.3)
    status, text, record = said(tmp_path, running)
    assert (status, record) == (130, None)
    assert "Traceback" not in text
    assert not (tmp_path / "out").exists()


def test_told_to_end_it_ends(tmp_path, job):
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nopen({began!r}, 'w').close()\ntime.sleep(99)"
    running = job(deaf.format(began=str(tmp_path / "began")))
    when_it_runs(tmp_path, running)
    os.kill(running.pid, signal.SIGTERM)
    assert said(tmp_path, running)[::2] == (143, None)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child does not hear of its parent's end")
def test_a_job_whose_watcher_is_killed_ends(tmp_path, job):
    running = job(f"open({str(tmp_path / 'began')!r}, 'w').write(str(os.getpid()))\ntime.sleep(99)")
    when_it_runs(tmp_path, running)
    time.sleep(0.1)
    running.kill()
    running.wait()
    child = Path(f"/proc/{(tmp_path / 'began').read_text()}/status")
    until = time.monotonic() + 10
    while child.exists() and "State:\tZ" not in child.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_nothing_stays_in_the_temporary_folder(tmp_path, job, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    said(tmp_path, job("os._exit(3)"))
    assert not list((tmp_path / "tmp").iterdir())

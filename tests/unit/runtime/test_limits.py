"""What does not end is stopped, whatever it does."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from unlearning_metric.runtime.limits import OutOfTime, time_limit


def spin():
    while True:
        pass


def multiply():
    matrix = torch.ones(200, 200)
    while True:
        matrix = matrix @ matrix * 0


def catch_exceptions():
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


def catch_once():
    try:
        spin()
    except BaseException:
        spin()


@pytest.mark.parametrize("endless", [spin, multiply, catch_exceptions, catch_once, lambda: time.sleep(60)])
def test_what_does_not_end_is_interrupted(endless):
    start = time.monotonic()
    with pytest.raises(OutOfTime), time_limit(0.2, "late", lambda message: None):
        endless()
    assert time.monotonic() - start < 10


def test_what_ends_in_time_is_left_alone_and_nothing_stays_behind():
    gave_up = []
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(0.3, "late", gave_up.append, grace=0.0):
        time.sleep(0.01)
    time.sleep(0.5)
    assert gave_up == []
    assert signal.getsignal(signal.SIGALRM) is before


def test_without_a_limit_there_is_none():
    with time_limit(None, "late"):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


STUCK = """
import signal, sys, time
from functools import partial
from unlearning_metric.runtime.limits import time_limit
from unlearning_metric.progress import abandon, job_log

log = sys.argv[1]
with job_log(log, "key"), time_limit(0.2, "mine did not end", partial(abandon, log, "key"), grace=0.3):
    # As a long call of a library does: no signal gets through.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(60)
"""


def test_what_cannot_be_interrupted_ends_with_its_process_and_leaves_the_reason(tmp_path):
    log = tmp_path / "job.log"
    start = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", STUCK, str(log)], capture_output=True, text=True, timeout=50, check=False
    )
    assert time.monotonic() - start < 30
    assert ended.returncode == 1
    assert "failed: mine did not end" in ended.stderr
    assert "failed: mine did not end" in log.read_text()
    assert json.loads(log.with_suffix(".failed.json").read_text()) == {"key": "key", "message": "mine did not end"}

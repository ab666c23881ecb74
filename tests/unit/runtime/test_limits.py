"""What does not end is stopped, whatever it does."""

import signal
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
    with pytest.raises(OutOfTime), time_limit(0.2, "late"):
        endless()
    assert time.monotonic() - start < 10


def test_what_ends_in_time_is_left_alone_and_nothing_stays_behind():
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(0.2, "late"):
        time.sleep(0.01)
    time.sleep(0.3)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_without_a_limit_there_is_none():
    with time_limit(None, "late"):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

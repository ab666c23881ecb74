"""The work of a score in parts."""

import logging
import threading

import pytest

from unlearning_metric.scoring import parts


@pytest.mark.parametrize("threads", ["1", "2"])
def test_results_come_in_order_and_the_log_says_how_far_they_are(threads, monkeypatch, caplog):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(parts, "INTERVAL", 0.0)
    with caplog.at_level(logging.INFO, logger="unlearning_metric"):
        assert parts.in_parts("intervals", lambda item: item * item, range(4)) == [0, 1, 4, 9]
    assert [line.rpartition(",")[0] for line in caplog.messages] == [
        f"intervals: part {done} of 4" for done in (1, 2, 3)
    ]


def test_a_job_of_two_threads_works_on_two_parts_at_once(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    both = threading.Barrier(2, timeout=60)
    assert parts.in_parts("intervals", lambda item: both.wait() >= 0, range(2)) == [True, True]

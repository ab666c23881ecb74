"""What a run shows while it works."""

import io
import logging
import os
import termios
from enum import Enum

import pytest

from unlearning_metric.progress import QUIET
from unlearning_metric.upkeep.terminal import LONGEST, RunSummary, summarise

Event = Enum("Event", "JOB_INFO JOB_STARTED JOB_FINISHED JOB_ERROR PROGRESS RUN_INFO WORKFLOW_STARTED")


class Run:
    """A run as its records tell it, on a clock of its own."""

    def __init__(self):
        self.time, self.stream = 0.0, io.StringIO()
        self.summary = RunSummary(self.stream, lambda: self.time)

    def tell(self, event=None, message="", level=logging.INFO, **fields):
        record = logging.LogRecord("snakemake", level, "", 0, message, (), None)
        if event is not None:
            fields["event"] = Event[event]
        record.__dict__.update(fields)
        return self.summary.filter(record)

    def start(self, number, rule, **wildcards):
        return self.tell("JOB_INFO", jobid=number, rule_name=rule, wildcards=wildcards)

    def finish(self, number, done, total):
        return self.tell("JOB_FINISHED", job_id=number), self.tell("PROGRESS", done=done, total=total)

    def passes(self, seconds):
        for _ in range(int(seconds)):
            self.time += 1
            self.summary.tick()

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()


@pytest.fixture
def run():
    run = Run()
    run.tell("RUN_INFO", stats={"train_retain": 4, "unlearn": 2, "total": 6})
    return run


def test_a_line_tells_jobs_done_time_left_and_what_runs(run):
    run.start(1, "train_retain", shard="0-1")
    run.start(2, "unlearn", method="scrub", shard="0-1")
    run.passes(20)
    run.finish(1, 1, 6)
    run.start(3, "train_retain", shard="2-3")
    run.passes(10)
    assert run.lines[-1].startswith("1 of 6 jobs done, 0:00:30, about ")
    assert run.lines[-1].endswith("left; now unlearn scrub, train_retain")


def test_the_time_left_is_what_jobs_of_each_rule_took_over_as_many_as_ran_at_once(run):
    run.start(1, "train_retain")
    run.passes(30)
    run.finish(1, 1, 6)
    run.start(2, "unlearn", method="scrub")
    run.passes(10)
    run.finish(2, 2, 6)
    # Three more trainings of 30 s, one method of 10 s, one at a time.
    assert run.summary.left() == pytest.approx(100)


def test_a_job_that_runs_counts_for_what_is_left_of_it_and_the_first_of_its_rule_for_the_others(run):
    run.start(1, "unlearn", method="scrub")
    run.passes(5)
    run.finish(1, 1, 6)
    run.start(2, "train_retain")
    run.passes(60)
    # Three trainings of at least 60 s each wait, and a method of 5 s.
    assert run.summary.left() == pytest.approx(185)
    run.finish(2, 2, 6)
    run.start(3, "train_retain")
    run.passes(20)
    assert run.summary.left() == pytest.approx(165)


def test_jobs_that_run_at_once_count_before_they_have_ended(run):
    run.start(1, "train_retain")
    run.passes(30)
    run.finish(1, 1, 6)
    run.start(2, "train_retain")
    run.start(3, "train_retain")
    run.passes(20)
    # Three trainings of 30 s, 40 s of which are done, and two methods; 70 s of jobs within 50 s.
    assert run.summary.left() == pytest.approx((3 * 30 - 40 + 2 * 30) / 1.4)


@pytest.mark.parametrize(("width", "shown"), [(0, 79), (30, 29), (200, 112)])
def test_a_line_fits_into_the_terminal_also_where_that_does_not_know_its_width(run, width, shown):
    leader, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, width))
    with os.fdopen(leader, "rb", buffering=0) as screen, os.fdopen(terminal, "w") as stream:
        run.summary.stream, run.summary.on_terminal = stream, True
        run.start(1, "train_retain", method="a_method_of_so_long_a_name_that_no_line_of_a_small_terminal_takes_it")
        run.passes(1)
        assert len(screen.read(1000)) == shown


def test_no_time_is_told_before_a_job_has_ended(run):
    run.start(1, "train_retain")
    run.passes(20)
    assert run.lines == ["0 of 6 jobs done, 0:00:15; now train_retain"]


def test_an_hour_takes_fewer_than_forty_lines_and_never_longer_than_the_longest_wait(run):
    run.start(1, "train_retain")
    run.passes(3600)
    assert 30 <= len(run.lines) < 40
    run.passes(LONGEST)
    assert run.lines[-1] != run.lines[-2]


def test_what_snakemake_says_of_each_job_is_not_shown_and_its_last_count_is(run):
    assert not run.tell(message="Select jobs to execute...")
    assert not run.tell("JOB_STARTED", "Execute 1 jobs...")
    assert not run.tell("WORKFLOW_STARTED", "SNAKEMAKE")
    assert not run.start(1, "train_retain")
    assert run.finish(1, 1, 6) == (False, False)
    assert run.finish(2, 6, 6) == (False, True)


def test_warnings_failures_and_the_rest_are_shown(run):
    run.start(1, "train_retain")
    assert run.tell("JOB_ERROR", level=logging.ERROR, jobid=1)
    assert run.tell(message="a warning", level=logging.WARNING)
    assert run.tell(message="Complete log(s): x")
    run.passes(60)
    assert run.lines == []


def test_a_terminal_plugin_keeps_its_own_way(monkeypatch):
    monkeypatch.delenv(QUIET, raising=False)
    logger = logging.Logger("other")
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    assert summarise(logger) is None
    assert QUIET not in os.environ

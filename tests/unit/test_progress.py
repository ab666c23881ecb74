import json
import logging
import os
import subprocess
import sys

import pytest
import torch

from unlearning_metric.progress import GpuMemoryError, Progress, failure, job_log
from unlearning_metric.user_code.contract import MethodError


def test_a_shards_log_says_which_model_of_how_many_seconds_a_model_and_time_left(tmp_path):
    with job_log(tmp_path / "deep" / "job.log"):
        progress = Progress("retain", 3, interval=0.0)
        for _ in range(3):
            progress.step()
    lines = (tmp_path / "deep" / "job.log").read_text().splitlines()
    assert len(lines) == 3
    assert "retain: model 2 of 3" in lines[1]
    assert "s a model" in lines[1]
    assert "0:00:00 left" in lines[2]


def test_an_exception_stands_in_the_log_and_reaches_the_caller(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "job.log"):
        _ = 1 / 0
    assert "ZeroDivisionError" in (tmp_path / "job.log").read_text()
    assert not logging.getLogger("unlearning_metric").handlers


ENDING_JOB = """
import sys
from unlearning_metric.user_code.contract import MethodError
from unlearning_metric.data.images import DataError
from unlearning_metric.progress import job_log

with job_log(sys.argv[1]):
    try:
        [][0]
    except IndexError as error:
        {raising}
"""


@pytest.mark.parametrize(
    ("raising", "terminal", "log"),
    [
        ("raise DataError('no images') from error", ["DataError: no images"], ["failed: no images"]),
        # The traceback of a user's code helps its author; this package's own lines are left out.
        (
            "raise MethodError('salun failed') from error",
            ["MethodError: salun failed"],
            ["failed: salun failed", "Traceback (most recent call last):", "IndexError: list index out of range"],
        ),
    ],
    ids=["data", "code"],
)
def test_of_a_message_for_the_user_the_terminal_gets_no_traceback(tmp_path, raising, terminal, log):
    program = [sys.executable, "-c", ENDING_JOB.format(raising=raising), str(tmp_path / "job.log")]
    answer = subprocess.run(program, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == terminal
    lines = (tmp_path / "job.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] if line == lines[0] else line for line in lines if not line.startswith("  ")] == log


def test_of_a_mistake_in_this_package_the_terminal_gets_the_traceback(tmp_path):
    program = [sys.executable, "-c", ENDING_JOB.format(raising="raise"), str(tmp_path / "job.log")]
    answer = subprocess.run(program, capture_output=True, text=True)
    assert answer.returncode == 1
    for said in (answer.stderr, (tmp_path / "job.log").read_text()):
        assert "Traceback (most recent call last):" in said
        assert said.rstrip().endswith("IndexError: list index out of range")


def test_a_gpu_without_memory_says_what_to_lower(tmp_path):
    said = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.1 MiB is"
    message = r"Tried to allocate 2\.00 GiB\.\)\. Lower jobs_per_gpu"
    with pytest.raises(GpuMemoryError, match=message) as caught, job_log(tmp_path / "job.log", "k"):
        raise torch.OutOfMemoryError(said)
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)
    assert "of which 1.1 MiB" in (tmp_path / "job.log").read_text()
    assert "training.batch_size" in failure(tmp_path / "job.log", "k")


def test_a_method_that_fills_a_gpu_is_named(tmp_path):
    error = MethodError("method salun failed on copy 3: OutOfMemoryError: CUDA out of memory.")
    error.__cause__ = torch.OutOfMemoryError("CUDA out of memory.")
    message = "method salun failed on copy 3.*a method's own"
    with pytest.raises(GpuMemoryError, match=message), job_log(tmp_path / "job.log"):
        raise error


def test_a_failure_is_told_until_the_job_runs_again_or_its_key_changes(tmp_path):
    log = tmp_path / "job.log"
    with pytest.raises(ValueError, match="out of luck"), job_log(log, "k"):
        raise ValueError("out of luck")
    assert failure(log, "k") == "out of luck"
    assert failure(log, "another") is None
    with job_log(log, "k"):
        pass
    assert failure(log, "k") is None


def test_a_failure_that_a_stranger_wrote_neither_steers_the_terminal_nor_ends_the_run(tmp_path):
    log = tmp_path / "job.log"
    record = tmp_path / "job.failed.json"
    for text in ("[]", "{}", '{"key": "k"}', '{"key": "k", "message": 3}', "[" * 100_000):
        record.write_text(text)
        assert failure(log, "k") is None
    record.write_text(json.dumps({"key": "k", "message": "\x1b[2Jgone"}))
    assert failure(log, "k") == r"\x1b[2Jgone"
    record.unlink()
    os.mkfifo(record)
    assert failure(log, "k") is None


SPEAKING = """
import sys
from unlearning_metric.progress import job_log
with job_log(sys.argv[1]) as log:
    log.info("of: %s", "gr\\u00fcne \\u00c4pfel \\x1b[31m \\udcff")
    print("gr\\u00fcn")
"""


def test_a_log_is_utf8_whatever_the_locale_and_print_never_fails(tmp_path):
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    program = [sys.executable, "-c", SPEAKING, str(tmp_path / "job.log")]
    answer = subprocess.run(program, capture_output=True, env={**os.environ, **locale})
    assert (answer.returncode, answer.stdout) == (0, b"gr\\xfcn\n")
    assert b"gr\\xfcne \\xc4pfel \\x1b[31m \\udcff" in answer.stderr
    assert "grüne Äpfel \\x1b[31m \\udcff" in (tmp_path / "job.log").read_text(encoding="utf-8")

"""What a run shows while it works: a line now and then in place of some twenty lines a job.

Jobs done, time left over all jobs, what runs at the moment. Warnings, failures and what Snakemake says at the end are
shown as ever, and Snakemake's own log file has every line. `snakemake --printshellcmds` (``-p``) shows all of it here
as well.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TextIO

from unlearning_metric.progress import QUIET, clock

#: Lines come at first this many seconds apart, then, in a long run, each after a fifth of the time that is over.
INTERVAL, SHARE, LONGEST = 15.0, 0.2, 180.0
#: Snakemake's events (`LogEvent`) of which every job has some, and those of a page about the run, by name.
OF_JOBS = frozenset({"JOB_INFO", "JOB_STARTED", "JOB_FINISHED", "PROGRESS", "SHELLCMD"})
OF_RUN = frozenset({"WORKFLOW_STARTED", "RESOURCES_INFO", "RUN_INFO"})
#: What comes with no event, at every choice of jobs or once for each job.
CHATTER = ("Select jobs to execute", "Removing temporary output", "Waiting at most", "Conda environments: ignored")


class RunSummary(logging.Filter):
    """Drops what Snakemake's terminal handler shows of each job, and writes a line in its place now and then.

    Parameters
    ----------
    stream : where the lines go
    now : seconds of a clock
    """

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.stream, self.now = stream, now
        self.on_terminal = stream.isatty()
        self._start = self._last = now()
        self._done = self._total = 0
        #: Of each rule: jobs that are to run, and seconds of those that ran.
        self._waiting: Counter[str] = Counter()
        self._seconds: dict[str, list[float]] = {}
        self._running: dict[int, tuple[str, str, float]] = {}
        self._shown = ""
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether Snakemake shows the record itself."""
        with self._lock:
            return self._filter(record)

    def _filter(self, record: logging.LogRecord) -> bool:
        event = getattr(getattr(record, "event", None), "name", None)
        self._follow(event, record)
        if record.levelno >= logging.WARNING:
            self._clear()
            return True
        if event is None:
            shown = not record.getMessage().startswith(CHATTER)
        else:
            shown = event not in OF_JOBS | OF_RUN or (event == "PROGRESS" and self._done == self._total)
        if shown:
            self._clear()
        return shown

    def _follow(self, event: str | None, record: logging.LogRecord) -> None:
        if event == "RUN_INFO":
            stats = getattr(record, "stats", {})
            self._waiting = Counter({name: count for name, count in stats.items() if name != "total"})
        elif event == "JOB_INFO":
            wildcards: Mapping[str, str] = record.wildcards or {}
            of = wildcards.get("method") or wildcards.get("group", "")
            self._running[record.jobid] = (record.rule_name, of, self.now())
        elif event in ("JOB_FINISHED", "JOB_ERROR"):
            job = self._running.pop(record.job_id if event == "JOB_FINISHED" else record.jobid, None)
            if job is not None:
                self._waiting[job[0]] -= 1
                self._seconds.setdefault(job[0], []).append(self.now() - job[2])
        elif event == "PROGRESS":
            self._done, self._total = record.done, record.total

    def left(self) -> float | None:
        """Seconds until the end: what jobs of each rule took so far, over as many at once as ran; None at first.

        A job takes what others of its rule took, and at least as long as one has run of which none has ended.
        """
        took = [seconds for each in self._seconds.values() for seconds in each]
        if not took:
            return None
        now = self.now()
        typical = sum(took) / len(took)
        spent, open_seconds = sum(took), 0.0
        for rule, count in self._waiting.items():
            running = [now - since for name, _, since in self._running.values() if name == rule]
            known = self._seconds.get(rule)
            each = sum(known) / len(known) if known else max(typical, *running, 0.0)
            spent += sum(running)
            open_seconds += max(0.0, count * each - sum(min(seconds, each) for seconds in running))
        return open_seconds / max(1.0, spent / max(now - self._start, 1e-9))

    def line(self) -> str:
        """Jobs done, time left, what runs."""
        jobs = Counter(" ".join(filter(None, (rule, of))) for rule, of, _ in self._running.values())
        running = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in jobs.items())
        left = self.left()
        parts = [f"{self._done} of {self._total or self._waiting.total()} jobs done, {clock(self.now() - self._start)}"]
        parts += [f"about {clock(left)} left"] if left is not None else []
        return ", ".join(parts) + (f"; now {running}" if running else "")

    def tick(self) -> None:
        """Write the line where jobs run and it is time."""
        with self._lock:
            passed = self.now() - self._start
            wait = 1.0 if self.on_terminal else min(max(INTERVAL, SHARE * passed), LONGEST)
            if not self._running or self.now() - self._last < wait:
                return
            self._last = self.now()
            text = self.line()
            if self.on_terminal:
                self._clear()
                # Terminals of some programs say that they are 0 wide.
                width = os.get_terminal_size(self.stream.fileno()).columns or 80
                self._shown = text[: width - 1]
                self.stream.write(self._shown)
            else:
                self.stream.write(f"{text}\n")
            self.stream.flush()

    def keep_ticking(self) -> None:
        """Tick for as long as the process lives."""
        while True:
            time.sleep(1.0)
            self.tick()

    def _clear(self) -> None:
        """Take the line away, where it stands on a terminal, before something else is written."""
        if self._shown:
            self.stream.write(f"\r{' ' * len(self._shown)}\r")
            self._shown = ""


def summarise(logger: logging.Logger) -> RunSummary | None:
    """Have Snakemake's terminal handler show a line now and then, and jobs of this process write to their logs alone.

    None where there is no such handler, as with a logger plugin that writes to the terminal.
    """
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and isinstance(handler, logging.StreamHandler):
            found = RunSummary(handler.stream)
            handler.addFilter(found)
            os.environ[QUIET] = "1"
            threading.Thread(target=found.keep_ticking, daemon=True).start()
            return found
    return None

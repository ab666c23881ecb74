"""How much memory there is for a data set, which is kept in memory whole."""

from __future__ import annotations

from pathlib import Path

from unlearning_metric.data.images import DataError

#: A job holds the stored data set and the examples it selects from it.
COPIES = 2


def available_bytes() -> int | None:
    """Memory that a new process may take: what the system has free, or what is left of a container's limit.

    Returns
    -------
    None on systems that do not say
    """
    limits = []
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        limits.append(int(fields["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        pass
    try:
        group = Path("/sys/fs/cgroup")
        limits.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return min(limits, default=None)


def require_memory(stored: int, what: str, advice: str) -> None:
    """Check that a data set of ``stored`` bytes fits into memory, before it is read.

    Raises
    ------
    DataError
        Gives both numbers; ``what`` names the data and ``advice`` says how to make them smaller.
    """
    needed, available = COPIES * stored, available_bytes()
    if available is not None and needed > available:
        raise DataError(
            f"{what}: {stored / 1e9:.2f} GB of pixels, of which a job holds {COPIES} copies. That is "
            f"{needed / 1e9:.2f} GB, and {available / 1e9:.2f} GB of memory are free. {advice}"
        )

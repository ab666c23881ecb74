"""How much memory there is, and whether a file that someone made may take so much of it."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

#: Where the kernel says; another place in tests.
SYSTEM = Path("/")
#: A file of numbers that unpacks to more than so many times its size, and to more than so many bytes, was made to fill
#: memory: what models say compresses to a half.
DENSEST = 100
HARMLESS = 500_000_000


def available_bytes() -> int | None:
    """Memory that this process may still take: what the system has free, less where a control group or a limit says so.

    Control groups of version 1 and 2 count, a job's own and those above it, as schedulers and containers set them.

    Returns
    -------
    None on systems that do not say
    """
    limits = [*_free(), *_left_in_groups(), *_left_of_address_space()]
    return max(0, min(limits)) if limits else None


def too_large(path: Path | str, needed: int, unpacked: int) -> str | None:
    """Why a file should not be read; None where it may be.

    Parameters
    ----------
    needed : bytes of memory that its reader takes at once
    unpacked : bytes of all that it holds
    """
    stored = max(1, os.path.getsize(path))
    if unpacked > HARMLESS and unpacked > DENSEST * stored:
        return (
            f"its {stored / 1e6:.1f} MB unpack to {unpacked / 1e9:.2f} GB, which no outputs of models do: it was made "
            "to fill memory"
        )
    available = available_bytes()
    if available is not None and needed > available:
        return f"its content takes {needed / 1e9:.2f} GB of memory, and {available / 1e9:.2f} GB are free"
    return None


def _free() -> Iterator[int]:
    try:
        lines = SYSTEM.joinpath("proc/meminfo").read_text(encoding="utf-8").splitlines()
        yield int(dict(line.split(":", 1) for line in lines)["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return


def _left_of_address_space() -> Iterator[int]:
    """What ``ulimit -v`` leaves."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        try:
            pages = int(SYSTEM.joinpath("proc/self/statm").read_text(encoding="utf-8").split()[0])
            yield limit - pages * resource.getpagesize()
        except (OSError, ValueError):
            return


#: Version of control groups -> files of a group that say its limit and what it uses, and the line of memory.stat that
#: says how much of that the kernel gives back when asked: files that were read.
_GROUP_FILES = {
    "cgroup": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "cgroup2": ("memory.max", "memory.current", "inactive_file"),
}


def _left_in_groups() -> Iterator[int]:
    """What every control group that this process is in has left."""
    for kind, group in _groups():
        limit_file, usage_file, spare = _GROUP_FILES[kind]
        try:
            # Version 2 writes "max" where there is no limit.
            limit = int((group / limit_file).read_text(encoding="utf-8"))
            usage = int((group / usage_file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        yield limit - usage + _count(group / "memory.stat", spare)


def _count(path: Path, name: str) -> int:
    try:
        return int(dict(line.split() for line in path.read_text(encoding="utf-8").splitlines())[name])
    except (OSError, KeyError, ValueError):
        return 0


def _groups() -> Iterator[tuple[str, Path]]:
    """File system and folder of each control group of memory that this process is in, and of those above it."""
    try:
        mounts = SYSTEM.joinpath("proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        lines = SYSTEM.joinpath("proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    # hierarchy:controllers:path, as 4:memory:/slurm/uid_7/job_1 (version 1) or 0::/user.slice (version 2)
    places = {}
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if not controllers:
            places["cgroup2"] = place
        elif "memory" in controllers.split(","):
            places["cgroup"] = place
    for line in mounts:
        before, _, after = line.partition(" - ")
        _, _, _, root, mounted, *_ = before.split()
        kind, _, options = after.split()[:3]
        if kind not in places or (kind == "cgroup" and "memory" not in options.split(",")):
            continue
        folder = SYSTEM / mounted.lstrip("/")
        # A container sees its own group mounted alone, and may be told its path on the host.
        group = PurePosixPath(places[kind])
        group = group.relative_to(root) if group.is_relative_to(root) else PurePosixPath(".")
        for name in (group, *group.parents):
            yield kind, folder / name

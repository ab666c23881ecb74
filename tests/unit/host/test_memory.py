"""The memory that is left, as the system and control groups of both versions say it."""

import pytest

from unlearning_metric.host import memory

GB = 10**9
UNLIMITED = 9223372036854771712
MOUNTS = (
    "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "32 23 0:28 {root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
)


@pytest.fixture
def system(tmp_path, monkeypatch):
    """``write(path, text)`` for files of a system with 50 GB free."""

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    write("proc/meminfo", f"MemTotal: 64000000 kB\nMemAvailable: {50 * GB // 1024} kB\n")
    write("proc/self/mountinfo", MOUNTS.format(root="/"))
    monkeypatch.setattr(memory, "SYSTEM", tmp_path)
    return write


def left():
    return round(memory.available_bytes() / GB, 2)


def test_without_groups_it_is_what_the_system_has_free(system):
    system("proc/self/cgroup", "0::/\n")
    assert left() == 50


@pytest.mark.parametrize("limited", ["slurm/job_7", "slurm"])
def test_a_group_of_version_1_or_one_above_it_limits(system, limited):
    system("proc/self/cgroup", "5:cpu:/other\n4:memory:/slurm/job_7\n0::/\n")
    for group in ("slurm/job_7", "slurm", ""):
        limit = 4 * GB if group == limited else UNLIMITED
        system(f"sys/fs/cgroup/memory/{group}/memory.limit_in_bytes", f"{limit}\n")
        system(f"sys/fs/cgroup/memory/{group}/memory.usage_in_bytes", f"{3 * GB}\n")
    assert left() == 1


def test_a_job_in_a_group_of_its_own_of_version_2_is_limited_by_it(system):
    system("proc/self/cgroup", "0::/system.slice/job_7/step_0\n")
    for group, limit in (("step_0", "max"), ("", 6 * GB)):
        system(f"sys/fs/cgroup/system.slice/job_7/{group}/memory.max", f"{limit}\n")
        system(f"sys/fs/cgroup/system.slice/job_7/{group}/memory.current", f"{5 * GB}\n")
    assert left() == 1


def test_files_that_were_read_are_given_back_when_asked_for(system):
    system("proc/self/cgroup", "0::/job\n")
    system("sys/fs/cgroup/job/memory.max", f"{6 * GB}\n")
    system("sys/fs/cgroup/job/memory.current", f"{5 * GB}\n")
    system("sys/fs/cgroup/job/memory.stat", f"anon {1 * GB}\ninactive_file {4 * GB}\n")
    assert left() == 5


def test_a_container_that_sees_its_group_alone_is_limited_by_it(system):
    # The path is the host's, and so is the root of what is mounted.
    system("proc/self/mountinfo", MOUNTS.format(root="/docker/abc"))
    system("proc/self/cgroup", "0::/docker/abc\n")
    system("sys/fs/cgroup/memory.max", f"{2 * GB}\n")
    system("sys/fs/cgroup/memory.current", "0\n")
    assert left() == 2


def test_a_system_that_says_nothing_limits_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "SYSTEM", tmp_path)
    assert memory.available_bytes() is None

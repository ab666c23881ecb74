"""A job in a fork of a process that has loaded the libraries is as one in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unlearning_metric.runtime import job_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs share libraries on Linux alone")

#: Says everything that a script may know of its process, and ends with a status of its own.
TELLTALE = """
import gc, json, os, random, signal, sys, tempfile
mask = os.umask(0)
print(json.dumps({
    "arguments": sys.argv, "folder": os.getcwd(), "first on the path": sys.path[0], "umask": mask,
    "variable": os.environ.get("TOLD"), "threads": os.environ.get("OMP_NUM_THREADS"),
    "temporary": tempfile.gettempdir(),
    "collects": gc.isenabled(), "read": sys.stdin.read(), "file": __file__, "name": __name__,
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "python": sys.executable,
    "descriptors": sorted(int(number) for number in os.listdir("/proc/self/fd"))[:3],
}))
print("spoken", file=sys.stderr)
print("drawn", random.random(), file=sys.stderr)
sys.exit(7)
"""


def serving(folder):
    """Socket and process of a server that has loaded one library of Python's own, and so is there at once."""
    text = Path(job_server.__file__).read_text(encoding="utf-8")
    for name in ("LIBRARIES", "LATER"):
        text = text.replace(f"{name} = (", f'{name} = ("decimal",) or (', 1)
    folder.mkdir()
    folder.with_suffix(".py").write_text(text, encoding="utf-8")
    place = folder / "socket"
    server = subprocess.Popen([sys.executable, folder.with_suffix(".py"), "serve", place], stdin=subprocess.PIPE)
    wait_for(place.exists)
    return str(place), server


@pytest.fixture(scope="module", autouse=True)
def buffered():
    """Whatever these tests are started with, a script's output waits in its buffer, as in most runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONUNBUFFERED", raising=False)
        yield


@pytest.fixture(scope="module")
def place(buffered, tmp_path_factory):
    place, server = serving(tmp_path_factory.mktemp("server") / "all")
    yield place
    server.stdin.close()
    assert server.wait(10) == 0


def wait_for(happens, seconds=20.0):
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def command(place, script, *arguments):
    return [sys.executable, "-I", "-S", job_server.__file__, "ask", place, str(script), *arguments]


def start(place, script, *arguments, **options):
    return subprocess.Popen(command(place, script, *arguments), stderr=subprocess.PIPE, text=True, **options)


def written(tmp_path, text):
    script = tmp_path / "tmpabc.job.py"
    script.write_text(text, encoding="utf-8")
    return script


def test_a_script_knows_and_ends_as_one_that_python_runs(place, tmp_path):
    script = written(tmp_path, TELLTALE)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    given = {"cwd": tmp_path, "env": {**os.environ, "TOLD": "ü", "TMPDIR": str(temporary)}, "input": "asked",
             "capture_output": True, "text": True, "umask": 0o027}  # fmt: skip
    plain = subprocess.run([sys.executable, str(script), "one", "two"], **given)
    shared = [subprocess.run(command(place, script, "one", "two"), **given) for _ in range(2)]

    for answer in shared:
        assert answer.returncode == plain.returncode == 7
        assert json.loads(answer.stdout) == json.loads(plain.stdout)
        assert answer.stderr.splitlines()[0] == "spoken"
    # Nor do two of them draw alike.
    assert shared[0].stderr != shared[1].stderr


ENDING = """
import atexit, ctypes, sys, threading, time

atexit.register(lambda: print("exit handler"))
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
ctypes.CDLL(None).printf(b"library in C\\n")
sys.stdout.write("no end of line")
"""


def test_what_a_script_leaves_to_its_end_is_done(place, tmp_path):
    script = written(tmp_path, ENDING)
    plain = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    shared = subprocess.run(command(place, script), capture_output=True, text=True, check=True).stdout

    parts = ("no end of line", "thread\n", "exit handler\n")
    assert "".join(parts) in plain
    assert sorted(shared.splitlines()) == sorted(plain.splitlines())
    assert shared.index("thread") < shared.index("exit handler")


def test_a_script_that_fails_says_what_it_says_to_python(place, tmp_path):
    script = written(tmp_path, "def half(n):\n    return n / 0\n\n\nhalf(1)\n")
    plain = subprocess.run([sys.executable, script], capture_output=True, text=True)
    shared = subprocess.run(command(place, script), capture_output=True, text=True)

    assert "ZeroDivisionError" in plain.stderr
    assert (shared.returncode, shared.stderr) == (plain.returncode, plain.stderr)


def test_libraries_are_there_and_what_one_script_loads_no_other_has(place, tmp_path):
    script = written(
        tmp_path, "import sys\nprint('decimal' in sys.modules, 'fractions' in sys.modules)\nimport fractions\n"
    )
    for _ in range(2):
        answer = subprocess.run(command(place, script), capture_output=True, text=True, check=True)
        assert answer.stdout == "True False\n"


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_script_that_a_signal_ends_ends_so_for_who_asked(place, tmp_path, ending):
    script = written(tmp_path, f"import os\nos.kill(os.getpid(), {int(ending)})\n")
    assert subprocess.run(command(place, script)).returncode == -ending


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


SLEEPER = "import os, sys, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"


def sleeper(place, tmp_path):
    """Who asked, and the number of the process that sleeps for a minute."""
    asked = start(place, written(tmp_path, SLEEPER), stdout=subprocess.PIPE)
    return asked, int(asked.stdout.readline())


def test_sigterm_of_who_asked_reaches_the_job(place, tmp_path):
    asked, pid = sleeper(place, tmp_path)
    with asked:
        asked.terminate()
        assert asked.wait(10) == -signal.SIGTERM
    assert not alive(pid)


def test_where_who_asked_is_killed_the_job_is(place, tmp_path):
    asked, pid = sleeper(place, tmp_path)
    with asked:
        asked.kill()
    wait_for(lambda: not alive(pid))


def test_a_job_goes_on_when_the_run_is_killed_and_the_server_ends_after_it(tmp_path):
    place, server = serving(tmp_path / "server")
    script = written(tmp_path, SLEEPER.replace("60", "1.5") + "print('whole')\n")
    with start(place, script, stdout=subprocess.PIPE) as asked:
        asked.stdout.readline()
        # What becomes of the pipe of a process that is killed.
        server.stdin.close()
        assert asked.communicate(timeout=20)[0] == "whole\n"
    assert asked.returncode == 0
    assert server.wait(10) == 0
    assert not Path(place).parent.exists()


def test_a_run_that_has_ended_waits_for_no_server_that_loads_something(tmp_path):
    text = Path(job_server.__file__).read_text(encoding="utf-8")
    for name, library in (("LIBRARIES", "decimal"), ("LATER", "slow:load")):
        text = text.replace(f"{name} = (", f'{name} = ("{library}",) or (', 1)
    (tmp_path / "server.py").write_text(text, encoding="utf-8")
    loading, loaded = tmp_path / "loading", tmp_path / "loaded"
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\n\n\ndef load():\n"
        f"    pathlib.Path({str(loading)!r}).touch()\n    time.sleep(8)\n    pathlib.Path({str(loaded)!r}).touch()\n"
    )
    run = "import pathlib, server, sys, time\nprint(server.in_background(sys.executable))\n"
    run += f"while not pathlib.Path({str(loading)!r}).exists():\n    time.sleep(0.05)\n"
    surroundings = {**os.environ, "PYTHONPATH": str(tmp_path)}
    place = subprocess.run([sys.executable, "-c", run], env=surroundings, check=True, stdout=subprocess.PIPE).stdout
    assert not loaded.exists()
    # It then goes by itself.
    wait_for(lambda: loaded.exists() and not Path(place.decode().strip()).parent.exists())


def test_where_no_server_answers_python_runs_the_script(tmp_path):
    script = written(tmp_path, "import sys\nprint(sys.argv[1:], 'decimal' in sys.modules)\n")
    answer = subprocess.run(command(str(tmp_path / "none"), script, "a"), capture_output=True, text=True, check=True)
    assert answer.stdout == "['a'] False\n"


def test_what_python_reads_as_it_starts_makes_a_process_of_its_own(place, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "found.py").write_text("")
    script = written(tmp_path, "import found\nprint(found.__file__)\n")
    surroundings = {**os.environ, "PYTHONPATH": str(tmp_path / "elsewhere")}
    answer = subprocess.run(command(place, script), env=surroundings, capture_output=True, text=True, check=True)
    assert answer.stdout.startswith(str(tmp_path / "elsewhere"))


def test_a_module_is_run_as_python_does(place):
    asked = command(place, "-c", "import sys; print(sys.flags.isolated)")
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "0\n"


LOADING = """
import os, torch
from unlearning_metric.runtime import job_server

def touched(*_):
    raise SystemExit("a GPU was looked at")

torch._C._cuda_init = torch._C._cuda_getDeviceCount = touched
torch.cuda.is_available = torch.cuda.device_count = touched
job_server._load()
for name in job_server.LATER:
    job_server._import(name)
print(len(os.listdir("/proc/self/task")))
"""


def test_what_is_loaded_beforehand_looks_at_no_gpu_and_starts_no_thread():
    """Neither CUDA, once begun, nor a thread is there in a fork."""
    # PyTorch comes first here, before the server has told libraries to compute in one thread.
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    answer = subprocess.run([sys.executable, "-c", LOADING], env=one_thread, check=True, stdout=subprocess.PIPE)
    assert answer.stdout == b"1\n"


def test_few_jobs_load_by_themselves(monkeypatch):
    monkeypatch.delenv(job_server.SERVER, raising=False)
    assert job_server.start("/a b/python", 2) == "'/a b/python'"


def test_a_job_has_the_name_of_its_script(place, tmp_path):
    asked, pid = sleeper(place, tmp_path)
    with asked:
        assert Path(f"/proc/{pid}/comm").read_text() == "job.py\n"
        asked.terminate()

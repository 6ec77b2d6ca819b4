# Two commands for a fresh machine that has Python 3.11 or later and make:
#   make demo   installs mdclaims and checks an example page
#   make test   installs the development tools and passes the tests
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO = demo

.PHONY: demo test check lint types format lock model bench site pictures clean

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
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered

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
	$(BIN)/python scripts/docs_figures.py

bench: $(VENV)/.installed
	$(BIN)/python tests/bench/bench_check.py

# The documentation as a site: open site/index.html, or serve the folder.
site: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# The documentation's pictures of reports; needs Chromium.
pictures: $(VENV)/.installed
	$(BIN)/python scripts/docs_pictures.py

# Needs uv; the lock holds versions and hashes for every platform, and no address of a registry. Extras stay in it
# ("coverage[toml]==..."): without them an older pip picks the newest release for the extra and refuses its hash.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --no-strip-extras --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --all-extras pyproject.toml requirements/dev.in --output-file requirements/dev.txt

clean:
	rm -rf $(VENV) $(DEMO) dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

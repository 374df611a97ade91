# The commands of this checkout. Plain `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python
PIP := $(BIN)/pip --disable-pip-version-check --quiet
CODE := config accounts templates_app workspaces prebuilds tests manage.py $(wildcard benchmarks) docs
export PREBUILDS_DEBUG ?= 1
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run stop demo test test-long rehearsal check check-static lint format types browser prometheus bench lock screenshots licences vendor clean reset

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/base.stamp ## install, prepare and start everything; Ctrl-C stops it
	@exec $(RUN) -m config.run

stop: .venv/base.stamp ## end everything of this checkout: services, workspaces, PostgreSQL
	@$(RUN) -m config.run stop

demo: .venv/base.stamp ## load the demo into the database
	@$(RUN) manage.py migrate --verbosity 0
	@$(RUN) manage.py demo

test: .venv/dev.stamp browser prometheus check-static ## set up, then all checks and all tests
	$(BIN)/pytest -n 2 -m "not serial and not browser"
	$(BIN)/pytest -n 2 -m "browser and not serial"
	$(BIN)/pytest -m serial

test-long: .venv/dev.stamp ## thousands of random stories and requests against every promise; takes an hour
	$(BIN)/pytest -n 2 --hypothesis-profile=long tests/machine tests/api/test_schemathesis.py

rehearsal: .venv/dev.stamp ## install by docs/deployment.md on clean machines and play the runbooks; needs root, half an hour
	@$(RUN) -m tests.rehearsal $(ARGS)

check: check-static ## all checks and the fast tests, in parallel
	$(BIN)/pytest -n 2 -m "not serial and not browser and not slow"

check-static: lint types ## format, lint, types, import contracts, missing migrations
	$(BIN)/lint-imports --no-logo
	$(RUN) manage.py makemigrations --check --dry-run

lint: .venv/dev.stamp ## format and lint without changing files
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)

types: .venv/dev.stamp ## mypy, strict
	$(BIN)/mypy $(filter-out tests benchmarks docs,$(CODE))

format: .venv/dev.stamp ## format, and fix what can be fixed
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

bench: .venv/dev.stamp ## measure; prints a table
	$(RUN) -m benchmarks

lock: .venv/dev.stamp ## pin requirements/*.in into requirements/*.txt, with hashes
	$(PIP) install uv
	for name in base dev; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  requirements/$$name.in -o requirements/$$name.txt || exit 1; done

screenshots: browser ## take docs/screenshots anew from the demo that `make run` serves
	@$(RUN) docs/screenshots/take.py

licences: .venv/base.stamp ## write docs/licences.md from what is installed
	@$(RUN) requirements/licences.py > docs/licences.md

vendor: ## fetch the vendored front-end files anew
	static/vendor/refresh.sh

browser: .venv/dev.stamp ## install what tests drive the product with: a browser, curl, jq
	@{ command -v chromium && command -v curl && command -v jq; } >/dev/null || { \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); \
	  command -v apt-get >/dev/null && $$sudo true 2>/dev/null && \
	  $$sudo apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq chromium curl jq >/dev/null; \
	} || $(BIN)/playwright install chromium

prometheus: .venv/dev.stamp ## unpack Prometheus and promtool for the tests; starts nothing
	@{ command -v prometheus && command -v promtool; } >/dev/null || \
	  $(BIN)/promtool --version >/dev/null 2>&1 || { cd $(BIN) && { \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); \
	  apt-get download -qq prometheus 2>/dev/null || \
	  { $$sudo apt-get update -qq && apt-get download -qq prometheus 2>/dev/null; }; } && \
	  dpkg-deb --fsys-tarfile prometheus_*.deb | \
	  tar -x --strip-components=3 ./usr/bin/prometheus ./usr/bin/promtool && \
	  rm prometheus_*.deb; } || echo "note: no Prometheus here; its tests will be skipped" >&2

clean: ## remove the virtual environment and caches; keeps .data
	@[ ! -x $(RUN) ] || $(RUN) -m config.run stop
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

reset: stop ## end everything and remove .data: database, workspaces, keys
	rm -rf "$${PREBUILDS_DATA_DIR:-.data}"

.venv/base.stamp: requirements/base.txt | .venv/bin/pip
	$(PIP) install --require-hashes -r requirements/base.txt
	@touch $@

.venv/dev.stamp: requirements/base.txt requirements/dev.txt | .venv/bin/pip
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch .venv/base.stamp $@

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: $(PYTHON) is missing or older than 3.11; use make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@rm -rf .venv && $(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "error: cannot make .venv; on Debian: apt-get install python3-venv" >&2; exit 1; }

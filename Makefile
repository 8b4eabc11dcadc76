# Everything a person does with this repository. `make help` lists it.
# Python keeps what it compiled: the processes that tests start compile nothing twice.
unexport PYTHONDONTWRITEBYTECODE
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
COMPOSE ?= docker compose
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
PARTS := .parts/kafka/broker .parts/kafka/tools
# As pip does: uv trusts the authorities of the system.
export UV_SYSTEM_CERTS := 1
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate
SECRETS := deploy/compose.env
# More workers than the processors of a small machine starve the tests that run whole clusters. A file is run by one.
SIDE_BY_SIDE := -n 2 --no-loadscope-reorder
CHECKED := schemas services tests bench deploy

.PHONY: help
help: ## List what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

.PHONY: setup
setup: $(RUNTIME) ## Install what running needs into .venv, locked by hash

.PHONY: setup-dev
setup-dev: $(DEV) ## Install what checks and tests need as well

.PHONY: parts
parts: $(PARTS) ## Fetch Apache Kafka, for the tests that run on a real broker

.PHONY: demo
demo: $(RUNTIME) ## Run everything in one process on the worked example, console on http://127.0.0.1:8000/
	@$(BIN)/python -m services demo

.PHONY: test
test: system-packages check schemas-unchanged ## Run every check and every test
	$(BIN)/pytest --hypothesis-profile thorough $(SIDE_BY_SIDE)

.PHONY: system-packages
system-packages:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get dpkg-query >/dev/null; then \
		.ci/system-packages || echo "Some packages could not be installed; their tests are skipped." >&2; fi

.PHONY: test-pythons
test-pythons: $(DEV) ## Run the unit tests on the oldest Python supported, and on the one of the images
	$(BIN)/python -m tests.parts.pythons

.PHONY: check
check: $(DEV) ## Run the checks that need no running part: format, lint, types, import contracts
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: schemas-unchanged
schemas-unchanged: $(DEV)
	$(BIN)/python -m services.openapi --check

.PHONY: generate
generate: $(DEV) ## Write the published documents anew (schemas/generated)
	$(BIN)/python -m services.openapi

.PHONY: format
format: $(DEV) ## Format the code, and mend what can be mended by itself
	$(BIN)/ruff check --fix --exit-zero $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

.PHONY: bench
bench: $(DEV) $(PARTS) ## Measure, each number beside that of a peer
	$(BIN)/python -m bench

.PHONY: verify
verify: $(DEV) $(PARTS) ## Break every part in turn under load, account for every report, and send 100,000 bad inputs
	$(BIN)/python -m tests.verify
	$(BIN)/python -m tests.verify.bad_inputs

.PHONY: up
up: $(SECRETS) ## Run the services apart, on Kafka and PostgreSQL, behind http://127.0.0.1:8080/
	@$(COMPOSE) version >/dev/null 2>&1 || { echo "make up needs Docker with Compose (or COMPOSE=podman-compose)." >&2; exit 1; }
	@$(PYTHON) deploy/make_secrets.py deploy/secrets $(SECRETS)
	REVISION=$$(git rev-parse HEAD 2>/dev/null || true) $(COMPOSE) --env-file $(SECRETS) up --build --detach --wait
	@echo "Up on http://127.0.0.1:8080/ - the operator key is in deploy/secrets/admin_key"

.PHONY: down
down: $(SECRETS) ## Stop them; their data stays
	$(COMPOSE) --env-file $(SECRETS) down

.PHONY: update
update: $(DEV) ## Write the lock files anew, with the newest versions that pyproject.toml allows
	$(LOCK) --upgrade --all-extras pyproject.toml -o requirements.lock
	$(LOCK) --upgrade --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock

.PHONY: wheels
wheels: $(DEV) ## Build the wheels of the server and of the Python client into dist
	$(BIN)/python -m hatchling build -t wheel -d dist
	cd deploy/client && ../../$(BIN)/python -m hatchling build -t wheel -d ../../dist

.PHONY: sbom
sbom: $(DEV) ## Write the software bill of materials of what the lock installs and the desk carries (CycloneDX, dist/trucewatch.cdx.json)
	@rm -rf dist/sbom && mkdir -p dist && $(BIN)/uv venv -q dist/sbom
	@$(BIN)/uv pip install -q --python dist/sbom --require-hashes -r requirements.lock
	@$(BIN)/uv pip install -q --python dist/sbom --no-deps .
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o dist/trucewatch.cdx.json dist/sbom
	@$(BIN)/python deploy/vendored_sbom.py dist/trucewatch.cdx.json
	@rm -rf dist/sbom
	@echo "dist/trucewatch.cdx.json"

.PHONY: vendor
vendor: $(DEV) ## Fetch anew what the desk carries of others, as services/console/vendor/vendor.toml pins it (needs npm)
	@$(BIN)/python deploy/fetch_vendored.py

.PHONY: screenshots
screenshots: $(DEV) ## Take a picture of every page of the desk, in each language and two widths (dist/screenshots; needs Chromium)
	@$(BIN)/python -m tests.parts.screenshots dist/screenshots

.PHONY: clean
clean: ## Remove what was installed and fetched
	rm -rf $(VENV) .parts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or later is needed; none was found on the PATH." >&2; exit 1; fi
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is needed (Debian: apt-get install python3-venv)." >&2; exit 1; }

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps -e .
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

# The version in the pom decides; a change of it fetches anew.
.parts/kafka/broker: deploy/kafka/pom.xml | $(DEV)
	@rm -rf $@ && $(BIN)/python -m tests.parts.kafka broker && touch $@

.parts/kafka/tools: deploy/kafka/tools.xml | $(DEV)
	@rm -rf $@ && $(BIN)/python -m tests.parts.kafka tools && touch $@

$(SECRETS): | deploy/compose.env.example
	@cp deploy/compose.env.example $@

# Everything a person does with this repository. `make help` lists it.
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
SECRETS := deploy/compose.env
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
test: check schemas-unchanged ## Run every check and every test
	$(BIN)/pytest

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
	@$(PYTHON) deploy/make_secrets.py deploy/secrets $(SECRETS)
	$(COMPOSE) --env-file $(SECRETS) up --build --detach --wait
	@echo "Up on http://127.0.0.1:8080/ - the operator key is in deploy/secrets/admin_key"

.PHONY: down
down: $(SECRETS) ## Stop them; their data stays
	$(COMPOSE) --env-file $(SECRETS) down

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

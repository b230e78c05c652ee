# The front door. `make` alone lists what there is.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BROKERS ?= 1

.PHONY: help setup check test chaos audit sbom kafka s3 demo up down bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1m%-9s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv with everything pinned (again only when a pin changed)

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0] + ": make setup PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

check: $(READY) ## lint, format, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(READY) ## every law once, on a real Kafka and a real S3 server
	$(BIN)/pytest -m 'not chaos' -n 3 --dist loadfile

chaos: $(READY) ## the full counts of kills and faults
	$(BIN)/pytest -m chaos

audit: $(READY) ## known holes in the locked packages; said loudly where no database can be reached
	@$(BIN)/python -m tests.supply.audit

sbom: $(READY) ## the bill of materials, dist/skustream.cdx.json (CycloneDX)
	@$(BIN)/python -m tests.supply.sbom

kafka: $(READY) ## Apache Kafka on 127.0.0.1:9092 until Ctrl-C (BROKERS=1 or 3)
	@$(BIN)/python -m tests.services.kafka --brokers $(BROKERS)

s3: $(READY) ## an S3 server on 127.0.0.1:8333 until Ctrl-C
	@$(BIN)/python -m tests.services.s3

demo: $(READY) ## the whole walk on one machine, nothing else installed
	@$(BIN)/skustream demo

# Compose's own variable. Everything: make up COMPOSE_PROFILES=core,observability,console
up: export COMPOSE_PROFILES ?= core
up: ## Kafka, SeaweedFS, simulator, worker and a sample catalog in containers (docker compose)
	docker compose up --build --detach

down: ## end them, and forget their data
	docker compose --profile '*' down --volumes

bench: $(READY) ## every figure of docs/benchmarks.md (ONLY=engine: one of them)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

clean: ## remove what was built, fetched or remembered (not .venv)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

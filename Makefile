# ChemLink: `make demo` runs the main job, `make test` passes the tests; nothing to set up before.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DO_NOT_TRACK := 1
export PYTHONDONTWRITEBYTECODE :=

SITE ?= var/demo
PACKAGES := lake contracts protocols ingestion transforms quality_checks exports orchestration reference_plant
STAMP := .venv/.ready
MANIFEST := dbt_project/target/manifest.json

.PHONY: help demo up down test test-full lint format bench docs docs-check lock browser broker mariadb node-peers faketime link-tools datacontract clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements/dev.lock requirements/bootstrap.lock pyproject.toml tools/bootstrap
	@tools/bootstrap requirements/dev.lock
	@touch $@

$(MANIFEST): $(STAMP) $(shell find dbt_project transforms/reference -name '*.sql' -o -name '*.yml' -o -name '*.csv' 2>/dev/null | grep -v '/target/')
	@chemlink contract manifest

demo: $(STAMP) $(MANIFEST) ## The main job, end to end, on the reference plant; ends by itself
	@python -m reference_plant demo $(SITE)

up: $(STAMP) $(MANIFEST) ## The reference plant and the whole platform, kept running; prints the address of the UI
	@python -m reference_plant up $(SITE)

down: $(STAMP) ## End exactly what `make up` started
	@python -m reference_plant down $(SITE)

lint: $(STAMP) $(MANIFEST) ## Style, types, import rules, SQL
	@ruff check .
	@ruff format --check .
	@mypy
	@lint-imports
	@cd dbt_project && sqlfluff lint models

format: $(STAMP) ## Put Python and SQL in house style
	@ruff check --fix .
	@ruff format .
	@cd dbt_project && sqlfluff fix models

browser:
	@tools/ensure-browser

broker:
	@tools/ensure-broker

mariadb:
	@tools/ensure-mariadb

node-peers:
	@tools/ensure-node-peers

faketime:
	@tools/ensure-faketime

link-tools:
	@tools/ensure-link-tools

datacontract: $(STAMP)
	@tools/ensure-datacontract

test: $(STAMP) $(MANIFEST) browser broker mariadb lint ## Lint, then every test but the long ones, with coverage
	@rm -rf test-output && mkdir -p test-output
	@coverage erase
	@pytest -m "not full" -n 2 --dist loadfile --cov --cov-report= --durations=15
	@coverage report --fail-under=0 | tee test-output/coverage.txt | tail -n 60

test-full: $(STAMP) $(MANIFEST) browser broker mariadb node-peers faketime link-tools datacontract ## The long soak, fuzz and fault runs as well
	@mkdir -p test-output
	@pytest -n 2 --dist loadfile --timeout=3600

bench: $(STAMP) ## Benchmarks side by side with peers: make bench [BENCH=<name>]
	@python -m benchmarks $(BENCH)

docs: $(STAMP) $(MANIFEST) ## The generated pages: dictionary, endpoints, systems, coverage
	@chemlink docs build

docs-check: $(STAMP) $(MANIFEST) ## Fails when a generated page is stale
	@chemlink docs build --check

lock: $(STAMP) ## Renew the lock files from pyproject.toml
	@tools/lock

clean: ## Remove what can be made again
	rm -rf .venv var test-output dbt_project/target dbt_project/logs .mypy_cache .ruff_cache .pytest_cache

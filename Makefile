# One command surface; CI calls only these targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
SUPERSET_VENV := .venv-superset
LAKEHOUSE := $(VENV)/bin/lakehouse
PYTEST := $(VENV)/bin/python -m pytest
# Fits and linear algebra on one thread each: with several, busy cores wait for each other.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Processes that tests run in, each of up to 2 GB; each folder of tests stays in one. One more than two cores: some
# wait for servers.
TEST_WORKERS := 3
QUICK := not long and not compose
LONG_SAMPLE := 2
SEED := 1

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.set-up ## Install everything: uv, the environment, the Delta jars, Java
$(VENV)/.set-up: uv.lock pyproject.toml setup.sh
	@sh setup.sh $(VENV)
	@touch $@

.PHONY: superset
superset: $(SUPERSET_VENV)/.set-up ## Install Superset in an environment of its own
$(SUPERSET_VENV)/.set-up: superset/requirements.lock superset/install.sh | setup
	@sh superset/install.sh $(SUPERSET_VENV)
	@touch $@

.PHONY: s3-jars
s3-jars: setup ## Get what Spark needs for a lake in an object store: 700 MB, once
	@$(VENV)/bin/python -m lakehouse.spark.jars s3 >$(VENV)/s3-jars.log 2>&1 || \
		{ echo "could not download the S3 jars (is there a network?); $(VENV)/s3-jars.log says more" >&2; exit 1; }

.PHONY: superset-lock
superset-lock: setup ## Resolve Superset's requirements anew
	@sh superset/install.sh --lock

.PHONY: query-contexts
query-contexts: superset ## After a change of a chart: keep anew what it asks, from a browser
	UPDATE_QUERY_CONTEXTS=1 $(PYTEST) tests/stack/test_dashboards.py -k kept_queries

.PHONY: demo
demo: setup superset ## The whole stack on made-up data, without Docker and accounts
	$(LAKEHOUSE) demo-data data/demo
	KAGGLE_CSV=data/demo/demo_tracks.csv IMPORT_DIR=data/demo $(LAKEHOUSE) run
	$(LAKEHOUSE) stack up
	$(LAKEHOUSE) status

.PHONY: down
down: setup ## Stop Trino and Superset
	$(LAKEHOUSE) stack down

.PHONY: sql
sql: setup ## Open Trino's own client on the lake's tables
	$(LAKEHOUSE) sql

.PHONY: stack-packages
stack-packages: ## Install Postgres, Redis and Chromium, which tests start
	@sh tests/stack/packages.sh

.PHONY: object-store
object-store: setup ## Build the S3-compatible server that tests start
	@sh tests/cluster/packages.sh $(VENV)/bin

.PHONY: test
test: setup superset stack-packages object-store ## Run the tests of the next three targets, together
	$(PYTEST) -m "$(QUICK)" --numprocesses=$(TEST_WORKERS)

.PHONY: test-unit
test-unit: setup ## Run the tests that need no server and no lake that takes a minute to build
	$(PYTEST) -m "$(QUICK) and not stack and not real_data and not whole_lake" --numprocesses=$(TEST_WORKERS)

.PHONY: test-stack
test-stack: setup superset stack-packages object-store ## Run the tests with Trino, Superset, a browser, an object store
	$(PYTEST) -m "$(QUICK) and stack" --numprocesses=$(TEST_WORKERS)

.PHONY: test-real
test-real: setup ## Run the tests on real data, and on the demo lake that the README's commands build
	$(PYTEST) -m "$(QUICK) and (real_data or whole_lake) and not stack" --numprocesses=$(TEST_WORKERS)

.PHONY: test-long
test-long: setup superset stack-packages object-store s3-jars ## Run all tests, also random kills and simulated months
	$(PYTEST) -m "not compose"

.PHONY: test-sample
test-sample: setup ## Run a sample of the long tests, shortened: LONG_SAMPLE of them, by SEED
	$(PYTEST) --long-sample=$(LONG_SAMPLE) --seed=$(SEED)

.PHONY: test-compose
test-compose: setup ## Run the whole stack in containers and test it; as root, makes engine and images itself
	tests/stack/compose/run.sh --seed=$(SEED) $(COMPOSE_TESTS)

.PHONY: test-compose-cluster
test-compose-cluster: setup object-store ## The same with several workers and an object store
	tests/stack/compose/run.sh -m "compose and long" $(COMPOSE_TESTS)

.PHONY: lint
lint: setup ## Check style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/hadolint Dockerfile superset/Dockerfile

.PHONY: docs
docs: setup ## Regenerate the data dictionary from the contracts
	$(LAKEHOUSE) docs

.PHONY: bench
bench: setup superset stack-packages ## Measure times and memory and judge them; less with BENCH='--only real --runs 1'
	$(VENV)/bin/python -m benchmarks $(BENCH)

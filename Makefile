# Everything from a bare machine: Python >= 3.11 and make are enough. `make help` lists the targets.
#
#   PYTHON=...     the interpreter to build the virtual environment with (else the first suitable one on PATH)
#   VENV=...       where that environment lies (.venv)
#   ARGS=...       passed on to the command behind the target, as in `make test ARGS="-k refund -x"`
#   PARALLEL=...   how pytest spreads the tests ("-n 3 --dist loadfile --no-loadscope-reorder"; PARALLEL= runs them in
#                  one process)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
ARGS ?=
# In the order of tests/conftest.py: what takes longest comes first, so that no process ends long after the others.
# Three processes for two processors: tests wait for servers, for clocks and for what they have killed.
PARALLEL ?= -n 3 --dist loadfile --no-loadscope-reorder
VERSIONS := 3.11 3.12 3.13 3.14

# The sandbox loads a workflow's modules anew for each case, and would compile them each time.
unexport PYTHONDONTWRITEBYTECODE

bin := $(VENV)/bin
pip := $(bin)/python -m pip -qq --disable-pip-version-check
supported := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))

.PHONY: help demo up cluster test test-fast test-all proofs chaos load lint format docs client pictures histories states recordings resets recovery costs bench bench-lists bench-encode bench-closed capacity \
	lock audit sbom venv clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

demo: venv ## Open real cases on real servers and show where every fen went
	@$(bin)/aftersales demo $(ARGS)

up: venv ## Keep the whole stack running; Ctrl-C stops all of it
	@exec $(bin)/aftersales up $(ARGS)

cluster: venv ## Roll workers from version to version under load, and check every case
	@$(bin)/aftersales cluster $(ARGS)

test: venv ## The test suite, in parallel
	@$(bin)/python -m pytest $(PARALLEL) $(ARGS)

test-fast: venv ## The tests that need no server, within a minute: rules, messages, layout, and every history replayed
	@$(bin)/python -m pytest $(PARALLEL) tests/unit tests/rulebook tests/processes tests/replay/test_replay.py $(ARGS)

test-all: ## The test suite on each Python from 3.11 to 3.14
	@for version in $(VERSIONS); do \
		python=$$(bash .ci/find-python "$$version"); \
		echo "== Python $$version: $$python"; \
		$(MAKE) --no-print-directory test VENV=".venv-$$version" PYTHON="$$python"; \
	done

proofs: venv ## Every order of events, and a model of the rules, for an hour: docs/proofs.md
	@$(bin)/python -m tests.proofs.report $(ARGS)

chaos: venv ## Thousands of cases while servers, workers, networks and stores break: docs/chaos.md
	@$(bin)/python -m tests.proofs.chaos.run --page $(ARGS)

load: venv ## The highest rate, fairness, parked cases, a gateway that is away, an hour's soak (four hours): docs/load.md
	@$(bin)/python -m tests.proofs.load.run --page $(ARGS)

lint: venv ## Lint, format check and strict types
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/basedpyright --pythonpath $(bin)/python

format: venv ## Put imports and layout right
	@$(bin)/ruff check --fix-only --quiet .
	@$(bin)/ruff format .

pictures: venv ## Take the pictures of docs/images anew (needs Chromium)
	@$(bin)/python -m pytest -n 0 -q tests/browser/test_operators.py tests/browser/test_desk.py --pictures docs/images

docs: venv ## Write the generated pages of docs/ anew
	@$(bin)/python -m starter.settings_page > docs/settings.md
	@$(bin)/python -m workflows.kinds.diagrams > docs/processes.md
	@$(bin)/python -m tests.processes.told_to
	@$(bin)/python -m starter.contract
	@$(bin)/python -m tests.rulebook.where
	@$(bin)/python -m tests.contract.required_fields

client: venv ## Build the light client, a wheel of its own: build/aftersales-client/dist
	@$(bin)/python -m starter.client_wheel build/aftersales-client

histories: venv ## Record tests/histories anew: one history for each way a case can go, or of those in ARGS
	@$(bin)/python -m tests.replay.record $(ARGS)

resets: venv ## Reset every way a case can go at each of its workflow tasks (minutes)
	@$(bin)/python -m pytest -n 0 -q tests/replay/test_resets.py --every-reset $(ARGS)

states: venv ## Keep in tests/states what cases write at each stage, for the next releases; adds what is missing
	@$(bin)/python -m tests.states.keeping

recordings: venv ## Keep what this release has recorded, for those that follow: VERSION=1.2.0
	$(bin)/python -m tests.replay.released $(VERSION)

recovery: venv ## Raise 2,000 open cases on another Temporal server, the old one frozen, and check every case (minutes)
	@$(bin)/python -m tests.recovery.run $(ARGS)

costs: venv ## Write docs/costs.md anew: events and billable actions of each way
	@$(bin)/python -m tests.costs.write

capacity: venv ## Measure what a case costs and write the tables of docs/capacity.md anew (minutes)
	@$(bin)/python -m tests.benchmarks.cases $(ARGS)
	@$(bin)/python -m tests.benchmarks.page

bench: venv ## Measure a case beside a bare workflow and DBOS (ARGS="--against REV": an earlier build, too), for docs/benchmarks.md
	@$(bin)/python -m tests.benchmarks.paired.run $(ARGS)

bench-lists: venv ## Write into docs/benchmarks.md what work lists of a million open cases cost (minutes, gigabytes)
	@$(bin)/python -m tests.benchmarks.work_lists $(ARGS)

bench-encode: venv ## Write into docs/benchmarks.md how long callers of the codec server wait beside unclosed notes
	@$(bin)/python -m tests.benchmarks.encode

bench-closed: venv ## Write into docs/capacity.md what cases that have moved cost (minutes, gigabytes)
	@$(bin)/python -m tests.benchmarks.closed_cases $(ARGS)

lock: ## Work out requirements.lock and deploy/requirements.lock anew (ARGS=--upgrade for newer releases)
	@python="$${PYTHON:-$$(bash .ci/find-python)}"; \
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	"$$python" -m venv "$$scratch"; \
	"$$scratch/bin/python" -m pip -qq --disable-pip-version-check install uv; \
	lock() { UV_CUSTOM_COMPILE_COMMAND="make lock" "$$scratch/bin/uv" --quiet pip compile pyproject.toml \
		--universal --python-version 3.11 --generate-hashes --no-annotate "$$@"; }; \
	lock --all-extras --output-file requirements.lock $(ARGS); \
	lock --extra cli --extra image --extra archive --extra s3 --extra stripe --extra wechatpay --constraint requirements.lock --output-file deploy/requirements.lock

audit: ## Ask the public advisories about the locked packages; says so where they cannot be asked (exit code 3)
	@bash .ci/audit

sbom: ## Write build/sbom.json: what the image is made of, as CycloneDX
	@python="$${PYTHON:-$$(bash .ci/find-python)}"; \
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	"$$python" -m venv "$$scratch"; \
	"$$scratch/bin/python" -m pip -qq --disable-pip-version-check install "cyclonedx-bom==7.5.0"; \
	mkdir -p build; \
	"$$scratch/bin/cyclonedx-py" requirements deploy/requirements.lock --output-reproducible -o build/sbom.json; \
	echo "build/sbom.json: $$(grep -c '"purl"' build/sbom.json) packages"

venv: $(VENV)/.project ## The virtual environment with the locked packages

# Two stamps, so that a change of tool settings in pyproject.toml does not install every package again.
$(VENV)/.packages: requirements.lock
	@python="$${PYTHON:-$$(bash .ci/find-python)}"; \
	if ! $(bin)/python -c '$(supported)' 2>/dev/null; then \
		echo "Making $(VENV) with $$python"; \
		"$$python" -m venv --clear $(VENV) || { echo "$$python cannot make a virtual environment (on Debian: apt install python3-venv)" >&2; exit 1; }; \
	fi
	@echo "Installing the locked packages into $(VENV)"
	@$(pip) install --require-hashes --only-binary :all: --no-binary localstripe -r requirements.lock
	@touch $@

$(VENV)/.project: $(VENV)/.packages pyproject.toml
	@$(pip) install --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

clean: ## Remove what was built (never the state folder .aftersales: it holds data)
	@rm -rf .venv .venv-* build *.egg-info .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

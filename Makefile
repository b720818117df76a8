# Everything a contributor runs; `make help` lists it. The first call builds .venv.

PYTHON ?= python3
SIZE   ?= 100MB
ROUNDS ?= 5
SECONDS ?= 60
MINUTES ?= 1
TARGET ?=

BIN       := .venv/bin
INSTALLED := .venv/installed
FUZZER    := .venv/fuzzer
SERVERS   := .venv/servers
LINKS     := .links/sealedbeam
PACKAGES  := pipeline faults monitoring
CHECKED   := $(PACKAGES) tests seeds examples
CRAWLED   := demo/crawl
DEMO      := demo/index
FLIPS     := configs/scenarios/bitflips.yaml

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format types pytest servers flink-test dashboards fuzz prove bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(INSTALLED) ## build .venv with the project and its tools

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; pass it as make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# The web is served by the process that runs the crawl, and ends with it.
demo: $(INSTALLED) ## crawl the sample web under bit flips, index it, search it, audit it
	rm -rf demo
	$(BIN)/python -m seeds.serve \
	  $(BIN)/sealedbeam crawl {web} {web}hamming {web}codes/turbo.html \
	  --output $(CRAWLED) --config configs/demo.yaml
	$(BIN)/sealedbeam index $(CRAWLED) --output $(DEMO) --scenario $(FLIPS) --max-attempts 8
	$(BIN)/sealedbeam search $(DEMO) 'cosmic rays'
	$(BIN)/sealedbeam search $(DEMO) '"a single flipped bit"'
	$(BIN)/sealedbeam audit $(CRAWLED)
	$(BIN)/sealedbeam audit $(DEMO)
	$(BIN)/sealedbeam quarantine $(CRAWLED)
	$(BIN)/sealedbeam quarantine $(DEMO)
	@echo "Report:  $(DEMO)/report.html"
	@echo "Metrics: $(DEMO)/metrics.prom"

test: lint types pytest ## everything that must pass before a commit

lint: $(INSTALLED) ## style and format, changing nothing
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)

format: $(INSTALLED) ## bring the source into its format
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

# The import names differ from the folders' (sealedbeam.pipeline lies in pipeline/), and mypy does
# not follow an editable install: links give it a tree that looks like the installed one.
types: $(INSTALLED) ## strict types, tests included
	mkdir -p $(LINKS)
	for package in $(PACKAGES); do ln -sfn ../../$$package $(LINKS)/$$package; done
	MYPYPATH=.links:. $(BIN)/mypy $(LINKS) tests seeds examples

pytest: $(INSTALLED) ## the tests alone, on two cores
	$(BIN)/pytest -n 2 --ignore=tests/servers --ignore=tests/browser --ignore=tests/flink

servers: $(SERVERS) ## tests with real servers and a browser: Prometheus, Chromium, of Debian
	$(BIN)/pytest -n 2 tests/servers tests/browser

flink-test: $(INSTALLED) ## the index job on a real Flink cluster whose processes are killed; needs Java
	$(BIN)/pytest tests/flink

dashboards: $(INSTALLED) ## generate configs/grafana/dashboards from the code and the runbook
	$(BIN)/python -m sealedbeam.monitoring.dashboards

fuzz: $(FUZZER) ## fuzz what reads bytes: make fuzz SECONDS=60 TARGET=block
	$(BIN)/python -m tests.fuzz.campaign $(SECONDS) $(TARGET)

$(SERVERS): $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[servers]'
	touch $@

$(FUZZER): $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	touch $@

prove: $(INSTALLED) ## try to get a wrong record past the reader: make prove MINUTES=60
	$(BIN)/python -m tests.proof.prove $(MINUTES)

bench: $(INSTALLED) ## compare with the rival: make bench SIZE=1GB ROUNDS=3
	$(BIN)/python -m tests.benchmarks.compare --size $(SIZE) --rounds $(ROUNDS)

clean: ## remove all that these targets made, .venv included
	rm -rf .venv .links .fuzz demo build dist *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment, made once; each target is one command afterwards.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
BROKER := 'amqtt>=0.12,<0.13'

.PHONY: help demo test lint docs docs-site scoreboard defaults bench clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## train on 2,624 pictures of solar cells, write demo/run/report.html
	$(BIN)/modalloy demo -o demo

test: $(VENV)/.test ## run the whole suite, a process a core
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.dev ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check

docs: $(VENV)/.demo ## write docs/job-file.md and the map of the house anew
	$(BIN)/python -m modalloy.job.reference docs/job-file.md
	$(BIN)/python dev/house.py

docs-site: $(VENV)/.docs docs ## build the pages as a site in build/site
	$(BIN)/mkdocs build --strict --site-dir build/site

scoreboard: $(VENV)/.test ## run the real data sets of MODALLOY_SHARED, write the tables
	$(BIN)/python -m bench.scoreboard

defaults: $(VENV)/.test ## train what init prints on every table of the board, write docs/defaults.md
	$(BIN)/python -m bench.defaults

bench: $(VENV)/.test ## training speed against a plain loop, seconds to the first answers
	$(BIN)/python -m bench.train_speed
	$(BIN)/python -m bench.start

# A stamp for each extra, so that pip runs again only when pyproject.toml changes.
$(VENV)/.%: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[$*]'
	$(if $(filter test dev,$*),$(PIP) install --no-deps $(BROKER))
	@touch $@

$(VENV)/.docs: | $(BIN)/python
	$(PIP) install 'mkdocs>=1.6,<2'
	@touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

clean: ## remove the environment and what was built; runs and demo stay
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis

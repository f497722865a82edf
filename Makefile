# The house's commands. The environment lies in .venv and is set up once, by the first target that needs it.
# ARGS is handed on: make run ARGS="--port 9000", make test ARGS="tests/desk -k pin".

.DEFAULT_GOAL := help
.PHONY: help setup run test check fix coverage soak deep bench docs changelog clean

BIN := .venv/bin
READY := .venv/.ready
ARGS ?=

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: $(READY) ## set up .venv, and the system packages that tests need

$(READY): pyproject.toml scripts/setup
	scripts/setup
	@touch $@

run: $(READY) ## serve the demo account on http://127.0.0.1:8470, its addresses and sign-ins printed
	$(BIN)/huntgroup demo $(ARGS)

test: $(READY) ## run all the tests
	$(BIN)/python -m pytest -m "not deep and not soak" $(ARGS)

check: $(READY) ## format, lint, types, words, floors, docs: everything but behaviour
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python -m scripts.render --check
	$(BIN)/python -m pytest -q tests/house

fix: $(READY) ## format, and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m scripts.render

docs: $(READY) ## write the reference pages that are made from the code
	$(BIN)/python -m scripts.render

coverage: $(READY) ## floors 0 to 2 must be covered whole, branches included
	$(BIN)/coverage run -m pytest -q -m "not deep and not soak" \
		tests/test_ids.py tests/test_codes.py tests/test_content.py tests/protocol tests/routing tests/desk tests/stateful $(ARGS)
	$(BIN)/coverage report

soak: $(READY) ## minutes of kill -9, reconnects and load against a real broker
	$(BIN)/python -m pytest -m soak --timeout=0 -o faulthandler_timeout=0 -s $(ARGS)

deep: $(READY) ## every property test with 100 times the examples, and a new seed (printed)
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -m "not soak" --timeout=0 -o faulthandler_timeout=0 $(ARGS)

bench: $(READY) ## the figures, as a table and as JSON
	$(BIN)/python -m bench $(ARGS)

changelog: $(READY) ## show what the fragments in changelog.d would become
	$(BIN)/towncrier build --draft --version "$$($(BIN)/python -c 'import broker; print(broker.__version__)')"

clean: ## remove the environment and every cache; data in var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist

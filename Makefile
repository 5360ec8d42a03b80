# Thin on purpose: each target is a command that one can also type.
.PHONY: help demo test test-gpu lint bench chaos soak fuzz zoo protocols clean
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

help:           ## show this
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	touch $(READY)

demo: $(READY)  ## train four small models, explain them, keep serving (ARGS=--exit: stop after the answers)
	$(BIN)/explainery demo $(ARGS)

test: $(READY)  ## everything that needs no GPU
	$(BIN)/python -m pytest -n 2 -m "not gpu" tests $(ARGS)

test-gpu: $(READY) ## what needs a CUDA device
	$(BIN)/python -m pytest -m gpu tests $(ARGS)

lint: $(READY)  ## style, types, import rules, images, compose
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint deploy/Dockerfile.service deploy/Dockerfile.worker
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

bench: $(READY) ## print the benchmark tables
	$(BIN)/python -m benchmarks $(ARGS)

chaos: $(READY) ## 20 long runs in which everything is killed, as a table (RUNS=1 SEED=7: that run alone)
	EXPLAINERY_CHAOS_RUNS=$(or $(RUNS),20) EXPLAINERY_CHAOS_SEED=$(or $(SEED),1) $(BIN)/python -m pytest tests/chaos $(ARGS)

soak: $(READY)  ## ten minutes of mixed load, and whether memory or keys grow (MINUTES=1: shorter)
	$(BIN)/python -m benchmarks.soak $(MINUTES)

fuzz: $(READY)  ## ten minutes of made-up requests, and ten more where keys are asked for; what is answered and logged that must not be (MINUTES=1, FORMS=keys)
	FORMS="$(or $(FORMS),open keys)" PYTHONPATH=tests/support $(BIN)/python tests/fuzz/fuzzing.py $(or $(MINUTES),10) .fuzz

zoo: $(READY)   ## make a hundred ONNX files and measure their gradients, as a table (ARGS=vit: only names with that in them)
	PYTHONPATH=tests $(BIN)/python -m zoo.measure $(ARGS)

protocols: $(READY) ## stock clients (kserve, tritonclient, openai) in environments of their own; installs them the first time
	PYTHONPATH=tests/support $(BIN)/python tests/protocols/run.py .protocols

clean:          ## remove what the targets made here (not EXPLAINERY_HOME)
	rm -rf .venv .protocols .fuzz build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

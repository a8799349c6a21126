# make play   a fresh machine plays: virtual environment, install, one episode, the path of its video
# make test   the whole test suite
# TORCH_INDEX=URL  take torch from that wheel index (PyTorch's CPU index on a machine without a GPU)

VENV ?= .venv
PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
BIN = $(VENV)/bin

.PHONY: play test test-slow lint install install-dev

play: install
	$(BIN)/jarvis play --task rung_wooden_pickaxe

test: install-dev
	$(BIN)/python -m jarvis.world.warm
	$(BIN)/python -m pytest

# what takes longer: 5,000 ticks in two processes, 100 simulators that hang
test-slow: install-dev
	$(BIN)/python -m pytest -m slow

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch first: without it, the next line would fetch the newest build with several GB of CUDA
$(VENV)/.torch: | $(BIN)/python
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	touch $@

$(VENV)/.installed: $(VENV)/.torch setup.cfg
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.torch setup.cfg
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@ $(VENV)/.installed

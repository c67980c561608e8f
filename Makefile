# Two commands matter: `make figures` and `make test`. Each target makes what it needs and says what it does.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# What to change on the command line, as in `make figures SCALE=quick`.
SCALE   ?= full
JOBS    ?=
DEVICE  ?= auto
RESULTS ?= results
PLOTS   ?= plots
# What trains: auto, fused or autograd.
ENGINE  ?= auto
# lean: what the program needs on a CPU (1.3 GB); full: CUDA and `import torch` too (5 GB); none: a program without
# libtorch, which needs neither Python nor a C++ compiler, and trains by the fused engine alone.
TORCH   ?= lean
# The version of CUDA of TORCH=full, where the driver is older than PyPI's cu130 (driver 580): cu128 (driver 570) or cu126
# (driver 525). `landscape doctor` says which the driver runs.
TORCH_CUDA ?=
PYTHON  ?= python3
# Kills of `make test-kill`.
KILLS   ?= 200
# More arguments for pip, such as --index-url or --find-links.
PIP_ARGS ?=
# A checkout of github.com/ashwinipokle/contrastive_landscape, for `make bench` and live crosschecks, and
# how many random command lines to check.
AUTHORS_REPO ?=
SAMPLE ?= 42
# More arguments for `make gpu-check`, such as --device cuda:1.
GPU_CHECK ?=
# Inputs for each reader that is fuzzed.
FUZZ ?= 1000000

TORCH_VERSION := 2.11.0
NUMPY := "numpy==2.4.6; python_version >= '3.11'" "numpy==2.2.6; python_version < '3.11'"
LANDSCAPE := target/release/landscape
EXPERIMENTS := $(sort $(wildcard experiments/*.yaml))
AUTHORS := $(sort $(wildcard experiments/authors/*.yaml))
REPAIRED := $(sort $(wildcard experiments/repaired/*.yaml))
ATLAS := $(sort $(wildcard experiments/atlas/*.yaml))
SWEEPS := $(sort $(wildcard experiments/sweeps/*.yaml))

ifneq ($(filter-out cu126 cu128 cu130,$(TORCH_CUDA)),)
  $(error TORCH_CUDA is $(TORCH_CUDA), but it is cu126, cu128 or cu130)
endif
SETUP_FULL := .venv/setup-full$(TORCH_CUDA:%=-%)

ifneq ($(AUTHORS_REPO),)
  # Their code runs in .venv, whatever libtorch we are linked with.
  SETUP := $(SETUP_FULL)
else ifeq ($(TORCH),none)
  SETUP :=
  FEATURES := --no-default-features
else ifdef LIBTORCH
  # A libtorch of your own replaces the one from pip.
  SETUP :=
else ifeq ($(TORCH),full)
  SETUP := $(SETUP_FULL)
else ifeq ($(TORCH),lean)
  SETUP := .venv/setup-lean
else
  $(error TORCH is $(TORCH), but it is lean, full or none)
endif

TRAIN_FLAGS := $(if $(JOBS),--jobs $(JOBS)) --device $(DEVICE) --engine $(ENGINE) --results $(RESULTS)
ifeq ($(SCALE),quick)
  TRAIN_FLAGS += --quick
else ifneq ($(SCALE),full)
  $(error SCALE is $(SCALE), but it is full or quick)
endif
RUN_FLAGS := $(TRAIN_FLAGS) --plots $(PLOTS)

.PHONY: help
help: ## Say what the targets are
	@echo "make TARGET, where TARGET is one of"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-10s %s\n", $$1, $$2 }'
	@echo "Variables: SCALE=full|quick  JOBS=n  DEVICE=auto|cpu|cuda[:n]  ENGINE=auto|fused|autograd  RESULTS=dir  PLOTS=dir"
	@echo "           TORCH=lean|full|none  TORCH_CUDA=cu126|cu128|cu130  PYTHON=python3  PIP_ARGS='--index-url ...'  LIBTORCH=dir (your own libtorch 2.11.0)"
	@echo "           AUTHORS_REPO=dir (their checkout)  SAMPLE=42  FUZZ=1000000"

.PHONY: setup
setup: $(SETUP) ## Install libtorch into .venv (half a minute to 3 minutes, once)

.venv/bin/python:
	@echo "== making .venv (a few seconds)"
	$(PYTHON) -m venv .venv

.venv/setup-lean: | .venv/bin/python
	@if ls .venv/setup-full* >/dev/null 2>&1; then touch $@; exit 0; fi
	@echo "== installing PyTorch $(TORCH_VERSION) for the CPU into .venv (about half a minute, 1.3 GB)"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps \
	  torch==$(TORCH_VERSION) nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85 $(NUMPY)
	@$(MAKE) --no-print-directory .venv/libtorch
	@touch $@

# One libtorch at a time: the stamp of another goes when it does.
$(SETUP_FULL): | .venv/bin/python
	@echo "== installing PyTorch $(TORCH_VERSION) with CUDA into .venv (about three minutes, 5 GB)"
	@rm -f .venv/setup-*
	.venv/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) \
	  $(if $(TORCH_CUDA),--extra-index-url https://download.pytorch.org/whl/$(TORCH_CUDA)) \
	  torch==$(TORCH_VERSION)$(TORCH_CUDA:%=+%) $(NUMPY) yacs==0.1.8
	@$(MAKE) --no-print-directory .venv/libtorch
	@touch $@

# A link whose path does not depend on Python's version; .cargo/config.toml points at it.
.venv/libtorch: | .venv/bin/python
	@ln -sfn "$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch" $@

.PHONY: build
build: setup ## Compile the program (about 4 minutes the first time, 3 with TORCH=none)
	@[ -x $(LANDSCAPE) ] || echo "== compiling (about 4 minutes the first time, 3 with TORCH=none)"
	cargo build --release --locked $(FEATURES)

.PHONY: figures
figures: build ## Train what is missing and draw every figure and table of the paper into plots/
	@echo "== training and drawing at $(SCALE) scale"
	$(LANDSCAPE) figures $(EXPERIMENTS) $(RUN_FLAGS)
	@$(MAKE) --no-print-directory theory

.PHONY: theory
theory: build ## Check the paper's theorems and draw them into plots/theory (a minute)
	@echo "== checking the theorems"
	$(LANDSCAPE) theory all --results $(RESULTS) --plots $(PLOTS)

.PHONY: claims
claims: build ## Judge the paper's claims: as written, by the authors' scripts, with one change (80 minutes on 2 cores)
	@echo "== training what is missing, on 2 cores: 30 minutes as written (ten seeds), 40 by the authors' scripts, 10 with one change"
	$(LANDSCAPE) run $(EXPERIMENTS) --seeds 1..10 $(TRAIN_FLAGS)
	$(LANDSCAPE) figures $(EXPERIMENTS) $(AUTHORS) $(REPAIRED) $(RUN_FLAGS)
	$(LANDSCAPE) claims $(EXPERIMENTS) $(AUTHORS) $(REPAIRED) --results $(RESULTS)

.PHONY: registered
registered: build ## Judge the registered claims on the seeds fixed for them (580 runs, about an hour on 2 cores)
	@echo "== training what is missing of the registered claims' runs: interrupt and repeat at will"
	$(LANDSCAPE) run --registered $(TRAIN_FLAGS)
	$(LANDSCAPE) claims --registered --results $(RESULTS)

.PHONY: atlas
atlas: build ## Which objective finds the dictionary: train, draw and judge the atlas (616 runs, 15 minutes on 2 cores)
	@echo "== training what is missing of the atlas' 616 runs, 15 minutes on 2 cores: interrupt and repeat at will"
	$(LANDSCAPE) figures $(ATLAS) $(RUN_FLAGS)
	$(LANDSCAPE) report $(ATLAS) --results $(RESULTS) --plots $(PLOTS) --out docs/atlas

.PHONY: sweeps
sweeps: build ## Run the sweeps that explain what does not reproduce (2 hours on 2 cores)
	@echo "== training what is missing of the sweeps: 2 hours on 2 cores; interrupt and repeat at will"
	$(LANDSCAPE) figures $(SWEEPS) $(RUN_FLAGS)

.PHONY: report
report: build ## Write docs/reproduction.md and its pages from the runs at hand (trains nothing)
	$(LANDSCAPE) report --results $(RESULTS) --plots $(PLOTS)

.PHONY: test
test: setup ## Run all tests (about 5 minutes after `make figures`, compiling included)
	@echo "== testing (about 5 minutes after make figures, compiling included)"
	cargo test --release --locked $(FEATURES) 2>&1 | awk '{ print; fflush() } \
	  /^test result:/ { passed += $$4; failed += $$6 } END { printf "== %d tests passed, %d failed\n", passed, failed }'

.PHONY: test-python
test-python: build .venv-python/ready ## Test the Python package and its notebook (2 minutes; the first time 4 more, and 5 GB)
	@echo "== testing python/ (2 minutes)"
	cd python && LANDSCAPE="$$(realpath "$${CARGO_TARGET_DIR:-../target}")/release/landscape" \
	  ../.venv-python/bin/python -m pytest -q
	cd python && ../.venv-python/bin/python -m mypy

.venv-python/ready: python/pyproject.toml
	@echo "== installing PyTorch, pandas and what the notebook needs into .venv-python (4 minutes, 5 GB)"
	$(PYTHON) -m venv .venv-python
	.venv-python/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e 'python[test]'
	@touch $@

.PHONY: test-kill
test-kill: setup ## Kill a sweep KILLS times at random instants and compare its results (some minutes)
	@echo "== killing a sweep $(KILLS) times"
	LANDSCAPE_KILLS=$(KILLS) cargo test --release --locked $(FEATURES) --test suite kill:: -- --nocapture

.PHONY: many-runs
many-runs: build ## Time a sweep of 1000, 3000 and 10000 tiny runs (some minutes)
	python3 scripts/many_runs.py

.PHONY: crosscheck
crosscheck: build ## Compare with the authors' recorded runs, or live: AUTHORS_REPO=dir (10 minutes)
ifneq ($(AUTHORS_REPO),)
	@echo "== running the authors' code and ours: every model, $(SAMPLE) random command lines, 300 epochs at the paper's size"
	$(LANDSCAPE) crosscheck --authors-repo "$(AUTHORS_REPO)" --python .venv/bin/python --sample $(SAMPLE) --paper-sized
else
	@echo "== replaying the authors' recorded runs"
	$(LANDSCAPE) crosscheck
endif

.PHONY: fuzz
fuzz: setup ## Feed a million arbitrary inputs to every reader of files and flags (FUZZ=n)
	@echo "== fuzzing with $(FUZZ) inputs each"
	LANDSCAPE_FUZZ=$(FUZZ) cargo test --release --locked $(FEATURES) --test suite fuzz_

.PHONY: bench
bench: build .venv-bench/ready ## Time a step beside PyTorch, JAX and the authors' code (AUTHORS_REPO=dir); how it grows
	@echo "== timing (about a quarter of an hour; leave the machine alone)"
	$(LANDSCAPE) bench $(BENCH_FLAGS)
	$(LANDSCAPE) bench $(BENCH_FLAGS) --scaling

BENCH_FLAGS = --python .venv-bench/bin/python $(if $(AUTHORS_REPO),--authors-repo $(AUTHORS_REPO)) \
  --results $(RESULTS) --plots $(PLOTS)

.venv-bench/ready: benches/peers/requirements.txt
	@echo "== installing PyTorch and JAX into .venv-bench (three minutes, 5 GB)"
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r $<
	@touch $@

.PHONY: test-slurm
test-slurm: build ## Send a sweep through a scratch Slurm, requeue it in the middle, compare (needs root; a minute)
	@LANDSCAPE="$${CARGO_TARGET_DIR:-target}/release/landscape" bash scripts/slurm/test.sh

.PHONY: ptx
ptx: .venv-cuda/ready ## Compile the GPU kernels to PTX, after a change of src/fused/cuda/kernels (needs no GPU; seconds)
	.venv-cuda/bin/python scripts/cuda/compile.py

.PHONY: check-ptx
check-ptx: .venv-cuda/ready ## Compile them again, compare with what is committed, and ask for registers and spills
	.venv-cuda/bin/python scripts/cuda/compile.py --check

.venv-cuda/ready:
	@echo "== installing NVRTC and ptxas 12.4 into .venv-cuda (half a minute, 150 MB)"
	$(PYTHON) -m venv .venv-cuda
	.venv-cuda/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) \
	  nvidia-cuda-nvrtc-cu12==12.4.127 nvidia-cuda-nvcc-cu12==12.4.131
	@touch $@

.PHONY: test-sanitizers
test-sanitizers: setup ## Run the GPU kernels, compiled for the CPU, under ASan, UBSan and TSan (minutes)
	LANDSCAPE_SANITIZE=1 cargo test --release --locked $(FEATURES) --test suite cuda_kernels::sanitizers -- --nocapture

.PHONY: gpu-check
gpu-check: build ## Check a GPU against the CPU and time it; writes gpu-check.md (minutes)
	$(PYTHON) scripts/gpu_check.py --program "$${CARGO_TARGET_DIR:-target}/release/landscape" $(GPU_CHECK)

.PHONY: lint
lint: setup ## Check formatting, clippy and the documentation's links, with libtorch and without
	cargo fmt --check
	cargo clippy --release --locked --all-targets -- -D warnings
	cargo clippy --release --locked --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --no-default-features

.PHONY: clean
clean: ## Remove what was built; results, plots and .venv stay
	cargo clean

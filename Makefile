# Nabla's everyday commands. Each does its own setup; `make help` lists them.

# One release build serves the tool, the tests and the documentation.
SWIFT_BUILD = swift build -c release
SOURCES = Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources $(wildcard Examples)
LIBRARIES = $(filter-out NablaTool NablaStudioTool,$(filter Nabla%,$(notdir $(wildcard Sources/*))))
# What runs in pages.
PAGE_SCRIPTS = $(wildcard Sources/*/Page/*.js Sources/*/*/Page/*.js)
PAGE_MODULES = $(wildcard Sources/NablaStudio/Page/common/*.js Sources/NablaStudio/Page/steps/*/*.js)
# Where `make bench` keeps PyTorch; set VENV to use an environment that has it already.
VENV = $(CURDIR)/.venv

# A small chat model: `make smollm` chats with it and some tests read it (Scripts/fetch-model downloads it).
MODEL = .models/SmolLM2-135M-Instruct.Q4_1.gguf

.DEFAULT_GOAL = help
.PHONY: demo diffusion align scaling smollm studio model test test-isa test-aarch64 bench fixtures format lint docs clean help setup environment venv

demo: setup ## Train a small GPT on this repository's own text, sample from it and write a report
	$(SWIFT_BUILD) --product nabla
	.build/release/nabla pretrain --preset tiny README.md Documentation Sources

diffusion: ## Train generative models of two moons and of captioned icons, and sample from them
	@Scripts/setup icons
	$(SWIFT_BUILD) --product nabla
	@Scripts/demo-diffusion

scaling: setup ## Fit a scaling law to small models trained on this repository, and test it on a larger one (8 minutes)
	$(SWIFT_BUILD) --product nabla
	.build/release/nabla scaling sweep README.md Documentation Sources --budget 8m

align: model ## Align SmolLM2 by SFT, a reward model and PPO, by DPO and by GRPO, and compare them (DATA=pairs.jsonl.gz)
	$(SWIFT_BUILD) --product nabla
	@Scripts/align $(if $(DATA),"$(DATA)")

smollm: model ## Fetch SmolLM2-135M-Instruct and chat with it
	$(SWIFT_BUILD) --product nabla
	.build/release/nabla chat $(MODEL)

studio: ## Open the page that shows how the algorithms work, computed live
	@$(MAKE) --no-print-directory model || echo "no model could be fetched: the studio trains a small one itself"
	$(SWIFT_BUILD) --product nabla-studio
	.build/release/nabla-studio

model: environment ## Fetch SmolLM2-135M-Instruct (98 MB), which some tests read
	@Scripts/fetch-model "$(VENV)/bin/python"

test: setup ## Build and run every test
	$(SWIFT_BUILD) --build-tests
	@Scripts/test

test-isa: setup ## Run the numeric suites at every instruction set of this CPU (LEVELS="baseline avx2" selects some)
	$(SWIFT_BUILD) --build-tests
	@Scripts/test-isa $(LEVELS)

test-aarch64: ## Cross-compile the C kernels for 64-bit ARM and run their reference tests in qemu
	@Scripts/setup aarch64
	@Scripts/test-aarch64

bench: model ## Compare speed and memory with the Python stack (BENCH="--only NAME --rounds N" selects rows)
	@Scripts/setup bench
	$(SWIFT_BUILD) --product nabla
	"$(VENV)/bin/python" -c 'import torch, gymnasium, stable_baselines3, accelerate, transformers, gguf, llama_cpp, trl, peft, diffusers, scipy' 2>/dev/null || \
	  "$(VENV)/bin/python" -m pip install --quiet -r Benchmarks/peers/requirements.txt
	swift run -c release --package-path Benchmarks NablaBenchmarks --python "$(VENV)/bin/python" $(BENCH)

fixtures: environment model ## Write the test fixtures anew with torch and transformers
	"$(VENV)/bin/python" -m pip install --quiet -r Tests/Fixtures/generate/requirements.txt
	for script in $(filter-out %/fixture.py $(wildcard Tests/Fixtures/generate/check_*.py),$(wildcard Tests/Fixtures/generate/*.py)); do \
	  "$(VENV)/bin/python" $$script || exit 1; \
	done

format: ## Format every Swift file in place
	swift format format --in-place --parallel --recursive $(SOURCES)

lint: ## Check formatting, and the syntax of scripts (the build itself treats our warnings as errors)
	swift format lint --strict --parallel --recursive $(SOURCES)
	@command -v node >/dev/null || echo "lint: there is no node, so scripts of pages are not checked"
	@! command -v node >/dev/null || for script in $(PAGE_SCRIPTS); do node --check $$script || exit 1; done
	@! command -v node >/dev/null || for module in $(PAGE_MODULES); do \
	  node --input-type=module --check <$$module || { echo "in $$module" >&2; exit 1; }; \
	done

docs: setup ## Build the reference documentation into .build/documentation
	$(SWIFT_BUILD)
	Scripts/docs $(LIBRARIES)

clean: ## Delete what was built (runs, downloads of .venv and Git history stay)
	rm -rf .build Benchmarks/.build

help: ## List these commands
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup:
	@Scripts/setup

environment: setup
	@Scripts/setup venv
	@test -x "$(VENV)/bin/python" || python3 -m venv "$(VENV)"

venv: environment ## Install what `make test` needs to try reports in a browser
	@Scripts/setup browser
	"$(VENV)/bin/python" -m pip install --quiet -r Tests/Browser/requirements.txt

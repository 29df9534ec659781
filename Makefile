# Two commands matter: `make demo` shows the main job on real input, `make test` runs everything that CI runs.
# Both build once, into one target directory, with one profile and one feature set; a cold build compiles DuckDB and takes
# about 40 minutes on two cores, later ones seconds. Set CARGO_TARGET_DIR to share it between checkouts.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(HOME)/.cargo/bin:$(PATH)
CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
BIN := $(CARGO_TARGET_DIR)/release

# What the build needs, and what the tests need beyond it (Debian names).
BUILD_PACKAGES := gcc g++ pkg-config libpcap-dev
TEST_PACKAGES := python3 python3-venv apache2 apache2-dev libclang-dev curl tcpreplay tcpdump iproute2 util-linux mesa-vulkan-drivers

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

.PHONY: packages
packages: ## Install the system packages the build needs (Debian; as root)
	@scripts/packages.sh $(BUILD_PACKAGES)

.PHONY: test-packages
test-packages:
	@scripts/packages.sh $(BUILD_PACKAGES) $(TEST_PACKAGES)

# Cargo tells a source file's age, not whose checkout it stands in: with one target directory for several checkouts, tests built in another
# one would look for their files there. So a change of checkout makes our own sources new; the crates from elsewhere stay built.
.PHONY: checkout
checkout:
	@mkdir -p "$(CARGO_TARGET_DIR)"
	@if [ "$$(cat "$(CARGO_TARGET_DIR)/checkout" 2>/dev/null)" != "$(CURDIR)" ]; then \
	  find apache-mod capture replay lab desktop -name '*.rs' -exec touch {} + && echo "$(CURDIR)" > "$(CARGO_TARGET_DIR)/checkout"; fi

# Programs and tests are built together so that the feature set of shared crates is the same for both.
.PHONY: build
build: packages checkout ## Build every program and every test, once
	cargo build --release --workspace --lib --bins --tests

.PHONY: demo
demo: build ## Replay the recorded data set and print the ranked sessions
	$(BIN)/ja4-lab demo

.PHONY: test
test: test-packages check build ## Everything that CI runs
	scripts/sql_engines.sh
	cargo test --release --workspace
	cargo clippy --release --workspace --all-targets -- -D warnings
	scripts/check_light.sh
	scripts/check_sql.sh
	scripts/check_notebooks.sh $(BIN)/ja4-lab "$(CARGO_TARGET_DIR)/notebook-venv"

.PHONY: check
check: ## Quick checks: formatting, layers, file heads
	cargo fmt --all --check
	python3 scripts/check_layers.py
	python3 scripts/check_files.py

.PHONY: record
record: ## Record the data set again: namespaces, a real Apache, real clients (Debian; as root)
	datasets/record/record.sh

.PHONY: reference-tables
reference-tables: build ## Make the tables of JA4 values again from the recorded sets
	datasets/reference/regenerate.sh $(BIN)/ja4-lab

.PHONY: experiments
experiments: build ## Run every experiment of datasets/experiments and keep what the documentation quotes
	rm -rf "$(CARGO_TARGET_DIR)/experiments" && mkdir -p "$(CARGO_TARGET_DIR)/experiments"
	for plan in datasets/experiments/*.toml; do name=$$(basename "$$plan" .toml); \
	  $(BIN)/ja4-lab experiment run "$$plan" -o "$(CARGO_TARGET_DIR)/experiments/$$name" --results "datasets/experiments/results/$$name.json"; done

.PHONY: experiment-tables
experiment-tables: build ## Write the tables of docs/SCIENCE.md anew from the results that are kept
	UPDATE_TABLES=1 cargo test --release --workspace --test it -- experiments_that_ship

.PHONY: notebooks
notebooks: experiments ## Execute every notebook on the runs of `make experiments` and render them as HTML
	python3 -m venv "$(CARGO_TARGET_DIR)/notebook-venv"
	"$(CARGO_TARGET_DIR)/notebook-venv/bin/pip" install --quiet -r notebooks/requirements.txt
	"$(CARGO_TARGET_DIR)/notebook-venv/bin/python" notebooks/run.py --html "$(CARGO_TARGET_DIR)/notebooks" "$(CARGO_TARGET_DIR)/experiments"
	@echo "rendered into $(CARGO_TARGET_DIR)/notebooks"

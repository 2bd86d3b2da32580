# Needs Python 3.11 or newer, make and a package index. `make demo` and `make test` do the rest.

# 3.11 where it is installed, because that is what constraints.txt was made and tested with.
PYTHON ?= $(shell command -v python3.11 2>/dev/null || command -v python3)
VENV ?= .venv
# For example: make demo PIP_FLAGS="--extra-index-url ..." for builds of torch without CUDA.
PIP_FLAGS ?=
PYTEST_FLAGS ?= -n auto --maxprocesses 4 --dist loadfile
DEMO ?= demo

# Absolute, so that a recipe may change its folder.
BIN := $(abspath $(VENV))/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet $(PIP_FLAGS)
STAMP := $(VENV)/.installed

.PHONY: demo test lint wheel release env clean help
.DEFAULT_GOAL := help

help:
	@echo "make demo   train on seeds/ with the quick recipe, predict an article, evaluate, report"
	@echo "make test   ruff, mypy and the default test suite"
	@echo "make lint   ruff and mypy alone"
	@echo "make wheel  build the wheel into dist/"
	@echo "make release [NEWSMTSC=FOLDER]  train models/default anew"
	@echo "make clean  remove what these commands made"

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=..." >&2; exit 2; }
	@echo "== making the environment in $(VENV); torch is large, this takes some minutes"
	"$(PYTHON)" -m venv "$(VENV)"
	$(PIP) --constraint constraints.txt --editable ".[audit,report,train,dev]"
	@touch "$(STAMP)"

demo: $(STAMP)
	@mkdir -p "$(DEMO)"
	@echo "== 1 of 4: training on seeds/ with the recipe quick"
	"$(BIN)/stance" train seeds --recipe quick --out "$(DEMO)/model"
	@echo "== 2 of 4: reading examples/article.txt"
	"$(BIN)/stance" predict examples/article.txt --model "$(DEMO)/model"
	"$(BIN)/stance" predict examples/article.txt --model "$(DEMO)/model" \
		--out "$(DEMO)/predictions.jsonl"
	@echo "== 3 of 4: evaluating on the test split of seeds/"
	"$(BIN)/stance" evaluate seeds --split test --model "$(DEMO)/model" --report "$(DEMO)/report"
	@echo "== 4 of 4: done. Where everything is:"
	@echo "  the model        $(abspath $(DEMO))/model"
	@echo "  the predictions  $(abspath $(DEMO))/predictions.jsonl"
	@echo "  the report       $(abspath $(DEMO))/report/report.html, report.md and report.json"
	@echo "  the command      $(BIN)/stance"

test: lint
	"$(BIN)/python" -m pytest $(PYTEST_FLAGS)

lint: $(STAMP)
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

wheel: $(STAMP)
	"$(BIN)/python" -m build --wheel --outdir dist

# The first stage needs a folder with NewsMTSC's files, or its name on a data hub; without one the
# encoder goes straight to seeds/.
release: $(STAMP)
ifdef NEWSMTSC
	"$(BIN)/python" -m benchmarks.newsmtsc "$(NEWSMTSC)" --out build/newsmtsc --convert-only
	"$(BIN)/stance" train build/newsmtsc --recipe benchmarks/recipes/newsmtsc.toml --out build/stage1
	"$(BIN)/stance" train seeds --base build/stage1 --out models/default
else
	"$(BIN)/stance" train seeds --out models/default
endif

clean:
	rm -rf "$(VENV)" "$(DEMO)" build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find stance training tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Short by design: demo, quick, test, soak, check, fix, docs, docs-site, bench, chaos, clean.
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed
# One process a core, at most four; tests that share a Ray stay in one of them, in the order that tests/conftest.py gives.
PYTEST := $(PY) -m pytest -n logical --maxprocesses=4 --dist=loadgroup --no-loadscope-reorder

.PHONY: demo quick test soak check fix docs docs-site bench chaos clean

demo: $(STAMP)  ## Make 1,000 product reviews on a local Ray with the simulated model.
	$(BIN)/data-designer create examples/product_reviews.py --num-records 1000 --dataset-name demo \
		--artifact-path artifacts --set executor=ray --set buffer_size=200

quick: check  ## An answer in two minutes: what needs no process and no cluster, properties with few examples.
	TEST_EXAMPLES=10 $(PYTEST) -m "unit or inline"

test: check  ## Everything that must hold, but for what takes very long.
	$(PYTEST) -m "not soak"

soak: chaos  ## What takes very long.
	$(PY) -m pytest -m soak
	$(PY) tests/chaos/exit_codes.py --times 20 --load 8
	$(PY) tests/chaos/hostile_endpoint.py

check: $(STAMP)  ## Style (docstrings included), types, import directions, generated pages.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PY) -m docs.generate --check

fix: $(STAMP)  ## Mend what can be mended without thinking.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## Generate the generated parts of the documentation.
	$(PY) -m docs.generate

docs-site: $(STAMP)  ## Build the documentation as a site that needs no network; warnings are errors.
	$(BIN)/sphinx-build -q -W --keep-going -c docs -d build/doctrees -b html . build/site
	@echo build/site/index.html

bench: $(STAMP)  ## Compare with a bare client, side by side.
	$(PY) tests/benchmarks/bench.py

chaos: $(STAMP)  ## Faults: every crash point and a hundred thousand runs in virtual time, and a cluster under fire.
	$(PY) -m tests.fault_injection.runs points
	$(PY) -m tests.fault_injection.runs 0:100000
	$(PY) tests/chaos/chaos.py

clean:
	rm -rf $(VENV) artifacts build dist *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache

$(STAMP): requirements.lock pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		uv venv -q --allow-existing --python 3.11 $(VENV) && \
		uv pip install -q --python $(PY) --require-hashes -r requirements.lock && \
		uv pip install -q --python $(PY) --no-deps -e .; \
	else \
		python3 -m venv $(VENV) && \
		$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(PY) -m pip install -q --disable-pip-version-check --no-deps -e .; \
	fi
	@touch $@

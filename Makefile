# `make trial` runs the main job, `make test` checks everything; both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: trial test slow lint calibrate lock clean

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Estradyn needs Python 3.11 or newer; name one with PYTHON=/path/to/python")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

trial: $(READY)
	$(BIN)/estradyn trial run studies/toremifene_flare.yaml --out results/toremifene_flare

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(READY) lint
	$(BIN)/pytest -m "not slow"

slow: $(READY)
	$(BIN)/pytest -m slow

# Rewrites fitted rows of the tables in the order in which the fits build on each other.
calibrate: $(READY)
	for fit in bone_and_liver tamoxifen_tissues flare_and_response hypercalcemia; do $(BIN)/python calibration/$$fit.py || exit 1; done

# Needs uv; the lock holds every platform and no address.
lock:
	uv pip compile --universal --only-binary :all: --generate-hashes --no-header --extra test --extra build pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) results

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
	$(BIN)/pytest -n auto -m "not slow"

slow: $(READY)
	$(BIN)/pytest -n auto -m slow

# Fits the models to their evidence, first what one typical woman shows, then what takes a population, then
# mice and cells. Hours on two cores; every script says what it prints or changes.
calibrate: $(READY)
	$(BIN)/python calibration/make_model.py calibration/exposure/*
	for problem in calibration/exposure/*/problem.yaml; do $(BIN)/estradyn calibrate $$problem --write-values || exit 1; done
	$(BIN)/python calibration/make_model.py calibration/estrogens
	$(BIN)/estradyn calibrate calibration/estrogens/problem.yaml --write-values
	$(BIN)/python calibration/estrogen_spread.py
	$(BIN)/python calibration/make_model.py calibration/typical_woman
	$(BIN)/estradyn calibrate calibration/typical_woman/problem.yaml --write-values
	$(BIN)/python calibration/tissue_modules.py
	$(BIN)/python calibration/make_model.py --population men calibration/men
	$(BIN)/estradyn calibrate calibration/men/problem.yaml --write-values --population men
	$(BIN)/python calibration/make_model.py --population elderly_men calibration/elderly_men
	$(BIN)/estradyn calibrate calibration/elderly_men/problem.yaml --write-values --population elderly_men
	$(BIN)/python calibration/make_model.py --population hypogonadal_men calibration/hypogonadal_men
	$(BIN)/estradyn calibrate calibration/hypogonadal_men/problem.yaml --write-values --population hypogonadal_men
	$(BIN)/python calibration/scored_rows.py
	$(BIN)/python calibration/flare_and_response.py
	$(BIN)/python calibration/hypercalcemia.py
	$(BIN)/python calibration/settings.py
	$(BIN)/python calibration/receptor_loss.py
	$(BIN)/python calibration/tumors_before_menopause.py
	$(BIN)/python calibration/mouse.py
	$(BIN)/python calibration/well.py
	$(BIN)/python calibration/well_peak.py
	$(BIN)/python calibration/well_killing.py

# Needs uv; the lock holds every platform and no address.
lock:
	uv pip compile --universal --only-binary :all: --generate-hashes --no-header --extra test --extra build pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) results

# Two commands on a fresh machine: `make train` and `make test`. Both make .venv when it is missing.

PYTHON ?= python3
MINUTES ?= 10
ifndef RUN
RUN := runs/$(shell date +%Y%m%d-%H%M%S)
endif
BIN := .venv/bin

.PHONY: train test test-clients torture readme docs gif clean

train: .venv/installed
	$(BIN)/grek train --out $(RUN) --minutes $(MINUTES)
	$(BIN)/grek eval $(RUN) --suite quick --episodes 5 --out $(RUN)
	$(BIN)/grek render $(RUN) --material dry_concrete --out $(RUN)/walk.mp4 || true
	@echo "policy:    $(RUN)/policy.onnx"
	@echo "scorecard: $(RUN)/scorecard.html"
	@if [ -f $(RUN)/walk.mp4 ]; then echo "film:      $(RUN)/walk.mp4"; fi

test: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n auto

# Run every block of docs/clients.md with its library, in an environment of its own: ten minutes.
test-clients: .venv-clients/installed
	CLIENTS=all .venv-clients/bin/python -m pytest -q -rs tests/test_clients.py

# Attack the command and its files for ten minutes: damaged files, random command lines, kills.
torture: .venv/tested
	TORTURE=60 $(BIN)/python -m pytest -q -n auto tests/torture

# Write the generated tables of README.md and docs/*.md anew.
readme docs: .venv/tested
	$(BIN)/python tests/test_docs.py

# Film the shipped policy on six materials and write docs/walk.webp: two minutes.
gif: .venv/installed
	$(BIN)/python docs/reel.py

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch -e .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

.venv-clients/installed: pyproject.toml constraints.txt docs/clients.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt \
		torch -e ".[test]" -r docs/clients.txt
	touch $@

clean:
	rm -rf .venv .venv-clients build dist *.egg-info

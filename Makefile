# Two commands on a fresh machine: `make train` and `make test`. Both make .venv when it is missing.

PYTHON ?= python3
MINUTES ?= 10
ifndef RUN
RUN := runs/$(shell date +%Y%m%d-%H%M%S)
endif
BIN := .venv/bin

.PHONY: train drive test test-cluster test-browser chromium test-drake test-clients torture readme docs cards gif clean coverage

train: .venv/installed
	$(BIN)/grek train --out $(RUN) --minutes $(MINUTES)
	$(BIN)/grek eval $(RUN) --suite quick --episodes 5 --out $(RUN)
	$(BIN)/grek render $(RUN) --material dry_concrete --out $(RUN)/walk.mp4 || true
	@echo "policy:    $(RUN)/policy.onnx"
	@echo "scorecard: $(RUN)/scorecard.html"
	@if [ -f $(RUN)/walk.mp4 ]; then echo "film:      $(RUN)/walk.mp4"; fi

# Make .venv, then a droid to drive: prints the address of its page, Ctrl-C ends it.
drive: .venv/drives
	@$(BIN)/grek drive walk

test: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n auto -m "not cluster"

# Train and score on a Ray cluster on this machine, while its workers and nodes are killed.
test-cluster: .venv/clustered
	$(BIN)/python -m pytest -q tests/cluster

# Keys and clicks in headless Chromium, which is installed if apt and root are there.
test-browser: .venv/tested chromium
	BROWSER=1 $(BIN)/python -m pytest -q tests/drive/test_browser.py

chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	    apt-get install -qq -y chromium >/dev/null; } || \
	  { echo "test-browser needs Chromium: sudo apt-get install chromium"; exit 2; }

# Run every block of docs/clients.md with its library, in an environment of its own: ten minutes.
test-clients: .venv-clients/installed
	CLIENTS=all .venv-clients/bin/python -m pytest -q -rs tests/test_clients.py

# The second engine against the first, and against closed forms: installs the extra drake.
test-drake: .venv/drake
	$(BIN)/python -m pytest -q -n auto tests/envs/simulation/drake

# Attack the command and its files for ten minutes: damaged files, random command lines, kills.
torture: .venv/tested
	TORTURE=60 $(BIN)/python -m pytest -q -n auto tests/torture

# How often the intervals of `grek identify` hold the hidden number, over 100 bodies: an hour or two.
coverage: .venv/tested
	nice -n 10 $(BIN)/python tests/identify/coverage.py

# Write the generated tables of README.md and docs/*.md anew.
readme docs: .venv/tested
	$(BIN)/python tests/test_docs.py

# Score the shipped policies and the baselines of the tests anew, then write the tables: 15 minutes.
cards: .venv/tested
	for each in walk:full:32:assets/policies grek:stage:16:assets/policies gait:full:32:tests/scores \
			random:full:32:tests/scores zero:full:32:tests/scores motion:stage:16:tests/scores; do \
		set -- $$(echo $$each | tr : ' '); \
		$(BIN)/grek eval $$1 --suite $$2 --episodes $$3 --out build/cards/$$1 --force && \
		rm -f $$4/$$1.*.parquet && \
		for file in build/cards/$$1/scorecard.*.parquet; do \
			cp $$file $$4/$$1.$${file##*scorecard.}; \
		done && \
		cp build/cards/$$1/scorecard.json $$4/$$1.json || exit 1; \
	done
	$(BIN)/grek eval walk --suite quick --out build/cards/quick --force
	cp build/cards/quick/scorecard.json tests/scores/walk.json
	$(BIN)/grek eval walk --suite train --out build/cards/train --force
	cp build/cards/train/scorecard.json tests/scores/walk-train.json
	$(BIN)/python tests/test_docs.py

# Film the shipped policy on six materials and write docs/walk.webp: two minutes.
gif: .venv/installed
	$(BIN)/python docs/reel.py

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt torch -e .
	touch $@

.venv/drives: .venv/installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[drive]"
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

.venv/clustered: .venv/tested
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[cluster]"
	touch $@

.venv/drake: .venv/tested
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[drake]"
	touch $@

.venv-clients/installed: pyproject.toml constraints.txt docs/clients.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt \
		torch -e ".[test]" -r docs/clients.txt
	touch $@

clean:
	rm -rf .venv .venv-clients build dist *.egg-info

# Record the laboratory's scenes again (root, iproute2, nftables, ethtool, tcpdump) and score them; or only score those kept.
PYTHON ?= python3

.PHONY: lab score docs precision
lab:
	$(PYTHON) -m tests.lab record
	$(PYTHON) -m tests.lab score

score:
	$(PYTHON) -m tests.lab score

docs:
	$(PYTHON) docs/make.py

# Derive every finding a second time, on all captures at hand, and write docs/precision.md and the README's line.
precision:
	$(PYTHON) -m tests.second_opinion --precision

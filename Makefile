# Record the laboratory's scenes again (root, iproute2, nftables, ethtool, tcpdump) and score them; or only score those kept.
PYTHON ?= python3

.PHONY: lab score docs
lab:
	$(PYTHON) -m tests.lab record
	$(PYTHON) -m tests.lab score

score:
	$(PYTHON) -m tests.lab score

docs:
	$(PYTHON) docs/make.py

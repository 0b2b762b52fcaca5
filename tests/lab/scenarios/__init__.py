"""The scenarios: short scenes with real sockets, each held against what the kernels did. A file for each kind."""

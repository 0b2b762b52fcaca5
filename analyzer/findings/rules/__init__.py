"""One rule, one file. A file put here is found by itself; ``findings/rule.py`` says what it must hold."""

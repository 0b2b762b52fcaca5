"""The commands: options in, the pipeline called, a view printed. Nothing is computed here, and nothing heavy imported
before a command runs."""

"""The stages in order, from a capture to all that is said of it, and what ``analyzer.analyze()`` takes and returns."""

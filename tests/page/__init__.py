"""The page of ``teardown analyze --html``."""

"""The version, in one place: the distribution, ``--version`` and the JSON document take it from here."""

VERSION = "0.1.0"

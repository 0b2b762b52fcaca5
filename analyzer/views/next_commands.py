"""The commands that lead on, complete: with the captures they were asked of, and the options that were in force."""

import shlex

from analyzer.results.source_summary import Summary
from analyzer.settings import Settings, options_text, without_filters
from analyzer.views.escape import safe

LONGEST = 400  # characters of captures that a command repeats


def command(name: str, summary: Summary, settings: Settings, *options: str, filters: bool = True) -> str:
    """``teardown NAME CAPTURE... OPTIONS``, with the settings that are not the defaults, filters only if they are to
    choose."""
    if not filters:
        settings = without_filters(settings)
    captures = " ".join(map(_quoted, summary.files))
    if len(captures) > LONGEST or "-" in summary.files:  # standard input cannot be read again
        captures = "CAPTURE..."
    return " ".join(["teardown", name, captures, *options, *options_text(settings)])


def _quoted(name: str) -> str:
    return shlex.quote(safe(name))

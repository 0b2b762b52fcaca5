"""The commands that lead on, complete: with the captures they were asked of, and the options that were in force."""

from collections.abc import Sequence
from glob import escape, glob
from os.path import commonprefix

from analyzer.results.source_summary import Summary
from analyzer.settings import Settings, options_text, without_filters
from analyzer.shell_words import file_word

LONGEST = 400  # characters of captures that a command repeats


def command(name: str, summary: Summary, settings: Settings, *options: str, filters: bool = True) -> str:
    """``teardown NAME CAPTURE... OPTIONS``, with the settings that are not the defaults, filters only if they are to
    choose."""
    if not filters:
        settings = without_filters(settings)
    captures = " ".join(map(file_word, summary.files))
    if "-" in summary.files:  # standard input cannot be read again
        captures = "CAPTURE..."
    elif len(captures) > LONGEST:
        captures = _pattern(summary.files) or "CAPTURE..."
    return " ".join(["teardown", name, captures, *options, *options_text(settings)])


def _pattern(files: Sequence[str]) -> str:
    """One pattern that names these files and no others, quoted; "" where there is none."""
    begin = commonprefix(files)  # noqa: RUF071 (of characters: the files of a ring differ in their names)
    end = commonprefix([name[len(begin) :][::-1] for name in files])[::-1]  # noqa: RUF071
    pattern = f"{escape(begin)}*{escape(end)}"
    return file_word(pattern) if set(glob(pattern)) == set(files) else ""  # noqa: PTH207 (as the command line does)

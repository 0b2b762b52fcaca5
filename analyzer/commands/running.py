"""Running the pipeline for a command, with a progress bar."""

import gc
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.settings import Settings, file_text
from analyzer.views.escape import safe

if TYPE_CHECKING:
    from analyzer.engine.pipeline import TakesSegments
    from analyzer.results.result import Analysed


WITH_SUMMARY = (
    "analyze",
    "compare",
)  # commands whose output names the file of settings, and what is to be known of the captures


def analysed_of(
    paths: Sequence[str],
    settings: Settings,
    quiet: bool = False,
    out: Path | None = None,
    each: "TakesSegments | None" = None,
) -> "Analysed":
    """Run the pipeline with a progress bar. What does not fit in memory goes into the folder ``out``, which may not be
    there yet. ``each`` is given all segments on the way."""
    _say_settings(settings)
    gc.disable()  # importing makes many objects and no garbage
    from analyzer.engine.pipeline import analyze as run
    from analyzer.kernels import on_compiling
    from analyzer.views.progress import ProgressBar

    gc.freeze()  # they stay: whoever searches for garbage may pass them by
    gc.enable()
    if quiet:
        on_compiling(lambda line: None)
    with ProgressBar() as bar:
        analysed = run(list(paths), settings, bar, out if out and out.is_dir() else None, each)
    in_summary = click.get_current_context().info_name in WITH_SUMMARY
    for notice in analysed.summary.notices:
        if (notice.skipped and settings.skip_bad) or not in_summary:
            _say_once(f"teardown: {safe(notice.text)}")
    return analysed


def print_bytes(parts: Iterable[bytes | memoryview]) -> None:
    """Print what is text already, as it comes; a progress bar tells of what goes into a file or to a program."""
    from analyzer.views.progress import ProgressBar

    sys.stdout.flush()
    done = 0
    with ProgressBar("writing", shown=not sys.stdout.isatty()) as bar:
        for part in parts:
            sys.stdout.buffer.write(part)
            done += len(part)
            bar(done, None)
        sys.stdout.buffer.flush()


def _say_settings(settings: Settings) -> None:
    """Name the file of settings on standard error, where no summary does."""
    if click.get_current_context().info_name not in WITH_SUMMARY and (text := file_text(settings)):
        _say_once(safe(text))


def _say_once(text: str) -> None:
    """Say something on standard error; a command that reads its captures again says it only once."""
    said: set[str] = click.get_current_context().meta.setdefault("said", set())
    if text not in said:
        said.add(text)
        click.echo(text, err=True)

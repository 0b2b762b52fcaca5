"""teardown timeline: one connection as a ladder."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.commands.running import analysed_of, print_bytes
from analyzer.errors import UsageError
from analyzer.settings import Settings, without_filters

MOST_LISTED = 50
KNOWN_FROM = "name the connection: --stream N, or filters that only it fits (--host ADDRESS, --port N, --between ...)"


@click.command()
@captures
@click.option("--all", "everything", is_flag=True, help="Show every segment, also steady data transfer.")
@click.option(
    "--jsonl",
    "as_lines",
    is_flag=True,
    help="Print the rows of the table timeline as JSON, one object a line, of all connections that fit.",
)
@no_fast_path
@settings_options
def timeline(captures: tuple[str, ...], everything: bool, as_lines: bool, **thresholds: Any) -> None:
    """Show one connection as a ladder: segments, the states of both endpoints, findings.

    The filters say which. Where several connections fit, they are listed.
    """
    settings = Settings(**thresholds, keep_further=())
    if as_lines:
        _print_lines(captures, settings)
        return
    if not settings.filtered:
        raise UsageError(KNOWN_FROM)
    stream = _one_number(settings.stream)
    if stream is None:
        stream = _found(captures, settings)
    if stream is not None:
        _show(captures, settings, stream, everything)


def _print_lines(captures: Sequence[str], settings: Settings) -> None:
    analysed = analysed_of(captures, settings)
    from analyzer.writers.jsonl import table_lines

    print_bytes(text.data for text in table_lines(analysed.tables, "timeline"))


def _one_number(text: str | None) -> int | None:
    """The stream that ``--stream`` names, if that is one."""
    return int(text) if text is not None and text.strip().isdigit() else None


def _found(captures: Sequence[str], settings: Settings) -> int | None:
    """The one connection that the filters ask for; where there are several, they are listed, and it is None. Raises
    UsageError where there is none."""
    if "-" in captures:
        raise UsageError("standard input can be read only once: name the connection with --stream N")
    analysed = analysed_of(captures, replace(settings, keep_timeline=False))
    if not analysed.overview.flows:
        raise UsageError(f"no connection fits {analysed.summary.chosen_by}")
    from analyzer.results.flow_selection import ListOrder
    from analyzer.views.console import show, width
    from analyzer.views.flow_list import FlowListing, list_lines, only_stream

    if analysed.overview.flows == 1:
        return only_stream(analysed)
    show(list_lines(analysed, FlowListing(ListOrder(limit=MOST_LISTED)), width(200)))
    return None


def _show(captures: Sequence[str], settings: Settings, stream: int, everything: bool) -> None:
    kept = replace(without_filters(settings), keep_segments=True, keep_stream=stream)
    result = analysed_of(captures, kept).result()
    from analyzer.views.console import show, width
    from analyzer.views.ladder import ladder_lines

    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    show(ladder_lines(result, stream, width(100, alone=100), everything, unicode))

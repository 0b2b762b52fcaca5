"""teardown timeline: one connection as a ladder."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from analyzer.command import Command
from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.commands.running import analysed_of, print_bytes
from analyzer.errors import UsageError
from analyzer.settings import Settings, without_filters

if TYPE_CHECKING:
    from analyzer.results.result import ResultTables

MOST_LISTED = 50
KNOWN_FROM = "name the connection: --stream N, or filters that only it fits (--host ADDRESS, --port N, --between ...)"


@click.command(cls=Command)
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
    found = _found(captures, settings) if stream is None else _read(captures, settings, stream)
    if found is not None:
        _show(found, everything)


def _print_lines(captures: Sequence[str], settings: Settings) -> None:
    analysed = analysed_of(captures, settings)
    from analyzer.writers.jsonl import table_lines

    print_bytes(text.data for text in table_lines(analysed.tables, "timeline"))


def _one_number(text: str | None) -> int | None:
    """The stream that ``--stream`` names, if that is one."""
    return int(text) if text is not None and text.strip().isdigit() else None


def _found(captures: Sequence[str], settings: Settings) -> "tuple[ResultTables, int] | None":
    """The one connection that the filters ask for; where there are several, they are listed, and it is None. Raises
    UsageError where there is none."""
    at_once = settings.host is not None or settings.port is not None  # these tell it from its first packet on
    if "-" in captures and not at_once:
        raise UsageError("standard input can be read only once: name the connection with --stream N, --host or --port")
    analysed = analysed_of(captures, replace(settings, keep_timeline=at_once, keep_segments=at_once, keep_fitting=True))
    if not analysed.overview.flows:
        raise UsageError(f"no connection fits {analysed.summary.chosen_by}")
    from analyzer.results.choice import whole_connections
    from analyzer.results.flow_selection import ListOrder
    from analyzer.views.console import show, width
    from analyzer.views.flow_list import FlowListing, list_lines, only_stream

    if analysed.overview.flows > 1:
        show(list_lines(analysed, FlowListing(ListOrder(limit=MOST_LISTED)), width(200)))
        return None
    stream = only_stream(analysed)
    if analysed.segments is not None:
        return whole_connections(analysed).result(), stream
    if "-" in captures:
        raise UsageError(f"standard input cannot be read again: give these packets once more, with --stream {stream}")
    return _read(captures, settings, stream)


def _read(captures: Sequence[str], settings: Settings, stream: int) -> "tuple[ResultTables, int]":
    """Read the captures for the sake of one connection."""
    kept = replace(without_filters(settings), keep_segments=True, keep_stream=stream)
    return analysed_of(captures, kept).result(), stream


def _show(found: "tuple[ResultTables, int]", everything: bool) -> None:
    from analyzer.views.console import show, width
    from analyzer.views.ladder import ladder_lines

    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    show(ladder_lines(*found, width(100, alone=100), everything, unicode))

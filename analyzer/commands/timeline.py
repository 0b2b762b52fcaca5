"""teardown timeline: one connection as a ladder."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from os import path
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.command import Command
from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.commands.running import analysed_of, print_bytes
from analyzer.errors import UsageError
from analyzer.settings import Settings, without_filters
from analyzer.views.escape import safe

if TYPE_CHECKING:
    from analyzer.results.result import ResultTables
    from analyzer.views.ladder_segments import Sacks

MOST_LISTED = 50


@click.command(cls=Command)
@captures
@click.option("--all", "everything", is_flag=True, help="Show every segment, also steady data transfer.")
@click.option(
    "--brief", is_flag=True, help="Show the ladder alone: findings by their codes, no explanations, no advice."
)
@click.option(
    "--time",
    "times",
    type=click.Choice(["offset", "absolute", "delta"]),
    default="offset",
    help="Times as seconds since the connection's first segment, as UTC, or since the line before.  [default: offset]",
)
@click.option(
    "--jsonl",
    "as_lines",
    is_flag=True,
    help="Print the rows of the table timeline as JSON, one object a line, of all connections that fit.",
)
@click.option(
    "--svg",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, readable=False, allow_dash=True),
    help="Write the ladder as a picture instead: SVG, also for - (standard output).",
)
@no_fast_path
@settings_options
def timeline(
    captures: tuple[str, ...],
    everything: bool,
    brief: bool,
    times: str,
    as_lines: bool,
    svg: Path | None,
    **thresholds: Any,
) -> None:
    """Show one connection as a ladder: segments, the states of both endpoints, findings.

    The filters say which; without any it is the only one of the capture. Where several connections fit, they are
    listed.
    """
    settings = Settings(**thresholds, keep_further=())
    if as_lines:
        _print_lines(captures, settings)
        return
    stream = _one_number(settings.stream)
    found = _found(captures, settings) if stream is None else _read(captures, settings, stream)
    if found is not None:
        result, stream = found
        if svg is not None:
            _write(svg, result, stream, everything, _sacks(captures, settings, *found))
            return
        _show(result, stream, everything=everything, brief=brief, times=times, sacks=_sacks(captures, settings, *found))


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
    ends = settings.host is not None or settings.port is not None  # these tell it from its first packet on
    at_once = ends or not settings.filtered
    if "-" in captures and not at_once:
        raise UsageError("standard input can be read only once: name the connection by --stream N, --host or --port")
    analysed = analysed_of(captures, replace(settings, keep_timeline=at_once, keep_segments=at_once, keep_fitting=True))
    if not analysed.overview.flows:
        fitting = f"no connection fits {analysed.summary.chosen_by}"
        raise UsageError(fitting if settings.filtered else "there is no TCP connection in the capture")
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
    del analysed  # its memory is needed again
    if "-" in captures:
        raise UsageError(f"standard input cannot be read again: give these packets once more, with --stream {stream}")
    return _read(captures, settings, stream)


def _read(captures: Sequence[str], settings: Settings, stream: int) -> "tuple[ResultTables, int]":
    """Read the captures for the sake of one connection."""
    kept = replace(without_filters(settings), keep_segments=True, keep_stream=stream)
    return analysed_of(captures, kept).result(), stream


def _show(result: "ResultTables", stream: int, **options: Any) -> None:
    from analyzer.views.console import show, width
    from analyzer.views.ladder import ladder_lines
    from analyzer.views.ladder_layout import LEAST_WIDTH, MOST_WIDTH, PLAIN_WIDTH

    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    show(ladder_lines(result, stream, width(MOST_WIDTH, PLAIN_WIDTH, LEAST_WIDTH), unicode=unicode, **options))


def _write(file_path: Path, result: "ResultTables", stream: int, everything: bool, sacks: "Sacks") -> None:
    """Write the ladder as a picture."""
    from analyzer.views.pictures.ladder import ladder_svg
    from analyzer.writers.atomic_file import whole_file

    text = ladder_svg(result, stream, everything, sacks).encode("utf-8", "backslashreplace")
    if str(file_path) == "-":
        print_bytes([text])
        return
    with whole_file(file_path) as file:
        file.write(text)
    click.echo(f"Wrote {safe(str(file_path))}", err=True)


def _sacks(captures: Sequence[str], settings: Settings, result: "ResultTables", stream: int) -> "Sacks":
    """The SACK options of the connection, where its packets can be read again: a pipe would be waited for. Only a
    connection that shows a repeated acknowledgment needs that."""
    from analyzer.engine.sack_blocks import sack_blocks, wanted_headers

    headers = {} if result.segments is None else wanted_headers(result.segments, stream)
    if not headers or not all(map(path.isfile, captures)):
        return {}
    from analyzer.engine.pipeline import opened

    with opened(captures, settings) as capture:
        return sack_blocks(capture, headers)

"""teardown flows: the connections as a list."""

import sys
from typing import Any

import click

from analyzer.command import Command
from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.commands.running import analysed_of, print_bytes
from analyzer.errors import UsageError
from analyzer.settings import Settings

ON_A_TERMINAL = 50  # lines, where no limit is asked for


def names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """An option that takes names, separated by commas."""
    return tuple(name.strip() for name in value.split(",")) if value else ()


order_option = click.option(
    "--sort", metavar="COLUMN", help="Sort by this column of flows; -COLUMN from the highest.  [default: stream]"
)


@click.command(cls=Command)
@captures
@order_option
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"List so many; 0 is all.  [default: {ON_A_TERMINAL} on a terminal, else all]",
)
@click.option("--columns", metavar="NAMES", callback=names, help="List these columns of flows, separated by commas.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, with all columns of flows where none are named.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Print JSON, one object a line, likewise.")
@no_fast_path
@settings_options
def flows(
    captures: tuple[str, ...],
    sort: str | None,
    limit: int | None,
    columns: tuple[str, ...],
    as_csv: bool,
    as_lines: bool,
    **thresholds: Any,
) -> None:
    """List the connections, one a line."""
    if as_csv and as_lines:
        raise UsageError("--csv and --jsonl are two forms of the same; give one")
    if limit is None:
        limit = ON_A_TERMINAL if sys.stdout.isatty() and not (as_csv or as_lines) else 0
    from analyzer.results.expression_words import known_column
    from analyzer.results.flow_selection import order_of
    from analyzer.views.flow_list import FlowListing, csv_text, json_text, list_lines

    listing = FlowListing(order_of(sort, limit or None), tuple(map(known_column, columns)))
    settings = Settings(**thresholds, keep_timeline=False, keep_further=())
    analysed = analysed_of(captures, settings)
    if as_csv or as_lines:
        print_bytes((csv_text if as_csv else json_text)(analysed, listing))
        return
    from analyzer.views.console import show, width

    show(list_lines(analysed, listing, width(400, alone=160)))

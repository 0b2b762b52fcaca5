"""teardown netstat: the sockets of each host at a moment, or how many were in each state over time."""

import sys
from typing import Any

import click

from analyzer.command import Command
from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.commands.running import analysed_of
from analyzer.errors import UsageError
from analyzer.moments import GivenTime, moment_of
from analyzer.settings import Settings, nanoseconds

ON_A_TERMINAL = 50  # sockets of a host, and hosts, where no limit is asked for


def _moment(context: click.Context, option: click.Parameter, value: str | None) -> GivenTime | None:
    return moment_of(value) if value is not None else None


def _step(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    step = nanoseconds(value) if value is not None else None
    if step == 0:
        raise UsageError("--every takes a length of time above 0")
    return step


@click.command(cls=Command)
@captures
@click.option(
    "--at",
    metavar="TIME",
    callback=_moment,
    help="List the sockets at this time: a time of day (UTC), a date, seconds since 1970 or from the begin.",
)
@click.option(
    "--every", metavar="STEP", callback=_step, help="Count the sockets in each state this often: 10, 500ms, 1m or 1h."
)
@click.option("--by", type=click.Choice(["host", "service"]), help="Whose sockets --every counts.  [default: host]")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"List so many hosts, and sockets of each; 0 is all.  [default: {ON_A_TERMINAL} on a terminal, else all]",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, with all of them.")
@no_fast_path
@settings_options
def netstat(
    captures: tuple[str, ...],
    at: GivenTime | None,
    every: int | None,
    by: str | None,
    limit: int | None,
    as_csv: bool,
    **thresholds: Any,
) -> None:
    """Show what netstat -nat would have shown on each host at a moment; with --every, the count per state over time.

    With --host, only the tables of these addresses.
    """
    if (at is None) == (every is None):
        raise UsageError("say when: --at TIME for the sockets of a moment, or --every STEP for counts over time")
    if by and every is None:
        raise UsageError("--by goes with --every")
    if limit is None:
        limit = ON_A_TERMINAL if sys.stdout.isatty() else 0
    analysed = analysed_of(captures, Settings(**thresholds, keep_further=()))
    from analyzer.results.netstat import CountsOverTime, sockets_at
    from analyzer.views.console import show, width
    from analyzer.views.netstat import count_lines, csv_text, socket_lines

    if at is not None:
        sockets = sockets_at(analysed, at)
        lines = socket_lines(analysed, sockets, limit or None, width(120))
        table = sockets.table()
    else:
        counts = CountsOverTime(analysed, every or 0, by == "service")
        lines, table = count_lines(analysed, counts, limit or None, width(120)), counts.table()
    if as_csv:
        sys.stdout.writelines(csv_text(table))
    else:
        show(lines)

"""teardown browse: captures on a full screen."""

import sys
from typing import Any

import click

from analyzer.command import Command
from analyzer.commands.flows import names, order_option
from analyzer.commands.options import captures, no_fast_path, settings_options
from analyzer.errors import UsageError
from analyzer.settings import Settings


@click.command(cls=Command)
@captures
@order_option
@click.option("--columns", metavar="NAMES", callback=names, help="List these columns of flows, separated by commas.")
@no_fast_path
@settings_options
def browse(captures: tuple[str, ...], sort: str | None, columns: tuple[str, ...], **thresholds: Any) -> None:
    """Browse captures on a full screen: the connections as a list, findings, ladders, sockets at any moment.

    The filters stand in its filter box; ? shows the keys.
    """
    if "-" in captures:
        raise UsageError("browse reads keys from standard input; name the capture's file")
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):  # it is drawn on standard error
        raise UsageError("browse needs a terminal, also as standard error; elsewhere use analyze, flows and timeline")
    try:
        import textual  # noqa: F401
    except ImportError:
        raise UsageError("browse needs textual: pip install 'teardown[live]'") from None
    from analyzer.browse.app import shown
    from analyzer.results.expression_words import known_column
    from analyzer.results.filter_words import check_words
    from analyzer.results.flow_selection import order_of
    from analyzer.views.flow_list import FlowListing

    settings = Settings(**thresholds, keep_further=())
    check_words(settings)
    listing = FlowListing(order_of(sort, None), tuple(map(known_column, columns)))
    for notice in shown(captures, settings, listing):
        click.echo(f"teardown: {notice}", err=True)

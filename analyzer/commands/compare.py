"""teardown compare: two recordings, before a change and after it, or made at two places."""

import sys
from typing import Any

import click

from analyzer.command import Command
from analyzer.commands.options import captures_of, no_fast_path, settings_options
from analyzer.commands.running import analysed_of
from analyzer.errors import UsageError
from analyzer.settings import Settings

BY = ("server", "port", "all")


@click.command(cls=Command)
@click.argument("before", type=click.Path(allow_dash=True, readable=False))
@click.argument("after", type=click.Path(allow_dash=True, readable=False))
@click.option(
    "--by",
    type=click.Choice(BY),
    default="server",
    help="Which connections are compared: of the same address and port; where addresses differ, of the same port; or "
    "all.  [default: server]",
)
@click.option(
    "--taps",
    is_flag=True,
    help="The two captures have the same connections, seen at two places, A and B: tell what was lost between them, "
    "how the clocks differ, and each host's states by the nearer tap. Filters go by the first.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["worse", "lost"]),
    help="Exit with status 1 if a finding of severity warning or error got worse, by more than chance (worse); with "
    "--taps, if a FIN, a RST or a last ACK passed one tap only (lost).",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print a line of CSV for each thing compared.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@no_fast_path
@settings_options
def compare(
    before: str,
    after: str,
    by: str,
    taps: bool,
    fail_on: str | None,
    as_csv: bool,
    as_json: bool,
    **thresholds: Any,
) -> int:
    """Compare two recordings, before a change and after it: did the fix work?

    BEFORE and AFTER are a capture each; several as a folder, or as a quoted pattern ("before/ring_*.pcap"). Of each
    server: endings, findings, how long CLOSE_WAIT, FIN_WAIT_2 and TIME_WAIT lasted, how many sockets were in CLOSE_WAIT
    and TIME_WAIT at once. What chance or the recordings' lengths explain is not called a change. Filters and thresholds
    hold for both. With --taps: two captures of the same connections, made at two places.
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of the same; give one")
    settings = Settings(**thresholds, keep_further=("census",))
    files = [captures_of(argument) for argument in (before, after)]
    if "-" in files[0] and "-" in files[1]:
        raise UsageError("standard input is one capture: BEFORE and AFTER cannot both be -")
    if fail_on is not None and (fail_on == "lost") != taps:
        raise UsageError("--fail-on lost goes with --taps" if fail_on == "lost" else "--taps goes with --fail-on lost")
    if taps:
        from analyzer.commands.compare_taps import compare_taps

        form = "csv" if as_csv else "json" if as_json else "text"
        return compare_taps(files, settings, form, fail_on is not None)
    from analyzer.results.comparison import compare as compared
    from analyzer.results.server_measures import measured

    comparison = compared(*(measured(analysed_of(paths, settings), by) for paths in files))
    if as_csv or as_json:
        from analyzer.views import comparison_files

        sys.stdout.write((comparison_files.csv_text if as_csv else comparison_files.json_text)(comparison))
    else:
        from analyzer.views.comparison import comparison_lines
        from analyzer.views.console import show, width

        show(comparison_lines(comparison, settings, width(120, alone=100)))
    return int(fail_on is not None and comparison.worse)

"""The command line: it reads options, calls the pipeline and prints. Nothing is computed here.

Importing this file loads click and nothing heavier, so that ``--help`` answers at once; every command imports
what it needs. Whatever goes wrong ends as one line on standard error and one of these statuses:

    0    it ran                                 2    usage error, unreadable input or unwritable output
    1    --fail-on was asked for and met        3    a fault in this program (TEARDOWN_DEBUG=1 shows where)
    130  interrupted                            141  whoever read the output has gone
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import Field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from analyzer import __version__
from analyzer.errors import TeardownError, UsageError
from analyzer.live.command import browse, live
from analyzer.settings import Settings, adjustable, check, default_text, nanoseconds, option_name
from analyzer.views.escape import safe
from analyzer.vocabulary import ANALYSED, FURTHER, SEVERITIES

if TYPE_CHECKING:
    from analyzer.results.result import Analysed

WRITTEN = frozenset(ANALYSED)
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _taken(entry: Field[Any], context: click.Context, option: click.Parameter, value: str | None) -> int | str | None:
    """What an option takes: a duration, as nanoseconds, or a file; None where it has no default and was not given."""
    try:
        taken = nanoseconds(value) if value is not None and "seconds" in entry.metadata else value
        check(entry, taken)
        return taken
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


class StreamNumber(click.IntRange):
    """The number of a stream; whoever writes something else reads what is needed."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"it needs a number, 0 or higher, not {value!r}", param, ctx)


def _tables(context: click.Context, option: click.Parameter, value: str | None) -> frozenset[str] | None:
    names = frozenset(name.strip() for name in value.split(",")) if value else None
    if names and (unknown := sorted(names - {*WRITTEN, *FURTHER})):
        there = ", ".join((*ANALYSED, *FURTHER))
        raise click.BadParameter(f"no table {', '.join(unknown)}; there are {there}, and --segments")
    return names


def _codes(context: click.Context, option: click.Parameter, value: str | None) -> frozenset[str]:
    return frozenset(code.strip().upper() for code in value.split(",")) if value else frozenset()


def settings_options(command: Any, without: Sequence[str] = ()) -> Any:
    """Give ``command`` an option for every adjustable field of Settings, those named in ``without`` apart."""
    chosen = [entry for entry in adjustable() if entry.name not in without]
    for entry in chosen if isinstance(command, click.Command) else reversed(chosen):  # decorators apply from below
        command = _option(entry)(command)
    return command


def _option(entry: Field[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    shown = default_text(entry)
    if "seconds" in entry.metadata:
        given = None if entry.default is None else shown
        kind: dict[str, Any] = {"metavar": "SECONDS", "default": given, "callback": partial(_taken, entry)}
    elif "file" in entry.metadata:
        kind = {"metavar": "FILE", "default": None, "type": click.Path(), "callback": partial(_taken, entry)}
    else:
        choices = entry.metadata.get("choices")
        known = click.Choice(choices) if choices else click.IntRange(*entry.metadata["range"])
        kind = {"default": entry.default, "type": known}
    return click.option(option_name(entry), entry.name, help=f"{entry.metadata['help']}  [default: {shown}]", **kind)


no_fast_path = click.option("--no-fast-path", "fast_path", flag_value=False, default=True, hidden=True)
captures = click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True, type=click.Path(allow_dash=True))


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="teardown")
def cli() -> None:
    """Show how TCP connections end: who closed first, which sockets leak, why a RST came.

    A CAPTURE is a pcap or pcapng file, plain or compressed (gzip, zstd); "-" is standard input. Several captures
    are read as one, in time order.
    """


@cli.command()
@captures
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the tables flows, timeline and findings into this folder.",
)
@click.option(
    "--format",
    type=click.Choice(["csv", "parquet"]),
    help="File format of --out.  [default: csv]",
)
@click.option(
    "--tables",
    metavar="NAMES",
    callback=_tables,
    help=f"Write only these tables; separate them by commas. Others are {', '.join(FURTHER)}.  "
    "[default: flows,timeline,findings]",
)
@click.option("--segments", is_flag=True, help="Also write the table of all TCP segments.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the summary.")
@click.option(
    "--code",
    "codes",
    metavar="CODES",
    callback=_codes,
    help="Instead of the summary, print each finding with one of these codes on a line; separate codes by commas.",
)
@click.option("--quiet", is_flag=True, help="Print no summary.")
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help="Exit with status 1 if any finding has this severity or higher."
)
@no_fast_path
@settings_options
def analyze(
    captures: tuple[str, ...],
    out: Path | None,
    format: str | None,
    tables: frozenset[str] | None,
    segments: bool,
    as_json: bool,
    codes: frozenset[str],
    quiet: bool,
    fail_on: str | None,
    **thresholds: Any,
) -> int:
    """Report how each TCP connection in the captures ended."""
    asked = {"--segments": segments, "--tables": tables, "--format": format}
    if out is None and any(asked.values()):
        option = next(name for name, value in asked.items() if value)
        raise UsageError(f"{option} needs --out DIR, the folder to write into")
    if codes and (as_json or quiet):
        raise UsageError("--code cannot be combined with --json or --quiet")
    _known(codes)
    wanted = (tables or WRITTEN if out else frozenset()) | (WRITTEN if as_json else frozenset())
    analysed = _analysed(captures, Settings(**thresholds | _kept(wanted), keep_segments=segments), quiet, out)
    written = _written(analysed, out, format or "csv", (tables or WRITTEN) | ({"segments"} if segments else set()))
    if as_json:
        from analyzer.writers.json_document import json_document

        sys.stdout.writelines(json_document(analysed.result()))
    elif codes:
        _print_found(analysed, codes)
    elif not quiet:
        _print_summary(analysed, written)
    return int(fail_on is not None and _worst(analysed) <= SEVERITIES.index(fail_on))


@cli.command()
@captures
@click.option(
    "--stream",
    type=StreamNumber(min=0),
    required=True,
    help="Number of the connection: tcp.stream in Wireshark.",
)
@click.option("--all", "everything", is_flag=True, help="Show every segment, also steady data transfer.")
@no_fast_path
@settings_options
def timeline(captures: tuple[str, ...], stream: int, everything: bool, **thresholds: Any) -> None:
    """Show one connection as a ladder: segments, the states of both endpoints, findings."""
    result = _analysed(captures, Settings(keep_segments=True, keep_stream=stream, **thresholds)).result()
    from analyzer.views.console import show, width
    from analyzer.views.ladder import ladder_lines

    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    show(ladder_lines(result, stream, width(100, alone=100), everything, unicode))


@cli.command()
@click.argument("code", required=False)
@click.argument("value", required=False)
@click.option("--list", "listed", is_flag=True, help="List all findings.")
@_option(next(entry for entry in adjustable() if entry.name == "timers"))
def explain(code: str | None, value: str | None, listed: bool, timers: str | None) -> None:
    """Explain a finding: what it means, when it is harmless, what to do.

    "timers" instead of a CODE lists the known timers of systems, programs and devices; with a VALUE, such as 350 or 5m,
    those that fire then, or with a name, such as nginx, those that have it.
    """
    of_timers = code is not None and code.lower() == "timers"
    if listed == (code is not None) or ((value, timers) != (None, None) and not of_timers):
        raise UsageError("name a finding (teardown explain TD101), or timers (teardown explain timers 350), or --list")
    from analyzer.views.console import show

    if of_timers:
        from analyzer.views.timer_list import timer_lines

        show(timer_lines(value, timers))
        return
    from analyzer.views.explanation import list_lines, page_lines

    show(list_lines() if code is None else page_lines(code))


cli.add_command(settings_options(live, without=("engine", "capture_gap_ns")))
cli.add_command(settings_options(browse, without=("engine",)))


def _analysed(paths: Sequence[str], settings: Settings, quiet: bool = False, out: Path | None = None) -> "Analysed":
    """Run the pipeline with a progress bar. What does not fit in memory goes into the folder ``out``, which may not be
    there yet."""
    gc.disable()  # importing makes many objects and no garbage
    from analyzer.engine.pipeline import analyze as run
    from analyzer.kernels import on_compiling
    from analyzer.views.progress import ProgressBar

    gc.freeze()  # they stay: whoever searches for garbage may pass them by
    gc.enable()
    if quiet:
        on_compiling(lambda line: None)
    with ProgressBar() as bar:
        return run(list(paths), settings, bar, out if out and out.is_dir() else None)


def _kept(tables: Collection[str]) -> dict[str, Any]:
    """What has to be kept for these tables."""
    further = tuple(name for name in FURTHER if name in tables)
    sources = {*tables, *(FURTHER[name] for name in further)}
    timeline = "timeline" in sources
    return {"keep_flows": timeline or "flows" in sources, "keep_timeline": timeline, "keep_further": further}


def _written(analysed: "Analysed", folder: Path | None, format: str, tables: Collection[str]) -> list[Path]:
    if folder is None:
        return []
    from analyzer.writers.tables import write_analysed

    return write_analysed(analysed, folder, format, tables)


def _print_summary(analysed: "Analysed", written: list[Path]) -> None:
    from analyzer.views.console import Line, show, width
    from analyzer.views.summary import summary_lines

    note = [Line(), Line(safe(f"Wrote {', '.join(map(str, written))}"))] if written else []
    show([*summary_lines(analysed.summary, analysed.overview, analysed.listing, width(100)), *note])


def _print_found(analysed: "Analysed", codes: frozenset[str]) -> None:
    from analyzer.views.console import show
    from analyzer.views.finding_lines import found_lines

    show(found_lines(analysed.listing, codes))


def _known(codes: frozenset[str]) -> None:
    """Raises UsageError where there is no finding with one of ``codes``."""
    if codes:
        from analyzer.findings import rules

        if unknown := sorted(codes - set(rules())):
            raise UsageError(f"no finding {', '.join(unknown)}; teardown explain --list shows all")


def _worst(analysed: "Analysed") -> int:
    """The place of the gravest finding in SEVERITIES, beyond its end if there is none."""
    found = {table.rule.severity for table in analysed.listing.tables}
    return next((place for place, word in enumerate(SEVERITIES) if word in found), len(SEVERITIES))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The command ``teardown``."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts threads that spin, for nothing
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that half-written files are removed
    if sys.stdout is None or sys.stderr is None:  # a service may run without
        nowhere = Path(os.devnull).open("w")  # noqa: SIM115 (it stays open to the end)
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    status = guarded(arguments)
    try:
        sys.stdout.flush()
    except OSError:  # told already; nothing is left to fail at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if status in (0, 1):  # nothing went wrong, so nothing that needs closing hangs in a traceback's cycle
        gc.freeze()  # else the interpreter ends by going through all that was imported
    sys.exit(status)


def guarded(arguments: Sequence[str] | None) -> int:
    """Run, and turn every failure into one line on standard error and a status."""
    try:
        status = _invoke(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return status
    except click.UsageError as error:
        return _usage(error)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except TeardownError as error:
        return _complain(str(error), 2)
    except BrokenPipeError:
        return 141
    except OSError as error:
        return _complain(f"{error.filename or 'standard output'}: {error.strerror or error}", 2)
    except Exception as error:
        return _fault(error)


def _invoke(arguments: list[str]) -> int:
    """Run the command (click's own ``main`` would answer an interrupt and a closed pipe in its own way)."""
    try:
        with cli.make_context("teardown", arguments) as context:
            return int(cli.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code


def _usage(error: click.UsageError) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return 2
    command = error.ctx.command_path if error.ctx else "teardown"
    return _complain(f"{error.format_message().rstrip('.')}. Try '{command} --help'.", 2)


def _fault(error: Exception) -> int:
    if os.environ.get("TEARDOWN_DEBUG"):
        raise error
    kind = type(error).__name__
    return _complain(f"internal error; please report it with the output of TEARDOWN_DEBUG=1: {kind}: {error}", 3)


def _complain(text: str, status: int) -> int:
    """Print ``text`` as one line, whatever it holds."""
    click.echo(f"teardown: {safe(' '.join(text.split()))}", err=True)
    return status


if __name__ == "__main__":
    main()

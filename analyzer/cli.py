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
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from analyzer import __version__
from analyzer.commands.analyze import analyze
from analyzer.commands.annotate import annotate
from analyzer.commands.browse import browse
from analyzer.commands.compare import compare
from analyzer.commands.completion import complete, completion
from analyzer.commands.explain import explain
from analyzer.commands.flows import flows
from analyzer.commands.netstat import netstat
from analyzer.commands.options import FILTERS, TOLD, settings_options
from analyzer.commands.timeline import timeline
from analyzer.commands.wireshark import wireshark
from analyzer.errors import TeardownError
from analyzer.live.command import live
from analyzer.views.escape import safe

INTERRUPTED = 130
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="teardown")
def cli() -> None:
    """Show how TCP connections end: who closed first, which sockets leak, why a RST came.

    A CAPTURE is a pcap or pcapng file, plain or compressed (gzip, zstd), a folder of such files, or a quoted pattern
    ("ring_*.pcapng"); "-" is standard input. Several captures are read as one, in time order.
    """


for command in (analyze, flows, timeline, netstat, annotate, wireshark, compare, browse, explain, completion):
    cli.add_command(command)
cli.add_command(settings_options(live, without=("engine", "capture_gap_ns", "skip_bad", *FILTERS, *TOLD)))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The command ``teardown``."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts threads that spin, for nothing
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that half-written files are removed
    if sys.stdout is None or sys.stderr is None:  # a service may run without
        nowhere = Path(os.devnull).open("w")  # noqa: SIM115 (it stays open to the end)
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    complete(cli)
    status = guarded(arguments)
    try:
        sys.stdout.flush()
    except OSError:  # told already; nothing is left to fail at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if status == INTERRUPTED:  # Python would end by the signal itself where the interrupt came within an exec()
        sys.stderr.flush()
        os._exit(status)
    if status in (0, 1):  # nothing went wrong, so nothing that needs closing hangs in a traceback's cycle
        gc.freeze()  # else the interpreter ends by going through all that was imported
    sys.exit(status)


def guarded(arguments: Sequence[str] | None) -> int:
    """Run, and turn every failure into one line on standard error and a status."""
    try:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        status = _invoke(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return status
    except click.UsageError as error:
        return _usage(error)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
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

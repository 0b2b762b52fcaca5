"""The command ``live``: options in, a watch set up, last words out. Imports nothing heavy."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from analyzer.capture.live.request import BUFFER_MIB, ENGINES, FILTER, SNAP_LENGTH, Request
from analyzer.command import Command
from analyzer.errors import TeardownError, UsageError
from analyzer.settings import Settings, file_text, nanoseconds
from analyzer.views.escape import safe

if TYPE_CHECKING:
    from analyzer.live.line_output import LineOutput
    from analyzer.live.older_leaks import OlderLeaks
    from analyzer.live.screen_data import WatchScreenSource
    from analyzer.live.sockets import Owners
    from analyzer.live.totals import WatchTotals
    from analyzer.live.viewers import BaseViewer
    from analyzer.live.watch import Commands, Watch

DAY = 24 * 3600
SCREEN_ENDS = 2.0  # seconds for the screen to leave the terminal after a signal
RECENT = 300_000  # segments kept for ladders on the screen
FILTERED = (
    "sockets older than the watch are not counted, and old leaks not named: --filter cannot be applied to this host's "
    "sockets"
)


def length(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """An option that takes a duration, as nanoseconds."""
    try:
        return None if value is None else nanoseconds(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


SOURCE: list[Callable[[Any], Any]] = [
    click.option(
        "-i", "--interface", "interfaces", metavar="IFACE", multiple=True,
        help='Interface to capture on; repeat it for several; "any" is all of them.',
    ),
    click.option(
        "-r", "--read", "pipe", metavar="PIPE", type=click.Path(allow_dash=True, readable=False),
        help='Read a capture while another program writes it: a FIFO, or "-" for standard input.',
    ),
    click.option(
        "-f", "--filter", "filter", metavar="BPF", default=FILTER,
        help=f"Capture filter; see man pcap-filter.  [default: {FILTER}]",
    ),
    click.option(
        "--engine", type=click.Choice(ENGINES), default="auto",
        help="Program that captures; auto: the first installed of dumpcap, tcpdump, scapy.  [default: auto]",
    ),
    click.option(
        "--snaplen", metavar="BYTES", type=click.IntRange(68, 262_144), default=SNAP_LENGTH,
        help=f"Bytes to capture of each packet; the headers are enough.  [default: {SNAP_LENGTH}]",
    ),
    click.option(
        "--buffer", metavar="MIB", type=click.IntRange(1, 2048), default=BUFFER_MIB,
        help=f"Size of the kernel's capture buffer, for each interface.  [default: {BUFFER_MIB}]",
    ),
]  # fmt: skip
OUTPUT: list[Callable[[Any], Any]] = [
    click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line."),
    click.option("--plain", is_flag=True, help="Print lines instead of the full screen, also on a terminal."),
    click.option(
        "--out", metavar="DIR", type=click.Path(path_type=Path, readable=False),
        help="Append to the tables flows, timeline, findings and announcements in this folder.",
    ),
    click.option("--format", type=click.Choice(["csv", "parquet"]), help="File format of --out.  [default: csv]"),
    click.option(
        "--write", metavar="FILE", type=click.Path(path_type=Path, readable=False),
        help="Save the packets to this pcapng file.",
    ),
    click.option(
        "--only-findings", is_flag=True, help="With --write: save only the packets of connections with findings."
    ),
    click.option(
        "--metrics", metavar="PORT", type=click.IntRange(0, 65535),
        help="Serve metrics for Prometheus on this port (needs teardown[live]).",
    ),
    click.option(
        "--metrics-address", metavar="ADDRESS", default="127.0.0.1",
        help="Address that --metrics listens on.  [default: 127.0.0.1]",
    ),
]  # fmt: skip
LIMITS: list[Callable[[Any], Any]] = [
    click.option("--duration", metavar="SECONDS", callback=length, help="Stop after this time."),
    click.option("--count", metavar="N", type=click.IntRange(min=1), help="Stop after this many packets."),
    click.option(
        "--idle-timeout", metavar="SECONDS", callback=length, default=str(DAY),
        help=f"Stop tracking connections that are silent for longer than this.  [default: {DAY}]",
    ),
    click.option(
        "--max-flows", metavar="N", type=click.IntRange(min=1), default=100_000,
        help="Connections to track at once. Beyond it, the ones that are over, then the longest silent, are dropped.  "
        "[default: 100000]",
    ),
]  # fmt: skip


def options(*groups: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return add


@click.command(cls=Command)
@options(SOURCE, OUTPUT, LIMITS)
def live(
    interfaces: tuple[str, ...], pipe: str | None, filter: str, engine: str, snaplen: int, buffer: int, **given: Any
) -> int:
    """Watch connections end on an interface; report each finding as soon as it is certain.

    --duration, --count, Ctrl-C and SIGTERM stop it, and leave whole files. SIGHUP begins new files."""
    if bool(interfaces) == bool(pipe):
        raise UsageError("name what to watch: -i IFACE, or -r PIPE")
    request = Request(tuple(dict.fromkeys(interfaces)), engine, filter, snaplen, buffer, pipe)
    thresholds = {name: given.pop(name) for name in list(given) if name in Settings.__dataclass_fields__}
    return watch(request, watch_settings(thresholds, local=pipe is None), WatchOptions(**given))


def watch_settings(thresholds: dict[str, Any], local: bool) -> Settings:
    """The settings of a watch. On this host its own timers are in force, where no option says otherwise."""
    from analyzer.live.host_timers import own_timers

    asked = click.get_current_context().get_parameter_source("profile") != ParameterSource.DEFAULT
    read = {} if asked or not local else own_timers()
    read = {name: length for name, length in read.items() if thresholds[name] is None}
    return Settings(**thresholds | read, keep_further=(), read_on_host=tuple(read))


class WatchOptions:
    """What the options ask for beyond the source."""

    def __init__(self, **given: Any) -> None:
        self.as_json: bool = given["as_json"]
        self.plain: bool = given["plain"] or given["as_json"]
        self.out: Path | None = given["out"]
        self.format: str = given["format"] or "csv"
        self.write: Path | None = given["write"]
        self.only_findings: bool = given["only_findings"]
        self.metrics: int | None = given["metrics"]
        self.metrics_address: str = given["metrics_address"]
        self.duration: int | None = given["duration"]
        self.count: int | None = given["count"]
        self.idle_timeout: int = given["idle_timeout"]
        self.max_flows: int = given["max_flows"]
        if given["format"] and self.out is None:
            raise UsageError("--format needs --out DIR, the folder to write into")
        if self.only_findings and self.write is None:
            raise UsageError("--only-findings needs --write FILE")


def watch(request: Request, settings: Settings, options: WatchOptions) -> int:
    """Set everything up, watch, say the last words. The order matters: what can fail fails before packets flow."""
    from analyzer.capture.live.stream import LiveStream
    from analyzer.live.kernel_evidence import KernelEvidence
    from analyzer.live.line_output import LineOutput
    from analyzer.live.retirement import Limits
    from analyzer.live.screen_data import WatchScreenSource
    from analyzer.live.sockets import Owners
    from analyzer.live.totals import WatchTotals
    from analyzer.live.viewers import Printing
    from analyzer.live.warm_up import warm_up
    from analyzer.live.watch import Commands, Watch

    warm_up()
    lines = LineOutput(sys.stdout, options.as_json)
    commands, totals = Commands(), WatchTotals(source_name(request))
    on_screen = not options.plain and on_terminal() and screen_there()
    say = partial(said_and_kept, totals, totals.note if on_screen else lines.note)
    local = request.pipe is None
    if local and request.filter != FILTER:
        say(FILTERED)
    subject = WatchScreenSource(commands, local) if on_screen else None
    owners = Owners() if local else None
    shown = subject or Printing(lines, owners)
    viewers: list[BaseViewer] = [*writers(options, say), shown]  # what a line says is in the files by then
    limits = Limits(options.duration, options.count, options.idle_timeout, options.max_flows)
    with ExitStack() as stack:
        stack.enter_context(signals(commands, on_screen))
        stream = stack.enter_context(LiveStream.begin(request))
        leaks = older_leaks(request, owners, settings)
        evidence = KernelEvidence(owners, settings.pile_up, leaks.older if leaks else None) if owners else None
        watch = Watch(stream, settings, limits, viewers, totals, commands, RECENT if subject else 0, evidence, leaks)
        if subject is None:
            if said := file_text(settings):
                click.echo(safe(said), err=True)
            click.echo(f"watching {safe(totals.source)}{with_engine(stream.engine)}; Ctrl-C ends it", err=True)
            run(watch, viewers, partial(last_words, lines, commands))
        else:
            behind(lambda: run(watch, viewers, lambda _: None), subject, commands)
            last_words(lines, commands, totals)
    return 0


def older_leaks(request: Request, owners: "Owners | None", settings: Settings) -> "OlderLeaks | None":
    """What watches the sockets older than the watch. A filter of one's own cannot be applied to sockets, so that with
    one there is none, nor where packets are read that may be another host's."""
    from analyzer.live.older_leaks import OlderLeaks
    from analyzer.live.older_sockets import OlderSockets

    if owners is None or request.filter != FILTER:
        return None
    return OlderLeaks(OlderSockets(request.interfaces), owners, settings.close_wait_leak_ns)


def last_words(lines: "LineOutput", commands: "Commands", totals: "WatchTotals") -> None:
    lines.summary(totals)
    lines.close(lambda: commands.hurry)


def said_and_kept(totals: "WatchTotals", say: Callable[[str], None], text: str) -> None:
    """Say something now, and again in the summary."""
    totals.note(text)
    say(text)


def on_terminal() -> bool:
    """Whether there is a terminal for a screen. It is drawn on standard error, so that it must be that one, too."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


def screen_there() -> bool:
    """Whether the library for the screen is installed; says how to get it where it is not."""
    try:
        import textual  # noqa: F401
    except ImportError:
        click.echo("no screen: pip install 'teardown[live]' brings it; printing lines instead", err=True)
        return False
    return True


def behind(work: Callable[[], None], subject: "WatchScreenSource", commands: "Commands") -> None:
    """Do ``work`` in a thread while the screen shows ``subject``; what it raises is raised here.

    A terminal that is gone may keep the screen from ending: after a signal the process then ends without it, once all
    files are closed.
    """
    from analyzer.live.screen import show

    troubles: list[BaseException] = []
    left = threading.Event()

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            troubles.append(error)
        finally:
            subject.ended = True
        if commands.hurry and not left.wait(SCREEN_ENDS):
            os._exit(2 if troubles else 0)

    thread = threading.Thread(target=guarded, name="watch")
    thread.start()
    try:
        show(subject)
    finally:
        left.set()
        subject.stop()
        thread.join()
    if troubles:
        raise troubles[0]


def writers(options: WatchOptions, say: Callable[[str], None]) -> "list[BaseViewer]":
    """The viewers that write files."""
    from analyzer.live.viewers import Saving, Storing

    made: list[BaseViewer] = []
    if options.out is not None:
        made.append(Storing(options.out, options.format, say))
    if options.write is not None:
        made.append(Saving(options.write, options.only_findings, say))
    if options.metrics is not None:
        from analyzer.live.metrics import Metrics

        made.append(Metrics(options.metrics, options.metrics_address))
    return made


def run(watch: "Watch", viewers: "list[BaseViewer]", last_words: "Callable[[WatchTotals], None]") -> None:
    """Watch to the end and close the files; the first trouble is raised when all is done."""
    troubles: list[TeardownError | OSError] = []
    closing = [partial(viewer.close, watch) for viewer in viewers]
    steps: list[Callable[[], None]] = [watch.run, *closing, partial(last_words, watch.totals)]
    for step in steps:
        try:
            step()
        except (TeardownError, OSError) as error:
            troubles.append(error)
    if troubles:
        raise troubles[0]


def with_engine(engine: str) -> str:
    return f" with {engine}" if engine else ""


def source_name(request: Request) -> str:
    if request.pipe is not None:
        return "standard input" if request.pipe == "-" else request.pipe
    return ", ".join(request.interfaces)


class signals:  # noqa: N801 (a context manager used as a word)
    """SIGINT and SIGTERM end the watch in order, SIGTERM within seconds; SIGHUP begins new files, but ``on_screen`` it
    says that the terminal is gone, and ends the watch as well. A second SIGINT ends it at once."""

    def __init__(self, commands: "Commands", on_screen: bool) -> None:
        self._commands, self._on_screen = commands, on_screen
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        handlers = {signal.SIGINT: self._stop, signal.SIGTERM: self._stop_soon}
        if hasattr(signal, "SIGHUP"):
            handlers[signal.SIGHUP] = self._stop_soon if self._on_screen else self._rotate
        self._before = {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def _stop(self, number: int, frame: object) -> None:
        if self._commands.stop and number == signal.SIGINT:
            os._exit(130)
        self._commands.stop = True

    def _stop_soon(self, number: int, frame: object) -> None:
        self._commands.stop = self._commands.hurry = True

    def _rotate(self, number: int, frame: object) -> None:
        self._commands.rotate = True

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

"""Write the generated pages of the documentation: ``python docs/make.py`` (``--check`` only compares).

What the program already states as data (columns, options, settings, rules, transitions) is never written down a
second time: a page of it is made here. A generator is a function that returns pages, a mapping from file name
(relative to docs/) to text; to add one, write it and put it into GENERATORS.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from analyzer.browse.keys import FILTER_EXAMPLES, FILTER_HELP, KEYS
from analyzer.cli import cli
from analyzer.columns import TableColumn
from analyzer.findings import rules
from analyzer.findings.pages import index, page_with_example
from analyzer.results.schema import NETSTAT, TABLES
from analyzer.segments.header_numbers import VOCABULARY
from analyzer.segments.table import COLUMNS as SEGMENT_COLUMNS
from analyzer.segments.table import MARKS
from analyzer.settings import adjustable, default_text
from analyzer.tcp.states import EVENT_WORDS, TABLE, Event
from analyzer.tcp.timer_catalogue import VERIFIED, known_roles, known_starts
from analyzer.version import VERSION
from analyzer.views.timer_list import DOES

DOCS = Path(__file__).parent
MADE = "<!-- Made by docs/make.py; edit the source it names, not this page. -->\n\n"
TITLES = {
    "flows": "One row for each connection.",
    "timeline": "One row for each event of an endpoint during set-up and teardown. If `from_state` differs from "
    "`state`, the endpoint entered that state; if they are equal, the event left the state unchanged.",
    "findings": "One row for each finding.",
    "segments": "One row for each TCP segment; written with `--segments`. In Python `result.segments.attrs` holds what "
    "an analysis needs in addition: [python.md](python.md).",
    "census": "How many sockets were in each state, for each service and each of its clients: one row whenever a count "
    "changes, in the order of time; written with `--tables census`. It is derived from the timelines, by their best "
    "times (those of a timer included), and does not count listening sockets. At any moment the counts are those of "
    "the last row about the same sockets, or 0 before the first.",
    "reuse": "One row for each connection on addresses and ports that an older one in the capture used before; written "
    "with `--tables reuse`.",
    "timers": "Written with `--tables timers`.",
    "netstat": "The sockets at a moment: printed by `teardown netstat --at TIME --csv`, in Python "
    "`result.netstat(at)`. Those of a host stand together; they follow from the timelines, as in `census`. With "
    "`--every STEP` the columns are those of `census`: `ip` is the host's. With `--by service` as well, it is the "
    "service's, and where `role` is client, all its clients are counted together.",
}
EXIT_STATUS = """The exit status is 0 on success, 1 if a finding meets `--fail-on`, 2 for a usage error, an
unreadable input or an output that cannot be written, 3 for an internal error, 130 when interrupted, and 141 when the
reader of the output has closed it. An error is one line on standard error.

Colours appear on a terminal only, and not with `NO_COLOR` set. `TEARDOWN_DEBUG=1` shows the traceback of an internal
error.
"""
SEGMENTS = """One numpy record array with a row of 64 bytes for each TCP segment. Every source of packets is
converted into it, and the later stages see nothing else ([decoding.md](decoding.md) describes how). `segments.csv` is
made from it.
"""
TIMERS = """# Known timers

`teardown explain timers [VALUE or NAME]` lists the timers of systems, programs and devices that end connections, with
their sources. Findings that follow a silence name those that fit ("consistent with", never "is"), and the table
`timers` has all of them.

## Timers of your own

`--timers FILE` (in Python `timers=`) adds those of your site, which are told first. The file has the columns of
`analyzer/tcp/timer_catalogue/timers.tsv`, separated by tabs, no quoting, in the first line:

    id\tsystem\tkind\trole\ttimer\tseconds\trange\tstarts\tfires\tapplies_since_or_version\tsource\tmark

`kind`, `range`, `applies_since_or_version` and `source` are free text. For instance a load balancer that forgets
connections after 77 s without telling either end, and a server of yours that closes idle ones after 20 s:

    shop-lb\tshop balancer\tdevice\tdevice between\tidle\t77\tfixed\tlast packet either way\tsilent\tall\twiki\t[D]
    api\tshop API\tserver\tserver\tkeep-alive\t20\tfixed\tlast byte of response\tfin\tall\twiki\t[D]

The file is UTF-8 text with 10,000 timers and 1,000 characters a cell at most, and has no characters that cannot be
printed. Each timer has an `id` of its own, without semicolons, that is none of the catalogue's. `id` and `system` begin
with none of `= + - @`, which spreadsheets take for formulas. `seconds` is from 0.001 to 31536000 (a year). A row that
is not so is named, and nothing is analysed.

## How a silence is matched

* What acts when it fires fits from 0.1 s before its value to a second and a round trip after it; what is checked only
  now and then, so much later. What is silent fits any silence that is at least as long: "at most".
* The clock of a timer must be known (`starts`), its owner must be who acted (`role`), and the connection must have
  waited for what the timer waits for.
* A silence that the same connection survived before strikes out every timer that is shorter.
* At a server's usual port (`ports.tsv`) systems that speak another protocol (`protocols.tsv`) are named last.
"""
BROWSE = """# Browsing captures

`teardown browse CAPTURE...` shows captures on a full screen: all connections as a list, under it the ladder of the one
under the cursor with what was found about it, and the sockets by state at that moment. It needs
`pip install 'teardown[live]'` and a terminal of 80x24 or more.

The screen is there at once, and shows how far the reading is. All connections are read, so that any filter can be
tried; filters given on the command line stand in the filter box. The segments lie in a scratch file without a name (64
bytes each, in `TMPDIR`), so that a ladder needs no second reading.

The list has the columns of `teardown flows`. Where there is no room, those that matter least are left out; `▸` at the
right says that a row goes on there. The sign before a finding is its severity: ● error, ◐ warning, ○ info.

The moment under the cursor is that of the line in the ladder; while the cursor is in the list, that of the connection's
last packet. The counts are those of the service's own sockets, of its clients', and of all at both ends, by the best
times of the timelines, as `teardown netstat --every` has them; `n` lists the sockets themselves as
`teardown netstat --at` does, and says which are uncertain. Where a connection is opened on a screen of 30 rows and
more, curves have the most sockets of the service and its clients in each part of the capture's time.
"""
BROWSE_MORE = """
A filter that means nothing is answered under the box, with the columns there are; the list stays as it was.
`teardown browse capture.pcapng --host 10.0.0.7 --sort -duration_s` begins with these in the box.

## Findings

`f` shows the findings about the connections that are listed: a line for each code, the gravest first, then by how many
there are. Under it stand whom they blame, the surest of them, what to do, and the page of the code. Enter adds the code
to the filter box; of findings about many connections together, the address and port that they name.
"""
KINDS = {
    "count": ("whole number", "`int64`", "`int64`"),
    "number": ("whole number or none", "`Int64`", "`int64`"),
    "sequence": ("sequence number or none", "`Int64`", "`int64`"),
    "word": ("word", "`category`", "dictionary of strings"),
    "address": ("address", "`category`", "dictionary of strings"),
    "file": ("name of a file", "`category`", "dictionary of strings"),
    "text": ("text", "`str`", "string"),
    "letters": ("letters", "`category`", "dictionary of strings"),
    "time": ("time", "`datetime64[ns, UTC]`", "`timestamp[ns, UTC]`"),
    "seconds": ("seconds", "`float64`", "`double`"),
    "flag": ("true or false", "`bool`", "`bool`"),
}


def columns_page() -> dict[str, str]:
    """docs/columns.md from analyzer/tracker/flow_record.py and analyzer/results/schema.py."""
    return {"columns.md": MADE + "\n".join(_columns_text()) + "\n"}


def _columns_text() -> Iterator[str]:
    yield "# The columns of every table\n"
    yield (
        "Names and meanings are a public interface. They are declared in `analyzer/tracker/flow_record.py` (`flows`,\n"
        "and most of `timeline`) and `analyzer/results/schema.py` (the others). A column may be added at the end of\n"
        "a table; none is renamed, moved or removed. `stream` is Wireshark's `tcp.stream`, `frame` is Wireshark's\n"
        "`frame.number`.\n\n"
        "In CSV a time is decimal seconds since 1970 UTC with exactly nine decimals, a duration decimal seconds with\n"
        "nine decimals, an unknown value an empty cell. In DataFrames and Parquet an unknown value is a missing value\n"
        "(`NaT`, `NaN`, `NA`, null).\n\n"
        "With several captures, `frame`, `frames`, `first_frame` and `last_frame` are numbers in the whole, as if\n"
        "`mergecap` had joined them. `first_file` and `file`, and the number beside each, give the frame's file and\n"
        "its number there; so do messages. With one capture these columns are empty. In Python\n"
        "`result.recording.frame_files.locate(frames)` finds any frame.\n"
    )
    yield "| kind | in a DataFrame | in Parquet |\n|---|---|---|"
    yield from (f"| {kind} | {pandas} | {parquet} |" for kind, pandas, parquet in KINDS.values())
    for name, columns in (TABLES | {"netstat": NETSTAT}).items():
        yield f"\n## {name}\n\n{TITLES[name]}\n\n| column | kind | meaning |\n|---|---|---|"
        yield from (f"| `{column.name}` | {KINDS[column.kind][0]} | {column.meaning} |" for column in columns)
    yield "\n## Vocabularies"
    yield from _vocabularies()


def _vocabularies() -> Iterator[str]:
    """Each vocabulary once, under the names of all columns that use it."""
    users: dict[tuple[tuple[str, str], ...], list[TableColumn]] = {}
    for column in (column for columns in TABLES.values() for column in columns if column.words.meanings):
        users.setdefault(tuple(column.words.meanings.items()), []).append(column)
    for words, columns in users.items():
        names = ", ".join(dict.fromkeys(f"`{column.name}`" for column in columns))
        yield f"\n### {names}\n\n| word | meaning |\n|---|---|"
        yield from (f"| `{word}` | {meaning} |" for word, meaning in words)


def commands_page() -> dict[str, str]:
    """docs/cli.md from the commands themselves."""
    parts = ["# The command line\n", EXIT_STATUS, *_command("teardown", cli)]
    return {"cli.md": MADE + "\n".join([*parts, _settings_text()]) + "\n"}


def _command(path: str, command: click.Command) -> Iterator[str]:
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    names = [param.human_readable_name if param.metavar is None else param.metavar for param in arguments]
    usage = " ".join([path, *(["[OPTIONS]"] if options else []), *names])
    yield f"## `{usage}`\n\n{inspect.cleandoc(command.help or '')}\n"
    if path != "teardown":
        yield "| option | meaning |\n|---|---|"
        yield from (f"| `{_spelled(option)}` | {option.help} |" for option in options)
        yield ""
    for name, child in getattr(command, "commands", {}).items():
        yield from _command(f"{path} {name}", child)


def _spelled(option: click.Option) -> str:
    """``--out DIR``, ``--format csv\\|parquet``, ``--quiet``."""
    if option.is_flag:
        return ", ".join(option.opts)
    choices = getattr(option.type, "choices", None)
    value = option.metavar or ("\\|".join(choices) if choices else "N")
    return f"{', '.join(option.opts)} {value}"


def _settings_text() -> str:
    """How the options are called in Python."""
    lines = ["## Settings in Python\n", "| argument of `analyzer.analyze` | default | meaning |\n|---|---|---|"]
    for entry in adjustable():
        timed = "seconds" in entry.metadata
        name = entry.name.removesuffix("_ns") + "_s" if timed else entry.name
        default = default_text(entry) if timed or entry.default is None else repr(entry.default)
        shown = default if entry.default is None else f"`{default}`"
        lines.append(f"| `{name}` | {shown} | {entry.metadata['help']} |")
    return "\n".join(lines)


def manual_page() -> dict[str, str]:
    """docs/teardown.1 from the commands themselves; the wheel installs it."""
    _find_packages()
    from docs.manual import manual

    return {"teardown.1": manual(cli, VERSION)}


def findings_pages() -> dict[str, str]:
    """docs/findings/: a page for each rule in analyzer/findings/rules/, and the table of them all."""
    made = {f"findings/{code}.md": MADE + page_with_example(rule) for code, rule in rules().items()}
    return {"findings/README.md": MADE + index(), **made}


def timers_page() -> dict[str, str]:
    """docs/timers.md from analyzer/tcp/timer_catalogue/."""
    words = {
        "role": ("who has the timer", [(word, acts) for word, acts in sorted(known_roles().items())]),
        "starts": ("what starts it", [(word, _counted(lines)) for word, lines in sorted(known_starts().items())]),
        "fires": ("what it does", list(DOES.items())),
        "mark": ("where it was verified", list(VERIFIED.items())),
    }
    lines = [TIMERS]
    for column, (meaning, rows) in words.items():
        lines += [f"\n## The words of `{column}`: {meaning}\n", "| word | meaning |\n|---|---|"]
        lines += [f"| `{word}` | {text} |" for word, text in rows]
    return {"timers.md": MADE + "\n".join(lines) + "\n"}


def _counted(lines: list[Mapping[str, str]]) -> str:
    """From what a timer counts, and while the connection waits for what."""
    line = lines[0]
    if line["clock"] == "none":
        return "not matched: no packet shows it"
    return f"clock `{line['clock']}`; the connection waits: {line['waits'].replace(',', ', ')}"


def segments_page() -> dict[str, str]:
    """docs/segments.md from analyzer/segments/table.py and header_numbers.py."""
    lines = ["# The internal table of segments\n", SEGMENTS, "| column | type | meaning |\n|---|---|---|"]
    lines += [f"| `{column.name}` | `{column.dtype}` | {column.meaning} |" for column in SEGMENT_COLUMNS]
    lines += ["\n## The bits of `marks`\n", "| bit | name | meaning |\n|---|---|---|"]
    lines += [f"| {1 << bit} | `{mark.name}` | {mark.meaning} |" for bit, mark in enumerate(MARKS)]
    lines += ["\n## Packets that give no segment\n", "| counted as | which |\n|---|---|"]
    lines += [f"| {name} | {meaning} |" for name, meaning in VOCABULARY.items()]
    lines += ["| link type N not supported | packets of an unknown link type |"]
    return {"segments.md": MADE + "\n".join(lines) + "\n"}


def truth_pages() -> dict[str, str]:
    """docs/truth.md and the README's table from the laboratory's recordings, scored now."""
    _find_packages()
    from tests.lab import pages as laboratory

    return laboratory.pages(MADE, DOCS.parent)


def states_page() -> dict[str, str]:
    """docs/states.md from the table of transitions."""
    return {"states.md": MADE + "\n".join(_states_text()) + "\n"}


def _states_text() -> Iterator[str]:
    yield "# The state machine\n"
    yield (
        "Drawn from the table that the tracker uses (`analyzer/tcp/states.py`). Events are named from the\n"
        "endpoint's own side. Not drawn: from every state a RST leads to CLOSED, and so does a new connection on the\n"
        "same addresses and ports.\n"
    )
    yield "```mermaid\nstateDiagram-v2"
    common = (Event.SENT_RST, Event.RCVD_RST, Event.REPLACED)
    for arrow in TABLE:
        if arrow.next != arrow.state and arrow.event not in common:
            yield f"    {arrow.state.name} --> {arrow.next.name}: {arrow.event.name}"
    yield "```\n\n## Every arrow\n"
    yield "| in state | at | to | in words | source |\n|---|---|---|---|---|"
    for arrow in TABLE:
        stays = "stays" if arrow.next == arrow.state else arrow.next.name
        source = f"RFC 9293 {arrow.section}" if arrow.section[0].isdigit() else arrow.section.strip("-")
        yield f"| {arrow.state.name} | {arrow.event.name} | {stays} | {arrow.words} | {source} |"
    yield "\n## The events\n\n| event | in `timeline.csv` | meaning |\n|---|---|---|"
    yield from (f"| {event.name} | `{word}` | {meaning} |" for event, (word, meaning) in EVENT_WORDS.items())


def browse_page() -> dict[str, str]:
    """docs/browse.md from analyzer/browse/keys.py."""
    keys = [f"| {' '.join(f'`{name}`' for name in key.shown.split())} | {key.meaning} |" for key in KEYS]
    examples = [f"    {example}" for example in FILTER_EXAMPLES]
    parts = [BROWSE, "## Keys\n\n| key | what it does |\n|---|---|", *keys, "\n## The filter box\n"]
    parts += ["\n\n".join(FILTER_HELP), "", *examples, BROWSE_MORE]
    return {"browse.md": MADE + "\n".join(parts)}


GENERATORS: list[Callable[[], Mapping[str, str]]] = [
    browse_page,
    columns_page,
    commands_page,
    manual_page,
    findings_pages,
    segments_page,
    states_page,
    timers_page,
    truth_pages,
]


def _find_packages() -> None:
    """The repository's root is where ``docs`` and ``tests`` are found, wherever this file is run."""
    root = str(DOCS.parent)
    if root not in sys.path:
        sys.path.insert(0, root)


def pages() -> dict[str, str]:
    """All generated pages, and those that show output: file name relative to docs/ -> text."""
    _find_packages()
    from docs import shown

    made = {name: text for generator in GENERATORS for name, text in generator().items()}
    return made | {name: shown.refreshed(made.get(name) or text) for name, text in shown.pages().items()}


def stale() -> list[str]:
    """The generated pages whose file differs or is missing."""
    made = pages()
    return [name for name, text in made.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != text]


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        print("\n".join(stale()))
        return int(bool(stale()))
    for name, text in pages().items():
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

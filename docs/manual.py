"""The man page, from the commands themselves: what ``--help`` shows, once for all commands where they share it."""

import inspect
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import click

SHARED = 4  # commands; an option that so many have is told once
EXAMPLES = (
    ("What a capture shows, and the same as tables:", "teardown analyze capture.pcapng --out tables"),
    ("The connections of one host that a RST ended, the longest first:",
     "teardown flows 'ring_*.pcapng' --host 10.0.0.5 --ending reset --sort -duration_s"),
    ("One of them as a ladder:", "teardown timeline capture.pcapng --host 10.0.0.5 --port 40112"),
    ("The sockets of each host at a moment:", "teardown netstat capture.pcapng --at 12:30:05"),
    ("Whether a change helped, for a pipeline:", "teardown compare before.pcap after.pcap --fail-on worse"),
    ("Findings while they come:", "teardown live -i eth0"),
)  # fmt: skip
STATUS = (
    ("0", "It ran."),
    ("1", "A finding meets --fail-on."),
    ("2", "A usage error, an input that cannot be read or an output that cannot be written."),
    ("3", "A fault in the program."),
    ("130", "Interrupted."),
    ("141", "The reader of the output has gone."),
)
ENVIRONMENT = (
    ("NO_COLOR", "No colours, also on a terminal."),
    ("TEARDOWN_DEBUG", "If set, a fault in the program shows where it is."),
)
FILES = (
    ("teardown.toml", "Settings: the nearest at or above the working directory, or [tool.teardown] in pyproject.toml."),
)


def manual(cli: click.Group, version: str) -> str:
    """The page as man(7) takes it. It has no date, so that it only changes where the program does."""
    return "\n".join(_lines(cli, version)) + "\n"


def _lines(cli: click.Group, version: str) -> Iterator[str]:
    yield '.\\" Made by docs/make.py; edit the source it names, not this page.'
    yield f'.TH TEARDOWN 1 "" "teardown {version}" "User Commands"'
    yield from (".SH NAME", "teardown \\- how TCP connections end, read from packet captures", ".SH SYNOPSIS")
    yield from _synopsis(cli)
    yield ".SH DESCRIPTION"
    yield from _paragraphs(cli.help or "")
    count = Counter(_key(option) for command in cli.commands.values() for option in _options(command))
    shared = {key for key, number in count.items() if number >= SHARED}
    yield ".SH COMMANDS"
    for name, command in cli.commands.items():
        yield f".SS {_roff(name)}"
        yield from _paragraphs(command.help or "")
        yield from _table([option for option in _options(command) if _key(option) not in shared])
    yield from (".SH COMMON OPTIONS", "Commands that read captures take these as well.")
    told: dict[str, click.Option] = {}
    for command in cli.commands.values():
        told |= {_key(option): option for option in _options(command) if _key(option) in shared}
    yield from _table(list(told.values()))
    for title, rows in (("EXIT STATUS", STATUS), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        yield f".SH {title}"
        for name, meaning in rows:
            yield from (".TP", f".B {_roff(name)}", _roff(meaning))
    yield ".SH EXAMPLES"
    for meaning, command in EXAMPLES:
        yield from (".TP", _roff(meaning), f".B {_roff(command)}")
    yield from (".SH SEE ALSO", ".BR tshark (1),", ".BR tcpdump (8),", ".BR ss (8)")


def _synopsis(cli: click.Group) -> Iterator[str]:
    for name, command in cli.commands.items():
        arguments = [param for param in command.params if isinstance(param, click.Argument)]
        words = [param.metavar or param.human_readable_name for param in arguments]
        words = [word if param.required else f"[{word}]" for word, param in zip(words, arguments, strict=True)]
        yield from (f".B teardown {_roff(name)}", _roff(" ".join(["[OPTIONS]", *words])), ".br")


def _options(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option) and not param.hidden]


def _key(option: click.Option) -> str:
    """Options of several commands are the same where they are called so and mean the same."""
    return f"{option.opts} {option.help}"


def _table(options: Sequence[click.Option]) -> Iterator[str]:
    for option in options:
        choices = getattr(option.type, "choices", None)
        value = "" if option.is_flag else option.metavar or ("|".join(choices) if choices else "N")
        names = ", ".join(f"\\fB{_roff(name)}\\fR" for name in option.opts)
        yield from (".TP", f"{names} \\fI{_roff(value)}\\fR" if value else names, _roff(option.help or ""))


def _paragraphs(text: str) -> Iterator[str]:
    """A help text; what stands behind a line with \\b keeps its lines."""
    for part in re.split(r"\n\s*\n", inspect.cleandoc(text).strip()):
        yield ".PP"
        if part.startswith("\b"):
            yield from (".nf", *map(_roff, part.removeprefix("\b").strip("\n").splitlines()), ".fi")
        else:
            yield _roff(" ".join(part.split()))


def _roff(text: str) -> str:
    """Text that means nothing else to troff, on one line."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain

"""What the options of several commands are and take. Nothing heavy is imported."""

from collections.abc import Callable, Sequence
from dataclasses import Field
from functools import partial
from pathlib import Path
from typing import Any

import click

from analyzer.commands.settings_file import settings_file
from analyzer.errors import UsageError
from analyzer.filters import HELP
from analyzer.settings import (
    SettingsFile,
    adjustable,
    check,
    default_text,
    nanoseconds,
    option_name,
)

FILTERS = tuple(HELP)
TOLD = ("select", "ignore")


def captures_of(argument: str) -> list[str]:
    """The captures that an argument names: itself, the files of a folder, or those that fit a pattern."""
    if not argument:
        raise UsageError("a CAPTURE is named by an empty word: is a variable of the shell empty?")
    path = Path(argument)
    try:
        if path.is_dir():
            found = sorted(str(file) for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        elif path.exists() or argument == "-" or not any(letter in argument for letter in "*?["):
            return [argument]
        else:
            from glob import glob

            found = sorted(glob(argument))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    except (OSError, ValueError):  # told when it is to be read
        return [argument]
    if not found:
        raise UsageError(f"{argument}: no capture" + (" in this directory" if path.is_dir() else " fits this pattern"))
    return found


def _all_captures(context: click.Context, argument: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for value in values for name in captures_of(value))


def _taken(entry: Field[Any], context: click.Context, option: click.Parameter, value: Any) -> Any:
    """What an option takes: a duration, as nanoseconds, a file or a filter; None where it has no default and was not
    given."""
    try:
        taken = nanoseconds(value) if value is not None and "seconds" in entry.metadata else value
        check(entry, taken)
        return taken
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def settings_options(command: Any, without: Sequence[str] = ()) -> Any:
    """Give ``command`` an option for every adjustable field of Settings, those named in ``without`` apart."""
    chosen = [entry for entry in adjustable() if entry.name not in without]
    command = no_config(command)
    if "skip_bad" not in without:
        command = skip_bad(command)
    for entry in chosen if isinstance(command, click.Command) else reversed(chosen):  # decorators apply from below
        command = _option(entry)(command)
    return command


def option_of(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option of one field of Settings."""
    return _option(next(entry for entry in adjustable() if entry.name == name))


def _option(entry: Field[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    shown = default_text(entry)
    if "seconds" in entry.metadata:
        given = None if entry.default is None else shown
        kind: dict[str, Any] = {"metavar": "SECONDS", "default": given, "callback": partial(_taken, entry)}
    elif "file" in entry.metadata:
        kind = {
            "metavar": "FILE",
            "default": None,
            "type": click.Path(readable=False),
            "callback": partial(_taken, entry),
        }
    elif "codes" in entry.metadata:
        kind = {"metavar": "CODES", "default": None, "callback": partial(_taken, entry)}
    elif "filter" in entry.metadata:
        several = {"nargs": 2} if " " in entry.metadata["filter"] else {}
        kind = {"metavar": entry.metadata["filter"], "default": None, "callback": partial(_taken, entry), **several}
    else:
        choices = entry.metadata.get("choices")
        known = click.Choice(choices) if choices else click.IntRange(*entry.metadata["range"])
        kind = {"default": entry.default, "type": known}
    return click.option(option_name(entry), entry.name, help=f"{entry.metadata['help']}  [default: {shown}]", **kind)


def _read_file(context: click.Context, option: click.Parameter, without: bool) -> SettingsFile | None:
    """Read the file of settings, whose values stand for options that are not given."""
    if without:
        return SettingsFile("")
    file, defaults = settings_file()
    if file is not None:
        context.default_map = defaults
    return file


no_config = click.option(
    "--no-config",
    "settings_file",
    is_flag=True,
    is_eager=True,
    callback=_read_file,
    help="Read no settings from teardown.toml, or [tool.teardown] in pyproject.toml.",
)
skip_bad = click.option(
    "--skip-bad", is_flag=True, help="Leave out those of several captures that cannot be read; each is named."
)
no_fast_path = click.option("--no-fast-path", "fast_path", flag_value=False, default=True, hidden=True)
captures = click.argument(
    "captures",
    metavar="CAPTURE...",
    nargs=-1,
    required=True,
    type=click.Path(allow_dash=True, readable=False),
    callback=_all_captures,
)

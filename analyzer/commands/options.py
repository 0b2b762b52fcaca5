"""What the options of several commands are and take. Nothing heavy is imported."""

from collections.abc import Callable, Sequence
from dataclasses import Field
from functools import partial
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
        kind = {"metavar": "FILE", "default": None, "type": click.Path(), "callback": partial(_taken, entry)}
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
no_fast_path = click.option("--no-fast-path", "fast_path", flag_value=False, default=True, hidden=True)
captures = click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True, type=click.Path(allow_dash=True))

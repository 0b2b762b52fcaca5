"""Settings from a file: ``teardown.toml``, or ``[tool.teardown]`` in ``pyproject.toml``, the nearest at or above the
working directory. Keys are the options without their dashes. Only the command line reads it.

    close-wait-leak = 30
    ignore = ["TD107", "TD202"]
    timers = "our-timers.tsv"
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from analyzer.errors import UsageError
from analyzer.settings import SettingsFile, adjustable, option_name, seconds_text, settings_of

OWN, PROJECT, TABLE = "teardown.toml", "pyproject.toml", "teardown"
ENTRIES = {option_name(entry)[2:]: entry for entry in adjustable() if "filter" not in entry.metadata}
FILTERS = {option_name(entry)[2:] for entry in adjustable() if "filter" in entry.metadata}


def settings_file() -> tuple[SettingsFile | None, dict[str, Any]]:
    """The file with its values, None where there is none; and the values as options take them. Raises UsageError for a
    file that means nothing."""
    try:
        here = Path.cwd()
    except OSError:  # the working directory has been removed
        return None, {}
    for folder in (here, *here.parents):
        for name in (OWN, PROJECT):
            path = folder / name
            table = _table(path) if path.is_file() else None
            if table is not None:
                return _read(str(path.relative_to(here)) if folder == here else str(path), folder, table)
    return None, {}


def _table(path: Path) -> dict[str, Any] | None:
    """The settings in a file, None for a project that has none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error} (--no-config goes without it)") from None
    if path.name == PROJECT and TABLE.encode() not in data:
        return None
    import tomllib

    try:
        whole = tomllib.loads(data.decode())
    except ValueError as error:
        raise UsageError(f"{path}: {error} (--no-config goes without it)") from None
    if path.name == OWN:
        return whole
    table = whole.get("tool", {}).get(TABLE)
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: [tool.{TABLE}] is no table")
    return table


def _read(shown: str, folder: Path, table: dict[str, Any]) -> tuple[SettingsFile, dict[str, Any]]:
    values: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key, value in table.items():
        entry = _known(shown, key)
        timed = "seconds" in entry.metadata
        try:
            name = entry.name.removesuffix("_ns") + "_s" if timed else entry.name
            taken = getattr(settings_of(**{name: _plain(value, entry, folder)}), entry.name)
        except UsageError as error:
            raise UsageError(f"{shown}: {key}: {error}") from None
        values[entry.name] = taken
        options[entry.name] = seconds_text(taken) if timed else taken
    return SettingsFile(shown, tuple(values.items())), options


def _known(shown: str, key: str) -> Any:
    """The setting of this key. Raises UsageError where there is none."""
    if key in ENTRIES:
        return ENTRIES[key]
    if key in FILTERS:
        raise UsageError(f"{shown}: {key} is a filter, which only the option --{key} sets")
    near = get_close_matches(key, ENTRIES, n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(ENTRIES)}"
    raise UsageError(f"{shown}: unknown setting {key!r}; {meant}")


def _plain(value: Any, entry: Any, folder: Path) -> Any:
    """A value of the type that the setting takes; a file's name counts from the folder of the settings."""
    several = isinstance(value, list) and all(isinstance(part, str) for part in value)
    if "codes" in entry.metadata and (several or isinstance(value, str)):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"it cannot be {value!r}")
    if "file" in entry.metadata:
        return str(folder / str(value))
    return value

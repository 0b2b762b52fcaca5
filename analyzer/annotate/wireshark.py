"""The plugin for Wireshark, and where it goes: a profile named teardown with columns and colours, and fields in Lua."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from analyzer.errors import UsageError, unwritable

NAME = "teardown"
FILES = Path(__file__).parent / "files"
COLUMNS = (
    ("No.", "%m"),
    ("Time", "%t"),
    ("Source", "%s"),
    ("Destination", "%d"),
    ("Client state", "%Cus:teardown.client_state:0:R"),
    ("Server state", "%Cus:teardown.server_state:0:R"),
    ("Info", "%i"),
    ("Finding", "%Cus:teardown.finding:0:R"),
    ("Blamed", "%Cus:teardown.blamed:0:R"),
)
COLOURS = (  # name, filter, background and foreground as 16-bit numbers
    ("teardown error", 'teardown.severity == "error"', (65535, 40000, 40000), (0, 0, 0)),
    ("teardown warning", 'teardown.severity == "warning"', (65535, 57000, 34000), (0, 0, 0)),
    ("teardown finding", "teardown.finding", (58000, 58000, 65535), (0, 0, 0)),
    ("teardown CLOSE_WAIT",
     'teardown.client_state contains "CLOSE_WAIT" || teardown.server_state contains "CLOSE_WAIT"',
     (65535, 65535, 45000), (0, 0, 0)),
)  # fmt: skip


def folder_of() -> Path:
    """Wireshark's personal folder, as tshark tells it, or where the documentation says it is."""
    if tshark := shutil.which("tshark"):
        told = subprocess.run([tshark, "-G", "folders"], capture_output=True, text=True, check=False, timeout=60).stdout
        for line in told.splitlines():
            name, _, path = line.partition(":")
            if name == "Personal configuration" and path.strip():
                return Path(path.strip())
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "Wireshark"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "wireshark"


def install(folder: Path) -> list[Path]:
    """Write the plugin and the profile into Wireshark's ``folder``; what was written."""
    profile = folder / "profiles" / NAME
    made = {
        folder / "plugins" / f"{NAME}.lua": (FILES / f"{NAME}.lua").read_text("utf-8"),
        profile / "preferences": _preferences(),
        profile / "colorfilters": "".join(map(_colour, COLOURS)),
    }
    for path, text in made.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            raise unwritable(f"cannot write {path}", error) from error
    return list(made)


def remove(folder: Path) -> list[Path]:
    """Remove what ``install`` writes, and nothing else; what was removed. Raises UsageError where nothing is there."""
    profile = folder / "profiles" / NAME
    found = [folder / "plugins" / f"{NAME}.lua", profile / "preferences", profile / "colorfilters"]
    found = [path for path in found if path.is_file()]
    if not found:
        raise UsageError(f"nothing of teardown is installed in {folder}")
    try:
        for path in found:
            path.unlink()
        if profile.is_dir() and not any(profile.iterdir()):
            profile.rmdir()
    except OSError as error:
        raise unwritable(f"cannot remove {error.filename}", error) from error
    return found


def _preferences() -> str:
    shown = ",\n\t".join(f'"{title}", "{form}"' for title, form in COLUMNS)
    return f"# Made by teardown wireshark --install.\ngui.column.format:\n\t{shown}\n"


def _colour(colour: tuple[str, str, tuple[int, ...], tuple[int, ...]]) -> str:
    name, shown_by, background, foreground = colour
    return f"@{name}@{shown_by}@[{','.join(map(str, background))}][{','.join(map(str, foreground))}]\n"

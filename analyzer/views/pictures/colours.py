"""The colours of states and segments, the same on the page, in a ladder and in a figure; safe for colour-blind readers.

Each is a custom property, so that a page has other ones on a dark ground: ``var(--close-wait)``.
"""

from analyzer.segments.table import FIN, RST, SYN
from analyzer.tcp.states import State

LIGHT = {
    "ground": "#ffffff",
    "text": "#1b1f24",
    "faint": "#59636e",
    "line": "#d1d9e0",
    "syn-sent": "#8fd19e",
    "syn-received": "#55a868",
    "established": "#c3cad1",
    "fin-wait-1": "#2f6fbf",
    "fin-wait-2": "#7fb0e6",
    "close-wait": "#e8912d",
    "closing": "#b48ede",
    "last-ack": "#8e63c7",
    "time-wait": "#cfe4f7",
    "unknown": "#eceff2",
    "opening": "#1a7f37",
    "fin": "#1f5fae",
    "reset": "#c62828",
    "data": "#3d454d",
    "error": "#c62828",
    "warning": "#9a5b00",
    "info": "#1f5fae",
}
DARK = LIGHT | {
    "ground": "#14181d",
    "text": "#e9edf1",
    "faint": "#a3adb8",
    "line": "#39424c",
    "syn-sent": "#2f7d45",
    "syn-received": "#49a865",
    "established": "#596470",
    "fin-wait-1": "#4d8fe0",
    "fin-wait-2": "#2f5d93",
    "close-wait": "#d9822b",
    "closing": "#7d56ad",
    "last-ack": "#a37bdb",
    "time-wait": "#29435c",
    "unknown": "#232a31",
    "opening": "#57c279",
    "fin": "#79b4ff",
    "reset": "#ff7b72",
    "data": "#c9d1d9",
    "error": "#ff7b72",
    "warning": "#e3a947",
    "info": "#79b4ff",
}
COUNTED = tuple(state for state in State if state not in (State.LISTEN, State.CLOSED))  # a socket that netstat counts
SEVERITY_SIGNS = {"error": "●", "warning": "◐", "info": "○"}


def name_of(state: str) -> str:
    """``CLOSE_WAIT`` is ``close-wait``."""
    return state.lower().replace("_", "-")


def arrow_class(flags: int, size: int) -> str:
    """The class of the arrow of a segment, by what the segment is."""
    kinds = ((RST, "reset"), (FIN, "fin"), (SYN, "opening"))
    return next((name for bit, name in kinds if flags & bit), "data" if size else "faint")


def properties(colours: dict[str, str]) -> str:
    """The declarations of the custom properties."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def shared_rules() -> str:
    """The rules by which elements of pictures have their colours."""
    lanes = "".join(
        f".s-{name}{{fill:var(--{name})}}.g-{name}{{stop-color:var(--{name})}}"
        for name in (name_of(state.name) for state in COUNTED)
    )
    arrows = "".join(
        f".a-{name}{{stroke:var(--{name});fill:none}}.h-{name}{{fill:var(--{name});stroke:none}}"
        for name in ("opening", "fin", "reset", "data", "faint")
    )
    marks = "".join(f".f-{name}{{fill:var(--{name})}}" for name in (*SEVERITY_SIGNS, "reset"))
    return lanes + arrows + marks + BASE


BASE = (
    ".picture .t-small{font-size:9px}"
    ".picture text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--text)}"
    ".picture .t-faint{fill:var(--faint)}.picture .t-bold{font-weight:700}"
    ".picture .e-reset{fill:var(--reset);font-weight:700}"
    + "".join(f".picture .f-{name}{{fill:var(--{name});font-weight:700}}" for name in SEVERITY_SIGNS)
    + ".ground{fill:var(--ground)}.edge{stroke:var(--line);fill:none}.break{stroke:var(--faint);fill:none}"
    ".cross{stroke:var(--reset);stroke-width:2.5;fill:none}.end{stroke:var(--text);stroke-width:2;fill:none}"
    ".ink{stroke:var(--text);stroke-opacity:.45}.paper{fill:var(--ground)}"
    "@media print{.ink{stroke-opacity:.6}}"
)

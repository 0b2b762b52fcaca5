"""How frames and commands are named where several captures were given: so that each can be typed as it stands.

A frame is told by its number in its own file and that file's name. A command reads the file of the frame that decides,
and finds the connection there by its addresses and ports: the numbers that Wireshark gives to connections are others in
each file. Of a single capture the frames are its own, and commands name it.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.findings.view import View
from analyzer.text import TemplatePiece, Words, code, number

# Columns of endpoints that name a frame, and those with its time.
DATED = (
    ("syn_frame", "syn_time"),
    ("syn_last_frame", "syn_last_time"),
    ("fin_frame", "fin_time"),
    ("fin_last_frame", "fin_last_time"),
    ("fin_acked_frame", "fin_acked_time"),
    ("rst_frame", "rst_time"),
    ("rst_answers_frame", "rst_answers_time"),
    ("data_frame", "data_time"),
    ("half_close_last_frame", "data_time"),
    ("repeat_last_frame", "repeat_last_time"),
    ("zero_window_frame", "zero_window_since"),
    ("missing_frame", "missing_time"),
    ("duplicate_frame", "duplicate_time"),
    ("cut_frame", "cut_time"),
    ("clock_back_frame", "clock_back_time"),
    ("last_frame", "last_time"),
)
A_FRAME = re.compile(r"\bframes? $")  # behind these words a bare number is a frame's
ANOTHER = (" to ", " and ")  # or behind these, if the number before was one
STREAM, CAPTURE = "tcp.stream == {stream}", "CAPTURE"  # in commands that are advised


def deciding(when: NDArray[Any], frames: Sequence[NDArray[Any]], flow: NDArray[np.intp], view: View) -> NDArray[Any]:
    """Of some findings about the flows ``flow`` of ``view`` the frame that decides: of their ``frames`` the one that
    passed at the time ``when``; the last, where none did."""
    table = np.stack(frames, axis=1) if frames else np.zeros((len(when), 1), np.int64)
    last = np.asarray(table.max(axis=1))
    found = np.zeros_like(last)
    for frame, time in _dated(view):
        own = frame[flow]
        fits = (time[flow] == when) & (own > 0) & (table == own[:, None]).any(axis=1)
        found = np.where(fits & (found == 0), own, found)
    return np.asarray(np.where(found > 0, found, last))


def _dated(view: View) -> Sequence[tuple[NDArray[Any], NDArray[Any]]]:
    """Frames of each flow and their times, shape (flows,) each."""
    pairs = [(view.flow("first_frame"), view.flow("first_time"))]
    for frame, time in DATED:
        with suppress(KeyError):  # of a flow that is ordinary but for its tuple little is known
            pairs += [(view.own(frame)[:, side], view.own(time)[:, side]) for side in (0, 1)]
    return pairs


def named(template: str, files: FrameFiles) -> str:
    """``template`` with commands that name their capture, and find a connection in one of several."""
    if files.several:
        return template.replace(STREAM, "{conversation}").replace(CAPTURE, "{capture}")
    if files.files and files.files[0] != "-":
        return template.replace(CAPTURE, files.quoted(0).replace("{", "{{").replace("}", "}}"))
    return template


def is_frame(literal: str, before: bool) -> bool:
    """Whether a bare field behind the text ``literal`` is the number of a frame; ``before``: the field before was."""
    return bool(A_FRAME.search(literal)) or (before and literal in ANOTHER)


def numbered(name: str) -> list[TemplatePiece | str]:
    """A frame's number in its file, and that file: ``12 of b.pcap``; nothing for 0."""
    return [number(f"own:{name}", none=0), code(f"file:{name}", "of files")]


def words_of(files: FrameFiles, quotes: bool) -> dict[str, Words]:
    """What stands behind the number of a frame, by file, and how a command names a file; in a cell that is in
    ``quotes`` or not."""
    texts = {
        "of files": [f" of {name}" for name in files.shown],
        "captures": [files.quoted(number) for number in range(len(files.files))],
    }
    return {
        name: Words.of([text.replace('"', '""') if quotes else text for text in some]) for name, some in texts.items()
    }


CONVERSATION: list[TemplatePiece | str] = [
    *(code("v6:client_ip", "address fields"), code("client_ip", "addresses"), " && "),
    *(code("v6:server_ip", "address fields"), code("server_ip", "addresses")),
    *(" && tcp.port == ", number("client_port"), " && tcp.port == ", number("server_port")),
]
COMMAND_CAPTURE: list[TemplatePiece | str] = [code("file:decides", "captures")]
ADDRESS_FIELDS = Words.of(["ip.addr == ", "ipv6.addr == "])

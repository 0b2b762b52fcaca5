"""Stories as capture files: what is told of them is told by the program from end to end."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import analyzer
from analyzer.results.result import ResultTables
from tests.capture.build import EPOCH, pcap
from tests.tracker.stories import Line, nanoseconds, told

A, B = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
NANOSECONDS = 0xA1B23C4D
END = re.compile(r"\+([\d.]+) end")
OPENED = """A S 0:1
B S. 0:1 ack 1
A . 1:1 ack 1
A P. 1:101 ack 1
B P. 1:201 ack 101
A . 101:101 ack 201"""


def frame_of(line: Line, number: int, client: int) -> bytes:
    """A segment of a story as an Ethernet frame; A's port is ``client``, and ``number`` its IP identification."""
    syn, fin = bool(line.flags & 2), bool(line.flags & 1)
    length = line.end - line.begin - syn - fin if line.end > line.begin else 0
    (own, port, isn), (peer, other, theirs) = ((A, client, 1000), (B, 80, 5000))[:: -1 if line.side else 1]
    ack = (theirs + line.ack) % 2**32 if line.flags & 16 else 0
    numbers = (port, other, (isn + line.begin) % 2**32, ack, 5 << 12 | line.flags, line.window, 0, 0)
    payload = bytes([line.byte])[:length] + bytes(max(0, length - 1))
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + length, number, 0, line.ttl, 6, 0, own, peer)
    return bytes(12) + b"\x08\x00" + ip + struct.pack(">HHIIHHHH", *numbers) + payload


def nothing() -> bytes:
    """A frame that is no TCP: something passed, the capture was running."""
    return bytes(12) + b"\x08\x06" + bytes(28)


def captured(text: str, first_port: int = 40_000) -> bytes:
    """The connections of a text, each told by its lines and separated by empty lines, as a capture: all begin at once.
    A line ``+500 end`` is when the capture ends, counted from the last segment of its connection."""
    frames: list[tuple[int, bytes]] = []
    for number, block in enumerate(re.split(r"\n\s*\n", text.strip())):
        lines = [line for line in block.strip().splitlines() if not END.fullmatch(line.strip())]
        (story,) = told("\n".join(["a connection", *lines]))
        now = EPOCH * 10**9
        for place, line in enumerate(story.lines, 1):
            now += line.pause
            frames.append((now, frame_of(line, place, first_port + number)))
        frames += [(now + nanoseconds(pause), nothing()) for pause in END.findall(block)]
    several = "\n\n" in text.strip()  # of one the frames stay as they are told, even where the clock runs backward
    frames = sorted(frames, key=lambda frame: frame[0]) if several else frames
    return pcap([(*divmod(time, 10**9), data) for time, data in frames], magic=NANOSECONDS)


def analyzed(text: str, folder: Path, **settings: Any) -> ResultTables:
    """What the program tells of the connections of a text."""
    path = folder / "told.pcap"
    path.write_bytes(captured(text))
    return analyzer.analyze(path, **settings)


def codes(result: ResultTables) -> list[str]:
    return sorted(result.findings["code"])

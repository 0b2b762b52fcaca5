"""Captures of pyshark. One of a file is that file; where it filters, the frames of the file that tshark lets pass.

pyshark's own packets are what tshark says of them, as text: their bytes are there only where the capture was made with
``use_json=True, include_raw=True``. So nothing is asked of its packets where there is a file. Frames keep the numbers
that they have in the file, as pyshark's ``packet.number``; connections are numbered among the frames that pass.
"""

import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.interfaces import harmless
from analyzer.capture.live.sniffer import WIRESHARK_LINKS
from analyzer.capture.objects.frames import Frame, is_a, nanoseconds
from analyzer.errors import UnreadableCapture, UsageError

UNKNOWN = 147  # LINKTYPE_, a private one, of which nothing is known
NO_BYTES = (
    "keeps no bytes of its packets: write them into a file (LiveCapture has output_file=...) and give its path, or "
    "make the capture with use_json=True, include_raw=True and load the packets"
)


def is_capture(thing: object) -> bool:
    """Whether it is a capture of pyshark's."""
    return is_a(thing, "pyshark.capture.capture", "Capture")


def is_packet(thing: object) -> bool:
    """Whether it is a packet of pyshark's."""
    return is_a(thing, "pyshark.packet.packet", "Packet")


def path_of(capture: Any) -> str | None:
    """The file that a capture reads, None where it reads none."""
    path = getattr(capture, "input_filepath", None)
    return None if path is None else str(path)


def restricts(capture: Any) -> bool:
    """Whether it may leave out packets of its file."""
    return bool(capture._display_filter or capture._custom_parameters)


def passing(capture: Any) -> NDArray[np.int64]:
    """The numbers of the frames that a capture of a file lets pass, ascending: asked of tshark with its parameters."""
    from pyshark.tshark.tshark import get_process_path

    command = [get_process_path(capture.tshark_path), *_without_output(capture.get_parameters())]
    asked = subprocess.run([*command, "-T", "fields", "-e", "frame.number"], capture_output=True, check=False)
    if asked.returncode:
        lines = asked.stderr.decode(errors="replace").strip().splitlines()
        said = " ".join(line for line in lines if not line.startswith("Running as user"))
        raise UnreadableCapture(harmless(f"{path_of(capture)}: tshark could not filter it: {said}"))
    return np.array(asked.stdout.split(), np.int64)


def _without_output(parameters: list[str]) -> list[str]:
    """The parameters without those that say what to print (``-x``), and into which file (``-w FILE``)."""
    kept: list[str] = []
    words = iter(parameters)
    for word in words:
        if word == "-w":
            next(words, None)
        elif word != "-x":
            kept.append(word)
    return kept


def loaded(capture: Any) -> list[Any]:
    """The packets that a capture of an interface, of a pipe, or in memory has loaded; raises UsageError where they have
    no bytes, or where there are none."""
    kind, packets = harmless(type(capture).__name__), list(capture._packets)
    if not capture.include_raw:
        raise UsageError(f"pyshark's {kind} {NO_BYTES}")
    if not packets:
        raise UsageError(f"pyshark's {kind} has not loaded any packets: call its sniff() or load_packets() first")
    return packets


def frames(packets: Iterable[Any]) -> Iterator[Frame]:
    """What is to be read of ``packets``; raises UsageError at one that is none, or that has no bytes."""
    for number, packet in enumerate(packets, 1):
        if not is_packet(packet):
            kind = harmless(type(packet).__name__)
            raise UsageError(f"item {number:,} is {kind}, but the first is a pyshark packet: pass packets only")
        if "FRAME_RAW" not in packet:
            raise UsageError(f"packet {number:,} has no bytes: its pyshark capture {NO_BYTES}")
        link = WIRESHARK_LINKS.get(int(packet.frame_info.encap_type), UNKNOWN)
        time = nanoseconds(str(packet.sniff_timestamp), f"packet {number:,}")
        yield Frame(time, int(packet.length), packet.get_raw_packet(), link, str(packet.interface_captured or ""))

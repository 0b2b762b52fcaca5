"""A slow second reader: tshark takes a capture apart, and what it says of each segment becomes a packet of ours.

It is for captures that this program cannot read itself: any of the dozens of file formats, and any tunnel or link
layer, that tshark knows. tshark names the fields of the innermost TCP header and the IP header before it; from them
the two headers are written again, as a packet of raw IP without its payload. Everything after the reader is the same.

What differs from our own reading: TCP headers quoted inside ICMP errors are left out, so stream numbers may differ
from Wireshark's where there are any; the first byte of the payload is not known; duplicates that differ only below IP
look alike. About 30,000 packets/s. pyshark knows where tshark is installed, on every system.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from struct import pack
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, NamedTuple, Self

import numpy as np

from analyzer.capture.byte_stream import unreadable
from analyzer.capture.dates import Dates
from analyzer.capture.frame_files import FrameFiles
from analyzer.capture.gaps import Gaps
from analyzer.capture.interfaces import MOST_INTERFACES
from analyzer.capture.packets import PACKET, Packets
from analyzer.capture.parser import TimeOrigin
from analyzer.capture.recording import Recording
from analyzer.errors import Notice, UnreadableCapture, UsageError
from analyzer.units import SECOND

BATCH = 16_384
RAW_IP = 101
DONT_FRAGMENT, TCP, TCP_LAYER = 0x4000, 6, ":tcp:"
FIELDS = (
    *("frame.number", "frame.time_epoch", "frame.protocols", "ip.src", "ip.dst", "ip.id", "ip.ttl", "ip.flags.df"),
    *("ipv6.src", "ipv6.dst", "ipv6.hlim", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags"),
    *("tcp.window_size_value", "tcp.len", "tcp.options", "frame.interface_id"),
)


class Row(NamedTuple):
    """The fields of one frame as tshark prints them, in the order of FIELDS; "" where there are none."""

    frame: str
    time: str
    protocols: str
    source: str
    target: str
    ip_id: str
    ttl: str
    dont_fragment: str
    source6: str
    target6: str
    hop_limit: str
    source_port: str
    target_port: str
    seq: str
    ack: str
    flags: str
    window: str
    payload: str
    options: str
    interface: str = ""


class TsharkStream:
    """The packets of one capture as tshark reads it; the interface is that of CaptureStream."""

    bytes_total: int | None = None  # tshark does not tell how far it is

    def __init__(self, path: str) -> None:
        self.packets = 0
        self.notices: list[Notice] = []
        self.recording = Recording(FrameFiles([path]), Gaps())
        self.interfaces: set[int] = set()  # numbers of those seen so far
        self._path = path
        self._size = 0 if path == "-" else _size(path)
        self._done = False
        self._left_out = 0
        self._dates = Dates(TimeOrigin())
        program = _program()
        self._said = TemporaryFile()  # noqa: SIM115 (closed with the stream; a pipe that nobody reads would fill up)
        self._process = _start(program, path, self._said)
        self._lines = _rows(self._process.stdout)

    @property
    def link_types(self) -> Counter[int]:
        """All packets count as raw IP: tshark has taken off what was around it."""
        return Counter({RAW_IP: self.packets})

    @property
    def bytes_read(self) -> int:
        return self._size if self._done else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def __iter__(self) -> Iterator[Packets]:
        while lines := list(islice(self._lines, BATCH)):
            self.packets += len(lines)
            yield self._batch(lines)
        self._finish()

    def _batch(self, lines: list[Row]) -> Packets:
        data = bytearray()
        made = []
        for row in lines:
            if TCP_LAYER not in f"{row.protocols}:" or "icmp" in row.protocols:
                continue
            headers = _headers(row)
            if headers:
                place = (
                    self._dates.time(int(row.frame), _nanoseconds(row.time)),
                    int(row.frame),
                    len(data),
                    len(headers),
                    len(headers) + int(row.payload),
                )
                interface = min(int(row.interface or 0), MOST_INTERFACES)
                self.interfaces.add(interface)
                made.append((*place, RAW_IP, interface, 0))
                data += headers
            self._left_out += not headers
        return Packets(np.frombuffer(bytes(data), np.uint8), np.array(made, PACKET))

    def _finish(self) -> None:
        """tshark has ended: hand on what it says, or fail if it could read nothing."""
        self._process.wait()
        self._said.seek(0)
        complaints = self._said.read().decode(errors="replace").strip().splitlines()
        said = [line for line in complaints if not line.startswith("Running as user")]
        if self._process.returncode and not self.packets:
            raise UnreadableCapture(f"{self._path}: {' '.join(said) or 'tshark cannot read it'}")
        told = [*(said if self._process.returncode else []), *self._dates.remarks()]
        self.notices += [Notice(f"{self._path}: {line}") for line in told]
        if self._left_out:
            self.notices.append(Notice(f"{self._path}: {self._left_out} TCP headers were cut short and skipped"))
        self._done = True


def open_with_tshark(paths: Sequence[str]) -> TsharkStream:
    """The one capture in ``paths``, read by tshark. Raises UsageError for several, or where there is no tshark."""
    if len(paths) != 1:
        raise UsageError("--engine tshark reads one capture at a time; join several with mergecap first")
    return TsharkStream(paths[0])


def _program() -> str:
    from pyshark.tshark.tshark import TSharkNotFoundException, get_process_path

    try:
        return str(get_process_path())
    except TSharkNotFoundException:
        raise UsageError("--engine tshark needs tshark, which is not installed") from None


def _start(program: str, path: str, errors: IO[bytes]) -> "subprocess.Popen[bytes]":
    shape = ["-n", "-T", "fields", "-E", "separator=/t", "-E", "occurrence=l"]
    asked = [word for field in FIELDS for word in ("-e", field)]
    return subprocess.Popen([program, "-r", path, *shape, *asked], stdout=subprocess.PIPE, stderr=errors)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error


def _rows(lines: IO[bytes] | None) -> Iterator[Row]:
    return (Row(*line.decode(errors="replace").rstrip("\n").split("\t")) for line in lines or ())


def _headers(row: Row) -> bytes:
    """The IP and the TCP header once more; b"" where the capture cut the TCP header short."""
    if not (row.seq and row.ack and row.window and row.payload):
        return b""
    options = bytes.fromhex(row.options.replace(":", ""))
    words = 5 + len(options) // 4
    ports = int(row.source_port), int(row.target_port)
    flags = int(row.flags, 0) & 0xFFF
    tcp = pack(">HHIIHHHH", *ports, int(row.seq), int(row.ack), words << 12 | flags, int(row.window), 0, 0) + options
    return _ip_header(row, len(tcp) + int(row.payload)) + tcp


def _ip_header(row: Row, carried: int) -> bytes:
    """Of the version that stands before the innermost TCP. A length beyond 16 bits is 0: segmentation offload."""
    layers = row.protocols.split(":")
    if layers[::-1].index("ipv6") < layers[::-1].index("ip") if {"ip", "ipv6"} <= {*layers} else "ipv6" in layers:
        ends = ip_address(row.source6).packed + ip_address(row.target6).packed
        return pack(">IHBB", 6 << 28, carried if carried < 1 << 16 else 0, TCP, int(row.hop_limit)) + ends
    length = carried + 20 if carried + 20 < 1 << 16 else 0
    whole = DONT_FRAGMENT if row.dont_fragment in ("1", "True") else 0
    ends = ip_address(row.source).packed + ip_address(row.target).packed
    return pack(">BBHHHBBH", 0x45, 0, length, int(row.ip_id, 0), whole, int(row.ttl), TCP, 0) + ends


def _nanoseconds(time: str) -> int | None:
    """``1700000000.123456789`` exactly; a whole number of seconds has no fraction. None where there is no time.

    Before 1970 tshark prints the second below and what comes on top of it: ``-2.250000000`` is 1.75 s before 1970.
    """
    if not time:
        return None
    whole, _, fraction = time.partition(".")
    return int(whole) * SECOND + int(fraction.ljust(9, "0")[:9])

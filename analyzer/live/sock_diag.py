"""The TCP sockets of this host as its kernel lists them (sock_diag over netlink, Linux), as a table.

A hundred thousand sockets are read with numpy, a mebibyte of answers at a time. A socket keeps its ``cookie`` for life,
through TIME_WAIT too, and no other ever has it: it tells a socket from a later one between the same two ends, which
neither addresses nor an inode do (TIME_WAIT has none).
"""

import socket
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOCK_DIAG, BY_FAMILY, DONE, FAILED = 4, 20, 3, 2
REQUEST, DUMP = 1, 0x300
INFO = 2  # INET_DIAG_INFO: struct tcp_info
LAST_SENT, LAST_HEARD = 44, 56  # places of tcpi_last_data_sent and tcpi_last_ack_recv in it, milliseconds
HEADER, BODY = 16, 72  # bytes of nlmsghdr and inet_diag_msg
MOST_ATTRIBUTES = 16
AT_ONCE = 1 << 20  # bytes of answers
QUESTIONS = 32  # for single sockets, at a time: their answers wait in the kernel
KERNEL_STATES = (
    "", "ESTABLISHED", "SYN_SENT", "SYN_RECEIVED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT", "CLOSED",
    "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECEIVED",
)  # fmt: skip
LISTENING = 1 << KERNEL_STATES.index("LISTEN")
ALL_BUT_LISTEN = 0xFFFF & ~LISTENING
MAPPED = bytes(10) + b"\xff\xff"  # begins an IPv4 address inside IPv6

MESSAGE = np.dtype(
    [
        ("family", "u1"), ("state", "u1"), ("timer", "u1"), ("retransmits", "u1"), ("own_port", ">u2"),
        ("peer_port", ">u2"), ("own", "S16"), ("peer", "S16"), ("interface", "u4"), ("cookie", "u8"),
        ("expires", "u4"), ("receive", "u4"), ("send", "u4"), ("user", "u4"), ("inode", "u4"),
    ]
)  # fmt: skip
# A row: every address in 16 bytes, IPv4 inside IPv6; the interface that it is bound to, 0 where it is to none. The
# times are -1 where they are not known.
SOCKET = np.dtype(
    [
        ("state", "u1"), ("timer", "u1"), ("own_port", "i4"), ("peer_port", "i4"), ("own", "S16"), ("peer", "S16"),
        ("cookie", "u8"), ("expires", "i8"), ("inode", "i8"), ("sent_ms", "i8"), ("heard_ms", "i8"),
        ("interface", "u4"),
    ]
)  # fmt: skip
Sockets = NDArray[np.void]


def available() -> bool:
    """Whether this system can be asked."""
    return hasattr(socket, "AF_NETLINK")


def listed(states: int = ALL_BUT_LISTEN) -> Sockets | None:
    """All TCP sockets in one of ``states`` (bits). None where the system cannot be asked."""
    if not available():
        return None
    parts: list[Sockets] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as netlink:
            netlink.settimeout(1.0)
            for family in (socket.AF_INET, socket.AF_INET6):
                netlink.send(request(family, states))
                parts += _answers(netlink)
    except OSError:
        return None
    return np.concatenate([np.zeros(0, SOCKET), *parts])


def request(family: int, states: int = ALL_BUT_LISTEN) -> bytes:
    """The question for all sockets of a family, with their tcp_info."""
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (INFO - 1), 0, states) + bytes(48)
    return struct.pack("=IHHII", HEADER + len(body), BY_FAMILY, REQUEST | DUMP, 1, 0) + body


def found_again(rows: Sockets) -> Sockets | None:
    """Those of some sockets that are still there, as they are now. Each is asked for by itself, which takes no longer
    where there are many others. None where the system cannot be asked."""
    parts: list[Sockets] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as netlink:
            netlink.settimeout(1.0)
            for first in range(0, len(rows), QUESTIONS):
                asked = rows[first : first + QUESTIONS]
                netlink.send(b"".join(map(request_for, asked)))
                answers = [netlink.recv(1 << 16) for _ in asked]  # a socket each, or that it is not there
                data = b"".join(answers)
                begins = np.cumsum([0, *map(len, answers)])[:-1].tolist()
                there = [at for at in begins if struct.unpack_from("=IH", data, at)[1] == BY_FAMILY]
                parts.append(rows_of(data, there))
    except OSError:
        return None
    return np.concatenate([np.zeros(0, SOCKET), *parts])


def request_for(row: np.void) -> bytes:
    """The question for one socket of a table."""
    own, peer = (bytes(row[name]).ljust(16, b"\0") for name in ("own", "peer"))
    four = own.startswith(MAPPED)
    if four:
        own, peer = (address[12:].ljust(16, b"\0") for address in (own, peer))
    family = socket.AF_INET if four else socket.AF_INET6
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (INFO - 1), 0, 0xFFFF)
    body += struct.pack(">HH", row["own_port"], row["peer_port"]) + own + peer
    body += struct.pack("=IQ", row["interface"], row["cookie"])
    return struct.pack("=IHHII", HEADER + len(body), BY_FAMILY, REQUEST, 1, 0) + body


def _answers(netlink: socket.socket) -> list[Sockets]:
    parts: list[Sockets] = []
    waiting, begins, last = bytearray(), list[int](), False
    while not last:
        data = netlink.recv(1 << 18)
        places, last = messages(data)
        begins += [len(waiting) + place for place in places]
        waiting += data
        if len(waiting) > AT_ONCE or last:
            parts.append(rows_of(bytes(waiting), begins))
            waiting, begins = bytearray(), []
    return parts


def messages(data: bytes) -> tuple[list[int], bool]:
    """Where the sockets of an answer begin, and whether it was the last."""
    at, size = 0, len(data)
    places: list[int] = []
    head = struct.Struct("=IH").unpack_from
    while at + HEADER <= size:
        length, kind = head(data, at)
        if kind in (DONE, FAILED) or length < HEADER:
            return places, True
        if length >= HEADER + BODY:
            places.append(at)
        at += (length + 3) & ~3
    return places, not data


def rows_of(data: bytes, places: list[int]) -> Sockets:
    """The sockets of some answers, which begin at these places."""
    rows = np.zeros(len(places), SOCKET)
    if not places:
        return rows
    begins, octets = np.array(places), np.frombuffer(data, np.uint8)
    told = octets[begins[:, None] + np.arange(HEADER, HEADER + BODY)].view(MESSAGE)[:, 0]
    for name in ("state", "timer", "own_port", "peer_port", "cookie", "expires", "inode", "interface"):
        rows[name] = told[name]
    four = told["family"] == socket.AF_INET
    for name in ("own", "peer"):
        rows[name] = np.where(four, _mapped(told[name]), told[name])
    _add_times(rows, begins, octets)
    return rows


def _mapped(addresses: NDArray[Any]) -> NDArray[Any]:
    made = np.zeros((len(addresses), 16), np.uint8)
    made[:, :12] = np.frombuffer(MAPPED, np.uint8)
    made[:, 12:] = np.ascontiguousarray(addresses).view(np.uint8).reshape(-1, 16)[:, :4]
    return made.view("S16")[:, 0]


def _add_times(rows: Sockets, begins: NDArray[np.int64], octets: NDArray[np.uint8]) -> None:
    """How long ago each last sent data and heard from its peer, from its tcp_info, one attribute of all at a time."""
    rows["sent_ms"] = rows["heard_ms"] = -1
    padded = np.append(octets, np.zeros(LAST_HEARD + 12, np.uint8))
    ends = begins + _word(padded, begins)
    at, left = begins + HEADER + BODY, np.arange(len(begins))
    for _ in range(MOST_ATTRIBUTES):
        left = left[at[left] + 4 <= ends[left]]
        if not len(left):
            return
        head = _word(padded, at[left])
        length, kind = head & 0xFFFF, head >> 16
        full = left[(kind == INFO) & (length >= 4 + LAST_HEARD + 4)]
        rows["sent_ms"][full] = _word(padded, at[full] + 4 + LAST_SENT)
        rows["heard_ms"][full] = _word(padded, at[full] + 4 + LAST_HEARD)
        at[left] += (length + 3) & ~3
        left = left[(length >= 4) & (kind != INFO)]


def _word(octets: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """The four octets from each place on, as a number of this machine."""
    return np.asarray(octets[at[:, None] + np.arange(4)].view(np.uint32)[:, 0], np.int64)


def address_text(address: bytes) -> str:
    """An address of a row. An IPv4 address inside IPv6 is the IPv4 address that packets show."""
    address = address.ljust(16, b"\0")
    if address.startswith(MAPPED):
        return socket.inet_ntop(socket.AF_INET, address[12:])
    return socket.inet_ntop(socket.AF_INET6, address)

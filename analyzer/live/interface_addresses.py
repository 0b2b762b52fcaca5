"""Which sockets of this host concern an interface: those whose own address is one of the interface's, and whose peer is
another host. Hosts talk to themselves over the loopback interface, whatever address they use.
"""

import socket
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyzer.live.sock_diag import DONE, FAILED, HEADER, MAPPED, REQUEST, Sockets

ROUTE, GET_ADDRESSES, DUMP = 0, 22, 0x300
BODY = 8  # bytes of ifaddrmsg
ADDRESS, LOCAL = 1, 2  # attributes; on a link to a single peer the first is the peer's
LOOPBACK = MAPPED + b"\x7f"  # begins 127.0.0.0/8
EVERY = "any"


def addresses_by_interface() -> dict[int, set[bytes]]:
    """The addresses of this host in 16 bytes, by the number of their interface. Raises OSError."""
    found: dict[int, set[bytes]] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, ROUTE) as netlink:
        netlink.settimeout(1.0)
        body = struct.pack("=BBBBI", socket.AF_UNSPEC, 0, 0, 0, 0)
        netlink.send(struct.pack("=IHHII", HEADER + len(body), GET_ADDRESSES, REQUEST | DUMP, 1, 0) + body)
        while not _read(netlink.recv(1 << 18), found):
            pass
    return found


def _read(data: bytes, found: dict[int, set[bytes]]) -> bool:
    at = 0
    while at + HEADER <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind in (DONE, FAILED) or length < HEADER:
            return True
        (number,) = struct.unpack_from("=I", data, at + HEADER + 4)
        found.setdefault(number, set()).add(_address(data[at + HEADER + BODY : at + length]))
        at += (length + 3) & ~3
    return not data


def _address(attributes: bytes) -> bytes:
    values: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        if length < 4:
            break
        values[kind] = attributes[at + 4 : at + length]
        at += (length + 3) & ~3
    address = values.get(LOCAL, values.get(ADDRESS, b""))
    return MAPPED + address if len(address) == 4 else address


def concerning(rows: Sockets, interfaces: Sequence[str]) -> NDArray[np.bool_]:
    """Which sockets concern one of the interfaces."""
    if EVERY in interfaces:
        return np.ones(len(rows), np.bool_)
    try:
        by_interface = addresses_by_interface()
        watched = [by_interface.get(socket.if_nametoindex(name), set()) for name in interfaces]
    except OSError:
        return np.zeros(len(rows), np.bool_)
    to_itself = _among(rows["peer"], set().union(*by_interface.values())) | _looped(rows["peer"])
    chosen = _among(rows["own"], set().union(*watched)) & ~to_itself
    if any(address.startswith(LOOPBACK) for own in watched for address in own):
        chosen |= to_itself
    return np.asarray(chosen)


def _among(addresses: NDArray[np.bytes_], wanted: set[bytes]) -> NDArray[np.bool_]:
    return np.isin(addresses, np.array([*wanted, b""], "S16")[:-1])


def _looped(addresses: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    return np.char.startswith(addresses, LOOPBACK)

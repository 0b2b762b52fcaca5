"""Which programs can capture here, and how each is asked to write what it sees into its standard output.

    dumpcap   one child for all interfaces; hands packets on in blocks, a quarter of a second old at most;
              tells what it lost when it ends
    tcpdump   one child an interface; tells what it lost whenever it is asked (SIGUSR1)
    scapy     a child of our own, in Python: for a machine that has neither; some ten thousand packets/s; tells what it
              lost whenever it is asked
    pyshark   tshark's dissection through pyshark, slower still; only on request

dumpcap comes first: it is the faster, and the one that distributions give the privilege to capture (the group
"wireshark"), so that neither it nor we need to be root. All but pyshark stamp packets with the kernel's clock.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from analyzer.capture.live.request import Request
from analyzer.errors import UnreadableCapture

ANY = "any"


@dataclass(frozen=True)
class Call:
    """One child: what to start, for which interfaces, whether it counts its losses when asked, how many seconds after a
    packet has passed it hands it on, at most, and whether it ever tells what it lost."""

    engine: str
    command: tuple[str, ...]
    interfaces: tuple[str, ...]
    tells_losses: bool = False
    delay: float = 0.2
    knows_losses: bool = True


def calls(request: Request) -> list[Call]:
    """The children that capture what is asked for. Raises UnreadableCapture where the engine is missing."""
    engine = request.engine if request.engine != "auto" else chosen()
    return MAKERS[engine](request)


def chosen() -> str:
    """The best engine there is."""
    for program in ("dumpcap", "tcpdump"):
        if shutil.which(program):
            return program
    try:
        import scapy  # noqa: F401
    except ImportError:
        raise UnreadableCapture(
            "no capture engine: install dumpcap (package wireshark-common) or tcpdump, or pip install scapy"
        ) from None
    return "scapy"


def program(name: str) -> str:
    """Where ``name`` is installed."""
    path = shutil.which(name)
    if path is None:
        raise UnreadableCapture(f"--engine {name}: {name} is not installed; leave --engine out to use what there is")
    return path


def dumpcap(request: Request) -> list[Call]:
    limits = ("-f", request.filter, "-s", str(request.snap_length), "-B", str(request.buffer_mib))
    places = tuple(word for name in request.interfaces for word in ("-i", name))
    return [
        Call("dumpcap", (program("dumpcap"), "-q", "-n", *limits, *places, "-w", "-"), request.interfaces, delay=0.4)
    ]


def tcpdump(request: Request) -> list[Call]:
    """``-U``: a packet is written when it comes, not when four kilobytes have."""
    limits = ("-s", str(request.snap_length), "-B", str(request.buffer_mib * 1024))
    shape = ("-n", "-U", "--time-stamp-precision=nano", *limits)
    return [
        Call("tcpdump", (program("tcpdump"), *shape, "-i", name, "-w", "-", "--", request.filter), (name,), True, 1.2)
        for name in request.interfaces
    ]


def own(engine: str) -> Callable[[Request], list[Call]]:
    """An engine that is a Python library, run in a child of its own."""

    def make(request: Request) -> list[Call]:
        shape = (sys.executable, "-m", "analyzer.capture.live.sniffer", engine, request.filter)
        command, counts = (*shape, str(request.snap_length), *request.interfaces), engine == "scapy"
        return [Call(engine, command, request.interfaces, counts, knows_losses=counts)]

    return make


MAKERS: dict[str, Callable[[Request], list[Call]]] = {
    "dumpcap": dumpcap,
    "tcpdump": tcpdump,
    "scapy": own("scapy"),
    "pyshark": own("pyshark"),
}

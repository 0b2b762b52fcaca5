"""What a capture program complains about, as one line that says what to do."""

import re
import socket

from analyzer.capture.interfaces import harmless

NOT_ALLOWED = re.compile(r"permission|not permitted|EPERM|must be root|privilege", re.I)
NO_DEVICE = re.compile(r"no such device|no device named|doesn't exist|does not exist|not found", re.I)
NOT_UP = re.compile(r"not up\b|network is down", re.I)
BAD_FILTER = re.compile(r"filter|syntax error|parse error|unknown host|illegal token|expression rejects", re.I)
GONE = re.compile(r"disappeared|no longer|went down|not up|network is down|no such device|went away", re.I)
CHATTER = re.compile(r"^(Capturing on|File:|Packets|tcpdump: listening|\d+ packets?|Running as user|See |$)")
MOST = 300  # letters of a program's own words that are repeated


def said(lines: list[str]) -> str:
    """What a program said that is no routine, in one line."""
    words = " ".join(line.strip() for line in lines if not CHATTER.match(line.strip()))
    return harmless(words)[:MOST]


def cannot_begin(engine: str, interfaces: tuple[str, ...], filter: str, lines: list[str]) -> str:
    """Why the engine could not begin, and the remedy."""
    words, shown = " ".join(lines), harmless(", ".join(interfaces))
    absent = [name for name in interfaces if name not in there_are()]
    if NO_DEVICE.search(words) and absent:
        return f"there is no interface {harmless(', '.join(absent))}; there are: {', '.join(there_are())}"
    if NOT_ALLOWED.search(words):
        return f"no privilege to capture on {shown}: {how_to_get_it(engine)}"
    if NOT_UP.search(words):
        return f"interface {shown} is down; bring it up first: ip link set {shown} up"
    if BAD_FILTER.search(words):
        return f"bad capture filter {filter!r}: {said(lines)} (its language: man pcap-filter)"
    return f"{engine} could not capture on {shown}: {said(lines) or 'it ended without an error message'}"


def how_to_get_it(engine: str) -> str:
    if engine in ("dumpcap", "pyshark"):
        return (
            "run with sudo, or give it to the capture program alone: "
            "sudo setcap cap_net_raw,cap_net_admin=eip $(command -v dumpcap), or join the group wireshark"
        )
    if engine == "tcpdump":
        return (
            "run with sudo, or give it to the capture program alone: "
            "sudo setcap cap_net_raw,cap_net_admin=eip $(command -v tcpdump)"
        )
    return "run with sudo, or install dumpcap, which can have the privilege instead"


def ended_early(engine: str, interfaces: tuple[str, ...], status: int, lines: list[str]) -> str:
    """Why the engine ended although nobody had asked it to."""
    words, shown = " ".join(lines), harmless(", ".join(interfaces))
    gone = [name for name in interfaces if name not in there_are()]
    if gone:
        return f"interface {harmless(', '.join(gone))} is gone; the packets captured so far were analysed"
    if GONE.search(words):
        return f"interface {shown} went down; the packets captured so far were analysed"
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    why = f": {said(lines)}" if said(lines) else ""
    return f"{engine} {how}{why}; the packets captured so far were analysed"


def there_are() -> list[str]:
    """Names of the interfaces of this machine, and ``any``."""
    return [*(name for _, name in socket.if_nameindex()), "any"]

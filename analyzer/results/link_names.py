"""Names of link types, for people; numbers as in the LINKTYPE_ registry (https://www.tcpdump.org/linktypes.html)."""

NAMES = {
    0: "BSD loopback",
    1: "Ethernet",
    9: "PPP",
    12: "raw IP",
    14: "raw IP",
    50: "PPP with HDLC framing",
    51: "PPPoE",
    101: "raw IP",
    104: "Cisco HDLC",
    105: "802.11",
    107: "Frame Relay",
    108: "OpenBSD loopback",
    113: "Linux cooked",
    119: "802.11 with Prism header",
    127: "802.11 with radiotap header",
    192: "PPI",
    228: "IPv4",
    229: "IPv6",
    239: "NFLOG",
    276: "Linux cooked v2",
}


def link_name(number: int) -> str:
    """``Ethernet``; ``link type 147`` where it has no name here."""
    return NAMES.get(number, f"link type {number}")

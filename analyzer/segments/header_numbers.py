"""Where the walk through a packet's headers can lead, as one number; and the names of the ends without TCP.

Whatever header comes next is named by a single number: a family, and the family's own official number in the
low 16 bits. ``LINK | 1`` is an Ethernet header, ``ETHERTYPE | 0x0800`` IPv4, ``PROTOCOL | 6`` TCP. A step of the
walk takes such a number and returns the next one, or, if it does not understand the header, the same number with
``STOP`` set. Counting the ends by their number says exactly what was not understood. What is wrong with a packet
is an ``END``.
"""

FAMILY = 1 << 16
"""Size of one family: the next number divided by this is its family."""

ETHERTYPE, LINK, PROTOCOL, END = (family * FAMILY for family in range(4))
NUMBERS = 4 * FAMILY
"""How many such numbers there are: the length of the array that counts ends."""

STOP = 1 << 20
"""Set in a number at which the walk ends; every end is at least ``END``, every other number below."""

ETHERNET, PPP, LLC, RAW_IP, WLAN = (LINK | number for number in (1, 9, 100, 101, 105))
IPV4, IPV6, MPLS = (ETHERTYPE | number for number in (0x0800, 0x86DD, 0x8847))
TCP = PROTOCOL | 6
IPCOMP = 108

(
    CUT,
    MALFORMED,
    DEEP,
    NO_NETWORK_LAYER,
    ENCRYPTED,
    QUOTED_PART,
    FRAGMENT,
    FRAGMENT_CUT,
    FRAGMENT_PENDING,
    FRAGMENT_JOINED,
    FRAGMENT_REFUSED,
    COMPRESSED,
) = (END + number for number in range(1, 13))
"""``FRAGMENT`` is an end for the compiled walk only: the reassembler turns it into one of the others."""

NOT_IP = ("not IP", "the link carries a protocol other than IP (ARP, LLDP, control of LLC, PPP or Wi-Fi, ...)")

REASONS = {
    CUT: ("headers cut", "the snap length cut the packet before the window of its TCP header"),
    MALFORMED: ("malformed headers", "a header contradicts itself or the length of what surrounds it"),
    DEEP: ("nested too deeply", "more nested headers than the decoder follows"),
    NO_NETWORK_LAYER: NOT_IP,
    ENCRYPTED: ("encrypted", "the payload is encrypted (protected 802.11 frames)"),
    QUOTED_PART: ("ICMP quoting a fragment", "an ICMP error quotes a later fragment, which has no TCP header"),
    FRAGMENT_CUT: ("IP fragments cut", "the snap length cut an IP fragment, so its datagram cannot be reassembled"),
    FRAGMENT_PENDING: ("IP fragments missing", "other fragments of the same datagram have not been captured"),
    FRAGMENT_JOINED: ("IP fragments joined", "part of a datagram that a later frame completed"),
    FRAGMENT_REFUSED: (
        "IP fragments refused",
        "fragments that overlap with different bytes, or make a datagram longer than 65535 bytes",
    ),
    COMPRESSED: ("compressed TCP", "TCP whose header (RFC 1144), or whose IP payload (IPComp), is compressed"),
}

UDP = ("UDP", "UDP that carries no tunnel with TCP inside")
ICMP = ("ICMP", "ICMP or ICMPv6 that quotes no TCP header")
OTHER_PROTOCOL = ("other IP protocols", "neither TCP nor a tunnel the decoder follows")

HIDE_TCP = frozenset(
    REASONS[number][0]
    for number in (CUT, MALFORMED, DEEP, ENCRYPTED, FRAGMENT_CUT, FRAGMENT_PENDING, FRAGMENT_REFUSED, COMPRESSED)
)
"""The names under which packets are counted that may hold TCP: what is missing of a connection may be in them."""

VOCABULARY = dict([*REASONS.values(), UDP, ICMP, OTHER_PROTOCOL])
"""Every name that can be counted, with its meaning; link types not supported are counted under their number."""


def reason(number: int) -> str:
    """Under which name packets are counted whose walk ended at ``number``."""
    if number >= END:
        return REASONS[number][0]
    if number >= PROTOCOL:
        named = {17: UDP, 1: ICMP, 58: ICMP, IPCOMP: REASONS[COMPRESSED]}
        return named.get(number - PROTOCOL, OTHER_PROTOCOL)[0]
    return f"link type {number - LINK} not supported" if number >= LINK else NOT_IP[0]


def detail(number: int) -> str:
    """The exact end, for those who want to know which EtherType or IP protocol it was."""
    if number >= END:
        return REASONS[number][0]
    if number >= PROTOCOL:
        return f"IP protocol {number - PROTOCOL}"
    return f"link type {number - LINK}" if number >= LINK else f"EtherType {number:#06x}"

"""What ICMP errors say, in the words of the IANA registries, and what that makes one suspect.

A kind is version of IP * 65536 + type * 256 + code, as in the ledger's column ``icmp_kind``.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.rule import Bools, Choice


class Reason(IntEnum):
    """Why somebody says that a packet was dropped."""

    NONE = 0  # nobody says anything
    ROUTE = 1  # there is no way on
    HOST = 2  # the host did not answer on its own link
    REFUSED = 3  # a rule forbids it
    LOOP = 4  # it went round until its time to live was used up
    SIZE = 5  # it is too large for a link
    HEADER = 6  # its header or its handling is at fault


RULES = "nft list ruleset; iptables-save; ip6tables-save"
SUSPECTS = {  # but for NONE: what to suspect, what to see, and the command before the address it is about; rules are
    # not told by address, so there it stands before the command
    Reason.ROUTE: ("a missing route", "whether it has a route", "ip route get "),
    Reason.HOST: ("a host that is down, or a wrong address,", "whether the host answers at all", "ip neigh show "),
    Reason.REFUSED: ("a firewall with a reject rule", "which rule meets ", RULES),
    Reason.LOOP: ("a routing loop", "which hops repeat", "traceroute -n "),
    Reason.SIZE: ("a tunnel with a small MTU", "where the MTU drops", "tracepath -n "),
    Reason.HEADER: ("whoever sent the ICMP error", "what it dropped", "journalctl -k | grep "),
}
UNREACHABLE, TOO_BIG, TIME, PARAMETER = (
    "destination unreachable",
    "packet too big",
    "time exceeded",
    "parameter problem",
)
UNREACHABLE_4 = (
    ("net unreachable", Reason.ROUTE),
    ("host unreachable", Reason.HOST),
    ("protocol unreachable", Reason.REFUSED),
    ("port unreachable", Reason.REFUSED),
    ("fragmentation needed and DF set", Reason.SIZE),
    ("source route failed", Reason.HEADER),
    ("destination network unknown", Reason.ROUTE),
    ("destination host unknown", Reason.HOST),
    ("source host isolated", Reason.ROUTE),
    ("communication with the network administratively prohibited", Reason.REFUSED),
    ("communication with the host administratively prohibited", Reason.REFUSED),
    ("net unreachable for this type of service", Reason.ROUTE),
    ("host unreachable for this type of service", Reason.HOST),
    ("communication administratively prohibited", Reason.REFUSED),
    ("host precedence violation", Reason.HEADER),
    ("precedence cutoff in effect", Reason.HEADER),
)
UNREACHABLE_6 = (
    ("no route to destination", Reason.ROUTE),
    ("communication administratively prohibited", Reason.REFUSED),
    ("beyond scope of source address", Reason.ROUTE),
    ("address unreachable", Reason.HOST),
    ("port unreachable", Reason.REFUSED),
    ("source address failed ingress or egress policy", Reason.REFUSED),
    ("reject route to destination", Reason.REFUSED),
)
IN_TRANSIT, REASSEMBLY = "in transit", "during fragment reassembly"
WHOLE_TYPES = {  # by version and type, whatever the code
    (4, 3): (UNREACHABLE, Reason.HEADER),
    (4, 11): (TIME, Reason.HEADER),
    (4, 12): (PARAMETER, Reason.HEADER),
    (6, 1): (UNREACHABLE, Reason.HEADER),
    (6, 2): (TOO_BIG, Reason.SIZE),
    (6, 3): (TIME, Reason.HEADER),
    (6, 4): (PARAMETER, Reason.HEADER),
}


def kind(version: int, type_: int, code: int) -> int:
    return version << 16 | type_ << 8 | code


KNOWN: dict[int, tuple[str, Reason]] = {
    kind(version, type_, code): known for (version, type_), known in WHOLE_TYPES.items() for code in range(256)
}
KNOWN |= {
    kind(version, type_, code): (f"{UNREACHABLE}, {words}", reason)
    for version, type_, codes in ((4, 3, UNREACHABLE_4), (6, 1, UNREACHABLE_6))
    for code, (words, reason) in enumerate(codes)
}
KNOWN |= {
    kind(version, type_, code): (f"{TIME} {words}", reason)
    for version, type_ in ((4, 11), (6, 3))
    for code, (words, reason) in enumerate(((IN_TRANSIT, Reason.LOOP), (REASSEMBLY, Reason.HEADER)))
}
UNNAMED = "another error", Reason.HEADER

TEXTS = ("", *dict.fromkeys(text for text, _ in [*KNOWN.values(), UNNAMED]))
"""What an error may say, by :func:`text_of`; the first is nothing."""

_KINDS = np.array(sorted(KNOWN), np.int64)
_TEXTS = np.array([TEXTS.index(KNOWN[kind][0]) for kind in _KINDS.tolist()], np.uint8)
_REASONS = np.array([KNOWN[kind][1] for kind in _KINDS.tolist()], np.uint8)


def text_of(kinds: NDArray[Any]) -> NDArray[np.uint8]:
    """Place in TEXTS of each kind, 0 of kind 0."""
    return _of(kinds, _TEXTS, TEXTS.index(UNNAMED[0]))


def reason_of(kinds: NDArray[Any]) -> NDArray[np.uint8]:
    """Reason of each kind, NONE of kind 0."""
    return _of(kinds, _REASONS, UNNAMED[1])


def and_again(more: Bools, mixed: Bools) -> Choice:
    """Words before the last error, where there were ``more`` than one, of which some said other things (``mixed``)."""
    return Choice(more.astype(np.uint8) * (1 + mixed), ("", "; and again, last", "; then other errors, last"))


def _of(kinds: NDArray[Any], values: NDArray[np.uint8], unnamed: int) -> NDArray[np.uint8]:
    place = np.minimum(np.searchsorted(_KINDS, kinds), len(_KINDS) - 1)
    found = np.where(_KINDS[place] == kinds, values[place], unnamed)
    return np.asarray(np.where(kinds == 0, 0, found), np.uint8)

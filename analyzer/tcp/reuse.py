"""Addresses and ports that are used again: by which rule a host that still waits in TIME_WAIT lets a new SYN in.

A SYN on a tuple in TIME_WAIT may open a new connection where it cannot be mistaken for a segment of the old one: with a
sequence number higher than any of the old connection (RFC 1122 4.2.2.13, RFC 9293 3.10.7.4), or with a timestamp newer
than its last (RFC 6191). Whoever is in TIME_WAIT itself may also ask again from there. In any other state of the old
connection the answer is an acknowledgment, no SYN-ACK (RFC 9293 3.10.7.4); the RST that it draws ends the old one.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.columns import Vocabulary, words_of


class ReuseRule(IntEnum):
    """What lets a SYN on used addresses and ports in."""

    UNKNOWN = 0
    OVER = 1
    OWN_TIME_WAIT = 2
    NEWER_TIMESTAMP = 3
    HIGHER_SEQUENCE = 4
    NONE = 5
    ALIVE = 6


class ReuseOutcome(IntEnum):
    """What became of the SYN."""

    ACCEPTED = 0
    DELAYED = 1
    REFUSED = 2
    UNANSWERED = 3
    INCOMPLETE = 4


OUTCOMES = Vocabulary(
    tuple(words_of(ReuseOutcome)),
    {
        "accepted": "the connection opened, and nothing shows that the old one was in the way",
        "delayed": "it opened after the old one had been in the way: an acknowledgment of that came back first, or the "
        "SYN had to be repeated while the receiver still had it",
        "refused": "SYN answered by a RST",
        "unanswered": "nothing answered the SYN",
        "incomplete": "answered, but the connection never opened",
    },
)
RULE_MEANINGS = {
    ReuseRule.OVER: "none is needed: the receiver had nothing left of the old connection, by the timers in force",
    ReuseRule.OWN_TIME_WAIT: "none is needed: only the client itself was in TIME_WAIT, and chose to ask again",
    ReuseRule.NEWER_TIMESTAMP: "the receiver was in TIME_WAIT, and the SYN's timestamp is newer than the old "
    "connection's last (RFC 6191)",
    ReuseRule.HIGHER_SEQUENCE: "the receiver was in TIME_WAIT, and the SYN's sequence number is higher than the old "
    "connection's last (RFC 1122 4.2.2.13)",
    ReuseRule.NONE: "the receiver was in TIME_WAIT, and neither is newer: it need not let the SYN in",
    ReuseRule.ALIVE: "the receiver still had the old connection, in a state other than TIME_WAIT or not known: it "
    "acknowledges that instead, and a RST must end it first (RFC 9293 3.10.7.4)",
}
RULES = Vocabulary(
    ("", *words_of(ReuseRule)[1:]),
    {words_of(ReuseRule)[rule]: meaning for rule, meaning in RULE_MEANINGS.items()},
)


def rule_in_time_wait(own: NDArray[Any], ts_ahead: NDArray[Any], seq_ahead: NDArray[Any]) -> NDArray[np.uint8]:
    """The rule (ReuseRule) where an endpoint is in TIME_WAIT: ``own`` if that is who asks; how far the SYN's timestamp
    and sequence number are ahead of the old connection's."""
    first = [np.broadcast_to(own, np.broadcast_shapes(own.shape, ts_ahead.shape)), ts_ahead > 0, seq_ahead > 0]
    rules = [ReuseRule.OWN_TIME_WAIT, ReuseRule.NEWER_TIMESTAMP, ReuseRule.HIGHER_SEQUENCE]
    return np.select(first, [np.uint8(rule) for rule in rules], np.uint8(ReuseRule.NONE))

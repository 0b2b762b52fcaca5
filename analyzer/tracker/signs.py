"""Signs: what a flow may show that a rule has something to say of. One vocabulary for the rules and the tracker.

Each rule names in its ``NEEDS`` the signs of which a flow must show one (``findings/needs.py``). What all rules
together ask for is handed to the tracker as a mask (:class:`Asked`). When a flow is finished the tracker tells its
signs (``ordinary.py``): a flow that shows none of those asked for is ordinary, and no rule sees it. The fast path takes
only flows whose signs nobody asks for. So a rule that asks for a FIN makes the program slower and is never mute.
"""

from enum import IntFlag
from typing import NamedTuple

from analyzer.tracker.ledger import OLDER, UNUSUAL


class Sign(IntFlag):
    """What a flow shows. "An endpoint" is either of the two."""

    # Shown by ordinary flows too: with a rule that asks for one of these, few flows are ordinary.
    SEGMENT = 1 << 0  # a segment of it was captured: every flow shows this
    SYN = 1 << 1  # an endpoint sent a SYN or SYN-ACK
    HANDSHAKE = 1 << 2  # an endpoint entered ESTABLISHED
    DATA = 1 << 3  # an endpoint sent payload
    FIN = 1 << 4  # an endpoint sent a FIN
    CLOSE_WAIT = 1 << 5  # an endpoint entered CLOSE_WAIT
    # Shown by few flows.
    OLDER_FLOW = 1 << 6  # an older flow on the same addresses and ports was still kept when it began
    NO_OPENING = 1 << 7  # no SYN and no SYN-ACK was captured
    ONE_DIRECTION = 1 << 8  # nothing of one endpoint was captured, and more than a single SYN of the other
    SYN_REPEATED = 1 << 9  # an endpoint sent its SYN or SYN-ACK more than once
    FIN_REPEATED = 1 << 10  # an endpoint sent its FIN more than once
    FIN_LATE = 1 << 11  # an endpoint sent its FIN more than --slow-close after it had acknowledged the peer's
    FINS_CROSSED = 1 << 12  # neither FIN acknowledges the other
    LEFT_IN_CLOSE_WAIT = 1 << 13  # an endpoint was in CLOSE_WAIT at the end
    UNUSUAL = 1 << 14  # a column of UNUSUAL is noted of an endpoint: a RST, a loss, a repeat, a probe and so on
    OTHER_ENDING = 1 << 15  # it is more than a SYN and SYN-ACK, and did not end by one FIN from each side alone
    GAVE_UP_WAITING = 1 << 16  # the client closed --gave-up-waiting after its last data, which were not answered


SIGNS_OF_SINGLE_SYN = Sign.SEGMENT | Sign.SYN
"""All that a flow of a single SYN shows."""

SIGNS_OF_WHOLE_FLOW = Sign.SEGMENT | Sign.SYN | Sign.HANDSHAKE | Sign.DATA | Sign.FIN | Sign.CLOSE_WAIT
"""All that a flow may show that the fast path takes as a whole, but FIN_LATE, GAVE_UP_WAITING and OLDER_FLOW."""


class Asked(NamedTuple):
    """What is asked of flows: the ``signs`` that somebody has something to say of; and those for which the few columns
    of OF_REUSED suffice (``few_columns_enough``)."""

    signs: Sign
    few_columns_enough: Sign


EVERYTHING = Asked(Sign(sum(Sign)), Sign(0))


def sign_of_column(name: str) -> Sign:
    """The sign that every flow shows in which that column of the ledger is not 0. Columns that ordinary flows have give
    Sign(0): there a sign says more exactly what is meant."""
    if name in (UNUSUAL.names or ()):
        return Sign.UNUSUAL
    return Sign.OLDER_FLOW if name in (OLDER.names or ()) else Sign(0)

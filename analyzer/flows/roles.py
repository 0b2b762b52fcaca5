"""Which side is the client, when no handshake tells: the ports decide, and the flow is marked as guessed.

The side whose port stands first in this list is the server:

0. a port of ``services.py``;
1. another system port, below 1024 (RFC 6335), where servers once needed privileges to listen. These come
   second because NFS and rsh *clients* bind such ports too, while the service they call is listed;
2. any other port;
3. a port that is known to call rather than to listen.

Between equals the lower port is the server's, since ephemeral ports are high (Linux 32768-60999, RFC 6335
49152-65535). Between equal ports side 0, which spoke first, counts as the client. A SYN or SYN-ACK seen
later overrides the guess.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from analyzer.flows.services import CALLERS, COMMON, REGISTERED

LISTED, SYSTEM, OTHER, CALLER = range(4)


@cache
def port_ranks() -> NDArray[np.uint8]:
    """Rank of each port, shape (65536,): the side whose port has the lower rank is the server."""
    ranks = np.full(65536, OTHER, np.uint8)
    ranks[:1024] = SYSTEM
    for ports, rank in ((REGISTERED, LISTED), (COMMON, LISTED), (CALLERS, CALLER)):
        ranks[list(ports)] = rank
    ranks.flags.writeable = False
    return ranks

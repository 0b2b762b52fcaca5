"""What a segment takes of its sender's sequence numbers, and acknowledges of its receiver's."""

import numpy as np

from analyzer.kernels import helper
from analyzer.segments.table import ACK, PADDED


@helper
def ack_of(s, known):
    """The acknowledgment that segment ``s`` carries; ``known``, the highest of its sender, where it has no ACK flag."""
    return np.int64(s["ack"]) if np.int64(s["flags"]) & ACK else np.int64(known)


@helper
def length_of(s):
    """Bytes of payload of a segment, those that look like padding apart."""
    return np.int64(0) if np.int64(s["marks"]) & PADDED else np.int64(s["payload_len"])

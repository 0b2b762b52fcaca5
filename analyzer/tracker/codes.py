"""What is known of an endpoint, and the kinds of segments, as numbers for kernels (see ``tcp.codes``)."""

import numpy as np

from analyzer.tracker.ledger import Answered, Known

ISN = np.int64(Known.ISN)
NXT = np.int64(Known.NXT)
ACKED = np.int64(Known.ACK)
FIN_KNOWN = np.int64(Known.FIN)
FIN_ACKED = np.int64(Known.FIN_ACKED)
PEER_FIN = np.int64(Known.PEER_FIN)
PEER_FIN_ASSUMED = np.int64(Known.PEER_FIN_ASSUMED)
FIN_INFERRED = np.int64(Known.FIN_INFERRED)
RST_STANDS = np.int64(Known.RST)
MIXED = np.int64(Known.MIXED)
MID_STREAM = np.int64(Known.MID_STREAM)
ID_MOVES = np.int64(Known.ID_MOVES)
SENT_DATA = np.int64(Known.SENT_DATA)
RST_ACCEPTED = np.int64(Known.RST_ACCEPTED)
CROSSED_SYN = np.int64(Known.CROSSED_SYN)
TIMESTAMPS = np.int64(Known.TIMESTAMPS)

KIND_ACK = np.int64(Answered.ACK)
KIND_DATA = np.int64(Answered.DATA)
KIND_FIN = np.int64(Answered.FIN)
KIND_SYN = np.int64(Answered.SYN)
KIND_SYN_ACK = np.int64(Answered.SYN_ACK)
KIND_PROBE = np.int64(Answered.KEEP_ALIVE)

"""The members of the vocabularies as numbers for kernels.

numpy's numbers, not Python's: numba compiles a function anew for each Python constant that it is called with.
"""

import numpy as np

from analyzer.tcp.evidence import Basis, Note
from analyzer.tcp.states import Event, State

UNKNOWN, CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED = (np.int64(state) for state in list(State)[:6])
FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSE_WAIT, LAST_ACK = (np.int64(state) for state in list(State)[6:])

SENT_SYN = np.int64(Event.SENT_SYN)
SENT_SYN_ACK = np.int64(Event.SENT_SYN_ACK)
RCVD_SYN_ACK = np.int64(Event.RCVD_SYN_ACK)
RCVD_ACK_OF_SYN = np.int64(Event.RCVD_ACK_OF_SYN)
SENT_MID_STREAM = np.int64(Event.SENT_MID_STREAM)
SENT_FIN = np.int64(Event.SENT_FIN)
RCVD_FIN = np.int64(Event.RCVD_FIN)
RCVD_ACK_OF_FIN = np.int64(Event.RCVD_ACK_OF_FIN)
SENT_RST = np.int64(Event.SENT_RST)
RCVD_RST = np.int64(Event.RCVD_RST)
TIMER = np.int64(Event.TIMER)
REPLACED = np.int64(Event.REPLACED)
LOST_SIGHT = np.int64(Event.LOST_SIGHT)
SYN_AGAIN = np.int64(Event.SYN_AGAIN)
SYN_ACK_AGAIN = np.int64(Event.SYN_ACK_AGAIN)
FIN_AGAIN = np.int64(Event.FIN_AGAIN)
ACK_OF_FIN_AGAIN = np.int64(Event.ACK_OF_FIN_AGAIN)
RST_AGAIN = np.int64(Event.RST_AGAIN)
RST_IGNORED = np.int64(Event.RST_IGNORED)
DATA_AFTER_FIN = np.int64(Event.DATA_AFTER_FIN)
DATA_AFTER_PEER_FIN = np.int64(Event.DATA_AFTER_PEER_FIN)
STALE_ACK = np.int64(Event.STALE_ACK)
CAPTURE_END = np.int64(Event.CAPTURE_END)

SENT, PROVEN, ASSUMED, BY_TIMER, AT_END = (np.int64(basis) for basis in Basis)

NO_NOTE = np.int64(Note.NONE)
UNEXPECTED = np.int64(Note.UNEXPECTED)
FIN_NOT_CAPTURED = np.int64(Note.FIN_NOT_CAPTURED)
PEER_NOT_CAPTURED = np.int64(Note.PEER_NOT_CAPTURED)
OUTSIDE_WINDOW = np.int64(Note.OUTSIDE_WINDOW)
RECEIVER_WENT_ON = np.int64(Note.WENT_ON)
NOT_ITS_OWN = np.int64(Note.NOT_ITS_OWN)
HAD_EXPIRED = np.int64(Note.HAD_EXPIRED)
IN_NO_TIME = np.int64(Note.IN_NO_TIME)
OLD_CONNECTION = np.int64(Note.OLD_CONNECTION)
ANSWERS_SYN = np.int64(Note.ANSWERS_SYN)
CLOSED_BEFORE = np.int64(Note.CLOSED_BEFORE)
NOT_OF_THE_SYN = np.int64(Note.NOT_OF_THE_SYN)
CAME_ANOTHER_WAY = np.int64(Note.OTHER_PATH)
OFF_THE_COUNT = np.int64(Note.OFF_COUNT)

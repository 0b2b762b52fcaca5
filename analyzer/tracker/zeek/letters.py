"""The letters of ``history``: which stand for what, how they are kept, and which of them are written once.

A letter is a number of five bits: its place in LETTERS, counted from 1, and LOWER more for the responder. Three words
of the flow's row keep twelve of them each, the newest lowest; letters beyond these are dropped.

Fence: only numpy and this project's constants inside.
"""

import numpy as np

from analyzer.kernels import helper
from analyzer.tracker.vocabularies import LETTERS

LOWER, BITS = np.int64(len(LETTERS)), np.int64(5)
FOR_SYN, FOR_SYN_ACK, FOR_ACK, FOR_DATA, FOR_FIN, FOR_RST = (np.int64(number) for number in range(1, 7))
FOR_GAP, FOR_REPEAT, FOR_ZERO_WINDOW, FOR_FIN_RST, FOR_MIXED_FLAGS, FOR_SWAP = (np.int64(n) for n in range(7, 13))
FULL = np.int64(1 << 55)  # a word beyond this has all its twelve letters
SWAPPED = FOR_SWAP << BITS | FOR_SYN_ACK + LOWER  # ^h
ONCE = 8  # kinds of letters that are noted once for each role


@helper
def write(f, letter):
    """Write a letter, if there is room."""
    first, second, third = np.int64(f["history_0"]), np.int64(f["history_1"]), np.int64(f["history_2"])
    if first < FULL:
        f["history_0"] = first << BITS | letter
    elif second < FULL:
        f["history_1"] = second << BITS | letter
    elif third < FULL:
        f["history_2"] = third << BITS | letter


@helper
def write_as(f, letter, side):
    """Write a letter of a side: small where it is the responder."""
    write(f, letter if side == np.int64(f["zeek_opener"]) else letter + LOWER)


@helper
def write_once(f, letter, side, kind):
    """Write a letter, unless the role of that side has one of its kind; returns whether it has.

    Data or an acknowledgment behind nothing but a SYN-ACK of the originator shows that this is the server."""
    if letter in (FOR_ACK, FOR_DATA) and np.int64(f["history_0"]) == FOR_SYN_ACK:
        f["zeek_opener"] = np.int64(f["zeek_opener"]) ^ 1
        f["history_0"] = SWAPPED
    bit = np.int64(1) << kind + (0 if side == np.int64(f["zeek_opener"]) else ONCE)
    if np.int64(f["zeek_once"]) & bit:
        return True
    f["zeek_once"] = np.int64(f["zeek_once"]) | bit
    write_as(f, letter, side)
    return False


@helper
def write_often(f, letter, side, count):
    """Write a letter for the first, tenth, hundredth time and so on."""
    power = np.int64(1)
    while power < count:
        power *= 10
    if power == count:
        write_as(f, letter, side)

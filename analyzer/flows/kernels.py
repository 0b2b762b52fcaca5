"""Which conversation each segment belongs to, numbered the way Wireshark numbers tcp.stream.

A conversation is a pair of endpoints (address and port) *and* a start, since a pair can be used again.
Wireshark 4.0 decides in this order (found by comparing with it on random traffic), and so do these kernels:

1. The newest conversation of the pair is taken, whichever end speaks. Where there is none, one starts.
2. A SYN without ACK whose sequence number differs from the sender's ISN starts a new conversation, provided
   that an ISN of that sender is known. Nothing else starts one: no FIN, no RST, no pause. So a SYN with the
   *same* ISN after a FIN or RST continues the old conversation, and a late segment of the old incarnation
   counts to the new one.
3. A SYN-ACK with another number only corrects the ISN that is remembered for its sender.
4. ISNs not known yet are learnt: the sender's from its own number (one less without SYN, as if a SYN had
   stood before), the peer's from the acknowledgment less one. Headers quoted in ICMP errors, first fragments
   and headers longer than their packet take part in 1 to 3 but teach nothing: Wireshark analyses no sequence
   numbers where it does not know the length of the payload.

Look-up is an open-addressing hash with linear probing. Its entry is 16 bytes and holds all that an ordinary
segment needs, so the flow's row is touched only while something about it is still to be learnt. The pair is
put in one order for both directions, and the entry remembers which end in that order is side 0. Whoever
sends chooses the ports, and addresses are numbered as they appear; so the mix is seeded with secrets, and
nobody can prepare a SYN flood in which all tuples meet in one slot.
"""

import numpy as np

from analyzer.compiled import const, inlined, kernel, prefetch
from analyzer.flows.row import FLOW
from analyzer.segments.table import ACK, BAD_OFFSET, CUT_HEADER, PART, QUOTED, SEGMENT, SYN, UNTRACKED

ENTRY = np.dtype(
    [
        ("low", "<i4"),  # the lesser end: address, then port
        ("high", "<i4"),
        ("ports", "<u4"),  # port of the lesser end << 16 | port of the other
        ("state", "<u4"),  # 0: free; else (flow row + 1) << 2 | FLIPPED | SETTLED
    ]
)
WAITING = np.dtype(
    [
        ("place", "<i8"),  # number of the segment in the capture
        ("key", "<i8"),  # its time, or that of the segment before it on its interface if that is later
        ("reach", "<i8"),  # the highest key so far
    ]
)

SETTLED = 1  # both ISNs are known and a segment was really seen: only a SYN can still change the flow
FLIPPED = 2  # side 0 is the greater end

FLOWS, TUPLES, STREAMS = 0, 1, 2  # places in the array of counts: rows in use, entries in use, flows ever
QUOTATIONS = 3  # and segments that are quoted headers
COUNTS = 4
HASH_BITS = 32
NOWHERE = np.int64(-1)  # no end
ENTRY_SIZE = np.int64(ENTRY.itemsize)
AHEAD = 32  # segments whose entries are asked for at a time

SYN_ACK = SYN | ACK
SPECIAL = UNTRACKED | PART  # marks that keep a segment from the short cut for ordinary ones
OFFSET_BEYOND = BAD_OFFSET | CUT_HEADER
MASK_32, MASK_63 = (1 << 32) - 1, (1 << 63) - 1


@kernel(SEGMENT, int, FLOW, ENTRY, int, np.int64, const(np.int64), const(np.uint8), np.int64)
def assign(batch, start, rows, entries, place, counts, secrets, ranks, hashes):
    """Fill in ``sender`` from ``start`` on; returns where it stopped: the end, or for want of room.

    ``place`` is the address of ``entries``. The entries of the next ``len(hashes)`` segments are asked for before
    the first of them is looked at, so that the memory is waited for once and not for each.
    """
    shift = HASH_BITS - bits_of(len(entries))
    source, target, sender = np.int64(-1), np.int64(-1), np.int64(-1)  # of the segment before, if its flow is settled
    for begin in range(start, len(batch), len(hashes)):
        end = min(begin + len(hashes), len(batch))
        for index in range(begin, end):
            slot = hash_of(source_of(batch[index]), target_of(batch[index]), secrets) >> shift
            hashes[index - begin] = slot
            prefetch(place + slot * ENTRY_SIZE)
        for index in range(begin, end):
            segment = batch[index]
            new_source, new_target = source_of(segment), target_of(segment)
            plain = (segment["flags"] & SYN) | (segment["marks"] & SPECIAL) == 0
            if plain and new_source == source and new_target == target:
                segment["sender"] = sender
                continue
            if plain and new_source == target and new_target == source:
                source, target, sender = new_source, new_target, sender ^ 1
                segment["sender"] = sender
                continue
            slot, swapped = find(entries, hashes[index - begin], new_source, new_target)
            state = np.int64(entries[slot]["state"])
            if not (plain and state & SETTLED):
                if counts[FLOWS] == len(rows) or counts[TUPLES] * 8 >= len(entries) * 5:
                    return index
                state = meet(segment, swapped, rows, entries[slot], counts, ranks)
                counts[QUOTATIONS] += segment["marks"] & QUOTED != 0
            sender = ((state >> 2) - 1) * 2 + (swapped ^ (state >> 1 & 1))
            segment["sender"] = sender
            source, target = (new_source, new_target) if state & SETTLED else (NOWHERE, NOWHERE)
    return len(batch)


@inlined
def source_of(segment):
    """The end that sent a segment, as one number: address, then port."""
    return np.int64(segment["src"]) << 16 | np.int64(segment["src_port"])


@inlined
def target_of(segment):
    """The end that it was sent to."""
    return np.int64(segment["dst"]) << 16 | np.int64(segment["dst_port"])


@inlined
def bits_of(length):
    """The power of two that ``length`` is."""
    bits = 0
    while length >> bits > 1:
        bits += 1
    return bits


@inlined
def hash_of(source, target, secrets):
    """The hash of a pair of ends, the same for both directions."""
    low, high = min(source, target), max(source, target)
    return mix(secrets, low >> 16, high >> 16, (low & 0xFFFF) << 16 | high & 0xFFFF)


@inlined
def find(entries, slot, source, target):
    """The slot of the pair of ends, or the free slot where it belongs; the search begins at ``slot``. And whether the
    source is the greater end."""
    low, high, swapped = min(source, target), max(source, target), np.int64(target < source)
    return seek(entries, slot, low >> 16, high >> 16, (low & 0xFFFF) << 16 | high & 0xFFFF), swapped


@inlined
def seek(entries, slot, low, high, ports):
    """See :func:`find`."""
    while True:
        entry = entries[slot]
        if entry["state"] == 0 or (entry["low"] == low and entry["high"] == high and entry["ports"] == ports):
            return slot
        slot = (slot + 1) & (len(entries) - 1)


@kernel(const(np.int64), int, int, int)
def mix(secrets, low, high, ports):
    """A hash of 32 bits. int() keeps it exact where it runs uncompiled; compiled, the mask hides the wrap."""
    product = (int(low) << 32 | int(high)) * int(secrets[0]) + int(ports) * int(secrets[1])
    product &= MASK_63
    product = ((product ^ product >> 31) * int(secrets[2])) & MASK_63
    return product >> 31


@inlined
def meet(segment, swapped, rows, entry, counts, ranks):
    """A segment that may start a flow or teach something of one; returns the entry's new state."""
    handshake = segment["flags"] & SYN_ACK
    state = np.int64(entry["state"])
    if state == 0:
        enter(segment, swapped, entry)
        counts[TUPLES] += 1
        state = open_flow(segment, swapped, rows, -1, counts, ranks)
    row = rows[(state >> 2) - 1]
    side = swapped ^ (state >> 1 & 1)
    seq = np.int64(segment["seq"])
    if handshake & SYN and row["isn_known"] >> side & 1 and seq != row["isn"][side]:
        if handshake == SYN:
            state = open_flow(segment, swapped, rows, (state >> 2) - 1, counts, ranks)
            row = rows[(state >> 2) - 1]
            side = 0
        else:
            row["isn"][side] = seq
    marks = np.int64(segment["marks"])
    if not marks & (QUOTED | PART) and marks & OFFSET_BEYOND != OFFSET_BEYOND:
        learn_isns(segment, side, row)
    if not marks & UNTRACKED:
        learn_roles(segment, side, row)
    state |= row["isn_known"] == 3 and not row["quoted_only"]
    entry["state"] = state
    return state


@inlined
def enter(segment, swapped, entry):
    """Take a free entry for the segment's pair of endpoints."""
    src_port, dst_port = np.int64(segment["src_port"]), np.int64(segment["dst_port"])
    if swapped:
        entry["low"], entry["high"] = segment["dst"], segment["src"]
        entry["ports"] = dst_port << 16 | src_port
    else:
        entry["low"], entry["high"] = segment["src"], segment["dst"]
        entry["ports"] = src_port << 16 | dst_port


@inlined
def open_flow(segment, swapped, rows, previous, counts, ranks):
    """A new row, the segment's sender being side 0; returns the state its entry gets."""
    number = counts[FLOWS]
    row = rows[number]
    row["stream"] = counts[STREAMS]
    counts[STREAMS] += 1
    row["address"][0], row["address"][1] = segment["src"], segment["dst"]
    row["port"][0], row["port"][1] = segment["src_port"], segment["dst_port"]
    row["first_frame"], row["first_time"] = segment["frame"], segment["time"]
    row["guess"] = guess_client(ranks, np.int64(segment["src_port"]), np.int64(segment["dst_port"]))
    row["client"] = row["guess"]
    row["client_basis"] = 0
    row["previous"] = previous
    row["quoted_only"] = 1
    row["isn_known"] = 0
    counts[FLOWS] = number + 1
    return (number + 1) << 2 | swapped << 1


@inlined
def guess_client(ranks, port_0, port_1):
    """The side that looks less like a service: see ``roles``."""
    rank_0, rank_1 = ranks[port_0], ranks[port_1]
    return 1 if rank_0 < rank_1 or (rank_0 == rank_1 and port_0 < port_1) else 0


@inlined
def learn_isns(segment, side, row):
    """Where numbers begin, if it is not known yet."""
    flags = np.int64(segment["flags"])
    if not row["isn_known"] >> side & 1:
        row["isn"][side] = (np.int64(segment["seq"]) - (flags & SYN == 0)) & MASK_32
        row["isn_known"] |= 1 << side
    if flags & ACK and not row["isn_known"] >> (side ^ 1) & 1:
        row["isn"][side ^ 1] = (np.int64(segment["ack"]) - 1) & MASK_32
        row["isn_known"] |= 1 << (side ^ 1)


@inlined
def learn_roles(segment, side, row):
    """Who opened, if this segment tells it better than before; the first SYN's sender stays the client."""
    handshake = segment["flags"] & SYN_ACK
    if row["quoted_only"]:
        row["quoted_only"] = 0
        row["first_frame"], row["first_time"] = segment["frame"], segment["time"]
    if handshake == SYN and row["client_basis"] < 2:
        row["client"], row["client_basis"] = side, 2
    elif handshake == SYN_ACK and row["client_basis"] < 1:
        row["client"], row["client_basis"] = side ^ 1, 1


@kernel(const(ENTRY), ENTRY, const(np.int64))
def rehash(old, new, secrets):
    """Enter all entries of ``old`` into ``new``. As a hash's highest bits are its slot, both are passed in order."""
    shift = HASH_BITS - bits_of(len(new))
    for index in range(len(old)):
        entry = old[index]
        if entry["state"]:
            low, high, ports = np.int64(entry["low"]), np.int64(entry["high"]), np.int64(entry["ports"])
            slot = seek(new, mix(secrets, low, high, ports) >> shift, low, high, ports)
            new[slot] = entry


@kernel(const(SEGMENT), WAITING, np.int64, int)
def reach(batch, waiting, newest, patience):
    """The keys by which ``order`` arranges segments; ``newest`` holds each interface's latest, and behind them the
    highest of all."""
    for index in range(len(batch)):
        time, interface = np.int64(batch[index]["time"]), np.int64(batch[index]["interface"])
        last = newest[interface]
        key = last if time < last and last - patience < time else time
        newest[interface] = key
        newest[-1] = max(newest[-1], key)
        waiting[index]["key"], waiting[index]["reach"] = key, newest[-1]

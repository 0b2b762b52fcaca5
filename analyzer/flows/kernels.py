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
   numbers where it does not know the length of the payload. Quotations of eight bytes (SHORT_QUOTE) take part in 1
   only, and start nothing.

Look-up is an open-addressing hash with linear probing. Its entry is 8 bytes: the whole hash of a pair, the same for
both directions, and the row of the pair's newest flow, where its ends are compared. The highest bits of the hash are
the place, so entries stand nearly in the order of their hashes. Whoever sends chooses the ports, and addresses are
numbered as they appear; so the mix is seeded with secrets, and nobody can prepare a SYN flood in which all tuples meet
in one slot.
"""

import numpy as np

from analyzer.flows.row import ANSWER_SIDE, FLOW
from analyzer.kernels import const, inlined, kernel, prefetch, record_at
from analyzer.segments.table import ACK, BAD_OFFSET, CUT_HEADER, PART, QUOTED, SEGMENT, SHORT_QUOTE, SYN, UNTRACKED

ENTRY = np.dtype(
    [
        ("hash", "<u4"),
        ("state", "<u4"),  # 0: free; else (flow row + 1) << 1 | SETTLED
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

FLOWS, TUPLES, STREAMS = 0, 1, 2  # places in the array of counts: rows in use, entries in use, flows ever
QUOTATIONS = 3  # and segments that are quoted headers
COUNTS = 4
HASH_BITS = 32
ENTRY_SIZE, FLOW_SIZE = np.int64(ENTRY.itemsize), np.int64(FLOW.itemsize)
AHEAD = 64  # segments by which an entry is asked for before it is needed; a power of two
SOONER = 8  # segments by which a row is asked for before it is needed: by then its entry has come

SYN_ACK = SYN | ACK
SPECIAL = UNTRACKED | PART  # marks that keep a segment from the short cut for ordinary ones
OFFSET_BEYOND = BAD_OFFSET | CUT_HEADER
MASK_32, MASK_63 = (1 << 32) - 1, (1 << 63) - 1


def both_ends(dtype, address, port):
    """The two ends in a row of ``dtype`` as one word of addresses and one of ports: each begins where the first of them
    stands, for the second comes right behind it."""
    offsets = [dtype.fields[name][1] for name in (address, port)]
    names, formats = ["addresses", "ports"], ["<i8", "<u4"]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": dtype.itemsize})


_of_segment = record_at(both_ends(SEGMENT, "src", "src_port"))
_of_flow = record_at(both_ends(FLOW, "address", "port"))
_entry = record_at(np.dtype([("word", "<i8")]))  # an entry of the hash as a whole: its state above its hash


@kernel(SEGMENT, int, int, FLOW, int, ENTRY, int, np.int64, const(np.int64), const(np.uint8), np.int64)
def assign(batch, batch_at, start, rows, rows_at, entries, entries_at, counts, secrets, ranks, hashes):
    """Fill in ``sender`` from ``start`` on; returns where it stopped: the end, or for want of room.

    ``batch_at``, ``rows_at`` and ``entries_at`` are the addresses of ``batch``, ``rows`` and ``entries``. What a
    segment needs of the hash is asked for ``len(hashes)`` segments before, a power of two, and its flow's row once the
    entry has come; so the memory is not waited for. Indices are unsigned, since the compiler takes a negative one to
    count from the end.
    """
    shift, ahead, last = HASH_BITS - bits_of(len(entries)), len(hashes), len(entries) - 1
    for index in range(start, min(start + ahead, len(batch))):
        ask(batch_at, index, hashes, entries_at, shift, secrets)
    for index in range(start, len(batch)):
        segment, value = batch[np.uint64(index)], hashes[np.uint64(index & (ahead - 1))]
        if index + ahead < len(batch):
            ask(batch_at, index + ahead, hashes, entries_at, shift, secrets)
        soon = np.int64(entries[np.uint64(hashes[np.uint64((index + SOONER) & (ahead - 1))] >> shift)]["state"])
        prefetch(rows_at + ((soon >> 1) - 1) * FLOW_SIZE)
        ends = _of_segment(batch_at, index)
        addresses, ports = ends["addresses"], np.int64(ends["ports"])
        found = likely_entry(entries_at, value, value >> shift, last)
        special = np.int64((segment["flags"] & SYN) | (segment["marks"] & SPECIAL))
        if (found & MASK_32 ^ value) | special | (~(found >> 32) & SETTLED) == 0:
            number = (found >> 33 & MASK_32) - 1
            side = side_of(rows_at, number, addresses, ports)
            if side >= 0:
                segment["sender"] = number * 2 + side
                continue
        entry = entries[find_slot(entries, rows_at, value, shift, addresses, ports)]
        state = np.int64(entry["state"])
        if special | (~state & SETTLED) != 0:
            found_only = np.int64(segment["marks"]) & SHORT_QUOTE
            if not found_only and (counts[FLOWS] == len(rows) or counts[TUPLES] * 2 >= len(entries)):
                return index
            counts[QUOTATIONS] += segment["marks"] & QUOTED != 0
            if not found_only:
                state = update_flow(segment, value, rows, rows_at, entry, counts, ranks, addresses, ports)
            elif state == 0:
                segment["sender"] = -1
                continue
        segment["sender"] = ((state >> 1) - 1) * 2 + side_of(rows_at, (state >> 1) - 1, addresses, ports)
    return len(batch)


@inlined
def ask(batch_at, index, hashes, entries_at, shift, secrets):
    """Note a segment's hash, and have its entry brought near."""
    ends = _of_segment(batch_at, index)
    value = hash_of(ends["addresses"], np.int64(ends["ports"]), secrets)
    hashes[np.uint64(index & (len(hashes) - 1))] = value
    prefetch(entries_at + (value >> shift) * ENTRY_SIZE)


@inlined
def likely_entry(entries_at, value, slot, last):
    """The entry with the hash ``value`` if it is in ``slot``, where it belongs, or the next, as nearly all are; else
    another one. Without a branch, which would be foretold wrongly too often."""
    there = _entry(entries_at, slot)["word"] & MASK_32 == value
    return _entry(entries_at, slot + 1 - np.int64(there) & last)["word"]


@inlined
def bits_of(length):
    """The power of two that ``length`` is."""
    bits = 0
    while length >> bits > 1:
        bits += 1
    return bits


@inlined
def addresses_back(addresses):
    """The word of addresses, seen from the other end."""
    return addresses >> 32 | (addresses & MASK_32) << 32


@inlined
def ports_back(ports):
    """The word of ports likewise."""
    return ports >> 16 | (ports & 0xFFFF) << 16


@inlined
def side_of(rows_at, number, addresses, ports):
    """The side of the flow in row ``number`` that speaks from the first of two ends to the second; -1 where the flow is
    between others. Without a branch, as nobody can foretell who speaks."""
    ends = _of_flow(rows_at, number)
    theirs, at = ends["addresses"], np.int64(ends["ports"])
    there = (theirs ^ addresses) | (at ^ ports)
    back = (theirs ^ addresses_back(addresses)) | (at ^ ports_back(ports))
    return np.int64(there != 0) if min(there, back) == 0 else np.int64(-1)


@inlined
def hash_of(addresses, ports, secrets):
    """The hash of a pair of ends, the same for both directions."""
    back, ports_too = addresses_back(addresses), ports_back(ports)
    turned = (addresses > back) | ((addresses == back) & (ports > ports_too))
    return mix(secrets, back if turned else addresses, ports_too if turned else ports)


@inlined
def find_slot(entries, rows_at, value, shift, addresses, ports):
    """The slot of the pair of ends with the hash ``value``, or the free slot where it belongs."""
    slot = value >> shift
    while True:
        entry = entries[np.uint64(slot)]
        state = np.int64(entry["state"])
        if state == 0 or (entry["hash"] == value and side_of(rows_at, (state >> 1) - 1, addresses, ports) >= 0):
            return slot
        slot = (slot + 1) & (len(entries) - 1)


@kernel(const(np.int64), int, int)
def mix(secrets, addresses, ports):
    """A hash of 32 bits. int() keeps it exact where it runs uncompiled; compiled, the mask hides the wrap."""
    product = int(addresses) * int(secrets[0]) + int(ports) * int(secrets[1])
    product &= MASK_63
    product = ((product ^ product >> 31) * int(secrets[2])) & MASK_63
    return product >> 31


@inlined
def update_flow(segment, value, rows, rows_at, entry, counts, ranks, addresses, ports):
    """A segment that may start a flow or teach something of one; returns the entry's new state."""
    handshake = segment["flags"] & SYN_ACK
    state = np.int64(entry["state"])
    if state == 0:
        entry["hash"] = value
        counts[TUPLES] += 1
        state = open_flow(segment, rows, -1, counts, ranks)
    row = rows[np.uint64((state >> 1) - 1)]
    side = side_of(rows_at, (state >> 1) - 1, addresses, ports)
    seq = np.int64(segment["seq"])
    if handshake & SYN and row["isn_known"] >> side & 1 and seq != row["isn"][side]:
        if handshake == SYN:
            state = open_flow(segment, rows, (state >> 1) - 1, counts, ranks)
            row = rows[np.uint64((state >> 1) - 1)]
            side = 0
        else:
            row["isn"][side] = seq
    marks = np.int64(segment["marks"])
    if not marks & (QUOTED | PART) and marks & OFFSET_BEYOND != OFFSET_BEYOND:
        learn_isns(segment, side, row)
    if not marks & UNTRACKED:
        row["quoted_only"] = 0
        if handshake == SYN_ACK:
            row["answer_ttl"] = segment["ttl"]
            row["isn_known"] = row["isn_known"] & 3 | side * ANSWER_SIDE
    state |= row["isn_known"] & 3 == 3 and not row["quoted_only"]
    entry["state"] = state
    return state


@inlined
def open_flow(segment, rows, previous, counts, ranks):
    """A new row, the segment's sender being side 0; returns the state its entry gets."""
    number = counts[FLOWS]
    row = rows[np.uint64(number)]
    row["stream"] = counts[STREAMS]
    counts[STREAMS] += 1
    row["address"][0], row["address"][1] = segment["src"], segment["dst"]
    row["port"][0], row["port"][1] = segment["src_port"], segment["dst_port"]
    row["guess"] = guess_client(ranks, np.int64(segment["src_port"]), np.int64(segment["dst_port"]))
    row["previous"] = previous
    row["quoted_only"] = 1
    row["isn_known"] = 0
    row["answer_ttl"] = 0
    counts[FLOWS] = number + 1
    return (number + 1) << 1


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


@kernel(const(ENTRY), ENTRY)
def rehash(old, new):
    """Enter all entries of ``old`` into ``new``. As a hash's highest bits are its slot, both are passed in order."""
    shift = HASH_BITS - bits_of(len(new))
    for index in range(len(old)):
        entry = old[np.uint64(index)]
        if entry["state"]:
            insert(new, shift, np.int64(entry["hash"]), entry["state"])


@kernel(int, const(np.uint32), ENTRY, const(np.int64))
def enter(rows_at, states, entries, secrets):
    """Enter pairs whose addresses have other numbers now: ``states`` are those of their entries, ``rows_at`` is the
    address of the rows."""
    shift = HASH_BITS - bits_of(len(entries))
    for index in range(len(states)):
        ends = _of_flow(rows_at, (np.int64(states[index]) >> 1) - 1)
        insert(entries, shift, hash_of(ends["addresses"], np.int64(ends["ports"]), secrets), states[index])


@inlined
def insert(entries, shift, value, state):
    """Take the free slot where a pair that is not there yet belongs."""
    slot = value >> shift
    while entries[np.uint64(slot)]["state"]:
        slot = (slot + 1) & (len(entries) - 1)
    entry = entries[np.uint64(slot)]
    entry["hash"], entry["state"] = value, state


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

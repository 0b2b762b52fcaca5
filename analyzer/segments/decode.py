"""Packets in, segments out: the typed side of the compiled decoder."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.packets import PACKET, Packets
from analyzer.segments.addresses import AddressBook
from analyzer.segments.fragments import Fragment, Reassembler
from analyzer.segments.header_numbers import (
    FRAGMENT_JOINED,
    FRAGMENT_PENDING,
    FRAGMENT_REFUSED,
    NUMBERS,
    detail,
    reason,
)
from analyzer.segments.kernels.batch import PENDING, PROGRESS, decode
from analyzer.segments.kernels.cursor import CURSOR
from analyzer.segments.kernels.udp_fragments import PLACES
from analyzer.segments.table import REASSEMBLED, SEGMENT, TUNNELLED, tells_icmp_error
from analyzer.times import NEVER, inner

FRAGMENTS_AT_ONCE = 4096


class Decoder:
    """Turns batches of packets into the table of segments, and counts every packet that is not TCP.

    ``book`` holds the addresses that the columns ``src`` and ``dst`` point to.
    """

    def __init__(self, book: AddressBook | None = None) -> None:
        self.book = AddressBook() if book is None else book
        self._stopped = np.zeros(NUMBERS, np.int64)
        self._reassembler = Reassembler()
        self._scratch: NDArray[np.void] = np.zeros(1, CURSOR)
        self._udp_fragments = np.zeros(PLACES, np.int64)
        self._fragments: NDArray[np.void] = np.zeros(FRAGMENTS_AT_ONCE, PENDING)
        self._progress: NDArray[np.void] = np.zeros(1, PROGRESS)
        self.first_ns = NEVER  # time of the first packet, by the inner clock
        self.last_ns = NEVER  # the highest time of a packet so far, likewise

    @property
    def counts(self) -> dict[str, int]:
        """Packets that gave no segment, by reason (``ends.VOCABULARY``); with those that did they make up all.

        Fragments still waiting for others count as ``IP fragments missing``.
        """
        return self._named(reason)

    @property
    def details(self) -> dict[str, int]:
        """The same packets by the exact EtherType, IP protocol or link type at which decoding ended."""
        return self._named(detail)

    def decode(self, packets: Packets, room: NDArray[np.void] | None = None) -> NDArray[np.void]:
        """The TCP segments of a batch as a table of dtype SEGMENT, in the order of the packets.

        They stand at the beginning of ``room`` (dtype SEGMENT, at least a row for every packet) if that is given,
        else in memory of their own.
        """
        count, first_new = len(packets.rows), len(self.book)
        segments: NDArray[np.void] = np.empty(count, SEGMENT) if room is None else room
        progress = self._begin(packets)
        joined: list[tuple[int, NDArray[np.void]]] = []
        while progress["packet"][0] < count:
            self._run(packets, segments, self._fragments, progress)
            for pending in self._fragments[: progress["fragments"][0]]:
                joined += self._join(pending, packets)
            progress["fragments"] = 0
        if count:
            self.last_ns = int(progress["latest"][0])
        if joined:
            whole = self._insert(segments[: progress["written"][0]], joined, first_new)
            segments[: len(whole)] = whole
        found = segments[: int(progress["written"][0]) + len(joined)]
        # Not to keep the whole batch's memory for a few rows.
        return found.copy() if room is None and len(found) * 4 < count else found

    def _begin(self, packets: Packets) -> NDArray[np.void]:
        """Where the kernel stands at the beginning of a batch."""
        if self.first_ns == NEVER and len(packets.rows):
            self.first_ns = inner(int(packets.rows["time"][0]))
        self._progress[0] = (0, 0, 0, self.last_ns)
        return self._progress

    def finish(self) -> None:
        """No more packets come: fragments that wait stay counted as missing, and their memory is freed."""
        self._reassembler = Reassembler()

    def _named(self, name: Callable[[int], str]) -> dict[str, int]:
        result: dict[str, int] = {}
        for number in np.flatnonzero(self._stopped).tolist():
            result[name(number)] = result.get(name(number), 0) + int(self._stopped[number])
        return result

    def _run(
        self,
        packets: Packets,
        segments: NDArray[np.void],
        fragments: NDArray[np.void],
        progress: NDArray[np.void],
    ) -> None:
        """Let the kernel go on from ``progress`` as far as there is room."""
        self.book.make_room()
        data = packets.data.view()
        data.flags.writeable = False  # always, so that the kernel is compiled for one kind of array
        decode(
            data,
            np.ascontiguousarray(packets.rows),
            segments,
            self._stopped,
            fragments,
            self._scratch,
            progress,
            self._udp_fragments,
            self.book.rows,
            self.book.slots,
            self.book.state,
            self.book.slots.ctypes.data,
        )

    def _join(self, pending: np.void, packets: Packets) -> list[tuple[int, NDArray[np.void]]]:
        """Hand a fragment over; the segment that it completes, with its place among the segments of the batch.

        A datagram put together inside a tunnel may be a fragment of another one; each round uses up what waited.
        """
        place, packet = int(pending["written"]), packets.rows[int(pending["packet"]) :][:1]
        data, marks = packets.data, REASSEMBLED
        while True:
            marks |= int(pending["marks"]) & TUNNELLED
            whole = self._add(_fragment(data, pending, int(packet["time"][0])))
            if whole is None:
                return []
            data = np.frombuffer(whole, np.uint8)
            segments, fragments = self._decode_one(Packets(data, _whole_row(packet, whole)))
            if not len(fragments):
                segments["marks"] |= marks
                return [(place, segment) for segment in segments]
            pending = fragments[0]

    def _add(self, fragment: Fragment) -> bytes | None:
        """Enter a fragment and count what came of it; the whole packet if that may hold TCP."""
        outcome = self._reassembler.add(fragment)
        earlier = max(outcome.fragments - 1, 0)
        self._stopped[FRAGMENT_PENDING] -= earlier
        if outcome.refused:
            self._stopped[FRAGMENT_REFUSED] += 1 + earlier
        elif outcome.packet is None:
            self._stopped[FRAGMENT_PENDING] += 1
        else:
            self._stopped[FRAGMENT_JOINED] += earlier
        return outcome.packet

    def _decode_one(self, packets: Packets) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Decode a datagram put together: its segment, or the fragment it turned out to be, or neither (counted)."""
        segments: NDArray[np.void] = np.empty(1, SEGMENT)
        fragments: NDArray[np.void] = np.empty(1, PENDING)
        progress: NDArray[np.void] = np.zeros(1, PROGRESS)
        self._run(packets, segments, fragments, progress)
        return segments[: progress["written"][0]], fragments[: progress["fragments"][0]]

    def _insert(
        self, segments: NDArray[np.void], joined: list[tuple[int, NDArray[np.void]]], first_new: int
    ) -> NDArray[np.void]:
        """Put the joined segments where their frames belong, and number this batch's new addresses by that order."""
        places = [place for place, _ in joined]
        whole = np.insert(segments, places, np.array([segment for _, segment in joined], SEGMENT))
        icmp_senders = np.where(tells_icmp_error(whole), whole["ts_ecr"], whole["src"])
        seen = np.stack([whole["src"], whole["dst"], icmp_senders], axis=1).ravel()
        new, first = np.unique(seen[seen >= first_new], return_index=True)
        order = new[np.argsort(first)]
        if (order == new).all():
            return whole
        self.book.renumber(first_new, order)
        renumbered = np.arange(first_new + len(order), dtype=np.int32)
        renumbered[order] = np.arange(first_new, first_new + len(order))
        whole["src"], whole["dst"] = renumbered[whole["src"]], renumbered[whole["dst"]]
        whole["ts_ecr"] = np.where(tells_icmp_error(whole), renumbered[icmp_senders], whole["ts_ecr"])
        return whole


def _fragment(data: NDArray[np.uint8], pending: np.void, time: int) -> Fragment:
    ip, begin, end = int(pending["ip"]), int(pending["begin"]), int(pending["end"])
    header = data[ip : ip + (40 if data[ip] >> 4 == 6 else 20)].tobytes()
    return Fragment(
        header=header,
        ip_id=int(pending["ip_id"]),
        protocol=int(pending["protocol"]),
        offset=int(pending["offset"]),
        more=bool(pending["more"]),
        payload=data[begin:end].tobytes(),
        time=time,
    )


def _whole_row(packet: NDArray[np.void], whole: bytes) -> NDArray[np.void]:
    """The row of a datagram put together: that of the completing frame, with IP as link type."""
    row: NDArray[np.void] = packet.astype(PACKET)
    row["offset"], row["captured"], row["length"] = 0, len(whole), len(whole)
    row["link"] = 229 if whole[0] >> 4 == 6 else 228
    return row

"""Every IP address of a capture once: a row number for the tables, its text for people."""

import secrets
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import numpy as np
from numpy.typing import NDArray

from analyzer.memory import GrowingRows
from analyzer.segments.kernels.address_text import LONGEST, write_addresses
from analyzer.segments.kernels.addresses import ADDRESS, KEYS, MODULUS_BITS, NAMED, SHIFT, USED, fill_slots
from analyzer.text import SLACK, Words


class AddressBook:
    """IPv4 and IPv6 addresses, numbered from 0 in order of first appearance; an IPv4-mapped IPv6 address is its own.

    The decoder's kernel writes into ``rows``, ``slots`` and ``state`` directly; everybody else asks for texts.
    """

    def __init__(self, capacity: int = 4096) -> None:
        keys = [secrets.randbits(MODULUS_BITS) for _ in range(KEYS)]
        self.state = np.array([*keys, 0, 0], np.int64)
        self._rows = GrowingRows(ADDRESS, max(capacity, 2))
        self.slots = self._slots()
        self._texts: list[str] = []

    @classmethod
    def of(cls, addresses: Sequence[IPv4Address | IPv6Address]) -> "AddressBook":
        """The book of these, in this order."""
        book = cls(len(addresses) + NAMED)
        halves = [(*divmod(int(address), 1 << 64), address.version) for address in addresses]
        columns = np.array(halves, np.uint64).reshape(-1, 3)
        rows = book.rows[: len(addresses)]
        rows["high"], rows["low"] = columns[:, 0].view(np.int64), columns[:, 1].view(np.int64)
        rows["version"], rows["row"] = columns[:, 2], np.arange(len(addresses))
        book.state[USED] = len(addresses)
        book.slots = book._slots()
        return book

    def __len__(self) -> int:
        return int(self.state[USED])

    @property
    def rows(self) -> NDArray[np.void]:
        """The addresses by number, and room for more."""
        return self._rows.rows

    def text(self, row: int) -> str:
        """The address in the usual form, RFC 5952 for IPv6."""
        return self._texts[row] if row < len(self._texts) else self.words(row, row + 1)[0].decode()

    def texts(self) -> list[str]:
        """All addresses as text, by row. Each is formatted once; the list is the book's own, not to be changed."""
        words = self.words(len(self._texts))
        text, starts = bytes(words.text).decode(), words.starts.tolist()
        self._texts += map(text.__getitem__, map(slice, starts, starts[1:]))
        return self._texts

    def words(self, first: int = 0, stop: int | None = None) -> Words:
        """The texts of the addresses from ``first`` to ``stop``, or all, as kernels look them up."""
        stop = len(self) if stop is None else stop
        if not 0 <= first <= stop <= len(self):
            raise IndexError(f"no addresses {first} to {stop} among {len(self)}")
        data = np.empty(LONGEST * (stop - first) + SLACK, np.uint8)
        starts = np.zeros(stop - first + 1, np.int64)
        write_addresses(self.rows.ctypes.data, first, stop, data.ctypes.data, starts)
        return Words(data[: starts[-1] + SLACK], starts)

    def within(self, rows: NDArray[np.integer], networks: Iterable[IPv4Network | IPv6Network]) -> NDArray[np.bool_]:
        """Which of these rows' addresses are in one of the networks."""
        addresses, made = self.rows[rows], np.zeros(len(rows), np.bool_)
        for network in networks:
            same = addresses["version"] == network.version
            masks, bases = (_halves(address) for address in (network.netmask, network.network_address))
            for half, mask, base in zip(("high", "low"), masks, bases, strict=True):
                same &= addresses[half] & mask == base
            made |= same
        return made

    def make_room(self) -> None:
        """Double the book if it may have no room for the addresses of one more packet."""
        if len(self) + NAMED > len(self.rows):
            self._rows.grow(max(2 * len(self.rows), len(self) + NAMED))
            self.slots = self.slots[:0].copy()  # the old ones go before the new ones are made
            self.slots = self._slots()

    def forget(self, kept: NDArray[np.int32]) -> None:
        """Keep the rows ``kept`` only (ascending); the k-th of them becomes row k."""
        made = len(self._texts)
        self._texts = [self._texts[row] for row in kept[kept < made].tolist()]  # the first, as the rows ascend
        rows = self.rows[kept]
        rows["row"] = np.arange(len(kept))
        self._rows = GrowingRows(ADDRESS, len(kept) + max(4096, len(kept)))
        self.rows[: len(kept)] = rows
        self.state[USED] = len(kept)
        self.slots = self._slots()

    def renumber(self, first: int, order: NDArray[np.int64]) -> None:
        """Rearrange the rows from ``first`` on: the k-th of them becomes what was row ``order[k]``."""
        self.rows[first : len(self)] = self.rows[order]
        self.slots = self._slots()
        del self._texts[first:]

    def _slots(self) -> NDArray[np.void]:
        """At least twice as many places as rows, a power of two, with the present rows entered."""
        bits = (2 * len(self.rows) - 1).bit_length()
        self.state[SHIFT] = MODULUS_BITS - bits
        slots: NDArray[np.void] = GrowingRows(ADDRESS, 1 << bits).rows
        fill_slots(self.rows, slots, self.state)
        return slots


def _halves(address: IPv4Address | IPv6Address) -> NDArray[np.int64]:
    """An address as the rows have it."""
    return np.array(divmod(int(address), 1 << 64), np.uint64).view(np.int64)

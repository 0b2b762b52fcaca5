"""With which TTLs the SYN-ACKs of each host came: what a RST in its name is compared with, whatever its connection."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from analyzer.flows.row import ANSWER_SIDE

TTLS = 256


def answer_ttls(table: NDArray[np.void], addresses: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """The TTLs, ascending, of the SYN-ACKs from each of ``addresses`` (rows of the AddressBook) that sent any;
    ``table`` is the flow table."""
    asked = np.fromiter(addresses, np.int64)
    wanted = np.zeros(int(table["address"].max(initial=0)) + 1, np.bool_)
    wanted[asked[asked < len(wanted)]] = True
    second = table["isn_known"] & ANSWER_SIDE > 0
    sender = np.where(second, table["address"][:, 1], table["address"][:, 0])
    told = wanted[sender] & (table["answer_ttl"] > 0)
    found: dict[int, tuple[int, ...]] = {}
    for key in np.unique(sender[told] * np.int64(TTLS) + table["answer_ttl"][told]).tolist():
        address, ttl = divmod(key, TTLS)
        found[address] = (*found.get(address, ()), ttl)
    return found

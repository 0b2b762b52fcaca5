"""With which TTLs the SYN-ACKs of each host came: what a RST in its name is compared with, whatever its connection."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from analyzer.flows.row import ANSWER_SIDE


def answer_ttls(table: NDArray[np.void], addresses: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """The TTLs, ascending, of the SYN-ACKs from each of ``addresses`` (rows of the AddressBook) that sent any;
    ``table`` is the flow table."""
    rows = table[table["answer_ttl"] > 0]
    side = (rows["isn_known"] & ANSWER_SIDE > 0).astype(np.intp)
    sender = rows["address"][np.arange(len(rows)), side]
    pairs = np.unique(np.column_stack([sender, rows["answer_ttl"]])[np.isin(sender, list(addresses))], axis=0)
    found: dict[int, list[int]] = {}
    for address, ttl in pairs.tolist():
        found.setdefault(address, []).append(ttl)
    return {address: tuple(ttls) for address, ttls in found.items()}

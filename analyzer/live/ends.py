"""The two ends of connections that findings are about, for who asks the kernel, or a packet file, for them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analyzer.live.sockets import End
from analyzer.results.finding_list import RuleFindings
from analyzer.tracker.outcome import Ledger

NAMES = ("client_ip", "client_port", "server_ip", "server_port", "stream")
Ends = NDArray[np.int64]  # shape (findings, 5): client and server, each a row of the address book and a port; stream
NO_ENDS: Ends = np.zeros((0, len(NAMES)), np.int64)
SERVER = 1  # in the column blamed


def ends_of(table: RuleFindings) -> Ends:
    """The ends that the findings of one rule name; -1 for what they do not."""
    return np.column_stack([table.columns[name].astype(np.int64) for name in NAMES])


def blamed_first(ends: Ends, blamed: Sequence[int], text: Callable[[int], str]) -> list[tuple[End, End]]:
    """Both ends of each, the ``blamed`` one first; ``text`` gives an address by its row of the book."""
    pairs = [
        ((text(client) if client >= 0 else "", port), (text(server) if server >= 0 else "", service))
        for client, port, server, service, _ in ends.tolist()
    ]
    return [(pair[who == SERVER], pair[who != SERVER]) for pair, who in zip(pairs, blamed, strict=True)]


def newest_streams(ledger: Ledger) -> NDArray[np.int64]:
    """Of the connections of each pair of ends the newest one."""
    ends = np.sort(ledger.flow("address").astype(np.int64) << 16 | ledger.flow("port"), axis=1)
    stream = ledger.flow("stream").astype(np.int64)
    order = np.lexsort((stream, ends[:, 1], ends[:, 0]))
    ends = ends[order]
    last = np.append((ends[1:] != ends[:-1]).any(axis=1), True)[: len(order)]
    return np.asarray(stream[order][last])

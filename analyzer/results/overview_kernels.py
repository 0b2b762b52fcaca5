"""How the flows of each server ended, counted by a kernel in a hash table of servers.

Rows of servers stand in the order in which they were met. ``heads`` has, for each number that servers are hashed to,
the row + 1 of the one met last, and that has the row + 1 of the one before it. The hash is seeded with secrets, as
that of flows is and for the same reason.

Fence: only numpy and this project's enums inside; the typed wrapper is ``overview``.
"""

import numpy as np

from analyzer.kernels import const, helper, kernel
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.vocabularies import BOTH, CLIENT, NOBODY, SERVER

HOST = np.dtype(
    [
        ("address", "<i4"),  # row of the address book
        ("port", "<i4"),
        ("before", "<i4"),  # row + 1 of the server met before it that is hashed to the same number
        ("counts", "<u4", (5,)),  # of its flows, by COLUMN of who closed first; and those that a RST ended
    ]
)
HOSTS, BEGAN, BOTH_WAYS = (np.int64(place) for place in range(3))  # rows in use; first time; 1 once both were captured
COLUMN = np.array([{CLIENT: 0, SERVER: 1, NOBODY: 3}.get(code, 2) for code in range(BOTH + 1)])
BY_RST = np.int64(len(COLUMN))
MASK_63 = (1 << 63) - 1


@kernel(const(ENDING), int, np.int64, np.int64, HOST, np.int32, const(np.int64))
def count(endings, first, totals, seen, hosts, heads, secrets):
    """Count ``endings`` from place ``first`` on: in ``totals`` by teardown and COLUMN, and in the rows of ``hosts``;
    returns where it stopped, for want of a row or at the end. What was ``seen``: see HOSTS, BEGAN, BOTH_WAYS."""
    for place in range(first, len(endings)):
        row = endings[place]
        host = host_of(np.int64(row["server_ip"]), np.int64(row["server_port"]), seen, hosts, heads, secrets)
        if host < 0:
            return place
        seen[BEGAN] = min(np.int64(seen[BEGAN]), np.int64(row["first_epoch"]))
        if row["client_packets"] > 0 and row["server_packets"] > 0:
            seen[BOTH_WAYS] = 1
        closer, teardown = COLUMN[np.int64(row["closed_by"])], np.int64(row["teardown"])
        totals[teardown * len(COLUMN) + closer] += 1
        hosts[host]["counts"][closer] += 1
        if row["rst_cause"] > 0:
            hosts[host]["counts"][BY_RST] += 1
    return len(endings)


@helper
def host_of(address, port, seen, hosts, heads, secrets):
    """The row of a server, which is made if there is none and room for one; else -1."""
    head = hash_of(address, port, secrets) & (len(heads) - 1)
    host = np.int64(heads[head]) - 1
    while host >= 0:
        if hosts[host]["address"] == address and hosts[host]["port"] == port:
            return host
        host = np.int64(hosts[host]["before"]) - 1
    host = np.int64(seen[HOSTS])
    if host == len(hosts):
        return np.int64(-1)
    seen[HOSTS] = host + 1
    hosts[host]["address"], hosts[host]["port"] = address, port
    hosts[host]["before"], heads[head] = heads[head], host + 1
    return host


@helper
def hash_of(address, port, secrets):
    """A hash of 32 bits. int() keeps it exact where it runs uncompiled; compiled, the mask hides the wrap."""
    product = (int(address) * int(secrets[0]) + int(port) * int(secrets[1])) & MASK_63
    product = ((product ^ product >> 31) * int(secrets[2])) & MASK_63
    return product >> 31


@kernel(HOST, int, np.int32, const(np.int64))
def chain(hosts, used, heads, secrets):
    """Enter the first ``used`` of ``hosts`` in ``heads``, which are all 0."""
    for host in range(used):
        row = hosts[host]
        head = hash_of(np.int64(row["address"]), np.int64(row["port"]), secrets) & (len(heads) - 1)
        row["before"], heads[head] = heads[head], host + 1

"""The slow, obvious twin of the census: one row of timeline.csv after the other, counted in dictionaries."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

STATES = ("SYN_SENT", "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2")
STATES += ("CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT")
Key = tuple[Any, ...]


def changes(timeline: pd.DataFrame, end: int) -> Iterator[tuple[int, Key, str, str]]:
    """Of each endpoint: when, whose, what it was counted as before, and after, "" for not at all. ``end`` is when the
    capture ended."""
    for (_, endpoint), rows in timeline.groupby(["stream", "endpoint"], sort=False, observed=True):
        reached, counted = None, ""
        for row in rows.itertuples(index=False):
            server = (row.server_ip, row.server_port)
            key = ("server", *server, "", "") if endpoint == "server" else ("client", row.client_ip, "", *server)
            moment, now = row.time_epoch.value, row.state.replace("UNKNOWN", "unknown" if counted else "")
            now = "" if now in ("CLOSED", "LISTEN") else now
            if row.event == "capture-end" and counted and moment < end:
                now = "unknown"
            reached = moment if reached is None else max(reached, moment)
            if now != counted:
                yield reached, key, counted, now
            counted = now


def census(timeline: pd.DataFrame, end: int) -> list[Key]:
    """The rows of the table: moment, key, and the counts of STATES and unknown."""
    rows: dict[tuple[int, Key], tuple[int, ...]] = {}
    counts: dict[Key, Counter[str]] = {}
    for moment, key, before, after in sorted(changes(timeline, end), key=lambda change: change[:1]):
        own = counts.setdefault(key, Counter())
        own[before] -= 1
        own[after] += 1
        rows[moment, key] = tuple(own[state] for state in (*STATES, "unknown"))
    return [(moment, *key, *row) for (moment, key), row in rows.items()]

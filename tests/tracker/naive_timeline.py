"""The slow, obvious twin of ``analyzer.tracker.timeline``: from the log to rows of ENTRY, with pandas."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.tcp.evidence import Note
from analyzer.tcp.states import ARROWS, NO_ARROW, Event
from analyzer.tracker.flow_record import ENTRY
from analyzer.tracker.outcome import Ledger
from analyzer.units import UNKNOWN


def entry_rows(ledger: Ledger, log: NDArray[np.void]) -> NDArray[np.void]:
    """The rows of ENTRY that belong to ``flow_rows(ledger)``; ``log`` as tests/tracker/whole.py has it."""
    told = in_order(rejoined(log[log["void"] == 0]))
    entries: NDArray[np.void] = np.zeros(len(told), ENTRY)
    for name in set(ENTRY.names or ()) - {"end"}:
        entries[name] = told[name]
    flow, side = told["end"] >> 1, told["end"] & 1
    entries["end"] = 2 * flow + (side ^ ledger.client[flow])
    return entries


def rejoined(entries: NDArray[np.void]) -> NDArray[np.void]:
    """Log rows in which nothing changed, told of the state that the rows around them leave the endpoint in.

    It was another when they were written where the entry into that was taken back later, or where the endpoint's
    first state was not known yet.
    """
    moved = entries["from_state"] != entries["state"]
    before = pd.Series(np.where(moved, entries["state"], np.nan)).groupby(entries["end"]).ffill()
    after = pd.Series(np.where(moved, entries["from_state"], np.nan)).groupby(entries["end"]).bfill()
    states = before.fillna(after).fillna(pd.Series(entries["state"])).to_numpy().astype(np.uint8)
    changed = ~moved & (states != entries["state"])
    arrows = ARROWS[states, entries["event"]]
    entries["arrow"] = np.where(changed, arrows, entries["arrow"])
    fits = changed & (arrows != NO_ARROW) & (entries["note"] == Note.UNEXPECTED)
    entries["note"] = np.where(fits, Note.NONE, entries["note"])
    for name in ("from_state", "state"):
        entries[name] = np.where(changed, states, entries[name])
    return entries


def in_order(entries: NDArray[np.void]) -> NDArray[np.void]:
    """Log rows by flow and time, each endpoint's own in the order in which they happened.

    Two things put a row's time before that of the row it follows from: frames whose times run backward, and a FIN dated
    back to its host's own clock, when the row before says only that the capture began there (that one is moved).
    """
    times = pd.Series(entries["time"]).groupby(entries["end"])
    began = (entries["event"] == Event.SENT_MID_STREAM) & (times.cumcount() == 0).to_numpy()
    follows = times.shift(-1, fill_value=UNKNOWN).to_numpy()  # UNKNOWN is the least of all numbers
    entries["time"] = np.where(began & (follows != UNKNOWN), np.minimum(entries["time"], follows), entries["time"])
    late = (entries["earliest"] != 0) & (entries["earliest"] > entries["time"])
    entries["earliest"] = np.where(late, entries["time"], entries["earliest"])
    reached = pd.Series(entries["time"]).groupby(entries["end"]).cummax().to_numpy()
    ordered: NDArray[np.void] = entries[np.lexsort((reached, entries["end"] >> 1))]
    return ordered

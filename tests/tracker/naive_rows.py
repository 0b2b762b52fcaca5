"""The slow twin of the rows of ENDING: column by column, from the ledger alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.results.letters import spell
from analyzer.tcp.dialogue import Pending
from analyzer.tcp.states import State
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import ConnState
from analyzer.tracker.zeek.gaps import SENT_FIN
from analyzer.units import UNKNOWN

from .naive_conclusion import conclusions
from .naive_zeek import Connection, End

PROBED = ("probes", "window_probes", "zero_window_since", "repeat_run")
ASKED = ("packets", "state", "turns", "spoken_acked_frame", *PROBED)


def flow_rows(ledger: Ledger) -> NDArray[np.void]:
    """A row of ENDING for each flow; ``findings`` is left 0."""
    every, client = np.arange(ledger.flows), ledger.client
    endings: NDArray[np.void] = np.zeros(ledger.flows, ENDING)
    for name in ("stream", "first_frame"):
        endings[name] = ledger.flow(name)
    endings["last_frame"] = ledger.of_side("last_frame", ledger.flow("end_side"))
    endings["client_known"] = ledger.client_known
    first, last = ledger.flow("first_time"), ledger.flow("end_time")
    endings["first_epoch"], endings["last_epoch"] = first, last
    endings["duration_s"] = np.maximum(last - first, 0)
    for role, side in (("client", client), ("server", 1 - client)):
        facts = {name: ledger.own(name)[every, side] for name in FACTS}
        endings[f"{role}_ip"] = ledger.flow("address")[every, side]
        endings[f"{role}_port"] = ledger.flow("port")[every, side]
        for name in ("packets", "bytes", "state"):
            endings[f"{role}_{name}"] = facts[name]
        endings[f"{role}_fin_epoch"] = np.where(facts["fin_count"] > 0, facts["fin_time"], UNKNOWN)
        acked = facts["fin_acked_time"]
        endings[f"{role}_fin_acked_epoch"] = np.where(acked == 0, UNKNOWN, acked)
        sent = facts["fin_count"] > 0
        endings[f"{role}_fins"] = facts["fin_count"]
        endings[f"{role}_fin_seq"] = np.where(sent, (facts["fin_end"].astype(np.int64) - 1) % 2**32, UNKNOWN)
        endings[f"{role}_fin_frame"] = np.where(sent, facts["fin_frame"], 0)
        endings[f"{role}_fin_acked_frame"] = np.where(acked == 0, 0, facts["fin_acked_frame"])
        for state in ("close_wait", "fin_wait_2"):
            stay = _stay(facts[f"{state}_time"], facts[f"{state}_end"], ledger.end_time)
            endings[f"{role}_{state}_s"] = stay
    endings["server_rtt"] = ledger.own("tap_rtt")[every, 1 - client]
    endings["idle_open"] = [_idle_open(ledger, place) for place in range(ledger.flows)]
    for name, column in dialogue_rows(ledger).items():
        endings[name] = column
    for name in ("history_0", "history_1", "history_2"):
        endings[name] = ledger.flow(name)
    endings["conn_state"] = [ConnState[state] for state in zeek_states(ledger)]
    for place, concluded in enumerate(conclusions(ledger)):
        for name, value in concluded.items():
            endings[name][place] = value
    return endings


def _idle_open(ledger: Ledger, place: int) -> bool:
    """Whether a flow is open, nothing is under way in it, and nobody ever asked whether the other is alive."""
    if ledger.mixed[place] or ledger.flow("replaced_time")[place]:
        return False
    for side in (0, 1):
        facts = {name: int(ledger.own(name)[place, side]) for name in ASKED}
        waits = facts["turns"] and not facts["spoken_acked_frame"]
        if not facts["packets"] or facts["state"] != State.ESTABLISHED or waits or any(facts[name] for name in PROBED):
            return False
    return True


def dialogue_rows(ledger: Ledger) -> dict[str, NDArray[Any]]:
    """The columns of the dialogue; no gap in the capture is known here."""
    every, client = np.arange(ledger.flows), ledger.client
    names = ("pending", "spoke_last", "turns", "waited", "spoken_time", "ended_dialogue")
    own, peers = (
        {name: ledger.own(name)[every, side].astype(np.int64) for name in names} for side in (client, 1 - client)
    )
    pending, turns = own["pending"] + peers["pending"], own["turns"] + peers["turns"]
    end, said = own["ended_dialogue"] + peers["ended_dialogue"], np.maximum(own["spoken_time"], peers["spoken_time"])
    told = (end > 0) & ((turns > 0) | (pending != Pending.UNKNOWN))
    return {
        "pending": pending,
        "last_data_by": np.where(own["spoke_last"] > 0, 0, 2 - peers["spoke_last"]),
        "since_data_s": np.where(told, np.maximum(end - said, 0), UNKNOWN),
        "turns": turns,
        "client_waited_s": np.where(own["waited"] == 0, UNKNOWN, own["waited"]),
        "server_waited_s": np.where(peers["waited"] == 0, UNKNOWN, peers["waited"]),
    }


FACTS = (
    *("packets", "bytes", "state", "fin_count", "fin_time", "fin_acked_time"),
    *("fin_end", "fin_frame", "fin_acked_frame"),
    *("close_wait_time", "close_wait_end", "fin_wait_2_time", "fin_wait_2_end"),
)


def zeek_states(ledger: Ledger) -> Iterator[str]:
    """``conn_state`` of each flow, by what is known of both sides."""
    states, befores, lasts, ackeds = (ledger.noted(f"zeek_{name}") for name in ("state", "before", "last", "acked"))
    fins = ledger.noted("zeek_marks") & SENT_FIN > 0
    letters = np.stack([ledger.flow(f"history_{n}") for n in range(3)], axis=1).tolist()
    for place, opener in enumerate(ledger.flow("zeek_opener").tolist()):
        one, other = (End(*(int(column[place, side]) for column in (states, befores))) for side in (0, 1))
        for side, end in enumerate((one, other)):
            end.last, end.acked = int(lasts[place, side]), int(ackeds[place, side])
            end.fin = end.last if fins[place, side] else None
        yield Connection(opener, spell(letters[place]), (one, other)).state


def _stay(entered: NDArray[Any], left: NDArray[Any], end: int) -> NDArray[Any]:
    """How long an endpoint was in a state, until the capture's end where it still is."""
    stay = np.maximum(np.where(left == 0, end, left) - entered, 0)
    return np.where(entered == 0, UNKNOWN, stay)

"""The slow, obvious twin of the tables: straight from the ledger and the log, a whole column at a time, with pandas."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.columns import words_of
from analyzer.results.letters import spell
from analyzer.results.pandas_types import empty, table
from analyzer.segments.addresses import AddressBook
from analyzer.segments.table import QUOTED
from analyzer.tcp.dialogue import Pending
from analyzer.tcp.evidence import BASIS_WORDS, NOTE_WORDS
from analyzer.tcp.states import EVENT_WORDS, NO_ARROW, TABLE, State
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.vocabularies import CLOSERS, CONN_STATES, OBSERVABILITY, Handshake, RstCause, Teardown
from analyzer.units import UNKNOWN
from tests.tracker.naive_rows import dialogue_rows, zeek_states
from tests.tracker.naive_timeline import in_order, rejoined

STATE_WORDS = [state.name for state in State]
SIDE_WORDS = ["client", "server"]
NUMBERS = ("src_port", "dst_port", "seq", "ack", "flags", "payload_len", "window", "window_scale", "ip_id", "ttl")
NUMBERS += ("ts_val", "ts_ecr", "first_byte", "marks", "interface")  # of segments, as decoding gives them
Ints = NDArray[np.int64]
Category = Any  # pd.Categorical, generic in the newest stubs only


def words(vocabulary: Sequence[str], codes: NDArray[Any]) -> Category:
    """Codes as a category column; "" and codes beyond the vocabulary are no value."""
    kept = list(dict.fromkeys(word for word in vocabulary if word))
    places = np.array([kept.index(word) if word else -1 for word in vocabulary] + [-1], np.int64)
    picked: Ints = places[np.minimum(codes, len(vocabulary))]
    return pd.Categorical.from_codes(picked, categories=pd.Index(kept))


def known(values: NDArray[Any]) -> Ints:
    """Zero means "has not happened" in the ledger: UNKNOWN in a table."""
    return np.where(values == 0, UNKNOWN, values.astype(np.int64))


def since_1970(times: NDArray[Any]) -> Ints:
    """A time of the inner clock, which is 2^62 ns ahead, as the tables have it; zero and UNKNOWN are none."""
    return np.array([UNKNOWN if time in (0, UNKNOWN) else time - 2**62 for time in times.tolist()], np.int64)


class Flows:
    """Which flows are reported, and who is who in them; the tables share it."""

    def __init__(self, ledger: Ledger, book: AddressBook) -> None:
        self.ledger = ledger
        self.rows = np.flatnonzero(ledger.reported)
        self.client = ledger.client[self.rows]
        self._addresses = pd.Index(book.texts(), dtype=object)

    def address(self, rows: NDArray[Any], side: NDArray[Any]) -> Category:
        """Address of one side of flow rows."""
        return pd.Categorical.from_codes(self.ledger.flow("address")[rows, side], categories=pd.Index(self._addresses))

    def who(self, rows: NDArray[Any]) -> dict[str, Any]:
        """The columns every table begins with, for flow rows."""
        client = self.ledger.client[rows]
        port = self.ledger.flow("port")
        return {
            "stream": self.ledger.flow("stream")[rows],
            "client_ip": self.address(rows, client),
            "client_port": port[rows, client],
            "server_ip": self.address(rows, 1 - client),
            "server_port": port[rows, 1 - client],
        }

    def both(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """A column of ENDPOINT for the client and for the server."""
        column = self.ledger.own(name)
        return column[self.rows, self.client], column[self.rows, 1 - self.client]


def flows_table(flows: Flows) -> pd.DataFrame:
    """flows.csv, but for the column ``findings``, which the judgement fills in."""
    ledger, rows = flows.ledger, flows.rows
    data = flows.who(rows)
    first, last = ledger.flow("first_time")[rows], ledger.flow("end_time")[rows]
    data |= {
        "first_frame": ledger.flow("first_frame")[rows],
        "last_frame": ledger.of_side("last_frame", ledger.flow("end_side"))[rows],
        "first_epoch": since_1970(first),
        "last_epoch": since_1970(last),
        "duration_s": np.maximum(last - first, 0),
        "handshake": words(words_of(Handshake), ledger.handshake[rows]),
        "closed_by": words(CLOSERS.by_code, ledger.closed_by[rows]),
        "teardown": words(words_of(Teardown), ledger.teardown[rows]),
        "rst_by": words([*SIDE_WORDS, ""], _role(ledger, rows)),
        "rst_cause": words(["", *words_of(RstCause)[1:]], ledger.rst_cause[rows]),
        "idle_before_close_s": np.where(ledger.closed_by[rows] > 0, ledger.flow("close_idle")[rows], UNKNOWN),
        "observability": words(OBSERVABILITY.by_code, ledger.observed[rows]),
        "findings": pd.Series([""] * len(rows), dtype="str"),
        "first_file": pd.Categorical.from_codes([-1] * len(rows), pd.Index([], dtype="str")),
        "first_file_frame": [None] * len(rows),
    }
    for role, side in zip(SIDE_WORDS, (0, 1), strict=True):
        data |= _endpoint_columns(flows, role, side)
    states = [CONN_STATES.by_code.index(state) for state in zeek_states(ledger)]
    data["conn_state"] = words(CONN_STATES.by_code, np.array(states, np.int64)[rows])
    letters = np.stack([ledger.flow(f"history_{n}")[rows] for n in range(3)], axis=1)
    data["history"] = [spell(numbers) for numbers in letters.tolist()]
    data["client_known"] = ledger.client_known[rows]
    data |= _dialogue_columns(flows)
    return table("flows", data)


def _role(ledger: Ledger, rows: NDArray[Any]) -> Ints:
    """Who sent the RST: nobody knows where somebody else did."""
    side, known = ledger.rst_side[rows], ledger.rst_cause[rows] != RstCause.THIRD_PARTY
    return np.where((side >= 0) & known, side ^ ledger.client[rows], 2)


def _endpoint_columns(flows: Flows, role: str, side: int) -> dict[str, Any]:
    """The columns of one endpoint in flows.csv."""
    pick = {name: flows.both(name)[side] for name in ("packets", "bytes", "fin_time", "fin_acked_time", "fin_count")}
    end = flows.ledger.end_time
    return _fin_columns(flows, role, side) | {
        f"{role}_packets": pick["packets"],
        f"{role}_bytes": pick["bytes"],
        f"{role}_state": words(STATE_WORDS, flows.both("state")[side]),
        f"{role}_fin_epoch": since_1970(np.where(pick["fin_count"] > 0, pick["fin_time"], 0)),
        f"{role}_fin_acked_epoch": since_1970(pick["fin_acked_time"]),
        f"{role}_close_wait_s": _stay(flows, "close_wait", side, end),
        f"{role}_fin_wait_2_s": _stay(flows, "fin_wait_2", side, end),
    }


def _fin_columns(flows: Flows, role: str, side: int) -> dict[str, Any]:
    """The columns of one endpoint's FIN."""
    names = ("fin_count", "fin_end", "fin_frame", "fin_acked_time", "fin_acked_frame")
    count, end, frame, acked_time, acked_frame = (flows.both(name)[side].astype(np.int64) for name in names)
    return {
        f"{role}_fins": count,
        f"{role}_fin_seq": np.where(count > 0, (end - 1) % 2**32, UNKNOWN),
        f"{role}_fin_frame": known(np.where(count > 0, frame, 0)),
        f"{role}_fin_acked_frame": known(np.where(acked_time != 0, acked_frame, 0)),
    }


def _dialogue_columns(flows: Flows) -> dict[str, Any]:
    """The columns of the dialogue in flows.csv."""
    data = {name: column[flows.rows] for name, column in dialogue_rows(flows.ledger).items()}
    data["pending"] = words(["", *words_of(Pending)[1:]], data["pending"])
    data["last_data_by"] = words([*SIDE_WORDS, ""], data["last_data_by"])
    return data


def _stay(flows: Flows, state: str, side: int, end: int) -> Ints:
    """How long an endpoint was in a state, until the capture's end where it still is."""
    entered, left = flows.both(f"{state}_time")[side], flows.both(f"{state}_end")[side]
    return np.where(entered == 0, UNKNOWN, np.maximum(np.where(left == 0, end, left) - entered, 0))


def timeline_table(flows: Flows, log: NDArray[np.void]) -> pd.DataFrame:
    """timeline.csv: what stands in the log and was not taken back, by stream and time."""
    entries = in_order(rejoined(log[log["void"] == 0]))
    rows, side = entries["end"] >> 1, entries["end"] & 1
    data = flows.who(rows)
    data |= {
        "endpoint": words(SIDE_WORDS, side ^ flows.ledger.client[rows]),
        "endpoint_ip": flows.address(rows, side),
        "endpoint_port": flows.ledger.flow("port")[rows, side],
        "event": words([pair[0] for pair in EVENT_WORDS.values()], entries["event"]),
        "from_state": words(STATE_WORDS, entries["from_state"]),
        "state": words(STATE_WORDS, entries["state"]),
        "time_epoch": since_1970(entries["time"]),
        "earliest_epoch": since_1970(entries["earliest"]),
        "latest_epoch": since_1970(entries["latest"]),
        "frame": known(entries["frame"]),
        "basis": words(list(BASIS_WORDS.values()), entries["basis"]),
        "note": notes(entries),
    }
    return table("timeline", data)


def notes(entries: NDArray[np.void]) -> NDArray[np.object_]:
    """The words of log rows: the arrow's, its section of the standard, and what else is to be said."""
    keys = entries["arrow"].astype(np.int64) << 8 | entries["note"]
    distinct, place = np.unique(keys, return_inverse=True)
    texts = np.array([_note(int(key) >> 8, int(key) & 0xFF) for key in distinct], dtype=object)
    return texts[place] if len(texts) else np.zeros(0, object)


TIMERS = {State.TIME_WAIT: "TIME_WAIT", State.FIN_WAIT_2: "FIN_WAIT_2"}  # 60 s each by the profile linux


def _note(arrow: int, note: int) -> str:
    extra = NOTE_WORDS[list(NOTE_WORDS)[note]]
    if arrow == NO_ARROW:
        return extra
    row = TABLE[arrow]
    if row.event.name == "TIMER":
        state = TIMERS[row.state]
        shown = f"{state} had ended: the RST shows that it no longer had the connection; profile linux: after 60 s"
        return shown if extra else f"{state} ends after 60 s: profile linux"
    if row.words.startswith("sent a RST: it has no such connection") and extra.startswith("the RST shows"):
        extra = ""
    source = f" (RFC 9293 {row.section})" if row.section[0].isdigit() else ""
    source = f" ({row.section})" if not source and row.section != "-" else source
    return f"{row.words}{source}" + (f"; {extra}" if extra else "")


def segments_table(batches: Sequence[NDArray[np.void]], tuples: NDArray[np.void], book: AddressBook) -> pd.DataFrame:
    """segments.csv: one row a TCP segment, headers quoted in ICMP errors apart; ``tuples`` is the flow table."""
    if not batches:
        return empty("segments")
    rows = np.concatenate([batch[(batch["marks"] & QUOTED) == 0] for batch in batches])
    rows = rows[np.argsort(rows["frame"], kind="stable")] if np.any(np.diff(rows["frame"]) < 0) else rows
    addresses = pd.Index(book.texts(), dtype=object)
    data = {
        "frame": rows["frame"],
        "stream": tuples["stream"][rows["sender"] >> 1],
        "src_ip": pd.Categorical.from_codes(rows["src"], categories=addresses),
        "dst_ip": pd.Categorical.from_codes(rows["dst"], categories=addresses),
        "time_epoch": since_1970(rows["time"]),
    }
    data |= {name: rows[name] for name in NUMBERS}
    return table("segments", data)

"""Ledgers made by hand: a few facts an endpoint, everything else as if nothing were known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.recording import unbroken
from analyzer.findings import Rule, rules
from analyzer.findings.all_flows import AllFlows, CaptureFacts
from analyzer.findings.wording import sentence
from analyzer.flows.table import FLOW
from analyzer.results.dataframes import findings_frame
from analyzer.results.finding_list import FindingList, listing_of
from analyzer.results.sentence_values import SentenceValues
from analyzer.results.sentences import line_form
from analyzer.settings import Settings
from analyzer.tcp.evidence import Basis
from analyzer.tcp.states import State
from analyzer.text import Template, Words
from analyzer.times import inner
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.ledger import CONNECTION, ENDPOINT, Answered, Known
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.rst import Reception
from analyzer.writers.finding_lines import FindingLines
from tests.tracker.naive_signs import signs_of

SECOND = 1_000_000_000
START = inner(1_700_000_000 * SECOND)
END = START + 100 * SECOND
NO_GAPS = np.zeros((0, 2), np.int64)
FIN_END = 5000  # the sequence number after the server's FIN, where data meet a RST
WHOLE = int(Known.ISN | Known.NXT | Known.ACK)


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def ledger(*flows: dict[str, Any], copies: int = 1, end: int = END) -> Ledger:
    """A flow for each dict, ``copies`` times: the keys ``client`` and ``server`` hold columns of the endpoints, the
    others columns of the flow. The client is side 0; every endpoint sent one SYN and some segments."""
    count = len(flows) * copies
    ends, rows, table = np.zeros(2 * count, ENDPOINT), np.zeros(count, CONNECTION), np.zeros(count, FLOW)
    ends["packets"], ends["known"], ends["syn_count"], ends["last_time"] = 5, WHOLE, 1, START
    ends["syn_ack"][1::2] = 1
    ends["established_time"] = START
    rows["first_time"], rows["close_side"], rows["first_frame"] = START, 0, 1
    rows["row"] = np.arange(count)
    table["stream"], table["previous"] = np.arange(count), -1
    table["port"], table["address"] = (40000, 80), (0, 1)
    for place, flow in enumerate(flows):
        mine = slice(place, count, len(flows))
        for side, role in enumerate(("client", "server")):
            for name, value in flow.get(role, {}).items():
                ends.reshape(-1, 2)[name][mine, side] = value
        for name, value in flow.items():
            if name not in ("client", "server"):
                (rows if name in (CONNECTION.names or ()) else table)[name][mine] = value
    return with_signs(Ledger(ends, rows, table, end, np.zeros(count, np.int64)))


def with_signs(made: Ledger) -> Ledger:
    """The same with the signs of its flows; any FIN is late that comes after an acknowledgment of the peer's."""
    made.signs = signs_of(made, 0)
    return made


def no_flows() -> AllFlows:
    """What rules about all flows are given of a capture without any."""
    return all_flows([])


def all_flows(rows: list[dict[str, Any]], end: int = END, **facts: Any) -> AllFlows:
    """The flows of a capture as rules about all of them are given them: some columns of ENDING each, the others as if
    nothing were known; each has a stream of its own."""
    endings = np.zeros(len(rows), ENDING)
    endings["stream"], endings["client_known"] = np.arange(len(rows)), 1
    for place, row in enumerate(rows):
        for name, value in row.items():
            endings[name][place] = value
    return AllFlows(lambda name: endings[name], CaptureFacts(START, end, facts.pop("gaps", NO_GAPS), **facts))


class Book:
    """Stands in for the address book."""

    def texts(self) -> list[str]:
        return ["10.0.0.1", "2001:db8::2"]


def leaking_server(since: float = 1.0, **facts: Any) -> dict[str, Any]:
    """The client closed, the server acknowledged that in frame 9 and never closed."""
    waiting = {
        "state": State.CLOSE_WAIT,
        "state_basis": Basis.PROVEN,
        "close_wait_basis": Basis.PROVEN,
        "close_wait_time": at(since),
        "last_time": at(since),
    }
    closed = {
        "state": State.FIN_WAIT_2,
        "fin_count": 1,
        "fin_time": at(since) - 1000,
        "fin_frame": 8,
        "fin_acked_time": at(since),
        "fin_acked_frame": 9,
    }
    return {"client": closed, "server": waiting | facts}


def data_meets_reset(after: float, size: int, first_byte: int, ack: int = FIN_END, **server: Any) -> dict[str, Any]:
    """The server's FIN is acknowledged in frame 9; ``after`` seconds behind it the client sends data that acknowledge
    ``ack``, in frame 10, and the server resets."""
    closed = {"fin_count": 1, "fin_time": at(1), "fin_frame": 8, "fin_acked_time": at(1.001), "fin_acked_frame": 9}
    reset = {"rst_time": at(1 + after) + 1000, "rst_frame": 11, "rst_count": 1, "rst_verdict": Reception.ACCEPTED}
    answer = {"rst_reply": 1, "rst_answers": Answered.DATA, "rst_answers_time": at(1 + after), "rst_answers_frame": 10}
    numbers = {"fin_end": FIN_END, "rst_answers_ack": ack, "rst_half_close": size}
    states = {"rst_state": State.FIN_WAIT_2, "rst_peer_state": State.CLOSE_WAIT, "tap_rtt": 1000}
    client = {
        "close_wait_time": at(1),
        "close_wait_end": at(1 + after),
        "tap_rtt": 10_000_000,
        "data_time": at(1 + after),
        "last_payload": size,
        "last_payload_byte": first_byte,
    }
    return {"server": closed | reset | answer | numbers | states | server, "client": client}


def asked(**server: Any) -> dict[str, Any]:
    """A client that waits for the answer to its SYNs, and what came from the server."""
    nothing = {"packets": 0, "syn_count": 0, "syn_ack": 0, "known": 0, "established_time": 0}
    client = {"packets": 2, "syn_count": 2, "syn_frame": 1, "state": State.SYN_SENT, "established_time": 0}
    return {"client": client, "server": nothing | server}


def found(made: Ledger, **settings: Any) -> dict[str, dict[str, Any]]:
    """A row of the findings for each code, the last one."""
    rows = findings_frame(listing_of(made, Book(), Settings(**settings)))
    return {row["code"]: row for row in rows.to_dict("records")}


def sentences(
    template: str,
    values: dict[str, NDArray[np.int64]],
    texts: dict[str, tuple[str, ...]] | None = None,
    start: int = 0,
    quotes: bool = False,
    bare: bool = False,
    rule: Rule | None = None,
) -> list[str]:
    """``template`` filled for each row of ``values``, whose names are those of columns where they are ``bare``."""
    named = {name if bare else f"= {name}": value for name, value in values.items()}
    count = len(next(iter(values.values())))
    words = {f"= {name}": value for name, value in (texts or {}).items()}
    made = line_form(sentence(template, rule or rules()["TD307"], words, Settings()), unbroken(), quotes)
    v6 = np.array([":" in text for text in [*Book().texts(), ""]])
    rows = SentenceValues(named | {"start": np.full(count, start)}, np.arange(count), v6, END)
    form = Template([*made.pieces, ""])
    columns = {piece.column: rows[piece.column] for piece in form.pieces if piece.column} or {"row": np.arange(count)}
    lines = form.bind(columns, made.words | {"addresses": Words.of(Book().texts())}).words()
    return [lines[place].decode() for place in range(count)]


def csv_lines(listing: FindingList) -> bytes:
    """The lines of findings.csv, without the header."""
    some, room = [], np.empty(0, np.uint8)
    for places in listing.parts():
        lines, room = FindingLines(listing).of(places, room)
        some += [bytes(text) for text in lines.parts()]
    return b"".join(some)

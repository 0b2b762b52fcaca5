"""What must not change what is told of a capture: where its sequence numbers begin, which side is which, who has which
address. Every capture at hand is told again with that rewritten, as ``analyze`` tells it.

The segments are rewritten between decoding and the flow table; a handful of captures also as files.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import analyzer
from analyzer.capture import open_captures
from analyzer.engine.pipeline import Analysis
from analyzer.errors import TeardownError
from analyzer.flows.row import ANSWER_SIDE
from analyzer.flows.table import FlowTable
from analyzer.results.result import Analysed, ResultTables
from analyzer.segments import Decoder
from analyzer.segments.table import ACK, SEGMENT, SYN
from analyzer.settings import Settings
from tests.capture.build import pcap
from tests.captures import OWN, cases, own, public
from tests.findings.books import csv_lines

Rows = NDArray[np.void]
Told = tuple[list[Any], list[Any], list[str]]
WRAP = 1 << 32


class Decoded(NamedTuple):
    """A capture up to its segments."""

    rows: Rows
    decoder: Decoder
    interfaces: int


def decoded(path: Path) -> Decoded:
    decoder, batches = Decoder(), []
    with open_captures([str(path)]) as capture:
        for packets in capture:
            batches.append(decoder.decode(packets).copy())
        decoder.finish()
        return Decoded(np.concatenate([np.zeros(0, SEGMENT), *batches]), decoder, len(capture.interfaces))


class Turned(FlowTable):
    """A flow table in which side 0 is whoever did not send the flow's first segment."""

    def assign(self, batch: Rows) -> None:
        super().assign(batch)
        batch["sender"] ^= 1
        rows = self.rows
        for name in ("address", "port", "isn"):
            rows[name] = rows[name][:, ::-1].copy()
        rows["guess"] ^= 1
        known = rows["isn_known"].copy()
        rows["isn_known"] = (known & 1) << 1 | known >> 1 & 1 | ~known & ANSWER_SIDE


class Retold(Analysis):
    """The analysis of segments that are there already."""

    def __init__(self, capture: Decoded, table: FlowTable) -> None:
        super().__init__(Settings())
        self._capture, self._table = capture, table
        old = capture.decoder
        self._decoder: Any = SimpleNamespace(
            book=old.book, first_ns=old.first_ns, last_ns=old.last_ns, counts=old.counts, finish=lambda: None
        )

    def _batches(self, capture: Any) -> Iterator[Callable[[], Rows]]:
        yield lambda: self._arranged(self._capture.rows.copy(), self._capture.interfaces)
        yield self._left_waiting


def retold(capture: Decoded, rows: Rows, table: FlowTable | None = None) -> Analysed:
    """What is told of a capture whose segments are ``rows`` instead."""
    analysis = Retold(capture._replace(rows=rows), table or FlowTable())
    for given in analysis.gathered(None):  # type: ignore[arg-type]
        analysis.follow(given)
        analysis.settle()
    source: Any = SimpleNamespace(bytes_read=0, packets=0, link_types=[], notices=[])
    return analysis.result([], source)


def told(analysed: Analysed) -> Told:
    """The tables as rows of numbers, and the lines of findings.csv. Left out are connections of which one side is
    silent: of these an acknowledgment of 0 counts for none (``one_sided``)."""
    endings, entries = analysed.tables.whole()
    codes = [analysed.tables.combinations[number] for number in endings["findings"].tolist()]
    endings["findings"] = endings["client_fin_seq"] = endings["server_fin_seq"] = 0  # the numbers themselves
    silent = (endings["client_packets"] == 0) | (endings["server_packets"] == 0)
    streams = {str(stream) for stream in endings["stream"][silent]}
    entries = entries[~silent[entries["end"] >> 1]]
    lines = csv_lines(analysed.listing).decode().splitlines()
    mine = [re.sub(r"\(raw \d+\)", "", line) for line in lines if line.split(",")[2] not in streams]
    return (
        [
            pair
            for pair, left in zip(zip(endings.tolist(), codes, strict=True), silent.tolist(), strict=True)
            if not left
        ],
        entries.tolist(),
        mine,
    )


GO_ON = {"goes-on-untranslated", "goes-on-from-another-port"}  # one connection in two streams, by its numbers


def numbers_from(rows: Rows, first: int, hosts: bool = False) -> Rows:
    """The same with the first number of each side at ``first``; of all connections between two ends alike, so that
    those that follow one another stay as far apart; or of all that one host sent, and of all it was sent."""
    moved = rows.copy()
    forth = np.stack([rows[name].astype(np.int64) for name in ("src", "src_port", "dst", "dst_port")], axis=1)
    back = forth[:, [2, 3, 0, 1]]
    if hosts:
        forth, back = (ends[:, :1] == rows["src"][0] for ends in (forth, back))
    _, way = np.unique(np.concatenate([forth, back]), axis=0, return_inverse=True)
    way = way.reshape(2, -1)
    shift = np.zeros(int(way.max(initial=-1)) + 1, np.int64)
    known = np.zeros(len(shift), np.bool_)
    columns = (rows[name].tolist() for name in ("seq", "ack", "flags"))
    for own_way, other_way, seq, ack, flags in zip(*way.tolist(), *columns, strict=True):
        if not known[own_way] and (seq or flags & SYN):
            known[own_way], shift[own_way] = True, first - seq
        if not known[other_way] and flags & ACK:
            known[other_way], shift[other_way] = True, first + 1 - ack
    moved["seq"] = (rows["seq"] + shift[way[0]]) % WRAP
    moved["ack"] = np.where(rows["flags"] & ACK, (rows["ack"] + shift[way[1]]) % WRAP, rows["ack"])
    return moved


def ends_swapped(rows: Rows) -> Rows:
    """The same with the two ends' addresses and ports exchanged in every segment."""
    moved = rows.copy()
    for one, other in (("src", "dst"), ("src_port", "dst_port")):
        moved[one], moved[other] = rows[other], rows[one]
    return moved


def at(ip: str, port: Any) -> str:
    """An endpoint as messages name it."""
    return f"[{ip}]:{port}" if ":" in str(ip) else f"{ip}:{port}"


def by_speaker(tables: ResultTables, swapped: bool, of_roles: Collection[str] = ()) -> list[Any]:
    """What is told of each endpoint in whichever role, named by who it was before the ends were swapped. Crowds
    are left out, and the findings ``of_roles``: they are made of roles. So is what depends on a client that was only
    guessed, from the ports."""
    told: list[Any] = []
    for flow in tables.flows.to_dict("records"):
        roles = {
            "client": at(flow["client_ip"], flow["client_port"]),
            "server": at(flow["server_ip"], flow["server_port"]),
        }
        who = dict(zip(roles, reversed(roles.values()), strict=True)) if swapped else roles
        left_out = (
            ENDS | (GUESSED if of_roles or not flow["client_known"] else set()) | ({"findings"} if of_roles else set())
        )
        told.append(
            {plain_name(name, who): value_of(value, who) for name, value in flow.items() if name not in left_out}
        )
        mine = [
            table[table["stream"] == flow["stream"]].to_dict("records") for table in (tables.timeline, tables.findings)
        ]
        for row in mine[0]:
            told.append([value_of(value, who) for name, value in row.items() if name not in ENDS])
        for row in mine[1]:
            if row["code"] in of_roles:
                continue
            words = worded(row, roles, who) if flow["client_known"] else ""
            sure = row["confidence"] if row["code"] != "TD309" else ""  # the host's other connections decide
            told.append([row["code"], who.get(row["endpoint"], ""), row["frames"], sure, row["time_epoch"], words])
    return told


ENDS = {f"{role}_{what}" for role in ("client", "server", "endpoint") for what in ("ip", "port")} | {"client_known"}
GUESSED = {"pending", "conn_state", "history"}
OF_OTHERS = re.compile(  # rests on the host's other connections, or on the ports
    " The TTL of|; that of (?:RSTs in this host's name|SYN-ACKs of this host)|; RSTs in this host's name"
    "|; SYN-ACKs of this host|; all RSTs in this host's name|, consistent with|, within a second"
)


def plain_name(name: str, who: dict[str, str]) -> tuple[str, str]:
    """``client_bytes`` is the ``bytes`` of whoever is the client."""
    role, _, what = name.partition("_")
    return (what, who[role]) if role in who else (name, "")


def value_of(value: Any, who: dict[str, str]) -> Any:
    """A cell in which a role is who has it; what is not known is always the same."""
    return "" if pd.isna(value) else who.get(value, value)


def worded(row: dict[str, Any], roles: dict[str, str], who: dict[str, str]) -> str:
    """Message and advice with who each endpoint is instead of its address, and no port of a filter."""
    text = f"{row['message']} {row['advice']}"
    if row["code"] in ("TD307", "TD308", "TD309", "TD401", "TD501", "TD502"):
        text = OF_OTHERS.split(str(row["message"]))[0].rstrip(".")
    ips = {role: str(row[f"{role}_ip"]) for role in roles}
    others = dict(zip(ips, reversed(ips.values()), strict=True)) if roles != who else ips
    for role, end in roles.items():
        text = text.replace(end, f"<{who[role]}>".replace(":", ";").replace(".", ","))
    marked = {role: f"<{others[role]}>".replace(":", ";").replace(".", ",") for role in ips}
    for role, ip in sorted(ips.items(), key=lambda pair: -len(pair[1])):
        text = re.sub(rf"(?<![\w.:]){re.escape(ip)}(?!\w|:\w|\.\d)", marked[role], text)
    return re.sub(r"= :\d+|tcp\.port == \d+|and port \d+", "the port", text)


def capture_of(path: Path) -> Decoded:
    try:
        return decoded(path)
    except TeardownError:
        pytest.skip("not read")


@pytest.mark.parametrize("path", [*own(), *public(), *cases()])
def test_numbers_that_wrap_and_sides_turned(path: Path) -> None:
    capture = capture_of(path)
    usual = told(retold(capture, capture.rows))
    # The handshake's last ACK is 0, or the numbers wrap after some bytes of data.
    for first in (WRAP - 1, WRAP - 50):
        moved = numbers_from(capture.rows, first, path.stem in GO_ON)
        assert told(retold(capture, moved)) == usual, f"numbers from {first}"
    assert told(retold(capture, capture.rows, Turned())) == usual


@pytest.mark.parametrize("path", [*own(), *public()[::4], *cases()])
def test_ends_swapped(path: Path) -> None:
    if path.stem in GO_ON:
        pytest.skip("a segment came from elsewhere: swapped, it would go elsewhere")
    capture = capture_of(path)
    usual, swapped = (retold(capture, rows).result() for rows in (capture.rows, ends_swapped(capture.rows)))
    of_roles = {"TD308", "TD315"} if "TD315" in set(usual.findings["code"]) else set()
    assert by_speaker(swapped, True, of_roles) == by_speaker(usual, False, of_roles)


def test_they_do_wrap() -> None:
    """So that the first of these tries what it says it tries."""
    capture = decoded(OWN[0])
    moved = numbers_from(capture.rows, WRAP - 1)
    assert {WRAP - 1, 0} < {*moved["seq"].tolist()} and 0 in moved["ack"].tolist()
    assert (moved["seq"] != capture.rows["seq"]).all()


# The same with files

NAMES = ["close-wait-leak", "request-crossed-fin", "keepalive-gave-up", "tuple-reused-in-time-wait", "frames-missing"]
FILES = [path for path in OWN if path.stem in NAMES]
IP, ETHERNET, NANOSECONDS = 14, 1, 0xA1B23C4D
COOKED, COOKED_HEADER = 276, 20  # frames of the interface any (LINUX_SLL2)
Change = Callable[[bytearray], None]  # of a frame with TCP over IPv4


def file_with(path: Path, change: Change, folder: Path) -> Path:
    """The capture as a file of its own, in frames of Ethernet, with ``change`` applied to each."""
    frames = []
    with open_captures([str(path)]) as capture:
        for packets in capture:
            for row in packets.rows:
                begin = int(row["offset"])
                frame = bytearray(packets.data[begin : begin + int(row["captured"])].tobytes())
                if row["link"] == COOKED:
                    frame[:COOKED_HEADER] = bytes(12) + frame[:2]
                else:
                    assert row["link"] == ETHERNET
                if frame[12:14] == b"\x08\x00" and frame[IP + 9] == 6:
                    change(frame)
                cut_off = int(row["length"]) - int(row["captured"])
                frames.append((*divmod(int(row["time"]), 10**9), bytes(frame), len(frame) + cut_off))
    made = folder / f"{path.stem}.pcap"
    made.write_bytes(pcap(frames, magic=NANOSECONDS))
    return made


def swap_ends(frame: bytearray) -> None:
    """Exchange both addresses, and both ports."""
    tcp = IP + 4 * (frame[IP] & 15)
    for place, size in ((IP + 12, 4), (tcp, 2)):
        one, other = frame[place : place + size], frame[place + size : place + 2 * size]
        frame[place : place + 2 * size] = other + one


def move_hosts(frame: bytearray) -> None:
    """Every address in another network, in another order."""
    for place in (IP + 12, IP + 16):
        frame[place], frame[place + 3] = 192, frame[place + 3] ^ 0xFF


class Wrapping:
    """Move each side's first number to just below 2^32."""

    def __init__(self) -> None:
        self.shifts: dict[bytes, int] = {}

    def __call__(self, frame: bytearray) -> None:
        tcp = IP + 4 * (frame[IP] & 15)
        one, other = (
            bytes(frame[IP + 12 : IP + 16] + frame[tcp : tcp + 2]),
            bytes(frame[IP + 16 : IP + 20] + frame[tcp + 2 : tcp + 4]),
        )
        seq, ack = struct.unpack_from(">II", frame, tcp + 4)
        forth = self.shifts.setdefault(one + other, WRAP - 50 - seq)
        back = self.shifts.setdefault(other + one, WRAP - 49 - ack) if frame[tcp + 13] & ACK else 0
        struct.pack_into(">II", frame, tcp + 4, (seq + forth) % WRAP, (ack + back) % WRAP)


def same_tables(
    one: ResultTables, other: ResultTables, names: Callable[[str], str] = str, but: Collection[str] = ()
) -> None:
    """The same tables, with ``names`` applied to the texts of the first; columns named in ``but`` apart."""
    for name in ("flows", "timeline", "findings"):
        ours, theirs = (
            getattr(result, name).drop(columns=list(but), errors="ignore").astype(str).fillna("")
            for result in (one, other)
        )
        pd.testing.assert_frame_equal(ours.map(names), theirs, check_dtype=False)


def moved_in(text: str) -> str:
    """What :func:`move_hosts` does, to the addresses in a text."""
    return re.sub(r"\b10\.(\d+)\.(\d+)\.(\d+)\b", lambda m: f"192.{m[1]}.{m[2]}.{int(m[3]) ^ 0xFF}", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files(path: Path, tmp_path: Path) -> None:
    usual = analyzer.analyze(file_with(path, lambda frame: None, tmp_path))
    assert len(usual.flows)
    same_tables(
        usual, analyzer.analyze(file_with(path, Wrapping(), tmp_path)), but=("client_fin_seq", "server_fin_seq")
    )
    same_tables(usual, analyzer.analyze(file_with(path, move_hosts, tmp_path)), moved_in)
    swapped = analyzer.analyze(file_with(path, swap_ends, tmp_path))
    assert by_speaker(swapped, True) == by_speaker(usual, False)

"""Whether what a watch wrote is what its packets say, for the soak.

1. Tables against ``teardown analyze`` of the packets that the watch saved: equal row by row, but for what docs/live.md
   states: what is said of the end itself (ages that run until then, the event ``capture-end``, the time of a
   ``lost-sight`` that no frame shows; a TIME_WAIT that runs out between the last packet and the end), where the length
   of a timer is from, and findings about crowds of connections. A leak (TD101) is one after 10 s, so a
   connection that was within ``NEAR`` s of that at the last packet may be one (TD107 else); each such is counted.
2. Where nothing was lost, the packets saved against those that tcpdump saved beside it, byte by byte, from the first to
   the last one that the watch has (``EDGE`` s left out at both ends: two sockets stamp a packet twice).
3. Where nothing was lost, the tables against ``analyze`` of tcpdump's packets, as many as the watch says it had: equal
   connection by connection in everything but times. Two sockets may stamp two packets that pass at once in another
   order, which may turn letters of the history and who closed first: of a connection in ``SWAPS`` that is counted.
"""

import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.soak_life import ROOT, Life

EDGE = 0.01
SWAPS = 100  # one connection of so many, and one more
LEAK, NEAR = 10.0, 1.0
CROWDS = {"TD106", "TD316", "TD317", "TD504"}
AGES = ("client_close_wait_s", "server_close_wait_s", "client_fin_wait_2_s", "server_fin_wait_2_s")
TIMER_FROM = r": (as on this host|profile linux)$"
NAMES = ("client_ip", "client_port", "server_ip", "server_port")
STORY = (*NAMES, "client_packets", "server_packets", "client_bytes", "server_bytes", "handshake", "closed_by",
         "teardown", "client_state", "server_state", "rst_by", "findings", "history")  # fmt: skip
ORDERED = ("closed_by", "teardown", "client_state", "server_state", "rst_by", "findings", "history")  # of STORY
EVERYTHING: dict[str, tuple[str, ...]] = dict.fromkeys(("flows", "timeline", "findings"), ())
Packet = tuple[float, bytes]


def packets(path: Path) -> list[Packet]:
    """Time and bytes of each packet; tcpdump reads whatever format it is."""
    command = ["tcpdump", "-n", "-r", str(path), "--time-stamp-precision", "nano", "-w", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    place, found = 24, []
    while place < len(data):
        seconds, part, size, _ = struct.unpack_from("<IIII", data, place)
        found.append((seconds + part / 1e9, data[place + 16 : place + 16 + size]))
        place += 16 + size
    return found


def analyse(capture: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "analyzer.cli", "analyze", str(capture), "--quiet", "--out", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)


def table(folder: Path, name: str) -> pd.DataFrame:
    """All files of a table together, whatever they were renamed to."""
    found = [pd.read_csv(path, dtype=str) for path in sorted(folder.glob(f"{name}*.csv*")) if path.stat().st_size]
    frame = pd.concat(found, ignore_index=True).fillna("") if found else pd.DataFrame()
    if name == "timeline" and len(frame):
        frame = frame[frame["event"] != "capture-end"]
        at_end = (frame["event"] == "lost-sight") & (frame["frame"] == "")
        frame.loc[at_end, ["time_epoch", "latest_epoch"]] = "the end"
        frame["note"] = frame["note"].str.replace(TIMER_FROM, "", regex=True)
    if name == "findings" and len(frame):
        frame = frame[~frame["code"].isin(CROWDS)]
    if name == "flows" and len(frame):
        crowds = frame["findings"].map(lambda text: ";".join(code for code in text.split(";") if code not in CROWDS))
        frame = frame.assign(findings=crowds)
    return frame


def rows(frame: pd.DataFrame, keep: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(frame[keep].itertuples(index=False, name=None)) if len(frame) else Counter()


def undecided(folder: Path, end: float) -> set[tuple[str, ...]]:
    """The connections in CLOSE_WAIT until ``end`` for so long that another moment decides whether they leaked."""
    found = table(folder, "findings")
    found = found[found["code"].isin(("TD101", "TD107"))] if len(found) else found
    if not len(found):
        return set()
    age = end - found["time_epoch"].astype(float)
    return set(found[(age > LEAK - NEAR) & (age < LEAK + NEAR)][list(NAMES)].itertuples(index=False, name=None))


def run_out(folder: Path, end: float) -> set[tuple[str, ...]]:
    """The connections whose TIME_WAIT ran out after ``end``: how long the watch went on decides."""
    found = table(folder, "timeline")
    found = found[(found["from_state"] == "TIME_WAIT") & (found["state"] == "CLOSED")] if len(found) else found
    if not len(found):
        return set()
    return set(found[found["time_epoch"].astype(float) > end][list(NAMES)].itertuples(index=False, name=None))


def differences(life: Life, one: Path, other: Path, columns: dict[str, tuple[str, ...]], what: str, end: float) -> None:
    """Compare tables of two folders; every difference is a problem of ``life``."""
    open_question = undecided(one, end) | undecided(other, end)
    over = run_out(one, end) | run_out(other, end)
    life.judged[f"{what}: connections at the leak's threshold, left out"] = len(open_question)
    life.judged[f"{what}: connections whose TIME_WAIT ran out at the end, left out"] = len(over)
    for name, wanted in columns.items():
        left, right = table(one, name), table(other, name)
        drop = {*AGES, "message", "advice", "first_file", "first_file_frame", "file", "file_frame"}
        keep = [column for column in left.columns if column not in drop and (not wanted or column in wanted)]
        if name == "findings" and wanted:
            keep = ["code", *NAMES, "endpoint"]
        ours, theirs = rows(left, keep), rows(right, keep)
        life.judged[f"{what}: {name}, rows equal"] = (ours & theirs).total()
        place = keep.index(NAMES[0])
        left_out = over if name == "timeline" else over | open_question
        for some in (ours, theirs):
            for row in [row for row in some if row[place : place + 4] in left_out]:
                del some[row]
        if name == "flows" and wanted:
            swapped(life, what, ours, theirs, [place for place, column in enumerate(keep) if column not in ORDERED])
        only = [("watch", row) for row in (ours - theirs).elements()]
        only += [("analyze", row) for row in (theirs - ours).elements()]
        for side, row in sorted(only, key=lambda entry: entry[1])[:20]:
            life.problems.append(f"{what}: {name}, only {side}: {','.join(row)}")
        if len(only) > 20:
            life.problems.append(f"{what}: {name}: {len(only) - 20} more rows differ")


def swapped(life: Life, what: str, ours: Counter[Any], theirs: Counter[Any], same: list[int]) -> None:
    """Leave out connections that differ only in what the order of two packets decides, if they are few."""
    others = {tuple(row[place] for place in same): row for row in theirs - ours}
    pairs = [(row, others[key]) for row in ours - theirs if (key := tuple(row[place] for place in same)) in others]
    life.judged[f"{what}: connections with packets in another order"] = len(pairs)
    if len(pairs) > 1 + ours.total() // SWAPS:
        return
    for mine, other in pairs:
        del ours[mine], theirs[other]


def compare(life: Life, whole: bool, lossless: bool) -> None:
    """``whole``: the watch could save all packets that it saw; ``lossless``: it must have seen all."""
    kept = life.folder / "packets.pcap"
    parts = sorted(life.folder.glob("packets*.pcapng*"), key=lambda path: packets(path)[:1])
    joined = life.folder / "joined.pcapng"
    joined.write_bytes(b"".join(path.read_bytes() for path in parts))
    own = packets(joined)
    if whole:
        analyse(joined, life.folder / "own")
        differences(life, life.folder, life.folder / "own", EVERYTHING, "own", own[-1][0])
        seen = life.summary.get("packets")
        life.check(seen in (None, len(own)), f"{seen} packets analysed, {len(own)} saved")
    if not lossless or life.beside_lost:
        return
    beside = packets(life.folder / "beside.pcap")
    inside = [data for at, data in beside if own[0][0] + EDGE <= at <= own[-1][0] - EDGE]
    life.check(not (gone := Counter(inside) - Counter(data for _, data in own)), f"{gone.total()} packets missing")
    extra = Counter(data for _, data in own) - Counter(data for _, data in beside)
    life.check(not extra, f"{extra.total()} packets saved that tcpdump did not see")
    if not life.summary:
        return
    first = min((abs(at - own[0][0]), place) for place, (at, data) in enumerate(beside) if data == own[0][1])[1]
    cut = beside[first : first + life.summary["packets"]]
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)
    chunks = [struct.pack("<IIII", int(at), round(at % 1 * 1e9), len(data), size(data)) + data for at, data in cut]
    kept.write_bytes(head + b"".join(chunks))
    analyse(kept, life.folder / "cut")
    differences(life, life.folder, life.folder / "cut", {"flows": STORY, "findings": NAMES}, "beside", cut[-1][0])


def size(data: bytes) -> int:
    """Length of a frame on the wire, by its IP header."""
    if data[12:14] == b"\x86\xdd":
        return max(len(data), 54 + int.from_bytes(data[18:20], "big"))
    return max(len(data), 14 + int.from_bytes(data[16:18], "big"))

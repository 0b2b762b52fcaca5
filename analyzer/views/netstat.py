"""Sockets as netstat lists them, host after host; and how many were in each state, over time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.results.netstat import STATES, CountsOverTime, SocketList
from analyzer.results.number_table import NumberTable
from analyzer.results.result import Analysed
from analyzer.times import date_text, moment
from analyzer.units import SECOND, UNKNOWN, counted
from analyzer.views.console import Line, aligned, duration, endpoint, heading, wrapped
from analyzer.views.next_commands import command

TITLES = ("Proto", "Local Address", "Foreign Address", "State", "", "stream")
MARK = " ~"
NUMBERS_AT_ONCE = 4_000_000  # counts in memory
DAY = 24 * 3600 * SECOND
Row = dict[str, Any]


def socket_lines(analysed: Analysed, sockets: SocketList, limit: int | None, columns: int) -> Iterator[Line]:
    """The sockets at a moment: of ``limit`` hosts at most, and so many of each; None for all."""
    since = sockets.at - (analysed.summary.first_ns or 0)
    yield Line(f"{date_text(sockets.at)}, {duration(since / 1e9)} after the first packet", "bold")
    hosts = [(int(host), np.flatnonzero(sockets.rows["local_ip"] == host)) for host in _hosts(sockets)[:limit]]
    for host, places in hosts:
        yield from heading(sockets.texts["local_ip"][host].decode())
        yield from _host_lines(sockets, places, limit)
    yield Line()
    yield from _left_out(len(_hosts(sockets)), len(hosts), "host")
    for words in _last_words(analysed, sockets):
        yield from (Line(line, "dim") for line in wrapped(words, 0, columns))
    if hosts:
        settings = analysed.listing.settings
        yield Line(command("timeline", analysed.summary, settings, "--stream N", filters=False), "dim")


def _hosts(sockets: SocketList) -> list[int]:
    """The hosts in the order of the list."""
    hosts, first = np.unique(sockets.rows["local_ip"], return_index=True)
    return [int(host) for host in hosts[np.argsort(first)]]


def _host_lines(sockets: SocketList, places: NDArray[np.intp], limit: int | None) -> Iterator[Line]:
    """The sockets of one host, and how many are in each state."""
    rows = {name: column[places[:limit]].tolist() for name, column in sockets.rows.items()}
    cells = [_cells(sockets, dict(zip(rows, row, strict=True))) for row in zip(*rows.values(), strict=True)]
    lines = aligned([TITLES, *cells], left=len(TITLES) - 1)
    yield Line(lines[0], "dim")
    yield from map(Line, lines[1:])
    yield from _left_out(len(places), len(cells), "socket")
    count = np.bincount(sockets.rows["state"][places], minlength=len(STATES)).tolist()
    unsure = int((sockets.rows["also_possible"][places] > 0).sum())
    words = [f"{number:,} {state}" for state, number in zip(STATES, count, strict=True) if number]
    told = f"{counted(len(places), 'socket')}: {', '.join(words)}"
    yield Line(f"{told}; {unsure:,} uncertain (~)" if unsure else told)


def _cells(sockets: SocketList, row: Row) -> list[str]:
    local, foreign = (
        endpoint(sockets.texts[f"{end}_ip"][row[f"{end}_ip"]].decode(), row[f"{end}_port"])
        for end in ("local", "foreign")
    )
    left = row["time_wait_left_s"]
    state = STATES[row["state"]] + (MARK if row["also_possible"] else "")
    wait = f"{left / 1e9:.1f} s left" if left != UNKNOWN else ""
    return ["tcp6" if ":" in local.rsplit(":", 1)[0] else "tcp", local, foreign, state, wait, str(row["stream"])]


def _left_out(total: int, shown: int, noun: str) -> Iterator[Line]:
    if shown < total:
        yield Line(f"{shown:,} of {counted(total, noun)}; --limit 0 lists all", "dim")


def _last_words(analysed: Analysed, sockets: SocketList) -> Iterator[str]:
    """What the list cannot say, or not for sure."""
    if not len(sockets.rows["stream"]):
        yield "No connection has a socket at that moment."
    if sockets.rows["also_possible"].any():
        yield (
            "~ uncertain: packets show when a state began and ended only between two times, and that moment lies "
            "between them. The state shown is the likeliest; --csv lists the others that are possible."
        )
    if sockets.perhaps:
        yield (
            f"{counted(sockets.perhaps, 'more socket')} may have been there; that the connection was not open yet, or "
            "no longer, is likelier."
        )
    if sockets.unheard:
        yield (
            f"{counted(sockets.unheard, 'more socket')} may have been there: no SYN of the connection was captured, "
            "and the host sends its first captured segment only later."
        )
    if (sockets.rows["state"] == STATES.index("UNKNOWN")).any():
        yield "UNKNOWN: a gap in the capture or a loss hides what became of the connection; it may be over."
    timer = analysed.timers.time_wait
    if sockets.timed_out or (sockets.rows["time_wait_left_s"] != UNKNOWN).any():
        yield f"TIME_WAIT is taken to last {duration(timer.length / 1e9)}: {timer.source}."
    yield "LISTEN, Recv-Q and Send-Q are left out: packets do not show them."


def count_lines(analysed: Analysed, over_time: CountsOverTime, limit: int | None, columns: int) -> Iterator[Line]:
    """Counts over time: a table for each key, those with most connections first, ``limit`` keys at most."""
    places = over_time.places()
    shown, moments = places[:limit], over_time.moments
    times = _times(moments.tolist(), analysed)
    at_once = max(1, NUMBERS_AT_ONCE // (len(moments) * len(STATES)))
    for begin in range(0, len(shown), at_once):
        some = shown[begin : begin + at_once]
        counts = over_time.counts(some)
        for place, key in enumerate(some.tolist()):
            lines = _count_table(times, counts[:, place])
            yield from [*([Line()] if begin + place else []), Line(_name(over_time, key), "bold"), *lines]
    yield Line()
    yield from _left_out(len(places), len(shown), "table")
    timer = analysed.timers.time_wait
    words = [
        "Each time is the best estimate; --at lists the sockets of a moment and says which are uncertain.",
        f"TIME_WAIT is taken to last {duration(timer.length / 1e9)}: {timer.source}.",
    ]
    for text in words if len(places) else ["No connection to count."]:
        yield from (Line(line, "dim") for line in wrapped(text, 0, columns))


def _times(moments: Sequence[int], analysed: Analysed) -> list[str]:
    """Times of day, to the digit that they need; with dates where the capture is longer than a day."""
    first, last = analysed.summary.first_ns or 0, analysed.summary.last_ns or 0
    if last - first >= DAY:
        return [date_text(at // 1000 * 1000).removesuffix(" UTC").removesuffix("000") for at in moments]
    whole = all(at % SECOND == 0 for at in moments[:-1])
    return [moment(at).time().isoformat("seconds" if whole and at % SECOND == 0 else "microseconds") for at in moments]


def _count_table(times: Sequence[str], counts: NDArray[np.int32]) -> Iterator[Line]:
    """The counts of one key; states in which no socket is at any of the moments are left out."""
    there = np.flatnonzero(counts.any(axis=0)).tolist()
    rows = [[f"{number:,}" for number in row] for row in counts[:, there].tolist()]
    titles = ["time (UTC)", *(STATES[place] for place in there), "sockets"]
    total = [f"{number:,}" for number in counts.sum(axis=1).tolist()]
    cells = [[time, *row, all_of] for time, row, all_of in zip(times, rows, total, strict=True)]
    lines = aligned([titles, *cells])
    yield Line(lines[0], "dim")
    yield from map(Line, lines[1:])


def _name(over_time: CountsOverTime, key: int) -> str:
    """Whose sockets are counted."""
    keys, texts = over_time.keys, over_time.texts
    if keys.ip[key] < 0:
        peer = endpoint(texts[int(keys.peer_ip[key])].decode(), int(keys.peer_port[key]))
        return f"clients of {peer}"
    ip = texts[int(keys.ip[key])].decode()
    return ip if keys.port[key] == UNKNOWN else endpoint(ip, int(keys.port[key]))


def csv_text(table: NumberTable) -> Iterator[str]:
    """A table as CSV."""
    from analyzer.writers.csv import header, table_lines

    yield header(table.columns).decode()
    for lines in table_lines(table):
        yield lines.tobytes().decode()

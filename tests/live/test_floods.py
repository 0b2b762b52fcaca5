"""A flood of half-open connections: named while it runs, in bounded memory, as ``analyze`` names it."""

from pathlib import Path

import numpy as np
import pytest

from analyzer.capture.live.request import Request
from analyzer.capture.live.stream import LiveStream
from analyzer.capture.packets import PACKET, Packets
from analyzer.engine.departed_flows import ROW, DepartedFlows
from analyzer.engine.pipeline import Analysis
from analyzer.findings.engine import RuleEngine
from analyzer.live.announcements import rows_of
from analyzer.live.line_output import summary_lines
from analyzer.live.retirement import Limits
from analyzer.live.totals import WatchTotals
from analyzer.live.watch import Watch
from analyzer.results.dataframes import findings_frame
from analyzer.results.finding_list import FindingList
from analyzer.settings import Settings
from analyzer.tcp.states import State
from analyzer.tracker.storage.transpose import TransposedLedger
from analyzer.units import SECOND

CAPTURE = Path(__file__).parents[2] / "captures" / "close-wait-leak.pcap"
BEGIN = 1_700_000_000 * SECOND


class Flood:
    """A source of ``count`` SYNs from as many addresses, 0.5 ms apart, each answered; and of a whole connection before
    them. Its last packet comes two seconds after them."""

    behind, delay, losses_known = True, 0.0, True
    engine, trouble, lost, bytes_read = "", "", 0, 0
    interfaces = notices = ()

    def __init__(self, count: int, at_once: int = 1000) -> None:
        with LiveStream.begin(Request(pipe=str(CAPTURE))) as stream:
            real = stream.poll(5)
        assert real is not None
        first = real.rows[0]
        syn = real.data[first["offset"] :][: first["captured"]].copy()
        self._pair, self.link_types = np.stack([syn, syn]), dict[int, int]()
        for one, other, size in ((26, 30, 4), (34, 36, 2)):
            self._pair[1, one : one + size], self._pair[1, other : other + size] = (
                syn[other : other + size],
                syn[one : one + size],
            )
        self._pair[1, 42:46] = syn[38:42]
        self._pair[1, 45] += 1
        self._pair[1, 47] = 0x12
        self._real, self._count, self._at_once = real, count, at_once
        self.packets, self.made, self.ended = 0, 0, False

    def poll(self, seconds: float) -> Packets | None:
        if not self.packets:
            return self._given(self._real.data, self._real.rows, BEGIN + np.arange(len(self._real.rows)))
        if self.made >= self._count:
            self.ended = True
            rows = self._real.rows[-1:]
            return self._given(self._real.data, rows, np.array([BEGIN + self._count * SECOND // 2000 + 2 * SECOND]))
        number = self.made + np.arange(min(self._at_once, self._count - self.made))
        data, size = np.tile(self._pair, (len(number), 1, 1)), self._pair.shape[1]
        for place in range(3):
            data[:, 0, 27 + place] = data[:, 1, 31 + place] = number >> 8 * (2 - place) & 255
        data[:, 0, 26] = data[:, 1, 30] = 11
        rows = np.zeros(2 * len(number), PACKET)
        rows["offset"], rows["captured"], rows["length"] = np.arange(len(rows)) * size, size, size
        rows["link"] = 1
        self.made += len(number)
        times = BEGIN + SECOND // 100 + np.repeat(number, 2) * SECOND // 2000 + np.tile([0, 1000], len(number))
        return self._given(data.reshape(-1), rows, times)

    def _given(self, data: np.ndarray, rows: np.ndarray, times: np.ndarray) -> Packets:
        rows = rows.copy()
        rows["time"], rows["frame"] = times, self.packets + 1 + np.arange(len(rows))
        self.packets += len(rows)
        return Packets(data, rows)

    def ask_losses(self) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


def flood_of(listing: FindingList) -> list[tuple[str, str]]:
    """What is said of it, and how surely."""
    some = listing.some(lambda table: np.full(len(table), table.rule.code == "TD316"))
    return [(row.message, row.confidence) for row in rows_of(findings_frame(some))]


def fed(count: int, keep: int) -> Analysis:
    """An analysis of the flood of which ``keep`` connections stay in memory."""
    analysis, source = Analysis(Settings()), Flood(count)
    while not source.ended:
        packets = source.poll(0)
        assert packets is not None
        analysis.feed(packets)
        analysis.drop_idle(1 << 62, keep)
    return analysis


def test_a_flood_is_told_of_alike_whether_its_connections_left_memory_or_not() -> None:
    kept, left = fed(4000, 1 << 30), fed(4000, 2500)
    assert not kept.departed.any and len(left.departed) >= 1500
    now = left.last_ns
    (told,) = flood_of(left.findings(left.snapshot(now)))
    assert told[1] == "high" or "No SYN-ACK was repeated" in told[0]
    assert "answered 4000 SYNs" in told[0]
    assert flood_of(kept.findings(kept.snapshot(now))) == [told]
    assert flood_of(left.result(["flood"], Flood(0)).listing) == [told]  # type: ignore[arg-type]
    assert flood_of(kept.result(["flood"], Flood(0)).listing) == [told]  # type: ignore[arg-type]


def columns(began: list[int], last: int, state: State) -> np.ndarray:
    rows = np.zeros(len(began), ROW)
    rows["stream"], rows["first_epoch"], rows["last_epoch"] = np.arange(len(began)), began, last
    rows["client_state"] = rows["server_state"] = state
    return rows


def test_of_flows_that_left_a_bounded_number_is_known() -> None:
    departed = DepartedFlows(most=10)
    for turn in range(100):
        rows = columns([7 * turn + place for place in range(7)], 0, State.CLOSED)
        departed.add(rows.__getitem__, 5 * SECOND)
        assert departed.bytes <= 10 * ROW.itemsize
    assert (len(departed), departed.forgotten) == (10, 690)
    assert departed._others.since == 689


@pytest.mark.parametrize(("age", "known"), [(SECOND // 2, 0), (SECOND, 1)])
def test_what_was_opening_a_moment_before_it_left_is_not_counted(age: int, known: int) -> None:
    departed = DepartedFlows()
    departed.add(columns([1], 2 * SECOND, State.SYN_RECEIVED).__getitem__, 2 * SECOND + age)
    assert (len(departed), departed.cut_short) == (known, 1 - known)


def test_memory_of_connections_beyond_max_flows_is_bounded_within_a_batch() -> None:
    watch = Watch(Flood(30_000, 30_000), Settings(), Limits(max_flows=1000), (), WatchTotals("flood"))  # type: ignore[arg-type]
    held = []
    track = watch._track
    watch._track = lambda batch: (track(batch), held.append(watch.analysis.held))[0]  # type: ignore[method-assign]
    watch.run()
    assert max(held) <= 1000 * 1.25 + 8192
    assert watch.totals.crowded_out >= 28_000
    assert watch.totals.half_open_out >= 28_000
    assert any("half-open connections of these" in line for line in summary_lines(watch.totals))


def test_a_look_copies_few_bytes_of_a_half_open_connection_and_judges_it_not_by_itself() -> None:
    analysis = fed(2000, 1 << 30)
    ledger = analysis.snapshot(analysis.last_ns)
    assert isinstance(ledger, TransposedLedger)
    copied = ledger._facts.ends.nbytes + ledger._facts.flows.nbytes + ledger.signs.nbytes + ledger._table.nbytes
    assert copied / ledger.flows < 200
    asked = ledger.signs & RuleEngine().asked != 0
    assert 1 <= asked.sum() <= ledger.flows - 2000
    rows = analysis._tracker._pools
    assert 2 * rows.ends.dtype.itemsize + rows.flows.dtype.itemsize + 4 * rows.log.dtype.itemsize < 850


def test_a_flood_drives_out_none_but_its_own() -> None:
    departed = DepartedFlows(most=10)
    departed.add(columns([1], 2, State.CLOSED).__getitem__, 5 * SECOND)
    departed.add(columns([*range(2, 102)], 2, State.SYN_RECEIVED).__getitem__, 5 * SECOND)
    assert (len(departed), departed.forgotten) == (11, 90)
    nothing = columns([], 0, State.CLOSED)
    assert sorted(departed._beside(nothing.__getitem__)("first_epoch")) == [1, *range(92, 102)]

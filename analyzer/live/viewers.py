"""The viewers of a watch that write: lines on standard output, tables in a folder, packets in a file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analyzer.capture.packets import Packets
from analyzer.live.announcements import Announcement
from analyzer.live.ends import blamed_first
from analyzer.live.growing_tables import GrowingTables
from analyzer.live.line_output import LineOutput
from analyzer.live.older_leaks import OlderLeak
from analyzer.live.packet_file import PacketWriter, pair
from analyzer.live.sockets import End, Owners
from analyzer.live.watch import Finished, Watch
from analyzer.results.pandas_types import table
from analyzer.results.schema import ANNOUNCED, FINDINGS, TABLES
from analyzer.times import outer
from analyzer.tracker.outcome import Ledger
from analyzer.vocabulary import ANALYSED

EVENTS = {False: "finding", True: "over"}


class BaseViewer:
    """A viewer that does nothing; the others override what they are interested in."""

    def packets(self, packets: Packets, watch: Watch) -> None: ...

    def told(self, news: Sequence[Announcement], now_ns: int, watch: Watch) -> None: ...

    def closed(self, finished: Finished, watch: Watch) -> None: ...

    def looked(self, ledger: Ledger, now_ns: int, watch: Watch) -> None: ...

    def heard(self, news: Sequence[OlderLeak], now_ns: int, watch: Watch) -> None: ...

    def rotate(self) -> None: ...

    def close(self, watch: Watch) -> None: ...


class Printing(BaseViewer):
    """``owners`` know the sockets of this host; None where the packets are another host's."""

    def __init__(self, lines: LineOutput, owners: Owners | None) -> None:
        self._lines, self._owners = lines, owners

    def told(self, news: Sequence[Announcement], now_ns: int, watch: Watch) -> None:
        for told in news:
            self._lines.tell(told, now_ns, self._owner(told, watch))

    def heard(self, news: Sequence[OlderLeak], now_ns: int, watch: Watch) -> None:
        for leak in news:
            self._lines.tell_leak(leak, now_ns)

    def close(self, watch: Watch) -> None:
        watch.totals.sockets = watch.groups

    def _owner(self, told: Announcement, watch: Watch) -> str:
        """What this host knows of the socket a finding blames."""
        row = told.finding
        if self._owners is None or told.over or pd.isna(row.stream) or pd.isna(row.endpoint):
            return ""
        if told.more:
            current = np.isin(told.ends[:, -1], watch.newest)
            return self._owners.holders_of(blamed_of(told._replace(ends=told.ends[current]), watch))
        if not np.isin(int(row.stream), watch.newest):
            return ""  # the kernel's socket is a newer connection's
        client, server = ((str(getattr(row, f"{s}_ip")), int(getattr(row, f"{s}_port"))) for s in ("client", "server"))
        ends = (client, server) if row.endpoint == "client" else (server, client)
        return self._owners.about(*ends, watch.state_of(int(row.stream), str(row.endpoint)))


def blamed_of(told: Announcement, watch: Watch) -> list[tuple[End, End]]:
    """The ends of the connections that an announcement stands for, of each the blamed one first."""
    blamed = [int(str(told.finding.endpoint) == "server")] * len(told.ends)
    return blamed_first(told.ends, blamed, watch.analysis.book.text)


class Storing(BaseViewer):
    def __init__(self, folder: Path, format: str, say: Callable[[str], None]) -> None:
        columns = {name: TABLES[name] for name in ANALYSED} | {"announced": ANNOUNCED}
        self._store = GrowingTables(folder, format, columns, say)

    def told(self, news: Sequence[Announcement], now_ns: int, watch: Watch) -> None:
        rows = table("findings", pd.DataFrame([told.finding for told in news], columns=[c.name for c in FINDINGS]))
        moment = pd.DatetimeIndex(np.full(len(news), outer(now_ns)).view("datetime64[ns]")).tz_localize("UTC")
        rows.insert(0, "announced_epoch", moment)
        rows.insert(1, "event", [EVENTS[told.over] for told in news])
        rows.insert(2, "more", [told.more for told in news])
        self._store.add("announced", rows)

    def closed(self, finished: Finished, watch: Watch) -> None:
        for name in ("flows", "timeline", "findings"):
            frame: pd.DataFrame = getattr(finished.tables, name)
            self._store.add(name, frame)

    def looked(self, ledger: Ledger, now_ns: int, watch: Watch) -> None:
        self._store.tick()

    def rotate(self) -> None:
        self._store.rotate()

    def close(self, watch: Watch) -> None:
        self._store.close()


class Saving(BaseViewer):
    def __init__(self, path: Path, only_findings: bool, say: Callable[[str], None]) -> None:
        self._writer = PacketWriter(path, only_findings, say)

    def packets(self, packets: Packets, watch: Watch) -> None:
        self._writer.add(packets, watch.stream.interfaces)

    def told(self, news: Sequence[Announcement], now_ns: int, watch: Watch) -> None:
        for told in news:
            if told.more and not told.over:
                self._writer.want(map(frozenset, blamed_of(told, watch)))
            elif not pd.isna(told.finding.stream):
                self._writer.want([pair(told.finding)])

    def rotate(self) -> None:
        self._writer.rotate()

    def close(self, watch: Watch) -> None:
        self._writer.close(watch.totals.lost, outer(watch.totals.last_ns) if watch.totals.last_ns else 0)

"""What ``analyzer.analyze()`` returns: the tables, and what can be done with them in Python and in Jupyter."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from analyzer.errors import UsageError
from analyzer.results.result import Analysed, ResultTables

if TYPE_CHECKING:
    import pandas as pd
    from scapy.plist import PacketList

    from analyzer.engine.connection_packets import PacketAccess
    from analyzer.engine.plots import Plots


@dataclass
class Result(ResultTables):
    """The tables of an analysis as DataFrames with the columns of docs/columns.md; in Jupyter it shows its summary."""

    source: "PacketAccess | None" = field(default=None, repr=False)

    @property
    def plot(self) -> "Plots":
        """Figures: ``plot.census()``, ``plot.endings()``, ``plot.ladder(stream)``."""
        from analyzer.engine.plots import Plots

        return Plots(self, self.source)

    def packets(self, stream: int) -> "PacketList":
        """The packets of one connection as scapy has them, read again from where they came; ``time`` is exact, and
        ``wirelen`` the length on the wire.

        Raises UsageError for an unknown stream, or where the packets cannot be read a second time: from standard input,
        from an iterator, from a DataFrame.
        """
        from analyzer.engine.connection_packets import packets_of

        if self.source is None:
            raise UsageError("this result cannot find its packets; use a result of analyzer.analyze()")
        return packets_of(self.source, stream, self.listing.settings)

    def netstat(self, at: "str | float | datetime") -> "pd.DataFrame":
        """The sockets of each host at a moment, with the columns of ``teardown netstat --csv``: ``at`` is a time as the
        command takes it, seconds from the first packet or since 1970, or a datetime (UTC, where it has no zone).

        Raises UsageError for a moment before or after the capture, and where no timelines were kept.
        """
        from analyzer.moments import GivenTime, moment_of
        from analyzer.results.dataframes import number_frame
        from analyzer.results.netstat import sockets_at
        from analyzer.results.pandas_types import nanoseconds_of

        if self.analysed is None:
            raise UsageError("this result has no timelines; use a result of analyzer.analyze()")
        moment = GivenTime(nanoseconds_of(at), "1970") if isinstance(at, datetime) else moment_of(str(at))
        return number_frame(sockets_at(self.analysed, moment).table())

    def _repr_html_(self) -> str:
        """What Jupyter shows of it."""
        from analyzer.views.notebook import page

        return page(self)


def result_of(analysed: Analysed, source: "PacketAccess") -> Result:
    """The result of an analysis; ``source`` has the packets once more."""
    return Result(**vars(analysed.result()), source=source)

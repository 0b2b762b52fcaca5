"""``result.plot``: figures of a result for notebooks and post-mortems."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.engine.connection_packets import PacketAccess
from analyzer.engine.pipeline import run
from analyzer.errors import UsageError
from analyzer.results.result import ResultTables
from analyzer.settings import without_filters

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class LadderFigure:
    """The ladder of one connection as SVG: a notebook shows it, ``save`` writes it."""

    svg: str

    def save(self, path: "str | PathLike[str]") -> None:
        """Write the picture to a file, whole or not at all. Raises OSError where that is not possible."""
        from analyzer.writers.atomic_file import whole_file

        with whole_file(Path(path)) as file:
            file.write(self.svg.encode("utf-8", "backslashreplace"))

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True)
class Plots:
    """The figures of a result. Those of matplotlib need ``pip install 'teardown[plot]'``; UsageError says so."""

    result: ResultTables
    source: PacketAccess | None

    def census(self, server: str | None = None, role: str = "server") -> "Figure":
        """Sockets by state over time of ``server`` ("10.1.2.2:8080"; without one, of that with the most connections),
        or with ``role="client"`` of all its clients. Raises UsageError for a server that is not in the capture."""
        from analyzer.views.pictures.charts import census_figure

        return census_figure(self.result, server, role)

    def endings(self) -> "Figure":
        """How connections ended, a bar for each server. Raises UsageError where there is no connection."""
        from analyzer.views.pictures.charts import endings_figure

        return endings_figure(self.result)

    def ladder(self, stream: int, everything: bool = False) -> LadderFigure:
        """The ladder of one connection, as ``teardown timeline --svg`` writes it; ``everything`` folds no segment.

        The capture is read again unless the result kept its segments. Raises UsageError for an unknown stream, or where
        the packets cannot be read a second time.
        """
        from analyzer.views.pictures.ladder import ladder_svg

        result = self.result if self.result.segments is not None else self._with_segments(stream)
        return LadderFigure(ladder_svg(result, stream, everything))

    def _with_segments(self, stream: int) -> ResultTables:
        why = "this result cannot find its packets" if self.source is None else self.source.why
        if self.source is None or self.source.again is None:
            raise UsageError(
                f"a ladder needs the segments, and the packets cannot be read again: {why}; keep_segments=True"
            )
        files: Sequence[str] = self.result.summary.files
        settings = replace(without_filters(self.result.listing.settings), keep_segments=True, keep_stream=stream)
        with self.source.again() as capture:
            return run(capture, files, settings).result()

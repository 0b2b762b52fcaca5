"""How TCP connections end, read from a packet capture.

    >>> import analyzer
    >>> result = analyzer.analyze("capture.pcapng", close_wait_leak_s=30)
    >>> result.findings

Importing this package costs nothing; the heavy libraries are imported by the first analysis.
"""

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

from analyzer.errors import TeardownError, UnreadableCapture, UnwritableOutput, UsageError
from analyzer.version import VERSION

if TYPE_CHECKING:
    from analyzer.reports.result import Result

__version__ = VERSION
__all__ = ["TeardownError", "UnreadableCapture", "UnwritableOutput", "UsageError", "__version__", "analyze"]


def analyze(path_or_paths: str | PathLike[str] | Iterable[str | PathLike[str]], **settings: Any) -> "Result":
    """Analyse a capture, or several as one in time order; "-" is standard input.

    ``settings`` are the fields of :class:`analyzer.settings.Settings`; durations may be given in seconds
    (``close_wait_leak_s=30``). The result's ``flows``, ``timeline`` and ``findings`` are DataFrames with the
    columns of docs/columns.md; ``segments`` is one with ``keep_segments=True``, else None.

    Raises UnreadableCapture if a file cannot be analysed at all, UsageError for an unknown setting.
    """
    from analyzer.pipeline import analyze as run
    from analyzer.settings import settings_of

    paths = [path_or_paths] if isinstance(path_or_paths, str | PathLike) else path_or_paths
    return run([str(path) for path in paths], settings_of(**settings)).result()

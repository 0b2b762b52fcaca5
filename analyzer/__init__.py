"""How TCP connections end, read from a packet capture.

    >>> import analyzer
    >>> result = analyzer.analyze("capture.pcapng", close_wait_leak_s=30)
    >>> result.findings

Importing this package costs nothing; the heavy libraries are imported by the first analysis.
"""

from __future__ import annotations

from analyzer.errors import TeardownError, UnreadableCapture, UnwritableOutput, UsageError
from analyzer.version import VERSION

TYPE_CHECKING = False  # typing's own would be one more import before an interrupt of the command is answered in order
if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from typing import Any, BinaryIO, Unpack

    from analyzer.engine.result import Result
    from analyzer.keywords import Keywords

__version__ = VERSION
__all__ = ["Result", "TeardownError", "UnreadableCapture", "UnwritableOutput", "UsageError", "__version__", "analyze"]


def analyze(source: str | PathLike[str] | bytes | BinaryIO | Iterable[Any], **settings: Unpack[Keywords]) -> Result:
    """Analyse a capture, or several as one in time order.

    ``source`` is one of these:

    * a path, or several; "-" is standard input
    * the bytes of a capture, or an open binary file, which is read from where it stands and stays open
    * packets of scapy: a list or an iterator of them
    * a capture of pyshark: its file, or of that the packets that its display filter lets pass
    * a DataFrame of segments with the columns of docs/columns.md, such as ``result.segments``

    ``settings`` are the fields of :class:`analyzer.settings.Settings`; durations may be given in seconds
    (``close_wait_leak_s=30``). The result's ``flows``, ``timeline`` and ``findings`` are DataFrames with the
    columns of docs/columns.md; ``segments`` is one with ``keep_segments=True``, else None.

    Raises UnreadableCapture if a capture cannot be analysed at all, UsageError for an unknown setting, or for a source
    that is none of these.
    """
    from analyzer.engine.inputs import analyze as run
    from analyzer.settings import settings_of

    return run(source, settings_of(**settings))


def __getattr__(name: str) -> Any:
    """``Result`` is imported when it is asked for: it brings numpy along."""
    if name == "Result":
        from analyzer.engine.result import Result

        return Result
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

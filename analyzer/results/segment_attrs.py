"""What is known of a capture and stands in no row of its segments, kept beside them: ``segments.attrs["teardown"]``.

When the capture ended, what was not understood, in which files the frames are, when nobody captured, and the headers
that ICMP errors quote: without these the same segments would be told otherwise. It is one text (JSON), as pandas copies
``attrs`` with every selection, and writes them into Parquet files as JSON.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.frame_files import FrameFiles
from analyzer.capture.gaps import Gap, Gaps
from analyzer.capture.recording import Recording, unbroken
from analyzer.errors import UsageError
from analyzer.results.source_summary import Summary
from analyzer.segments.table import SEGMENT, tells_icmp_error

KEY = "teardown"
PLAIN = ("segments", "packets", "first_ns", "last_ns", "not_understood")


class SegmentAttrs(NamedTuple):
    """``segments`` is how many there were; ``quoted`` are rows of SEGMENT whose addresses are places in ``texts``."""

    segments: int | None = None
    packets: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    not_understood: dict[str, int] = {}  # noqa: RUF012 (nobody writes into it)
    recording: Recording = unbroken()
    quoted: NDArray[np.void] = np.zeros(0, SEGMENT)
    texts: Sequence[str] = ()


def text_of(segments: int, quoted: NDArray[np.void], texts: Sequence[str], summary: Summary, of: Recording) -> str:
    """All that as text; ``texts`` are those of the address book."""
    files, (file, frames) = of.frame_files, of.frame_files.runs()
    named = np.concatenate([quoted["src"], quoted["dst"], quoted["ts_ecr"][tells_icmp_error(quoted)]])
    used, places = np.unique(named, return_inverse=True)
    rows = quoted.copy()
    rows["src"], rows["dst"] = places[: len(rows)], places[len(rows) : 2 * len(rows)]
    rows["ts_ecr"][tells_icmp_error(rows)] = places[2 * len(rows) :]
    return json.dumps(
        {
            "segments": segments,
            "packets": summary.packets,
            "first_ns": summary.first_ns,
            "last_ns": summary.last_ns,
            "not_understood": summary.not_understood,
            "files": files.files,
            "several": files.several,
            "runs": [file.tolist(), frames.tolist()],
            "gaps": of.gaps.rows,
            "quoted": rows.tolist(),
            "texts": [texts[row] for row in used.tolist()],
        }
    )


def read(attrs: dict[Any, Any]) -> SegmentAttrs:
    """What stands in the ``attrs`` of a DataFrame; nothing where that was not made by :func:`text_of`."""
    if KEY not in attrs:
        return SegmentAttrs()
    try:
        told = json.loads(attrs[KEY])
        return SegmentAttrs(
            **{name: told[name] for name in PLAIN},
            recording=_recording(told),
            quoted=np.array([tuple(row) for row in told["quoted"]], SEGMENT),
            texts=[str(text) for text in told["texts"]],
        )
    except (ValueError, KeyError, TypeError, IndexError, OverflowError):
        raise UsageError(
            f"attrs[{KEY!r}] of the DataFrame was not written by an analysis: remove it with frame.attrs.pop({KEY!r})"
        ) from None


def _recording(told: dict[str, Any]) -> Recording:
    files = FrameFiles(told["files"], bool(told["several"]))
    files.add(*(np.array(column, np.int64) for column in told["runs"]))
    if files.several:
        files.settle()
    gaps = Gaps()
    for gap in told["gaps"]:
        gaps.add(Gap(*gap))
    return Recording(files, gaps)

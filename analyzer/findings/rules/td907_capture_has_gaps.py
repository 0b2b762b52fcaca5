"""Between the files of the capture there is a time in which nothing was being captured.

## What it sees

Several files were given, and between the last packet of one and the first of the next nothing was captured for longer
than the threshold, and for several times as long as in any silence in the two files. Or the names are those of a ring
of files and one between the two is missing, however short the time. Silence inside a file is not a gap, nor is
silence between neighbouring files of a ring.

## Why it matters

Nobody knows what happened in a gap. For a connection that was alive before it, states and the time spent in them
count only up to the gap, and no silence is counted across it. If it continues afterwards it is the same connection;
what it sent in the gap is missing, and findings that depend on something not having been sent get a lower confidence.

## When it is harmless

When the files are captures of different times that were never meant to be one: then analyse each alone.

## What to do next

If a file of a ring is missing, add it. If the capturing program was stopped and started, have it rotate its files
(`dumpcap -b`, `tcpdump -C` or `-G`) instead. If the link really was that quiet, raise the threshold.
"""

import numpy as np

from analyzer.capture.gaps import Gap
from analyzer.capture.recording import Recording
from analyzer.findings.rule import AT_THE_END, OfCapture
from analyzer.settings import Settings
from analyzer.times import inner

CODE = "TD907"
NAME = "capture-has-gaps"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ("capture_gap_ns",)
NEEDS = ()
ABOUT = "capture"
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, at its end
EXAMPLE = "capture-has-gaps"
NEAR_MISS = "ring-without-gaps"
MESSAGE = (
    "Nothing at all was captured for {length:duration}, from {begin:into} (frame {before}) to {end:into} (frame "
    "{after}){why} (threshold {capture_gap:duration}){more}: connections alive then are known only up to this gap."
)
ADVICE = (
    "Suspect the recording first: it was stopped and started again, or a file was not given. Next, to see when they "
    "begin and end: capinfos -a -e {captures}"
)


def judge(recording: Recording, settings: Settings) -> OfCapture | None:
    gaps = recording.gaps.rows
    if not gaps:
        return None
    longest = max(gaps, key=lambda gap: gap.end - gap.begin)
    return OfCapture(
        when=inner(longest.begin),
        frames=[longest.frame_before, longest.frame_after],
        decides=longest.frame_before,
        values={
            "length": longest.end - longest.begin,
            "begin": inner(longest.begin),
            "end": inner(longest.end),
            "before": longest.frame_before,
            "after": longest.frame_after,
            "why": f", and {longest.missing} is missing" if longest.missing else "",
            "more": _more(gaps),
            "captures": around(recording, longest),
        },
    )


def _more(gaps: list[Gap]) -> str:
    """How many there are, if this is not all."""
    missing = sum(bool(gap.missing) for gap in gaps)
    known = f", files are missing in {missing} of them" if missing else ""
    return f"; it is the longest of {len(gaps)} such gaps{known}" if len(gaps) > 1 else ""


def around(recording: Recording, gap: Gap) -> str:
    """The files before and after a gap, as a command takes them."""
    file, _ = recording.frame_files.locate(np.array([gap.frame_before, gap.frame_after]))
    return " ".join(recording.frame_files.quoted(number) for number in file.tolist())

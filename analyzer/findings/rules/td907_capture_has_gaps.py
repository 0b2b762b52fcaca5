"""Between the files of the capture time passed in which nobody captured.

## What it sees

Several files were given, and between the last packet of one and the first of the next nothing at all was captured for
longer than the threshold, and for several times as long as in any silence in the two files; or their names are those of
a ring of files, and one between the two is missing, however short the time. Silence inside a file is no gap, nor is one
between files that a ring has numbered one after the other.

## Why it matters

What happened in a gap nobody knows. A connection that was alive before it is known only up to it: its states and the
time that it spent in them end there, and no silence is counted through it. What went on afterwards is the same
connection; what it sent in the gap is missing from it, and what rests on something not having been sent is less sure.

## When it is harmless

When the files are captures of different times that were never meant to be one: then look at each alone.

## What to do next

If a file of a ring is missing, add it. If the capturing program was stopped and started, let it rotate its files
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
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, at its end
EXAMPLE = "capture-has-gaps"
NEAR_MISS = "ring-without-gaps"
MESSAGE = (
    "Nothing at all was captured for {length:duration}, from {begin:into} (frame {before}) to {end:into} (frame "
    "{after}){why} (threshold {capture_gap:duration}){more}: what was alive then is only known up to it."
)
ADVICE = (
    "Suspect the recording first: it was stopped and begun again, or a file was not given. Next: capinfos -a -e "
    "{captures}"
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
    known = f", at {missing} of them files are missing" if missing else ""
    return f"; it is the longest of {len(gaps)} such gaps{known}" if len(gaps) > 1 else ""


def around(recording: Recording, gap: Gap) -> str:
    """The files before and after a gap, as a command takes them."""
    file, _ = recording.frame_files.locate(np.array([gap.frame_before, gap.frame_after]))
    return " ".join(recording.frame_files.quoted(number) for number in file.tolist())

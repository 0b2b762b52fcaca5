"""The frame times run backward by more than a little.

## What it sees

A frame of this connection has an earlier time than a frame before it, by more than the threshold.

## Why it matters

Either the order of the frames or their times are wrong. No duration across the step is reliable, and a timer may
wrongly seem to have expired or not.

## When it is harmless

Steps of some microseconds between capture queues are usual; the threshold excludes them.

## What to do next

If the clock was set (an NTP step, a paused virtual machine), capture again. If several files or queues were merged
out of order, sort them with `reordercap`.
"""

import numpy as np

from analyzer.findings.rule import AT_THE_END, Verdict
from analyzer.settings import Settings
from analyzer.tracker.outcome import Ledger

CODE = "TD906"
NAME = "clock-went-back"
SEVERITY = "warning"
SUPERSEDES = ()
THRESHOLDS = ("clock_back_ns",)
NEEDS = ("clock_back",)
ABOUT = "capture"
LIVE_WAIT = AT_THE_END  # what is about the capture is said once, with the end of the connection
EXAMPLE = "clock-went-back.pcap"
NEAR_MISS = "frames-slightly-out-of-order.pcap"
MESSAGE = (
    "The frame times run backward by at least {step:duration} at frame {frame} (threshold {clock_back:duration}): "
    "durations across this step are not reliable."
)
ADVICE = (
    "Suspect the capturing host's clock, or files merged out of order. Next, to see how many frames are out of order: "
    "reordercap -n CAPTURE sorted.pcapng"
)


def judge(ledger: Ledger, settings: Settings) -> Verdict:
    back = ledger.own("clock_back")
    worst = np.argmax(back, axis=1)
    every = np.arange(ledger.flows)
    frame = ledger.own("clock_back_frame")[every, worst]
    return Verdict(
        fires=back.max(axis=1) > settings.clock_back_ns,
        when=ledger.own("clock_back_time")[every, worst],
        frames=[frame],
        values={"step": back.max(axis=1), "frame": frame},
        certain=True,
    )

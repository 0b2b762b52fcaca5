"""The tracker: what each endpoint of each connection went through, and how surely that is known.

The observer's stance, on which everything here rests: a capture shows what was *sent*, never what *arrived*. So a
segment moves its **sender**, first by what its acknowledgment proves the sender had received, then by what it
carries (RFC 9293 takes the acknowledgment before the FIN too). A segment that moved both sides on sight would call
crossing FINs an ordinary close and misjudge every repeated FIN.

Three things no later segment can prove, so they are assumed when they pass the tap: that a RST, an acknowledgment
of a SYN and an acknowledgment of a FIN arrived. If the endpoint then repeats its FIN (its SYN-ACK, goes on sending
after the RST), later than the answer could have crossed it, the assumption is taken back.

Every entry has a best time and bounds. What was sent left the host before it passed the tap; what was received
arrived after it passed the tap and before the endpoint's own proving segment did. How far the host is, is measured
where something and its answer pass the tap (the handshake first of all): half of that is the way there.

Where to look: the arrows in ``transitions``, what acknowledgments show in ``acknowledge``, what segments carry in
``carry``, resets in ``resets``, the order of it all in ``step``; the facts kept in ``ledger`` and ``log``.
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.settings import Settings
from analyzer.tracker import step
from analyzer.tracker.desk import DESK
from analyzer.tracker.ledger import CONNECTION, ENDPOINT
from analyzer.tracker.log import LOG
from analyzer.tracker.timers import profile

SLACK_NS = 300_000  # scheduling and interrupt delays on a host: how late an answer may be beyond its way
DUPLICATE_BLIND_NS = (
    1_000_000  # no stack repeats a segment this fast (Linux: 2 ms for a loss probe, else 200 ms)
)
DUPLICATE_BY_ID_NS = 3_000_000_000  # with a moving IP identification: less than any host needs to come round
REORDERING_NS = 5_000_000  # how long after a RST its sender's earlier segments may still come by


class Tracker:
    """Follows both endpoints of every flow through the state machine, batch by batch.

    ``ends`` (dtype ENDPOINT, two rows a flow), ``flows`` (CONNECTION, one row) and ``log`` (LOG) are the ledger.
    How the capture is cut into batches makes no difference to it.
    """

    def __init__(self, settings: Settings) -> None:
        timers = profile(settings.profile)
        self._desk = np.zeros(1, DESK)
        self._desk["time_wait_length"] = timers.time_wait
        self._desk["fin_wait_2_length"] = timers.fin_wait_2
        self._desk["slack"] = SLACK_NS
        self._desk["duplicate_blind"] = DUPLICATE_BLIND_NS
        self._desk["duplicate_by_id"] = DUPLICATE_BY_ID_NS
        self._desk["reordering"] = REORDERING_NS
        self._count = 0
        self._ends = blank_ends(2048)
        self._flows = np.zeros(1024, CONNECTION)
        self._log = np.zeros(8192, LOG)

    @property
    def ends(self) -> NDArray[np.void]:
        """Shape (2 * flows,), dtype ENDPOINT."""
        return self._ends[: 2 * self._count]

    @property
    def flows(self) -> NDArray[np.void]:
        """Shape (flows,), dtype CONNECTION."""
        return self._flows[: self._count]

    @property
    def log(self) -> NDArray[np.void]:
        """Shape (rows written,), dtype LOG, in the order of writing."""
        return self._log[: int(self._desk["used"][0])]

    def feed(self, batch: NDArray[np.void], flow_rows: NDArray[np.void]) -> None:
        """Track ``batch`` (dtype SEGMENT, ``sender`` filled in); ``flow_rows`` is the flow table so far (FLOW).

        Sets the DUPLICATE mark of segments that show a packet a second time.
        """
        self._make_room(len(flow_rows))
        self._lay_out(flow_rows)
        done = 0
        while done < len(batch):
            done = step.run(self._desk, batch, done, self._room)
            if done < len(batch):
                self._grow_log()

    def finish(self, end_time: int) -> None:
        """Close the books at the capture's end, ``end_time`` in nanoseconds: timers that have run out by then, and
        the state in which every endpoint is left."""
        done = 0
        while done < self._count:
            done = step.finish(self._desk, done, self._count, end_time, self._room)
            if done < self._count:
                self._grow_log()

    @property
    def _room(self) -> int:
        """Rows of the log that may be in use before another segment is taken in."""
        return len(self._log) - step.ROWS_A_SEGMENT

    def _lay_out(self, flow_rows: NDArray[np.void]) -> None:
        """Tell the kernels where the arrays lie now."""
        self._desk["ends"], self._desk["flows"] = self._ends.ctypes.data, self._flows.ctypes.data
        self._desk["tuples"], self._desk["log"] = flow_rows.ctypes.data, self._log.ctypes.data

    def _make_room(self, flows: int) -> None:
        self._count = max(self._count, flows)
        while len(self._flows) < flows:
            self._ends = np.concatenate([self._ends, blank_ends(len(self._ends))])
            self._flows = np.concatenate([self._flows, np.zeros(len(self._flows), CONNECTION)])

    def _grow_log(self) -> None:
        self._log = np.concatenate([self._log, np.zeros(len(self._log), LOG)])
        self._desk["log"] = self._log.ctypes.data


def blank_ends(count: int) -> NDArray[np.void]:
    """``count`` endpoints of which nothing is known."""
    blank = np.zeros(1, ENDPOINT)
    for name in ("reach", "mark_event", "last_event", "proof_event", "peer_fin_event"):
        blank[name] = -1
    blank["window_scale"] = -2
    return np.repeat(blank, count)

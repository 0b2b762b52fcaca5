"""How each flow ended, derived from the ledger's facts: columns over all flows at once, no packets any more.

A fact stands in the ledger once; what follows from facts is derived here once, and both the reports and the
findings read it from here. Arrays have a row a flow; facts of endpoints have shape (flows, 2), one column a side.
"""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import crossed, watched_until
from analyzer.tcp.sequence import difference, sent_first
from analyzer.tcp.states import State
from analyzer.tracker.ledger import Answered, Known
from analyzer.tracker.rst import Reception
from analyzer.tracker.vocabularies import BOTH, CLIENT, NOBODY, SERVER, Handshake, RstCause, Teardown

Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]
T = TypeVar("T")

NEVER_TAKEN = 3  # so many unanswered repeats or probes and then an end: it gave up
UNDER_WAY_NS = 10**9  # where the way there and back is not known, a FIN may be under way for so long
JITTER_NS = 5 * 10**6  # and longer than twice that way by this
LATE_REPEAT_NS = 60 * 10**9  # repeats this far apart are the last of a long back-off (Linux: 120 s at most)


class Ledger:
    """The tracker's facts and what follows from them, for all flows; ``end_time`` is the capture's end in ns,
    ``gaps`` when each gap in it begins and ends, and ``signs`` what each flow shows (bits of Sign)."""

    gaps: NDArray[np.int64] = np.zeros((0, 2), np.int64)

    def __init__(
        self,
        ends: NDArray[np.void],
        flows: NDArray[np.void],
        table: NDArray[np.void],
        end_time: int,
        signs: NDArray[np.int64],
    ) -> None:
        self._ends, self._flows, self._table = ends.reshape(-1, 2), flows, table
        self.end_time, self.signs = end_time, signs
        self.views: dict[tuple[int, int], Any] = {}  # parts of it with their columns at hand, as they are asked for

    def once(self, concluded: Callable[["Ledger"], T]) -> T:
        """What a function concludes of these flows; a view keeps it."""
        return concluded(self)

    @property
    def flows(self) -> int:
        """Number of flow rows."""
        return len(self._flows)

    def own(self, name: str) -> NDArray[Any]:
        """A column of ENDPOINT, shape (flows, 2), in numbers of which differences may be taken."""
        c = self.noted(name)
        return c.astype(np.int64) if c.dtype.kind == "u" and c.dtype.itemsize > 1 else c

    def noted(self, name: str) -> NDArray[Any]:
        """A column of ENDPOINT as it was noted, not copied."""
        return self._ends[name]

    def noted_of(self, name: str, place: NDArray[np.intp] | slice) -> NDArray[Any]:
        """The same of the flows in ``place``."""
        return self.noted(name)[place]

    def peer(self, name: str) -> NDArray[Any]:
        """The same of the other side."""
        return self.own(name)[:, ::-1]

    def flow(self, name: str) -> NDArray[Any]:
        """A column of CONNECTION, or of the flow table, shape (flows,)."""
        return self._flows[name] if name in (self._flows.dtype.names or ()) else self._table[name]

    def knows(self, bits: Known) -> Bools:
        """Whether all of ``bits`` are known of each endpoint, shape (flows, 2)."""
        return np.asarray((self.own("known") & int(bits)) == int(bits))

    @cached_property
    def reported(self) -> Bools:
        """Whether a flow is one: not only quoted in ICMP errors."""
        return np.asarray((self.flow("first_frame") > 0) & (self.own("packets").sum(axis=1) > 0))

    @cached_property
    def client(self) -> Codes:
        """Side of the client."""
        return self.flow("client").astype(np.int64)

    @cached_property
    def client_known(self) -> Bools:
        """Whether a SYN or SYN-ACK says so; else the ports were judged."""
        return np.asarray(self.flow("client_basis") > 0)

    def of_side(self, name: str, side: Codes) -> NDArray[Any]:
        """A column of ENDPOINT for one side of each flow, shape (flows,); side -1 gives side 0's."""
        picked: NDArray[Any] = self.own(name)[np.arange(self.flows), np.maximum(side, 0)]
        return picked

    @cached_property
    def both_ways(self) -> bool:
        """Whether any flow was captured both ways."""
        return bool((self.own("packets") > 0).all(axis=1).any())

    @cached_property
    def silence(self) -> Codes:
        """Nanoseconds from each endpoint's last segment to the end of what is known of it, shape (flows, 2)."""
        return np.asarray(self.watched_until(self.own("last_time")) - self.own("last_time"), np.int64)

    def watched_until(self, heard: NDArray[Any]) -> Codes:
        """Until when what was last ``heard`` of then is known: to the next gap in the capture, or to its end."""
        return watched_until(self.gaps, heard, self.end_time)

    @cached_property
    def interrupted(self) -> Bools:
        """Whether a gap in the capture lies between the first and the last segment of a flow."""
        if not len(self.gaps):
            return np.zeros(self.flows, np.bool_)
        return crossed(self.gaps, self.flow("first_time"), self.own("last_time").max(axis=1))

    @cached_property
    def fin_sent(self) -> Bools:
        """Whether each endpoint's FIN was captured, shape (flows, 2)."""
        return np.asarray(self.own("fin_count") > 0)

    @cached_property
    def one_sided(self) -> Bools:
        """Whether only one direction was captured although the other proves to have existed: what was captured
        acknowledges more and more, or completes a handshake. An acknowledgment that never moves is a silent peer."""
        opened = (self.own("syn_count") > 0) & (self.own("established_time") > 0)
        silent = (self.own("packets") == 0) & (self.peer("packets") > 0)
        return np.asarray((silent & ((self.own("missing_bytes") > 0) | opened[:, ::-1])).any(axis=1))

    @cached_property
    def whole(self) -> Bools:
        """Whether each endpoint's segments are all there: from its SYN on and without a gap, shape (flows, 2)."""
        return np.asarray(self.knows(Known.ISN) & (self.own("missing_bytes") == 0) & (self.own("packets") > 0))

    @cached_property
    def observed(self) -> Codes:
        """What the capture shows of the flow: a code of OBSERVABILITY."""
        gaps = ((self.own("missing_bytes") > 0) | (self.own("missing_jumps") > 0)).any(axis=1)
        started = self.knows(Known.ISN).any(axis=1)
        return np.select([self.mixed, self.one_sided, ~started, gaps], [4, 2, 1, 3], 0)

    @cached_property
    def mixed(self) -> Bools:
        """Whether the flow holds more than one connection, or one twice, shape (flows,)."""
        return np.asarray(self.knows(Known.MIXED).any(axis=1))

    @cached_property
    def never_open(self) -> Bools:
        """Whether nothing was ever open: a RST refuses the only thing that was asked or sent, and nothing else came."""
        refusal = one_of(self.rst_cause, (RstCause.CONNECTION_REFUSED, RstCause.NO_CONNECTION))
        alone = self.of_side("packets", self.rst_side) == self.of_side("rst_count", self.rst_side)
        acked = self.knows(Known.ACK)
        asked = ~np.where(self.rst_side == 0, acked[:, 1], acked[:, 0])
        return np.asarray(refusal & alone & (asked | (self.rst_cause == RstCause.CONNECTION_REFUSED)))

    @cached_property
    def handshake(self) -> Codes:
        """Handshake codes."""
        syn = self.own("syn_count") > 0
        asked = syn & (self.own("syn_ack") == 0)
        answered = syn & (self.own("syn_ack") == 1)
        shaken = (self.own("established_time") > 0).any(axis=1) & syn.any(axis=1)
        refused = asked.any(axis=1) & (self.rst_cause == RstCause.CONNECTION_REFUSED)
        silent = (self.own("packets") == self.own("unrelated_segments")).any(axis=1) & ~self.one_sided
        return np.select(
            [
                ~syn.any(axis=1),
                refused,
                syn.all(axis=1) & (asked.all(axis=1) | self.crossed_syns) & shaken,
                asked.any(axis=1) & answered.any(axis=1) & shaken,
                asked.any(axis=1) & silent,
            ],
            [
                Handshake.NOT_CAPTURED,
                Handshake.REFUSED,
                Handshake.SIMULTANEOUS,
                Handshake.COMPLETE,
                Handshake.UNANSWERED,
            ],
            Handshake.PARTIAL,
        )

    @cached_property
    def crossed_syns(self) -> Bools:
        """Whether both sides sent a SYN without ACK before a SYN-ACK (simultaneous open)."""
        first = (self.own("syn_ack") == 0) | self.knows(Known.CROSSED_SYN)
        return np.asarray((self.own("syn_count") > 0).all(axis=1) & first.all(axis=1))

    @cached_property
    def crossed_fins(self) -> Bools:
        """Whether both FINs were sent before either side had received the other's: neither acknowledges that, and they
        passed within the time that one may be under way. Else the first was lost."""
        behind = difference(self.own("fin_ack"), self.peer("fin_end")) < 0
        apart = np.abs(self.own("fin_time")[:, 0] - self.own("fin_time")[:, 1])
        trip = np.maximum(self.own("tap_rtt"), self.own("tap_rtt_last")).sum(axis=1)
        longest = np.where((self.own("tap_rtt") > 0).all(axis=1), 2 * trip + JITTER_NS, UNDER_WAY_NS)
        known = self.knows(Known.FIN).all(axis=1) & self.fin_sent.all(axis=1)
        return np.asarray(known & behind.all(axis=1) & (apart <= longest))

    @cached_property
    def closed_by(self) -> Codes:
        """NOBODY, CLIENT, SERVER or BOTH (the FINs crossed): whose FIN, or RST, came first."""
        first = self.first_fin_side
        side = np.where(first >= 0, first, self.flow("close_side").astype(np.int64) - 1)
        real = (first >= 0) | ((self.rst_side >= 0) & (self.rst_cause != RstCause.THIRD_PARTY))
        who = np.where(side == self.client, CLIENT, SERVER)
        return np.where(self.crossed_fins, BOTH, np.where(real & (side >= 0), who, NOBODY))

    @cached_property
    def first_fin_side(self) -> Codes:
        """The side whose FIN came first: by the acknowledgments where both are known, else by time; -1 none."""
        sent = self.fin_sent
        behind = difference(self.own("fin_ack"), self.peer("fin_end")) < 0
        after = np.where(sent_first(*behind.T, *self.own("fin_time").T), 0, 1)
        return np.where(sent.all(axis=1), after, np.where(sent[:, 0], 0, np.where(sent[:, 1], 1, -1)))

    @cached_property
    def rst_side(self) -> Codes:
        """The side whose RST ended the flow, -1 none."""
        counts = one_of(self.own("rst_verdict"), (Reception.ACCEPTED, Reception.BLIND))
        time = np.where(counts, self.own("rst_time"), np.iinfo(np.int64).max)
        return np.where(counts.any(axis=1), np.argmin(time, axis=1), -1)

    @property
    def in_vain(self) -> Bools:
        """Whether each endpoint repeated data that nobody acknowledged: so often that it was not for a moment's loss,
        or at the intervals at which only late repeats come, shape (flows, 2)."""
        run = self.own("repeat_run").astype(np.int64)
        span = self.own("repeat_last_time") - self.own("repeat_first_time")
        return np.asarray((run >= NEVER_TAKEN) | ((run > 1) & (span >= (run - 1) * LATE_REPEAT_NS)))

    @cached_property
    def probed_in_vain(self) -> Bools:
        """Whether each endpoint fell silent, without a RST, after probes of an idle peer that nothing answered."""
        run = self.own("probe_run").astype(np.int64)
        interval = (self.own("probe_last_time") - self.own("probe_first_time")) // np.maximum(run - 1, 1)
        idle = (self.peer("zero_window_since") == 0) & (run > self.own("repeat_run"))
        open_still = self.own("state") != State.CLOSED
        return np.asarray((run >= NEVER_TAKEN) & idle & open_still & (self.silence > 2 * interval))

    @cached_property
    def gave_up(self) -> Bools:
        """Whether each endpoint fell silent after repeating a FIN, data or probes unanswered, shape (flows, 2)."""
        fins = (self.own("fin_count") >= NEVER_TAKEN) & ~self.knows(Known.FIN_ACKED)
        span = np.where(fins, self.own("fin_last_time") - self.own("fin_time"), 0)
        data = self.in_vain & (self.own("state") != State.CLOSED)
        span = np.where(data & ~fins, self.own("repeat_last_time") - self.own("repeat_first_time"), span)
        late = self.silence > np.minimum(2 * span, 240 * 10**9)
        return np.asarray(((fins | data) & late) | self.probed_in_vain)

    @cached_property
    def teardown(self) -> Codes:
        """Teardown codes."""
        established = (self.own("established_time") > 0).any(axis=1) | ~(self.own("syn_count") > 0).any(axis=1)
        established &= ~self.never_open
        fins = self.fin_sent.any(axis=1)
        early = np.where(self.rst_side >= 0, self.of_side("rst_time", self.rst_side), 0)
        closed_first = fins & (self._first_fin_time <= np.where(early > 0, early, np.iinfo(np.int64).max))
        both = (self.fin_sent & (self.knows(Known.FIN_ACKED))).all(axis=1)
        quiet = both & ~self._reset_cut_close
        return np.select(
            [
                ~established & (~fins | self.never_open),
                quiet & self.crossed_fins,
                quiet,
                (self.rst_side >= 0) & (self.rst_cause == RstCause.GAVE_UP),
                (self.rst_side >= 0) & closed_first,
                self.rst_side >= 0,
                self.gave_up.any(axis=1),
                fins,
            ],
            [
                Teardown.NEVER_ESTABLISHED,
                Teardown.SIMULTANEOUS,
                Teardown.GRACEFUL,
                Teardown.TIMED_OUT,
                Teardown.RESET,
                Teardown.ABORTED,
                Teardown.TIMED_OUT,
                Teardown.HALF_CLOSED,
            ],
            Teardown.OPEN,
        )

    @cached_property
    def _first_fin_time(self) -> Codes:
        time = np.where(self.fin_sent, self.own("fin_time"), np.iinfo(np.int64).max)
        return np.asarray(time.min(axis=1), np.int64)

    @cached_property
    def _reset_cut_close(self) -> Bools:
        """Whether a RST came although both FINs were sent, and before either was through with closing."""
        state = self.of_side("rst_peer_state", self.rst_side)
        return np.asarray((self.rst_side >= 0) & (state != State.CLOSED) & (state != State.TIME_WAIT))

    @cached_property
    def rst_cause(self) -> Codes:
        """RstCause codes of the RST that ended the flow."""
        side = self.rst_side
        answers, reply = self.of_side("rst_answers", side), self.of_side("rst_reply", side) == 1
        state = self.of_side("rst_state", side)
        closed = self._closed_before_reset
        knew = closed & (difference(self.of_side("rst_answers_ack", side), self.of_side("fin_end", side)) >= 0)
        asks, data, fin = (answers & kind > 0 for kind in (Answered.SYN, Answered.DATA, Answered.FIN))
        closes = (answers == Answered.ACK) & knew  # who awaits just this acknowledgment does not reset
        runs = np.maximum(self.of_side("probe_run", side), self.of_side("repeat_run", side))
        foreign = self.of_side("third_party_frame", side) == self.of_side("rst_frame", side)
        cases = [
            (side < 0, RstCause.NONE),
            (foreign, RstCause.THIRD_PARTY),
            ((asks & (state <= State.LISTEN)) | self._refuses_unseen_syn, RstCause.CONNECTION_REFUSED),
            ((state == State.SYN_RECEIVED) & reply & ~asks, RstCause.NOT_TAKEN),
            (self._never_used, RstCause.HALF_OPEN),
            (reply & (state == State.TIME_WAIT), RstCause.TIME_WAIT_GONE),
            (knew & data & reply, RstCause.DATA_AFTER_CLOSE),
            (knew & fin & reply, RstCause.LATE_FIN),
            (closed & data & ~knew, RstCause.CROSSED_CLOSE),
            (~reply & (runs >= NEVER_TAKEN), RstCause.GAVE_UP),
            (reply & ((state == State.CLOSED) | (closes & (state == State.LAST_ACK))), RstCause.NO_CONNECTION),
            (closed, RstCause.AFTER_OWN_FIN),
            (reply, RstCause.NO_CONNECTION),
            (self._unread, RstCause.UNREAD_DATA),
            (self.of_side("rst_unacked", side) > 0, RstCause.ABORT_DATA_LOST),
        ]
        return np.select([case for case, _ in cases], [cause for _, cause in cases], RstCause.ABORT)

    @property
    def _closed_before_reset(self) -> Bools:
        """Whether who sent the RST had sent its FIN before."""
        side = self.rst_side
        closed = self.of_side("fin_count", side) > 0
        return np.asarray(closed & (self.of_side("fin_time", side) <= self.of_side("rst_time", side)))

    @property
    def _never_used(self) -> Bools:
        """Whether who asked for the connection sent nothing but SYNs before its RST."""
        side = self.rst_side
        asks = (self.of_side("syn_count", side) > 0) & (self.of_side("syn_ack", side) == 0)
        only = self.of_side("packets", side) == self.of_side("syn_count", side) + self.of_side("rst_count", side)
        return np.asarray((self.of_side("rst_state", side) == State.SYN_SENT) | (asks & only))

    @property
    def _refuses_unseen_syn(self) -> Bools:
        """Whether the RST is all there is of the flow, and numbered as the answer to a SYN (RFC 9293 3.5.2)."""
        side = self.rst_side
        alone = self.own("packets").sum(axis=1) == self.of_side("rst_count", side)
        return np.asarray(alone & (self.of_side("rst_seq", side) == 0) & (self.of_side("rst_ack", side) > 0))

    @property
    def _unread(self) -> Bools:
        """Whether data of the peer had reached who sent the RST, and had not been acknowledged: the RST itself says so,
        or it came after them by the way there and back."""
        side = self.rst_side
        age, tap_rtt = self.of_side("rst_wait", side), self.of_side("tap_rtt", side)
        arrived = (self.of_side("rst_reached", side) > 0) | ((tap_rtt > 0) & (age >= tap_rtt))
        return np.asarray((self.of_side("rst_unread", side) > 0) & arrived)


def one_of(values: NDArray[Any], codes: Iterable[int]) -> Bools:
    """Where ``values`` is one of some codes; for so few of them this is faster than numpy's ``isin``."""
    found = np.zeros_like(values, np.bool_)
    for code in codes:
        found |= values == code
    return found

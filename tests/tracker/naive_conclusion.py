"""The slow twin of ``analyzer.tracker.outcome``: what follows from a flow's facts, one flow and question at a time."""

from __future__ import annotations

from functools import cached_property

from analyzer.tcp.states import State
from analyzer.tracker.ledger import Answered, Known
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.rst import Reception
from analyzer.tracker.vocabularies import BOTH, CLIENT, NOBODY, SERVER, Handshake, RstCause, Teardown
from analyzer.units import UNKNOWN

from .naive import ahead

SIDES = (0, 1)
MANY = 3  # so many repeats or probes without an answer are enough to give up
LATE = 60 * 10**9  # or some at such intervals, as the last of a long back-off have
COMPLETE, MID_STREAM, ONE_DIRECTION, GAPS, MIXED = range(5)  # what is observed


class Flow:
    """One flow; ``at(name, side)`` is a fact of an endpoint."""

    def __init__(self, ledger: Ledger, place: int, facts: dict[str, list[list[int]]]) -> None:
        self._facts, self._place = facts, place
        self.end_time = ledger.end_time
        self.client = int(ledger.flow("client")[place])
        self.close_side = int(ledger.flow("close_side")[place]) - 1
        self.close_idle = int(ledger.flow("close_idle")[place])

    def at(self, name: str, side: int) -> int:
        return self._facts[name][self._place][side]

    def knows(self, bit: Known, side: int) -> bool:
        return bool(self.at("known", side) & bit)

    # What was captured

    def silent(self, side: int) -> bool:
        """Whether it sent nothing though its peer did."""
        return not self.at("packets", side) and bool(self.at("packets", 1 - side))

    @cached_property
    def one_direction(self) -> bool:
        """One side is silent though the other shows that it is there: it acknowledges more and more, or completes the
        handshake."""
        opened = [bool(self.at("syn_count", side) and self.at("established_time", side)) for side in SIDES]
        return any(self.silent(side) and (self.at("missing_bytes", side) or opened[1 - side]) for side in SIDES)

    @cached_property
    def observed(self) -> int:
        if any(self.knows(Known.MIXED, side) for side in SIDES):
            return MIXED
        if self.one_direction:
            return ONE_DIRECTION
        if not any(self.knows(Known.ISN, side) for side in SIDES):
            return MID_STREAM
        lost = any(self.at("missing_bytes", side) or self.at("missing_jumps", side) for side in SIDES)
        return GAPS if lost else COMPLETE

    # How it opened

    def asked(self, side: int) -> bool:
        """Whether it sent a SYN without ACK first."""
        return self.at("syn_count", side) > 0 and not self.at("syn_ack", side)

    def answered(self, side: int) -> bool:
        return self.at("syn_count", side) > 0 and bool(self.at("syn_ack", side))

    @cached_property
    def shaken(self) -> bool:
        return any(self.at("established_time", side) for side in SIDES)

    @cached_property
    def handshake(self) -> Handshake:
        asked, answered = (list(map(which, SIDES)) for which in (self.asked, self.answered))
        if not any(asked + answered):
            return Handshake.NOT_CAPTURED
        if any(asked) and self.rst_cause == RstCause.CONNECTION_REFUSED:
            return Handshake.REFUSED
        crossed = [own or self.knows(Known.CROSSED_SYN, side) for side, own in enumerate(asked)]
        if self.shaken and all(crossed):
            return Handshake.SIMULTANEOUS
        if self.shaken and any(asked) and any(answered):
            return Handshake.COMPLETE
        alone = any(self.at("packets", side) == self.at("unrelated_segments", side) for side in SIDES)
        return Handshake.UNANSWERED if any(asked) and alone and not self.one_direction else Handshake.PARTIAL

    # Who closed

    @cached_property
    def fins(self) -> list[int]:
        """The sides that sent a FIN, in order: one that does not acknowledge the other's was sent before it arrived."""
        sent = [side for side in SIDES if self.at("fin_count", side)]
        if len(sent) < 2:
            return sent
        unaware = [side for side in SIDES if self.unaware(side)]
        first = unaware[0] if len(unaware) == 1 else min(SIDES, key=lambda side: self.at("fin_time", side))
        return [first, 1 - first]

    def unaware(self, side: int) -> bool:
        """Whether its FIN does not acknowledge the peer's."""
        return ahead(self.at("fin_ack", side), self.at("fin_end", 1 - side)) < 0

    @property
    def crossed(self) -> bool:
        known = all(self.knows(Known.FIN, side) for side in SIDES)
        apart = abs(self.at("fin_time", 0) - self.at("fin_time", 1))
        trip = sum(max(self.at("tap_rtt", side), self.at("tap_rtt_last", side)) for side in SIDES)
        measured = all(self.at("tap_rtt", side) for side in SIDES)
        soon = apart <= (2 * trip + 5_000_000 if measured else 1_000_000_000)
        return known and len(self.fins) == 2 and all(map(self.unaware, SIDES)) and soon

    @cached_property
    def closed_by(self) -> int:
        """Whose FIN came first, or whose RST: not that of somebody else."""
        if self.crossed:
            return BOTH
        side = self.fins[0] if self.fins else self.close_side if self.reset_by is not None else -1
        return NOBODY if side < 0 else CLIENT if side == self.client else SERVER

    @property
    def reset_by(self) -> int | None:
        """The side that reset the flow itself."""
        return None if self.rst_cause == RstCause.THIRD_PARTY else self.rst_side

    # Its RST

    @cached_property
    def rst_side(self) -> int | None:
        """The side whose RST counted, the earlier of two."""
        counts = [side for side in SIDES if self.at("rst_verdict", side) in (Reception.ACCEPTED, Reception.BLIND)]
        return min(counts, key=lambda side: self.at("rst_time", side), default=None)

    @cached_property
    def rst_cause(self) -> RstCause:
        return RstCause.NONE if self.rst_side is None else self.cause_of(self.rst_side)

    def cause_of(self, side: int) -> RstCause:
        """Why that side sent its RST: first what a host says that has no such connection, or none that is open."""
        state, reply, answers = self.rst_of(side)
        if self.at("third_party_frame", side) == self.at("rst_frame", side):
            return RstCause.THIRD_PARTY
        if (Answered.SYN in answers and state <= State.LISTEN) or self.refuses_unseen(side):
            return RstCause.CONNECTION_REFUSED
        if state == State.SYN_RECEIVED and reply and Answered.SYN not in answers:
            return RstCause.NOT_TAKEN
        if state == State.SYN_SENT or self.single_syn(side):
            return RstCause.HALF_OPEN
        if state == State.TIME_WAIT and reply:
            return RstCause.TIME_WAIT_GONE
        if self.closed(side):
            return self.cause_after_close(side)
        return self.cause_while_open(side)

    def rst_of(self, side: int) -> tuple[State, bool, Answered]:
        """The state of its sender, whether its numbers are a reply's, and to what."""
        answers = Answered(self.at("rst_answers", side))
        return State(self.at("rst_state", side)), bool(self.at("rst_reply", side)), answers

    def refuses_unseen(self, side: int) -> bool:
        """Whether there is nothing but RSTs, with the numbers that refuse a SYN: number 0 and an acknowledgment."""
        only = self.at("packets", 0) + self.at("packets", 1) == self.at("rst_count", side)
        return only and self.at("rst_seq", side) == 0 and self.at("rst_ack", side) > 0

    def single_syn(self, side: int) -> bool:
        """Whether it sent nothing but SYNs and RSTs."""
        return self.asked(side) and self.at("packets", side) == self.at("syn_count", side) + self.at("rst_count", side)

    def closed(self, side: int) -> bool:
        """Whether it had sent its FIN before its RST."""
        return self.at("fin_count", side) > 0 and self.at("fin_time", side) <= self.at("rst_time", side)

    def cause_after_close(self, side: int) -> RstCause:
        """The same of who had closed: did the peer know when it sent what the RST answers?"""
        state, reply, answers = self.rst_of(side)
        knew = ahead(self.at("rst_answers_ack", side), self.at("fin_end", side)) >= 0
        if Answered.DATA in answers and not knew:
            return RstCause.CROSSED_CLOSE
        if knew and reply and answers & (Answered.DATA | Answered.FIN):
            return RstCause.DATA_AFTER_CLOSE if Answered.DATA in answers else RstCause.LATE_FIN
        if self.repeats_in_vain(side):
            return RstCause.GAVE_UP
        awaited = answers == Answered.ACK and knew and state == State.LAST_ACK
        gone = reply and (state == State.CLOSED or awaited)
        return RstCause.NO_CONNECTION if gone else RstCause.AFTER_OWN_FIN

    def cause_while_open(self, side: int) -> RstCause:
        """The same of who had not closed."""
        _, reply, _ = self.rst_of(side)
        if reply:
            return RstCause.NO_CONNECTION
        if self.repeats_in_vain(side):
            return RstCause.GAVE_UP
        if self.at("rst_unread", side) and self.arrived(side):
            return RstCause.UNREAD_DATA
        return RstCause.ABORT_DATA_LOST if self.at("rst_unacked", side) else RstCause.ABORT

    def repeats_in_vain(self, side: int) -> bool:
        """Whether it had repeated or probed often enough, and an open socket sent the RST."""
        many = max(self.at("probe_run", side), self.at("repeat_run", side)) >= MANY
        return many and not self.at("rst_reply", side)

    def arrived(self, side: int) -> bool:
        """Whether what it had not acknowledged had reached it: its RST says so, or time enough had passed."""
        tap_rtt = self.at("tap_rtt", side)
        return bool(self.at("rst_reached", side)) or 0 < tap_rtt <= self.at("rst_wait", side)

    # How it ended

    def in_vain(self, side: int) -> bool:
        """Whether it repeated data that nobody acknowledged: often, or at long intervals."""
        run, span = self.at("repeat_run", side), self.at("repeat_last_time", side) - self.at("repeat_first_time", side)
        return run >= MANY or (run > 1 and span >= (run - 1) * LATE)

    def gave_up(self, side: int) -> bool:
        """Whether it fell silent after it had repeated a FIN or data in vain."""
        fins = self.at("fin_count", side) >= MANY and not self.knows(Known.FIN_ACKED, side)
        data = self.in_vain(side) and self.at("state", side) != State.CLOSED
        begun, ended = ("fin_time", "fin_last_time") if fins else ("repeat_first_time", "repeat_last_time")
        span = self.at(ended, side) - self.at(begun, side)
        silence = self.end_time - self.at("last_time", side)
        return ((fins or data) and silence > min(2 * span, 240 * 10**9)) or self.probed_in_vain(side)

    def probed_in_vain(self, side: int) -> bool:
        """Whether it fell silent after three probes or more of an idle peer."""
        run = self.at("probe_run", side)
        if run < MANY or run <= self.at("repeat_run", side) or self.at("zero_window_since", 1 - side):
            return False
        interval = (self.at("probe_last_time", side) - self.at("probe_first_time", side)) // (run - 1)
        silence = self.end_time - self.at("last_time", side)
        return self.at("state", side) != State.CLOSED and silence > 2 * interval

    @cached_property
    def cut(self) -> bool:
        """Whether a RST met an endpoint that was not through with closing."""
        side = self.rst_side
        return side is not None and self.at("rst_peer_state", side) not in (State.CLOSED, State.TIME_WAIT)

    @cached_property
    def never_open(self) -> bool:
        """Whether a RST refused the only thing that was asked or sent, and nothing else came from who sent it."""
        side = self.rst_side
        if side is None or self.rst_cause not in (RstCause.CONNECTION_REFUSED, RstCause.NO_CONNECTION):
            return False
        alone = self.at("packets", side) == self.at("rst_count", side)
        return alone and (self.rst_cause == RstCause.CONNECTION_REFUSED or not self.at("ack_sent", 1 - side))

    @cached_property
    def teardown(self) -> Teardown:
        opened = self.shaken or not any(self.at("syn_count", side) for side in SIDES)
        if self.never_open or (not opened and not self.fins):
            return Teardown.NEVER_ESTABLISHED
        if len(self.fins) == 2 and all(self.knows(Known.FIN_ACKED, side) for side in SIDES) and not self.cut:
            return Teardown.SIMULTANEOUS if self.crossed else Teardown.GRACEFUL
        if self.rst_side is not None:
            if self.rst_cause == RstCause.GAVE_UP:
                return Teardown.TIMED_OUT
            times = [self.at("fin_time", side) for side in self.fins]
            return Teardown.RESET if times and self.before_reset(min(times)) else Teardown.ABORTED
        if any(map(self.gave_up, SIDES)):
            return Teardown.TIMED_OUT
        return Teardown.HALF_CLOSED if self.fins else Teardown.OPEN

    def before_reset(self, time: int) -> bool:
        return self.rst_side is not None and time <= self.at("rst_time", self.rst_side)

    @property
    def concluded(self) -> dict[str, int]:
        """The columns of ENDING that follow from the others."""
        return {
            "handshake": self.handshake,
            "closed_by": self.closed_by,
            "teardown": self.teardown,
            "rst_cause": self.rst_cause,
            "rst_by": 2 if self.reset_by is None else self.reset_by ^ self.client,
            "observability": self.observed,
            "idle_before_close_s": self.close_idle if self.closed_by != NOBODY else UNKNOWN,
        }


NAMES = (
    *("packets", "missing_bytes", "missing_jumps", "known", "ack_sent", "syn_count", "syn_ack", "unrelated_segments"),
    *(
        "established_time",
        "state",
        "last_time",
        "tap_rtt",
        "tap_rtt_last",
        "fin_count",
        "fin_ack",
        "fin_end",
        "fin_time",
    ),
    *("probe_first_time", "probe_last_time", "zero_window_since"),
    *("fin_last_time", "probe_run", "repeat_run", "repeat_first_time", "repeat_last_time", "third_party_frame"),
    *(f"rst_{name}" for name in ("verdict", "time", "frame", "count", "seq", "ack", "state", "peer_state", "reply")),
    *(f"rst_{name}" for name in ("answers", "answers_ack", "reached", "unread", "unacked", "wait")),
)


def conclusions(ledger: Ledger) -> list[dict[str, int]]:
    """What follows for each flow of a ledger."""
    facts = {name: ledger.own(name).tolist() for name in NAMES}
    return [Flow(ledger, place, facts).concluded for place in range(ledger.flows)]

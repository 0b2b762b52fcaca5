"""The slow twin of ``analyzer.tracker.outcome``: what follows from a flow's facts, one flow and question at a time."""

from __future__ import annotations

from functools import cached_property

from analyzer.tracker.ending import UNKNOWN
from analyzer.tracker.endings import BOTH, CLIENT, NOBODY, SERVER, Handshake, RstCause, Teardown
from analyzer.tracker.ledger import Answered, Known
from analyzer.tracker.outcome import Ledger
from analyzer.tracker.resets import Verdict
from analyzer.tracker.transitions import State

from .naive import ahead

SIDES = (0, 1)
MANY = 3  # so many repeats or probes without an answer are enough to give up
COMPLETE, MID_STREAM, ONE_DIRECTION, GAPS = range(4)  # what is observed


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

    @cached_property
    def one_direction(self) -> bool:
        """One side is silent though the other shows that it is there: it acknowledges, or is known to lack bytes."""
        silent = [side for side in SIDES if not self.at("packets", side)]
        shown = [side for side in silent if self.at("missing_bytes", side) or self.knows(Known.NXT, side)]
        return bool(shown) and any(self.at("ack_sent", 1 - side) and self.at("packets", 1 - side) for side in SIDES)

    @cached_property
    def observed(self) -> int:
        if self.one_direction:
            return ONE_DIRECTION
        if not any(self.knows(Known.ISN, side) for side in SIDES):
            return MID_STREAM
        return GAPS if any(self.at("missing_bytes", side) for side in SIDES) else COMPLETE

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
        if self.shaken and all(asked):
            return Handshake.SIMULTANEOUS
        if self.shaken and any(asked) and any(answered):
            return Handshake.COMPLETE
        silent = any(not self.at("packets", side) for side in SIDES)
        return Handshake.UNANSWERED if any(asked) and silent and not self.one_direction else Handshake.PARTIAL

    # Who closed

    @cached_property
    def fins(self) -> list[int]:
        """The sides that sent a FIN, in order: one that does not acknowledge the other's was sent before it arrived."""
        sent = [side for side in SIDES if self.at("fin_count", side)]
        if len(sent) < 2:
            return sent
        unaware = [side for side in SIDES if self.unaware(side)]
        first = unaware[0] if unaware else min(SIDES, key=lambda side: self.at("fin_time", side))
        return [first, 1 - first]

    def unaware(self, side: int) -> bool:
        """Whether its FIN does not acknowledge the peer's."""
        return ahead(self.at("fin_ack", side), self.at("fin_end", 1 - side)) < 0

    @property
    def crossed(self) -> bool:
        return len(self.fins) == 2 and all(map(self.unaware, SIDES))

    @cached_property
    def closed_by(self) -> int:
        if self.crossed:
            return BOTH
        side = self.fins[0] if self.fins else self.close_side if self.rst_side is not None else -1
        return NOBODY if side < 0 else CLIENT if side == self.client else SERVER

    # Its RST

    @cached_property
    def rst_side(self) -> int | None:
        """The side whose RST counted, the earlier of two."""
        counts = [side for side in SIDES if self.at("rst_verdict", side) in (Verdict.ACCEPTED, Verdict.BLIND)]
        return min(counts, key=lambda side: self.at("rst_time", side), default=None)

    @cached_property
    def rst_cause(self) -> RstCause:
        return RstCause.NONE if self.rst_side is None else self.cause_of(self.rst_side)

    def cause_of(self, side: int) -> RstCause:
        """Why that side sent its RST."""
        state, met = State(self.at("rst_state", side)), State(self.at("rst_peer_state", side))
        answers, reply = Answered(self.at("rst_answers", side)), bool(self.at("rst_reply", side))
        if self.knows(Known.RST_DISOWNED, side):
            return RstCause.THIRD_PARTY
        if Answered.SYN in answers and not self.at("syn_ack", side) and state <= State.LISTEN:
            return RstCause.CONNECTION_REFUSED
        if state == State.SYN_SENT:
            return RstCause.HALF_OPEN
        if state == State.TIME_WAIT and reply:
            return RstCause.TIME_WAIT_GONE
        if self.at("fin_count", side) and reply and answers & (Answered.DATA | Answered.FIN):
            knew = met in (State.CLOSE_WAIT, State.LAST_ACK)
            if Answered.DATA in answers:
                return RstCause.DATA_AFTER_CLOSE if knew else RstCause.CROSSED_CLOSE
            if knew:
                return RstCause.LATE_FIN
        return self.cause_of_its_own(side, state, reply)

    def cause_of_its_own(self, side: int, state: State, reply: bool) -> RstCause:
        """The same of a RST that does not answer something after a close."""
        if not reply and max(self.at("probe_run", side), self.at("repeat_run", side)) >= MANY:
            return RstCause.GAVE_UP
        if reply and state == State.CLOSED:
            return RstCause.NO_CONNECTION
        if self.at("fin_count", side):
            return RstCause.AFTER_OWN_FIN
        if reply:
            return RstCause.NO_CONNECTION
        age = self.at("rst_data_age", side)
        if self.at("rst_unread", side) or 0 <= age <= 10_000_000 + self.at("reach", side):
            return RstCause.UNREAD_DATA
        return RstCause.ABORT_DATA_LOST if self.at("rst_unacked", side) else RstCause.ABORT

    # How it ended

    def gave_up(self, side: int) -> bool:
        """Whether it fell silent after it had repeated a FIN or data in vain."""
        fins = self.at("fin_count", side) >= MANY and not self.knows(Known.FIN_ACKED, side)
        data = self.at("repeat_run", side) >= MANY and self.at("state", side) != State.CLOSED
        begun, ended = ("fin_time", "fin_last_time") if fins else ("repeat_first_time", "repeat_last_time")
        span = self.at(ended, side) - self.at(begun, side)
        silence = self.end_time - self.at("last_time", side)
        return (fins or data) and silence > min(2 * span, 240 * 10**9)

    @cached_property
    def cut(self) -> bool:
        """Whether a RST met an endpoint that was not through with closing."""
        side = self.rst_side
        return side is not None and self.at("rst_peer_state", side) not in (State.CLOSED, State.TIME_WAIT)

    @cached_property
    def teardown(self) -> Teardown:
        opened = self.shaken or not any(self.at("syn_count", side) for side in SIDES)
        if not opened and not self.fins:
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
            "rst_by": 2 if self.rst_side is None else self.rst_side ^ self.client,
            "observability": self.observed,
            "idle_before_close_s": self.close_idle if self.closed_by != NOBODY else UNKNOWN,
        }


NAMES = (
    *(
        "packets",
        "missing_bytes",
        "known",
        "ack_sent",
        "syn_count",
        "syn_ack",
        "established_time",
        "state",
        "last_time",
    ),
    *("fin_count", "fin_ack", "fin_end", "fin_time", "fin_last_time", "reach"),
    *(
        "rst_verdict",
        "rst_time",
        "rst_state",
        "rst_peer_state",
        "rst_answers",
        "rst_reply",
        "rst_unread",
        "rst_unacked",
    ),
    *("rst_data_age", "probe_run", "repeat_run", "repeat_first_time", "repeat_last_time"),
)


def conclusions(ledger: Ledger) -> list[dict[str, int]]:
    """What follows for each flow of a ledger."""
    facts = {name: ledger.own(name).tolist() for name in NAMES}
    return [Flow(ledger, place, facts).concluded for place in range(ledger.flows)]

"""One endpoint of the slow twin: what is known of it, and the two things that happen to it: it moves, or did not."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.tcp.states import TABLE, Event, State

FIN, SYN, RST, ACK = 1, 2, 4, 16
SENT, PROVEN, ASSUMED, TIMER = "sent", "proven", "assumed", "timer"
SLACK, REORDERING, REPEAT, CHALLENGE = 300_000, 5_000_000, 200_000_000, 3_000_000_000
FURTHEST = 86_400 * 10**9  # no host is a day away: a clock was set
MOVES = {(arrow.state, arrow.event): arrow.next for arrow in TABLE}
FAR = 1 << 24  # numbers farther away than that, and than a window, are of another connection
FAR_SEGMENTS = 3  # of so many it is one that is mixed with this
CARRIES = frozenset({"data", "fin", "syn", "syn-ack"})
S, E = State, Event


def ahead(a: int, b: int) -> int:
    """How far ``a`` is ahead of ``b``, modulo 2^32."""
    return (a - b + 2**31) % 2**32 - 2**31


@dataclass
class Segment:
    """What the twin looks at."""

    time: int
    frame: int
    seq: int
    ack: int
    flags: int
    length: int = 0
    window: int = 60_000
    ip_id: int = 0
    window_scale: int = -1
    ttl: int = 0

    @property
    def cut(self) -> bool:
        """Whether the capture cut its TCP header."""
        return False

    @property
    def end(self) -> int:
        """The number after what it carries."""
        return (self.seq + self.length + bool(self.flags & FIN) + bool(self.flags & SYN)) % 2**32


@dataclass
class Entry:
    """A state entered."""

    state: State
    basis: str
    frame: int
    before: State
    event: Event


@dataclass
class Doubt:
    """Entries from ``place`` on are assumed since ``time`` and may be undone, back to ``state``."""

    place: int
    time: int
    state: State


@dataclass
class End:
    """One endpoint."""

    state: State = S.UNKNOWN
    story: list[Entry] = field(default_factory=list)
    doubt: Doubt | None = None
    handshake_entry: Entry | None = None  # assumed, and proven by whatever it sends next
    fin_entry: Entry | None = None  # at which it received the peer's FIN

    isn: int | None = None
    nxt: int | None = None
    acked: int | None = None  # the highest acknowledgment it sent
    window: int = 0
    shift: int | None = None  # what its SYN says of its window, -1 for none; None where there was no SYN
    tap_rtt: int = 0
    tap_rtt_last: int = 0
    later: bool = False  # it was established, has sent data or closes
    mid_stream: bool = False
    mixed: bool = False
    sent_data: bool = False
    unseen: bool = False  # the last it sent has not passed
    fresh: int = 0
    lower_ack: int = 0
    carried: int = 0
    missing: int = 0
    missing_since: int = 0
    missing_from: int = 0
    hole: int = 0
    hole_from: int = 0
    hole_end: int = 0
    busy_since: int = 0
    idle_since: int = 0
    far_segments: int = 0
    far_next: int = 0

    fin: int | None = None  # the number after its FIN, where it can be acknowledged as one
    fin_inferred: bool = False
    fin_number: int | None = None  # the same, whether it can or not
    fin_count: int = 0
    fin_time: int = 0
    fin_last: int = 0
    fin_ack: int = 0
    fin_frame: int = 0
    fin_acked: bool = False
    fin_acked_time: int = 0
    fin_acked_frame: int = 0
    ack_passed: int = 0  # when the acknowledgment passed that is taken to have arrived
    has_peer_fin: bool = False  # proven
    may_have_peer_fin: bool = False  # assumed
    killed: bool = False
    close_wait_basis: str = SENT

    rst_stands: bool = False
    rst_count: int = 0
    rst_verdict: str = ""
    rst_time: int = 0
    rst_frame: int = 0
    rst_seq: int = 0
    rst_ack: int = 0
    rst_nxt: int = 0
    rst_ttl: int = 0
    rst_state: State = S.UNKNOWN
    rst_reply: bool = False
    rst_answers: frozenset[str] = frozenset()
    rst_answers_frame: int = 0

    packets: int = 0
    last_time: int = 0
    last_frame: int = 0
    ip_id: int = 0
    ids_counted: int = 0
    ttls: tuple[int, int] = (0, 0)  # the lowest and the highest of its segments, RSTs apart
    syn_count: int = 0
    syn_time: int = 0
    syn_last: int = 0
    syn_was_ack: bool = False
    crossed_syn: bool = False
    syn_ack_after_ack: int = 0
    fast_open: bool = False
    stale_acks: int = 0
    disowned: list[Segment] = field(default_factory=list)  # RSTs that refuse those of the other side
    last_kind: frozenset[str] = frozenset()
    last_ack: int = 0
    last_end: int = 0
    run_kind: frozenset[str] = frozenset()  # of the first that carries something which the peer has not acknowledged
    run_ack: int = 0
    run_end: int = 0
    run_frame: int = 0
    run_time: int = 0

    @property
    def margin(self) -> int:
        """By then an answer to what passed the tap would have come back."""
        return self.tap_rtt + SLACK

    @property
    def patience(self) -> int:
        """The same by the last answer, which may have taken longer."""
        return max(self.margin, self.tap_rtt_last + SLACK)

    @property
    def under_way(self) -> int:
        """What it sent before something passed the tap toward it may pass for so long."""
        return max(2 * self.patience, REPEAT)

    def move(self, event: Event, basis: str, frame: int, since: int = 0) -> Entry | None:
        """Go where the table says; ``since`` is when an assumption began to be one."""
        target = MOVES.get((self.state, event))
        if target is None:
            return None
        kept = target == S.TIME_WAIT and self.state != S.TIME_WAIT  # that TIME_WAIT is kept no packet shows
        entry = Entry(target, ASSUMED if kept else basis, frame, self.state, event)
        if target != self.state:
            if basis != ASSUMED:
                self.doubt = None
            elif self.doubt is None:
                self.doubt = Doubt(len(self.story), since, self.state)
            self.story.append(entry)
            self.state = target
            self.later |= target >= S.ESTABLISHED
            if target == S.CLOSE_WAIT:
                self.close_wait_basis = basis
        return entry

    def undo(self) -> None:
        """What was assumed did not happen."""
        assert self.doubt is not None
        del self.story[self.doubt.place :]
        self.state, self.doubt, self.handshake_entry = self.doubt.state, None, None

    def pop(self) -> Entry:
        """Its last entry did not happen."""
        entry = self.story.pop()
        self.state = entry.before
        if self.doubt is not None and self.doubt.place == len(self.story):
            self.doubt = None
        return entry

    def undo_reset(self) -> bool:
        """The peer's RST did not reach it, nor the FIN that went ahead of that; whether it was taken to."""
        if not self.story or self.story[-1].event != E.RCVD_RST:
            return False
        frame = self.pop().frame
        while self.story and (self.story[-1].frame, self.story[-1].event) == (frame, E.RCVD_FIN):
            if self.story[-1].basis != ASSUMED:
                break
            self.pop()
        self.forget_arrival()
        return True

    def forget_arrival(self) -> None:
        """It is no longer taken to have the peer's FIN."""
        if self.may_have_peer_fin:
            self.may_have_peer_fin, self.fin_entry = False, None

    def surely_open_until(self, peer: End) -> bool:
        """Whether it surely sent no FIN that was not captured."""
        if self.unseen:
            return False
        if not self.mid_stream and self.state != S.UNKNOWN:
            return True
        return self.sent_data and peer.acked is not None and peer.acked == self.nxt

    def earliest(self, s: Segment, busy: int) -> int:
        """Not before this did it decide to send ``s``."""
        step = (s.ip_id - self.ip_id) & 0xFFFF if s.ip_id > 0 else 0
        unseen = self.ip_id > 0 and 1 < step <= 64
        near = 0 < self.tap_rtt <= SLACK and not unseen
        bound = busy - 2 * self.tap_rtt - SLACK
        if self.last_time and not near and step != 1:
            bound = min(bound, self.last_time - self.tap_rtt - SLACK)
        return min(bound, s.time)

    def busy(self, now: int) -> int:
        """Since when it has had something to send."""
        paused = self.idle_since > 0 and now - self.idle_since > self.margin
        return now if self.busy_since == 0 or paused else self.busy_since

    def measure(self, sample: int) -> None:
        """Keep the shortest time there and back."""
        if 0 < sample <= FURTHEST and (self.tap_rtt == 0 or sample < self.tap_rtt):
            self.tap_rtt = sample

"""The slow, obvious twin of the tracker's kernels: one connection, two objects, one segment at a time.

The same theory (analyzer/tracker/track.py, crossing.py) in plain objects: an endpoint's story is a list of entries, and
an assumption that fails is undone by cutting the list. It knows states, bases and frames; no best times, no timers that
run out, no packets captured twice, no older connection on the same addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.tracker.transitions import TABLE, Event, State

FIN, SYN, RST, ACK = 1, 2, 4, 16
SENT, PROVEN, ASSUMED, TIMER = "sent", "proven", "assumed", "timer"
SLACK, REORDERING, FURTHEST = 300_000, 5_000_000, 86_400 * 10**9
MOVES = {(arrow.state, arrow.event): arrow.next for arrow in TABLE}
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
    reach: int = 0
    mid_stream: bool = False
    sent_data: bool = False
    unseen: bool = False  # the last it sent has not passed
    fresh: int = 0
    lower_ack: int = 0
    carried: int = 0
    missing: int = 0
    missing_since: int = 0
    missing_from: int = 0
    hole: int = 0
    hole_end: int = 0
    busy_since: int = 0
    idle_since: int = 0

    fin: int | None = None  # the number after its FIN
    fin_inferred: bool = False
    fin_count: int = 0
    fin_time: int = 0
    fin_last: int = 0
    fin_ack: int = 0
    fin_frame: int = 0
    fin_acked: bool = False
    fin_acked_time: int = 0
    fin_acked_frame: int = 0
    has_peer_fin: bool = False  # proven
    may_have_peer_fin: bool = False  # assumed
    killed: bool = False
    close_wait_basis: str = SENT

    rst_stands: bool = False
    rst_verdict: str = ""
    rst_time: int = 0
    rst_frame: int = 0
    rst_seq: int = 0
    rst_state: State = S.UNKNOWN
    rst_reply: bool = False
    rst_answers_fin: bool = False

    packets: int = 0
    last_time: int = 0
    ip_id: int = 0
    syn_count: int = 0
    syn_time: int = 0
    syn_last: int = 0
    syn_was_ack: bool = False
    fast_open: bool = False
    stale_acks: int = 0
    last_kind: frozenset[str] = frozenset()
    last_ack: int = 0
    last_end: int = 0
    run_kind: frozenset[str] = frozenset()
    run_ack: int = 0

    @property
    def margin(self) -> int:
        """By then an answer to what passed the tap would have come back."""
        return self.reach + SLACK

    def move(self, event: Event, basis: str, frame: int, since: int = 0) -> Entry | None:
        """Go where the table says; ``since`` is when an assumption began to be one."""
        target = MOVES.get((self.state, event))
        if target is None:
            return None
        entry = Entry(target, basis, frame, self.state, event)
        if target != self.state:
            if basis != ASSUMED:
                self.doubt = None
            elif self.doubt is None:
                self.doubt = Doubt(len(self.story), since, self.state)
            self.story.append(entry)
            self.state = target
            if target == S.CLOSE_WAIT:
                self.close_wait_basis = basis
        return entry

    def undo(self) -> None:
        """What was assumed did not happen."""
        assert self.doubt is not None
        del self.story[self.doubt.place :]
        self.state, self.doubt, self.handshake_entry = self.doubt.state, None, None

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
        counted = s.ip_id > 0 and (s.ip_id - self.ip_id) & 0xFFFF == 1
        bound = busy - 2 * self.reach - SLACK
        if self.last_time and not 0 < self.reach <= SLACK and not counted:
            bound = min(bound, self.last_time - self.reach - SLACK)
        return min(bound, s.time)

    def busy(self, now: int) -> int:
        """Since when it has had something to send."""
        paused = self.idle_since > 0 and now - self.idle_since > self.margin
        return now if self.busy_since == 0 or paused else self.busy_since

    def measure(self, sample: int) -> None:
        """Keep the shortest time there and back."""
        if 0 < sample <= FURTHEST and (self.reach == 0 or sample < self.reach):
            self.reach = sample


class Connection:
    """Both endpoints of one connection."""

    def __init__(self) -> None:
        self.ends = (End(), End())

    def take(self, side: int, s: Segment) -> None:
        """Take in one segment sent by ``side``."""
        e, p = self.ends[side], self.ends[1 - side]
        kind = self.kind(e, p, s)
        if s.flags & RST:
            self.take_reset(e, p, s)
        else:
            self.take_other(e, p, s, kind)
        self.remember(e, p, s, kind)

    def kind(self, e: End, p: End, s: Segment) -> frozenset[str]:
        """What the segment is."""
        if s.flags & SYN:
            return frozenset({"syn-ack" if s.flags & ACK else "syn"})
        if s.flags & FIN:
            return frozenset({"fin", "data"} if s.length else {"fin"})
        if e.nxt is not None and s.length <= 1 and ahead(s.seq, e.nxt) == -1:
            acknowledged = p.acked is not None and ahead(p.acked, e.nxt) >= 0
            if s.length == 0 or acknowledged:
                return frozenset({"probe"})
        return frozenset({"data"} if s.length else {"ack"})

    def remember(self, e: End, p: End, s: Segment, kind: frozenset[str]) -> None:
        """What later segments are compared with."""
        e.packets += 1
        e.last_time, e.ip_id = s.time, s.ip_id
        if s.flags & RST:
            return
        e.last_kind, e.last_ack, e.window = kind, s.ack, s.window
        e.last_end = (s.seq + s.length + bool(s.flags & FIN) + bool(s.flags & SYN)) % 2**32
        if not e.run_kind and not kind & {"ack", "probe"}:
            e.run_kind, e.run_ack = kind, s.ack
        p.run_kind = frozenset()

    # What is no RST

    def take_other(self, e: End, p: End, s: Segment, kind: frozenset[str]) -> None:
        if e.state == S.CLOSED:
            self.contradict(e, p, s)
        revived = self.revive(e, p, s)
        opened = not self.maybe_before_handshake(e, p, s)
        if e.handshake_entry is not None and not s.flags & SYN and opened:
            e.handshake_entry.basis, e.handshake_entry, e.doubt = PROVEN, None, None
        if e.state == S.SYN_RECEIVED and p.packets == 0 and not s.flags & SYN:
            e.move(E.RCVD_ACK_OF_SYN, PROVEN, s.frame)
        self.notice_unseen_fin(e, p, s)
        if s.flags & ACK:
            self.acknowledge(e, p, s)
        self.carry(e, p, s, kind)
        if revived:
            e.move(E.RCVD_RST, ASSUMED, p.rst_frame, p.rst_time)

    def maybe_before_handshake(self, e: End, p: End, s: Segment) -> bool:
        fast = p.fast_open or p.syn_count == 0
        return e.doubt is not None and fast and (e.reach == 0 or s.time - e.doubt.time < e.reach)

    def contradict(self, e: End, p: End, s: Segment) -> None:
        """Who was taken for dead speaks."""
        if e.killed and e.doubt is not None:
            answers_before = ahead(s.ack, p.rst_seq) <= 0
            if s.time - e.doubt.time <= e.margin * (2 if answers_before else 1):
                return
            e.undo()
            e.forget_arrival()
            e.killed = False
            p.rst_verdict = "dropped"
        elif e.rst_stands and e.rst_state > S.CLOSED:
            end = (s.seq + s.length) % 2**32
            if s.time - e.rst_time <= REORDERING and ahead(end, e.rst_seq) <= 0:
                return
            places = [place for place, entry in enumerate(e.story) if entry.event == E.SENT_RST]
            if not places:
                return
            place = places[-1]
            e.state = e.story[place].before
            del e.story[place]
            e.rst_stands = False

    def revive(self, e: End, p: End, s: Segment) -> bool:
        """Sent before the peer's RST came: the end is taken back for the moment."""
        if not e.killed or e.state != S.CLOSED or e.doubt is None:
            return False
        acked = s.flags & ACK and p.fin is not None and ahead(s.ack, p.fin) >= 0 and not e.has_peer_fin
        if s.flags & SYN or not (acked or (s.flags & FIN and e.fin_count == 0)):
            return False
        e.undo()
        e.forget_arrival()
        return True

    def notice_unseen_fin(self, e: End, p: End, s: Segment) -> None:
        """One number beyond what passed, in the first acknowledgment of the peer's only FIN."""
        bare = s.flags & (SYN | FIN | ACK) == ACK and s.length == 0
        if not bare or e.state != S.ESTABLISHED or e.fin is not None or e.nxt is None or e.acked is None:
            return
        if p.fin_count != 1 or p.fin is None or ahead(s.ack, p.fin) < 0 or ahead(s.seq, e.nxt) != 1:
            return
        e.fin, e.fin_inferred, e.fin_time, e.nxt, e.fresh = s.seq, True, s.time, s.seq, 0
        best = p.fin_time + e.reach // 2
        e.move(E.SENT_FIN, ASSUMED, s.frame, e.earliest(s, best))

    # Acknowledgments

    def acknowledge(self, e: End, p: End, s: Segment) -> None:
        if p.nxt is None:
            p.nxt = s.ack
        if p.isn is not None and ahead(s.ack, p.isn) <= 0:
            e.stale_acks += e.state == S.UNKNOWN and not s.flags & SYN
            return
        beyond = ahead(s.ack, p.nxt)
        if beyond > 0:
            if beyond > 1 << 30 or (p.fin is not None and not p.fin_inferred):
                return
            self.miss(e, p, s, beyond)
        self.progress(e, p, s)
        self.received(e, p, s)
        self.arrives(e, p, s)

    def miss(self, e: End, p: End, s: Segment, beyond: int) -> None:
        """Bytes of ``p`` were not captured; exactly one is taken for its FIN."""
        p.missing += beyond
        p.missing_since = p.missing_since or s.time
        p.missing_from, p.unseen, p.nxt, p.fresh = p.nxt or 0, True, s.ack, 0
        both_open = e.state >= S.ESTABLISHED and p.state >= S.ESTABLISHED
        if beyond == 1 and p.fin is None and p.packets and both_open:
            p.fin, p.fin_inferred, p.fin_time = s.ack, True, p.last_time
            p.move(E.SENT_FIN, ASSUMED, s.frame, p.last_time - p.reach // 2)

    def progress(self, e: End, p: End, s: Segment) -> None:
        if e.acked is not None and ahead(s.ack, e.acked) <= 0:
            return
        e.acked = s.ack
        if s.ack == p.nxt:
            p.idle_since = s.time if s.window else 0
            if p.fresh:
                e.measure(s.time - p.fresh)
        if p.hole and ahead(s.ack, p.hole_end) >= 0:
            p.missing, p.hole, p.missing_since = p.missing + p.hole, 0, p.missing_since or s.time

    def received(self, e: End, p: End, s: Segment) -> None:
        """What the acknowledgment proves its sender to have."""
        if e.state == S.SYN_SENT and not s.flags & SYN:
            e.move(E.RCVD_SYN_ACK, PROVEN, s.frame)
        if e.has_peer_fin:
            return
        if p.fin is None or ahead(s.ack, p.fin) < 0:
            e.lower_ack = s.time
            return
        e.has_peer_fin = True
        if e.may_have_peer_fin:
            self.confirm(e)
            return
        earliest = max(p.fin_time, e.lower_ack - e.reach - SLACK) if e.lower_ack and e.reach else p.fin_time
        if e.state == S.FIN_WAIT_1 and p.fin_count == 0 and p.fin_inferred:
            e.move(E.LOST_SIGHT, ASSUMED, s.frame, min(earliest, s.time))
            return
        sure = e.surely_open_until(p) and not p.fin_inferred
        entry = e.move(E.RCVD_FIN, PROVEN if sure else ASSUMED, s.frame, min(earliest, s.time))
        if not p.fin_inferred:
            e.doubt = None
        e.fin_entry = entry or e.fin_entry

    def confirm(self, e: End) -> None:
        """The crossing is proven; only the acknowledgment of its own FIN may still be undone."""
        e.may_have_peer_fin = False
        assert e.fin_entry is not None
        e.fin_entry.basis = PROVEN
        if e.doubt is not None and e.story[e.doubt.place] is e.fin_entry:
            later = e.state == S.TIME_WAIT
            e.doubt = Doubt(e.doubt.place + 1, e.doubt.time, S.CLOSING) if later else None

    def arrives(self, e: End, p: End, s: Segment) -> None:
        """What the acknowledgment does to the peer, if it arrives."""
        if p.state == S.SYN_RECEIVED and p.isn is not None:
            p.handshake_entry = p.move(E.RCVD_ACK_OF_SYN, ASSUMED, s.frame, s.time)
        if p.fin is None or ahead(s.ack, p.fin) < 0 or p.fin_acked:
            return
        p.fin_acked = True
        if not p.fin_acked_time:
            p.fin_acked_time, p.fin_acked_frame = s.time, s.frame
        self.fin_arrives_first(e, p, s)
        p.move(E.RCVD_ACK_OF_FIN, ASSUMED, s.frame, s.time)

    def fin_arrives_first(self, e: End, p: End, s: Segment) -> None:
        """The sender's FIN is on its way to ``p`` before this acknowledgment: the FINs crossed."""
        if p.state != S.FIN_WAIT_1 or p.has_peer_fin or s.flags & FIN or e.fin is None or e.fin_count == 0:
            return
        assert p.fin is not None
        if ahead(s.seq, e.fin) >= 0 and ahead(e.fin_ack, p.fin) < 0:
            p.fin_entry = p.move(E.RCVD_FIN, ASSUMED, s.frame, e.fin_time)
            p.may_have_peer_fin = True

    # What segments carry

    def carry(self, e: End, p: End, s: Segment, kind: frozenset[str]) -> None:
        if s.flags & SYN:
            (self.carry_syn_ack if s.flags & ACK else self.carry_syn)(e, p, s)
            e.syn_count += 1
            e.syn_last = s.time
            return
        if e.state == S.UNKNOWN and e.stale_acks == 0:
            e.mid_stream = True
            if not s.flags & FIN:
                e.move(E.SENT_MID_STREAM, ASSUMED, s.frame)
                e.doubt = None
        if e.nxt is None:
            e.nxt = s.seq
        if "probe" in kind:
            return
        if s.length:
            self.carry_data(e, p, s)
        if s.flags & FIN:
            self.carry_fin(e, p, s)
        elif s.length == 0 and ahead(s.seq, e.nxt) > 0:
            self.gap(e, s)
            e.nxt, e.unseen = s.seq, True

    def open(self, e: End, s: Segment) -> None:
        e.isn, e.nxt, e.fresh = s.seq, (s.seq + 1 + s.length) % 2**32, s.time
        e.syn_time, e.syn_was_ack = s.time, bool(s.flags & ACK)
        e.fast_open = s.length > 0 and not s.flags & ACK

    def carry_syn(self, e: End, p: End, s: Segment) -> None:
        if e.isn == s.seq:
            e.fresh = 0
        elif e.state in (S.UNKNOWN, S.CLOSED) and e.isn is None:
            e.state = S.CLOSED
            self.open(e, s)
            e.move(E.SENT_SYN, SENT, s.frame)

    def carry_syn_ack(self, e: End, p: End, s: Segment) -> None:
        if e.isn == s.seq and e.syn_was_ack:
            if e.state == S.ESTABLISHED and e.doubt is not None and s.time - e.doubt.time > e.margin:
                e.undo()
            e.fresh = 0
        elif e.isn is None or e.isn == s.seq:
            if e.state == S.UNKNOWN:
                e.state = S.LISTEN
            if p.syn_count == 1 and e.isn is None:
                e.measure(s.time - p.syn_last)
            self.open(e, s)
            e.move(E.SENT_SYN_ACK, SENT, s.frame)

    def gap(self, e: End, s: Segment) -> None:
        if e.packets:
            assert e.nxt is not None
            e.hole, e.hole_end = e.hole + ahead(s.seq, e.nxt), s.seq

    def carry_data(self, e: End, p: End, s: Segment) -> None:
        assert e.nxt is not None
        e.carried, end = s.time, (s.seq + s.length) % 2**32
        if ahead(end, e.nxt) <= 0:
            self.old_data(e, p, s, end)
            return
        if ahead(s.seq, e.nxt) > 0:
            self.gap(e, s)
        if e.fin is not None and ahead(end, e.fin) >= 0 and e.fin_inferred and e.fin_count == 0:
            self.no_fin_after_all(e, p)
        e.sent_data, e.unseen, e.busy_since, e.idle_since = True, False, e.busy(s.time), 0
        e.nxt, e.fresh = end, s.time

    def old_data(self, e: End, p: End, s: Segment, end: int) -> None:
        late = e.missing > 0 and s.time - e.missing_since <= REORDERING
        if late and ahead(s.seq, e.missing_from) >= 0:
            e.missing, e.sent_data = max(0, e.missing - s.length), True
            if e.missing == 0:
                e.unseen, e.missing_since = False, 0
        elif e.hole > 0 and ahead(e.hole_end, s.seq) > 0 and not (p.acked is not None and ahead(p.acked, end) >= 0):
            e.hole = max(0, e.hole - s.length)
        else:
            e.fresh = 0

    def no_fin_after_all(self, e: End, p: End) -> None:
        e.fin, e.fin_inferred, e.fin_acked, e.fin_time, e.fin_acked_time = None, False, False, 0, 0
        if e.doubt is not None:
            e.undo()
        if p.has_peer_fin and p.doubt is not None:
            p.undo()
        p.has_peer_fin = False

    def carry_fin(self, e: End, p: End, s: Segment) -> None:
        assert e.nxt is not None
        end, e.carried = (s.seq + s.length + 1) % 2**32, s.time
        if e.fin_count:
            if end == e.fin:
                self.fin_again(e, p, s)
            return
        if e.handshake_entry is not None and self.maybe_before_handshake(e, p, s):
            e.undo()
        if ahead(end, e.nxt) < 0:
            return
        if ahead(s.seq, e.nxt) > 0:
            self.gap(e, s)
        known_before = e.fin_inferred
        e.fin, e.fin_inferred, e.unseen, e.fin_count = end, False, False, 1
        e.fin_time = e.fin_last = s.time
        e.fin_frame, e.fin_ack, e.nxt, e.fresh = s.frame, s.ack, end, 0 if known_before else s.time
        if known_before and e.state > S.ESTABLISHED and e.state != S.CLOSE_WAIT:
            return
        if e.state == S.CLOSE_WAIT and p.fin is not None and ahead(s.ack, p.fin) < 0:
            self.overtaken(e, s)
        else:
            e.move(E.SENT_FIN, SENT if self.sure_of_peer(e, p) else ASSUMED, s.frame)
        e.doubt = None

    def sure_of_peer(self, e: End, p: End) -> bool:
        if e.state == S.CLOSE_WAIT:
            return e.close_wait_basis != ASSUMED
        return p.packets > 0 and e.state != S.UNKNOWN and p.surely_open_until(e)

    def overtaken(self, e: End, s: Segment) -> None:
        """Its FIN was sent before it had the peer's, and passes late."""
        old = e.fin_entry
        assert old is not None
        e.story = [entry for entry in e.story if entry is not old]
        e.state = old.before
        e.move(E.SENT_FIN, ASSUMED if e.mid_stream else SENT, s.frame)
        e.fin_entry = e.move(E.RCVD_FIN, ASSUMED if e.mid_stream else PROVEN, old.frame)

    def fin_again(self, e: End, p: End, s: Segment) -> None:
        before, e.fin_last, e.fresh = e.fin_last, s.time, 0
        e.fin_count += 1
        self.not_arrived(e, p, before, s.time)
        if e.fin_acked and e.doubt is not None and s.time - e.doubt.time > e.margin:
            e.undo()
            e.fin_acked = False
            if e.may_have_peer_fin and e.state == S.FIN_WAIT_1:
                e.may_have_peer_fin = False

    def not_arrived(self, e: End, p: End, before: int, now: int) -> None:
        """Nothing showed that the peer had the FIN: it went by FIN_WAIT_2, not by CLOSING."""
        if not p.may_have_peer_fin or p.state not in (S.CLOSING, S.TIME_WAIT) or now - before <= p.margin:
            return
        if p.doubt is None or p.story[p.doubt.place] is not p.fin_entry:
            return
        acked = p.state == S.TIME_WAIT
        p.undo()
        p.forget_arrival()
        if acked:
            p.move(E.RCVD_ACK_OF_FIN, ASSUMED, p.fin_acked_frame, p.fin_acked_time)

    # Resets

    def take_reset(self, e: End, p: End, s: Segment) -> None:
        killed = e.killed and e.state == S.CLOSED and e.doubt is not None
        if killed and e.doubt is not None and s.flags & ACK and s.time - e.doubt.time <= 2 * e.margin:
            e.undo()
            e.forget_arrival()
            e.killed = False
        verdict = self.judge(e, p, s)
        counts = verdict in ("accepted", "blind")
        better = counts and e.rst_verdict in ("challenged", "dropped") and p.state != S.CLOSED
        if not e.rst_verdict or better:
            self.describe(e, p, s, verdict)
        self.send_reset(e, p, s)
        if counts and p.state != S.CLOSED and (p.state != S.UNKNOWN or p.packets):
            self.fin_before_reset(e, p, s)
            if p.move(E.RCVD_RST, ASSUMED, s.frame, s.time):
                p.killed = True

    def judge(self, e: End, p: End, s: Segment) -> str:
        if p.state == S.SYN_SENT and e.isn is None:
            assert p.isn is not None and p.nxt is not None
            fits = s.flags & ACK and ahead(s.ack, p.isn) > 0 and ahead(s.ack, p.nxt) <= 0
            return "accepted" if fits else "dropped"
        if p.acked is None:
            return "blind"
        place = ahead(s.seq, p.acked)
        if p.has_peer_fin and place == -1 and p.state in (S.CLOSE_WAIT, S.LAST_ACK, S.CLOSING):
            return "accepted"
        if place < 0:
            return "dropped"
        if place == 0 or (e.nxt is not None and ahead(s.seq, e.nxt) <= 0):
            return "accepted"
        return "challenged" if place < p.window else "dropped"

    def describe(self, e: End, p: End, s: Segment, verdict: str) -> None:
        e.rst_verdict, e.rst_time, e.rst_frame, e.rst_seq, e.rst_state = verdict, s.time, s.frame, s.seq, e.state
        e.rst_reply, e.rst_answers_fin = False, False
        carries = {"data", "fin", "syn", "syn-ack"}
        if not p.packets:
            return
        if not s.flags & ACK:
            if p.run_kind & carries and p.run_ack == s.seq:
                e.rst_reply, e.rst_answers_fin = True, "fin" in p.run_kind
            elif p.last_ack == s.seq:
                e.rst_reply, e.rst_answers_fin = True, "fin" in p.last_kind
        elif "syn" in p.last_kind and e.isn is None:
            e.rst_reply = True
        elif s.time - p.last_time <= e.margin and p.last_kind & carries and s.ack == p.last_end:
            e.rst_answers_fin = "fin" in p.last_kind

    def send_reset(self, e: End, p: End, s: Segment) -> None:
        if e.state == S.SYN_SENT and ((p.stale_acks and p.isn is None) or s.seq != e.nxt):
            return
        e.rst_stands = True
        if e.state == S.CLOSED:
            return
        forgotten = e.rst_reply and (e.state == S.TIME_WAIT or (e.state == S.FIN_WAIT_2 and e.rst_answers_fin))
        if forgotten:
            if e.state == S.TIME_WAIT:
                e.story[-1].basis = ASSUMED
            e.move(E.TIMER, TIMER, 0)
        elif e.state == S.UNKNOWN and e.nxt is None and "syn" in p.last_kind:
            e.state = S.CLOSED
        else:
            e.move(E.SENT_RST, ASSUMED if e.state == S.UNKNOWN else SENT, s.frame, e.earliest(s, s.time))

    def fin_before_reset(self, e: End, p: End, s: Segment) -> None:
        """The FIN that went ahead of the RST arrives first."""
        awaits = p.state in (S.SYN_RECEIVED, S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2)
        if not awaits or e.fin_count == 0 or p.has_peer_fin or p.may_have_peer_fin:
            return
        p.fin_entry = p.move(E.RCVD_FIN, ASSUMED, s.frame, e.fin_time)
        p.may_have_peer_fin = True

"""The slow, obvious twin of the tracker's kernels: one connection, two objects, one segment at a time.

The same theory (analyzer/tcp/states.py, and the files that analyzer/tracker/__init__.py names for each event) in plain
objects: an endpoint's story is a list of entries, and an assumption that fails is undone by cutting the list. It knows
states, bases and frames; no timers that run out, no older connection on the same addresses. Times, copies and counters
are told by ``observed.py`` and what rests on it.
"""

from __future__ import annotations

from dataclasses import replace

from .naive_end import (
    ACK,
    ASSUMED,
    CHALLENGE,
    FAR,
    FAR_SEGMENTS,
    FIN,
    PROVEN,
    REORDERING,
    RST,
    SENT,
    SLACK,
    SYN,
    Doubt,
    E,
    End,
    Entry,
    S,
    Segment,
    ahead,
)
from .naive_resets import Resets, acceptable_in_syn_sent

__all__ = ["ACK", "FIN", "REORDERING", "RST", "SLACK", "SYN", "Connection", "End", "Entry", "Segment", "ahead"]


def scaled(s: Segment, own: int | None, peers: int | None) -> int:
    """The window that a segment advertises: shifted where both SYNs agree to that (RFC 7323 2.2), and the widest that
    it can mean where its sender's SYN was not captured."""
    shift = 0
    if not s.flags & SYN and own is None:
        shift = 14
    elif not s.flags & SYN and peers is not None and min(own or 0, peers) >= 0:
        shift = min(own or 0, 14)
    return min(s.window << shift, 1 << 30)


def window_of(e: End, p: End) -> int:
    """How far the numbers of ``e`` may go: a window of ``p``, where the scales are known."""
    return max(FAR, p.window) if e.shift is not None and p.shift is not None else FAR


class Connection(Resets):
    """Both endpoints of one connection."""

    def __init__(self) -> None:
        self.ends = (End(), End())

    def take(self, side: int, s: Segment) -> None:
        """Take in one segment sent by ``side``."""
        e, p, s = self.ends[side], self.ends[1 - side], self.heard(side, s)
        if self.is_other_connection(e, p, s):
            self.count(e, s)
            return
        kind = self.kind(e, p, s)
        if s.flags & RST:
            self.take_reset(e, p, s)
        else:
            self.take_other(e, p, s, kind)
        self.remember(e, p, s, kind)

    def heard(self, side: int, s: Segment) -> Segment:
        """The segment; without an ACK flag its acknowledgment is what its sender has acknowledged."""
        return s if s.flags & ACK else replace(s, ack=self.ends[side].acked or 0)

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

    def count(self, e: End, s: Segment) -> None:
        """What is noted of every segment."""
        e.packets += 1
        follows = bool(e.ip_id and s.ip_id) and s.ip_id == (e.ip_id + 1) % 65536
        e.ids_counted = e.ids_counted + 1 if follows else 0
        e.last_time, e.last_frame, e.ip_id = s.time, s.frame, s.ip_id

    def remember(self, e: End, p: End, s: Segment, kind: frozenset[str]) -> None:
        """What later segments are compared with."""
        self.count(e, s)
        if s.flags & RST:
            return
        e.last_kind, e.last_ack, e.last_end = kind, s.ack, s.end
        if not e.run_kind and not kind & {"ack", "probe"}:
            e.run_kind, e.run_ack, e.run_end, e.run_frame, e.run_time = kind, s.ack, s.end, s.frame, s.time
        e.ttls = min(s.ttl, e.ttls[0] or s.ttl), max(s.ttl, e.ttls[1])
        if not s.cut:
            e.window = scaled(s, e.shift, p.shift)

    # What is not of this connection

    def is_other_connection(self, e: End, p: End, s: Segment) -> bool:
        """Whether the segment means nothing to the connection that is followed."""
        if e.mixed:
            return True
        if s.flags & SYN:
            begun = e.isn == s.seq and not e.syn_was_ack and e.state >= S.ESTABLISHED
            if begun and s.flags & (SYN | ACK) == SYN and p.packets and e.nxt is not None and ahead(e.nxt, s.seq) > 1:
                e.mixed = p.mixed = True  # the same exchange once more
                return True
            if self.begins_anew(e, p, s):
                e.mixed = p.mixed = True
                return True
        elif not s.flags & RST and self.begins_anew(e, p, s):
            e.mixed = p.mixed = True
            return True
        elif not s.flags & RST and self.is_far_away(e, p, s):
            if e.far_segments >= FAR_SEGMENTS:
                e.mixed = p.mixed = True
            return True
        if self.answers_no_syn(e, p, s):
            self.note_unacceptable(e, p, s)
            return True
        return False

    def begins_anew(self, e: End, p: End, s: Segment) -> bool:
        """Whether a newer connection sent it whose SYN was not captured."""
        if s.flags & SYN:
            both = e.isn is not None and p.isn is not None and p.packets > 0 and e.isn != s.seq
            return both and bool(s.flags & ACK) and not acceptable_in_syn_sent(p, s)
        closed = e.fin_acked and not e.fin_inferred and e.fin_number is not None
        if closed and ahead(s.seq, e.fin_number or 0) > 0:
            return True
        reset = (e.rst_stands or e.killed) and e.nxt is not None and p.packets > 0
        return reset and not -FAR <= ahead(s.seq, e.nxt or 0) <= p.window

    def is_far_away(self, e: End, p: End, s: Segment) -> bool:
        """Whether it is far from all numbers of its sender, which has not gone on from there."""
        if e.nxt is None or abs(ahead(s.seq, e.nxt)) <= window_of(e, p):
            return False
        if e.far_segments and abs(ahead(s.seq, e.far_next)) <= 1:
            e.nxt, e.fresh, e.unseen = s.seq, 0, True
            return False
        e.far_segments += 1
        e.far_next = (s.seq + s.length) % 2**32
        return True

    def answers_no_syn(self, e: End, p: End, s: Segment) -> bool:
        """Whether ``p`` awaits the answer to its SYN, or was refused, and this is none."""
        asks = p.state in (S.SYN_SENT, S.CLOSED) and p.isn is not None and not p.syn_was_ack and p.acked is None
        if not asks or e.isn is not None or s.flags & RST:
            return False
        if not s.flags & SYN:
            return True
        return bool(s.flags & ACK) and not acceptable_in_syn_sent(p, s)

    def note_unacceptable(self, e: End, p: End, s: Segment) -> None:
        """An old acknowledgment soon after a SYN is what an older connection answers it."""
        bare = s.flags & (SYN | FIN | ACK) == ACK and s.length == 0
        e.stale_acks += bare and s.time - p.syn_last <= CHALLENGE and not acceptable_in_syn_sent(p, s)

    # What is no RST

    def take_other(self, e: End, p: End, s: Segment, kind: frozenset[str]) -> None:
        if e.state == S.CLOSED:
            self.contradict(e, p, s)
        revived = self.undo_reset_for(e, p, s)
        opened = not self.maybe_before_handshake(e, p, s)
        if e.handshake_entry is not None and not s.flags & SYN and opened:
            e.handshake_entry.basis, e.handshake_entry, e.doubt = PROVEN, None, None
        if e.state == S.SYN_RECEIVED and not s.flags & SYN and (not p.packets or e.syn_ack_after_ack):
            e.move(E.RCVD_ACK_OF_SYN, PROVEN, s.frame)
        self.notice_unseen_fin(e, p, s)
        if s.flags & ACK:
            self.acknowledge(e, p, s)
        self.carry(e, p, s, kind)
        if revived:
            e.move(E.RCVD_RST, ASSUMED, p.rst_frame, p.rst_time)

    def maybe_before_handshake(self, e: End, p: End, s: Segment) -> bool:
        fast = p.fast_open or p.syn_count == 0
        return e.doubt is not None and fast and (e.tap_rtt == 0 or s.time - e.doubt.time < e.tap_rtt)

    def notice_unseen_fin(self, e: End, p: End, s: Segment) -> None:
        """One number beyond what passed, in the first acknowledgment of the peer's only FIN."""
        bare = s.flags & (SYN | FIN | ACK) == ACK and s.length == 0
        if not bare or e.state != S.ESTABLISHED or e.fin is not None or e.nxt is None or e.acked is None:
            return
        if p.fin_count != 1 or p.fin is None or ahead(s.ack, p.fin) < 0 or ahead(s.seq, e.nxt) != 1:
            return
        e.fin = e.fin_number = e.nxt = s.seq
        e.fin_inferred, e.fin_time, e.fresh, e.later = True, s.time, 0, True
        best = p.fin_time + e.tap_rtt // 2
        e.move(E.SENT_FIN, ASSUMED, s.frame, e.earliest(s, best))

    # Acknowledgments

    def acknowledge(self, e: End, p: End, s: Segment) -> None:
        if p.nxt is None:
            p.nxt = s.ack
        if p.isn is not None and ahead(s.ack, p.isn) <= 0:
            return
        beyond = ahead(s.ack, p.nxt)
        if beyond > 0:
            if beyond > 1 << 30 or (p.fin is not None and not p.fin_inferred):
                return
            if p.packets and beyond > window_of(p, e):
                return
            self.miss(e, p, s, beyond)
        self.progress(e, p, s)
        self.received(e, p, s)
        self.arrives(e, p, s)

    def miss(self, e: End, p: End, s: Segment, beyond: int) -> None:
        """Bytes of ``p`` were not captured; exactly one is taken for its FIN, or for what a keep-alive repeated."""
        p.fresh = 0
        if beyond == 1 and p.mid_stream and not p.sent_data and p.fin is None:
            p.nxt = s.ack
            return
        if not p.missing:
            p.missing_from = p.nxt or 0
        p.missing_since = p.missing_since or s.time
        p.unseen, p.nxt = True, s.ack
        both_open = e.state >= S.ESTABLISHED and p.state >= S.ESTABLISHED
        if beyond == 1 and p.fin is None and p.packets and both_open:
            p.fin = p.fin_number = s.ack
            p.fin_inferred, p.fin_time, p.later = True, p.last_time, True
            p.move(E.SENT_FIN, ASSUMED, s.frame, p.last_time - p.tap_rtt // 2)
        else:
            p.missing += beyond

    def progress(self, e: End, p: End, s: Segment) -> None:
        if e.acked is not None and ahead(s.ack, e.acked) <= 0:
            return
        e.acked = s.ack
        if ahead(s.ack, p.run_end) >= 0:
            p.run_kind = frozenset()
        if s.ack == p.nxt:
            p.idle_since = s.time if s.window else 0
            if p.fresh:
                e.measure(s.time - p.fresh)
            if e.later:  # of which copy of several it is the answer nobody knows: of the last, at least as long
                taken = s.time - (p.fresh or p.carried)
                e.tap_rtt_last = taken if p.fresh else max(e.tap_rtt_last, taken)
        if p.hole and ahead(s.ack, p.hole_end) >= 0:
            p.missing_from = p.missing_from if p.missing else p.hole_from
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
        self.receive_fin(e, p, s)

    def receive_fin(self, e: End, p: End, s: Segment) -> None:
        """Its segment proves that it has the peer's FIN."""
        e.has_peer_fin = True
        if e.may_have_peer_fin:
            self.confirm(e)
            return
        earliest = max(p.fin_time, e.lower_ack - e.tap_rtt - SLACK) if e.lower_ack and e.tap_rtt else p.fin_time
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
        e.fin_entry.basis = ASSUMED if e.fin_entry.state == S.TIME_WAIT else PROVEN
        if e.doubt is not None and e.doubt.place < len(e.story) and e.story[e.doubt.place] is e.fin_entry:
            later = e.state == S.TIME_WAIT
            e.doubt = Doubt(len(e.story) - 1, e.ack_passed, S.CLOSING) if later else None

    def arrives(self, e: End, p: End, s: Segment) -> None:
        """What the acknowledgment does to the peer, if it arrives."""
        if p.state == S.SYN_RECEIVED and p.isn is not None and p.syn_ack_after_ack < 2:
            p.handshake_entry = p.move(E.RCVD_ACK_OF_SYN, ASSUMED, s.frame, s.time)
        if p.fin is None or ahead(s.ack, p.fin) < 0:
            return
        p.later = True
        if p.fin_acked:
            return
        p.fin_acked, p.ack_passed = True, s.time
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
            (self.sent_syn_ack if s.flags & ACK else self.sent_syn)(e, p, s)
            e.syn_count += 1
            e.syn_last = s.time
            e.shift = e.shift if s.cut else s.window_scale
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
            self.sent_payload(e, p, s)
        if s.flags & FIN:
            self.sent_fin(e, p, s)
        elif s.length == 0 and ahead(s.seq, e.nxt) > 0:
            self.gap(e, s)
            e.nxt, e.unseen = s.seq, True

    def open(self, e: End, s: Segment) -> None:
        e.isn, e.nxt, e.fresh = s.seq, (s.seq + 1 + s.length) % 2**32, s.time
        e.syn_time, e.syn_was_ack = s.time, bool(s.flags & ACK)
        e.fast_open = s.length > 0 and not s.flags & ACK

    def sent_syn(self, e: End, p: End, s: Segment) -> None:
        if e.isn == s.seq:
            e.fresh = 0
            if e.killed and e.state == S.CLOSED:  # it was refused, and tries again
                e.killed, e.doubt = False, None
                e.move(E.SENT_SYN, SENT, s.frame)
        elif e.state in (S.UNKNOWN, S.CLOSED) and e.isn is None:
            e.state = S.CLOSED
            self.open(e, s)
            e.move(E.SENT_SYN, SENT, s.frame)
            self.refused_before(e, p, s)

    def sent_syn_ack(self, e: End, p: End, s: Segment) -> None:
        if e.isn == s.seq and e.syn_was_ack:
            before, late = e.state, e.doubt is not None and s.time - e.doubt.time > e.margin
            if before == S.ESTABLISHED and late:
                e.undo()
            if (before == S.ESTABLISHED and late) or (before == S.SYN_RECEIVED and e.syn_ack_after_ack):
                e.syn_ack_after_ack += 1
            e.fresh = 0
        elif e.isn is None or e.isn == s.seq:
            if e.state == S.UNKNOWN or (e.state == S.CLOSED and e.isn is None):
                e.state = S.LISTEN
            if p.syn_count == 1 and e.isn is None:
                e.measure(s.time - p.syn_last)
            self.came_another_way(e, s)
            e.crossed_syn = e.isn is not None
            if e.rst_answers == {"syn"} and p.state != S.CLOSED:
                e.rst_verdict = "disregarded"
            self.open(e, s)
            e.move(E.SENT_SYN_ACK, SENT, s.frame)

    def gap(self, e: End, s: Segment) -> None:
        if e.packets:
            assert e.nxt is not None
            e.hole_from = e.hole_from if e.hole else e.nxt
            e.hole, e.hole_end = e.hole + ahead(s.seq, e.nxt), s.seq

    def sent_payload(self, e: End, p: End, s: Segment) -> None:
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
        e.nxt, e.fresh, e.later = end, s.time, True

    def old_data(self, e: End, p: End, s: Segment, end: int) -> None:
        if self.came_late(e, s, end):
            return
        open_still = p.acked is None or ahead(p.acked, end) < 0
        if e.hole > 0 and ahead(e.hole_end, s.seq) > 0 and open_still:
            e.hole = max(0, e.hole - s.length)
        else:
            e.fresh = 0

    def came_late(self, e: End, s: Segment, end: int) -> bool:
        """Whether some of it was taken to be missing, and is so no longer; True a moment after that."""
        missed = min(s.length, ahead(end, e.missing_from))
        if not e.missing or missed <= 0:
            return False
        e.missing, e.sent_data = max(0, e.missing - missed), True
        if e.missing == 0:
            e.unseen, e.missing_since = False, 0
        return s.time - e.missing_since <= REORDERING

    def no_fin_after_all(self, e: End, p: End) -> None:
        e.fin, e.fin_inferred, e.fin_acked, e.fin_time, e.fin_acked_time = None, False, False, 0, 0
        e.missing += 1
        if e.doubt is not None:
            e.undo()
        if p.has_peer_fin and p.doubt is not None:
            p.undo()
        p.has_peer_fin = False

    def sent_fin(self, e: End, p: End, s: Segment) -> None:
        assert e.nxt is not None
        end, e.carried, e.later = s.end, s.time, True
        self.fin_fills(e, end)
        if e.fin_count:
            if end == e.fin_number:
                self.fin_again(e, p, s)
            return
        if e.handshake_entry is not None and self.maybe_before_handshake(e, p, s):
            e.undo()
        if ahead(s.seq, e.nxt) > 0:
            self.gap(e, s)
        known_before, e.fin_inferred = e.fin_inferred, False
        if p.acked is None or ahead(p.acked, end) < 0 or known_before:
            e.fin = end  # else its peer takes this for an old number
        e.unseen, e.fin_number, e.fin_count, e.fin_frame = False, end, 1, s.frame
        e.fin_time = e.fin_last = s.time
        e.fin_ack = s.ack if s.flags & ACK else e.acked or 0
        e.nxt = end if ahead(end, e.nxt) > 0 else e.nxt
        e.fresh = 0 if known_before or ahead(end, e.nxt) < 0 else s.time
        if known_before and p.state == S.UNKNOWN and p.doubt is not None:
            self.inferred_fin_captured(p)
        if known_before and e.state > S.ESTABLISHED and e.state != S.CLOSE_WAIT:
            return
        if e.state == S.CLOSE_WAIT and p.fin is not None and ahead(s.ack, p.fin) < 0:
            self.fin_reordered_at_tap(e, s)
        else:
            e.move(E.SENT_FIN, SENT if self.sure_of_peer(e, p) else ASSUMED, s.frame)
        e.doubt = None

    def fin_fills(self, e: End, end: int) -> None:
        """The number of a FIN is no byte that is missing."""
        if e.hole > 0 and ahead(end, e.hole_from) > 0 and ahead(end, e.hole_end) <= 0:
            e.hole -= 1
        elif e.missing > 0 and ahead(end, e.missing_from) > 0:
            e.missing -= 1

    def inferred_fin_captured(self, p: End) -> None:
        """The FIN has passed that it acknowledged before."""
        assert p.doubt is not None
        frame = p.story[p.doubt.place].frame
        p.undo()
        p.fin_entry = p.move(E.RCVD_FIN, PROVEN, frame) or p.fin_entry

    def sure_of_peer(self, e: End, p: End) -> bool:
        if e.state == S.CLOSE_WAIT:
            return e.close_wait_basis != ASSUMED
        return p.packets > 0 and e.state != S.UNKNOWN and p.surely_open_until(e)

    def fin_reordered_at_tap(self, e: End, s: Segment) -> None:
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
        if e.fin_acked and e.doubt is not None and s.time - e.ack_passed > e.patience:
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

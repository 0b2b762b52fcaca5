"""RSTs in the slow twin: would its receiver accept it, what does it answer, and who really sent it."""

from __future__ import annotations

from .naive_end import (
    ACK,
    ASSUMED,
    CARRIES,
    FIN,
    REORDERING,
    REPEAT,
    SENT,
    SYN,
    TIMER,
    E,
    End,
    Entry,
    S,
    Segment,
    ahead,
)

SECOND = 1_000_000_000
COUNT = ("accepted", "blind")  # what its receiver has to take a RST for, if it is to end anything


def acceptable_in_syn_sent(p: End, s: Segment) -> bool:
    """ISS < SEG.ACK =< SND.NXT"""
    if not s.flags & ACK or p.isn is None or p.nxt is None:
        return False
    return ahead(s.ack, p.isn) > 0 and ahead(s.ack, p.nxt) <= 0


def is_new(e: End, s: Segment) -> bool:
    """Whether it carries, or acknowledges, something new in the numbers of its sender."""
    carried = s.length + bool(s.flags & FIN)
    new = e.nxt is None or ahead((s.seq + carried) % 2**32, e.nxt) > 0
    acked = bool(s.flags & ACK) and (e.acked is None or ahead(s.ack, e.acked) > 0)
    return (new and carried > 0) or acked


def sent_before(e: End, s: Segment) -> bool:
    """Whether its IP identification is a little behind that of its sender's last."""
    return bool(s.ip_id and e.ip_id) and 0 < (e.ip_id - s.ip_id) & 0xFFFF <= 64


def is_repeat(s: Segment) -> bool:
    """Whether it carries something, new or not."""
    return s.length > 0 or bool(s.flags & FIN)


def first_ttl(ttl: int) -> int:
    """With which TTL a packet probably began."""
    return next(first for first in (32, 64, 128, 255) if ttl <= first)


def other_path(ttl: int, known: int) -> bool:
    """Whether two TTLs show different numbers of hops, one more or less apart where they began at different values."""
    apart = abs((first_ttl(ttl) - ttl) - (first_ttl(known) - known))
    return apart > (0 if first_ttl(ttl) == first_ttl(known) else 1)


class Resets:
    """What a connection does with RSTs, and with who goes on after one."""

    def take_reset(self, e: End, p: End, s: Segment) -> None:
        """Take in a RST of ``e``."""
        if e.state == S.SYN_SENT and ((p.stale_acks and p.isn is None) or s.seq != e.nxt):
            e.disowned.append(s)
            return  # it refuses the answer of an older connection, and goes on asking
        verdict = self.judge(e, p, s)
        e.rst_count += 1
        foreign = self.is_third_party(e, s)
        if not foreign:
            self.own_reset(e, p, s)
            self.had_opened(e, p, s)
        better = verdict in COUNT and e.rst_verdict in ("challenged", "dropped", "disregarded") and p.state != S.CLOSED
        if not e.rst_verdict or better:
            self.describe(e, p, s, verdict)
        if not foreign:
            self.send_reset(e, p, s)
        self.receive_reset(e, p, s, verdict)

    def judge(self, e: End, p: End, s: Segment) -> str:
        """How ``p`` has to take it."""
        if p.state == S.SYN_SENT and e.isn is None:
            return "accepted" if acceptable_in_syn_sent(p, s) else "dropped"
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

    def is_third_party(self, e: End, s: Segment) -> bool:
        """Whether it comes over another number of hops than all else of its sender, or is off its count of segments."""
        away = min((s.ip_id - e.ip_id) % 65536, (e.ip_id - s.ip_id) % 65536)
        if e.ids_counted >= 3 and s.flags & ACK and s.ip_id and away > 1024 and s.time - e.last_time <= 20_000_000:
            return True
        low, high = e.ttls
        if e.packets - (e.rst_count - 1) < 1 or not low or not s.ttl:
            return False
        return not low <= s.ttl <= high and other_path(s.ttl, low) and other_path(s.ttl, high)

    # What its sender had not lived through yet

    def own_reset(self, e: End, p: End, s: Segment) -> None:
        """It left its sender before the peer's RST came: as an abort, or in answer to data ahead of that RST."""
        if not e.killed or e.state != S.CLOSED:
            return
        abort = s.flags & ACK and s.time - p.rst_time <= 2 * e.margin
        ahead_of_it = "data" in p.run_kind and p.run_ack == s.seq and p.run_frame < p.rst_frame
        if abort or (ahead_of_it and e.fin_count):
            e.undo_reset()
            e.killed = False

    def had_opened(self, e: End, p: End, s: Segment) -> None:
        """It acknowledges the SYN-ACK that its sender was not seen to acknowledge."""
        acks = s.flags & ACK and p.isn is not None and p.syn_was_ack and ahead(s.ack, p.isn) == 1
        if e.state == S.SYN_SENT and acks:
            e.move(E.RCVD_SYN_ACK, ASSUMED, s.frame, p.syn_last)

    def not_yet_arrived(self, e: End, frame: int) -> None:
        """It answers a segment before ``frame``: what was assumed to have arrived from there on had not."""
        undone = False
        while e.story and e.story[-1].basis == ASSUMED and e.story[-1].frame >= frame:
            e.pop()
            undone = True
        if undone:
            e.forget_arrival()

    # What it answers

    def describe(self, e: End, p: End, s: Segment, verdict: str) -> None:
        """It is the one that counts."""
        self.trigger(e, p, s)
        if e.rst_reply:
            self.not_yet_arrived(e, e.rst_answers_frame + ("data" in e.rst_answers))
        e.rst_verdict, e.rst_time, e.rst_frame, e.rst_seq, e.rst_state = verdict, s.time, s.frame, s.seq, e.state
        e.rst_ack, e.rst_nxt, e.rst_ttl = (s.ack if s.flags & ACK else 0), e.nxt or 0, s.ttl

    def trigger(self, e: End, p: End, s: Segment) -> None:
        """Name the segment of ``p`` that it answers."""
        e.rst_answers, e.rst_reply, e.rst_answers_frame = frozenset(), False, 0
        last = p.last_kind, p.last_frame
        if p.state == S.SYN_SENT and e.isn is None and acceptable_in_syn_sent(p, s):
            (e.rst_answers, e.rst_answers_frame), e.rst_reply = last, True
            return
        if not p.packets or s.time - p.last_time > 2 * e.patience + SECOND:
            return
        awaited = self.unanswered(e, p)
        if not s.flags & ACK:
            if p.run_kind & CARRIES and p.run_ack == s.seq and not self.repeated_since(e, p, s.time):
                (e.rst_answers, e.rst_answers_frame), e.rst_reply = (p.run_kind, p.run_frame), True
            elif p.last_ack == s.seq and awaited:
                (e.rst_answers, e.rst_answers_frame), e.rst_reply = last, True
        elif s.ack == p.last_end and awaited and (p.last_kind & CARRIES or p.acked is None):
            (e.rst_answers, e.rst_answers_frame), e.rst_reply = last, p.acked is None

    def repeated_since(self, e: End, p: End, now: int) -> bool:
        """The first that ``e`` has not acknowledged is too old to be answered now, and the last is the same again."""
        old = now - p.run_time > 2 * e.patience + REPEAT
        return old and bool(p.last_kind & CARRIES) and p.last_ack == p.run_ack

    def unanswered(self, e: End, p: End) -> bool:
        """Whether ``e`` has not answered the last segment of ``p``."""
        if p.last_kind & CARRIES:
            return e.acked is None or ahead(p.last_end, e.acked) > 0
        return e.last_time <= p.last_time or e.rst_count > 1

    # Whom it moves

    def send_reset(self, e: End, p: End, s: Segment) -> None:
        """Its sender has given up the connection, or shows that it had none any more."""
        if self.not_taken(e):
            e.undo()
        e.rst_stands = True
        if e.state == S.CLOSED:
            return
        if e.rst_reply and (e.state == S.TIME_WAIT or (e.state == S.FIN_WAIT_2 and e.rst_answers & {"fin", "probe"})):
            e.move(E.TIMER, TIMER, 0)
        elif e.state == S.UNKNOWN and p.state == S.SYN_SENT:
            e.state = S.CLOSED
        else:
            knew = s.flags & ACK and p.fin is not None and ahead(s.ack, p.fin) >= 0
            basis = ASSUMED if e.state == S.UNKNOWN else SENT
            if knew and e.state >= S.ESTABLISHED and not e.has_peer_fin:
                self.receive_fin(e, p, s)
            e.move(E.SENT_RST, basis, s.frame, e.earliest(s, s.time))

    def not_taken(self, e: End) -> bool:
        """Whether it answers the handshake's last acknowledgment: the connection was never taken."""
        opened = e.state == S.ESTABLISHED and e.handshake_entry is not None and e.doubt is not None
        only = opened and e.story[e.doubt.place] is e.handshake_entry if e.doubt else False
        return only and e.packets == e.syn_count and e.rst_reply and e.rst_count == 1

    def receive_reset(self, e: End, p: End, s: Segment, verdict: str) -> None:
        """It is on its way to ``p``."""
        if verdict not in COUNT or p.state == S.CLOSED or (p.state == S.UNKNOWN and not p.packets):
            return
        self.fin_before_reset(e, p, s)
        if p.move(E.RCVD_RST, ASSUMED, s.frame, s.time):
            p.killed = True

    def fin_before_reset(self, e: End, p: End, s: Segment) -> None:
        """The FIN that went ahead of it arrives first."""
        awaits = p.state in (S.SYN_RECEIVED, S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2)
        if not awaits or e.fin_count == 0 or p.has_peer_fin or p.may_have_peer_fin:
            return
        entry = p.move(E.RCVD_FIN, ASSUMED, s.frame, e.fin_time)
        p.fin_entry, p.may_have_peer_fin = entry or p.fin_entry, p.may_have_peer_fin or entry is not None

    def refused_before(self, e: End, p: End, s: Segment) -> None:
        """The RST of ``p`` that stands a moment before this SYN of ``e`` refuses it."""
        only = p.rst_count > 0 and p.rst_count == p.packets and p.rst_ack == e.nxt
        if not only or s.time - p.rst_time > REORDERING:
            return
        p.rst_answers, p.rst_reply, p.rst_answers_frame = frozenset({"syn"}), True, s.frame
        if e.move(E.RCVD_RST, ASSUMED, p.rst_frame, s.time):
            e.killed = True

    # Who goes on after it

    def contradict(self, e: End, p: End, s: Segment) -> None:
        """Who was taken for dead, by its own RST or the peer's, speaks."""
        if e.killed:
            knew = e.acked is None or ahead(s.ack, p.rst_nxt) > 0
            soon = s.time - p.rst_time <= e.under_way or sent_before(e, s)
            if s.flags & SYN or not (is_new(e, s) or is_repeat(s)) or (soon and not knew) or not e.undo_reset():
                return
            e.killed, p.rst_verdict = False, "disregarded"
        elif e.rst_stands and e.rst_state > S.CLOSED:
            self.mark_forged(e, s)

    def mark_forged(self, e: End, s: Segment) -> None:
        """Somebody else sent "its" RST."""
        if e.rst_state < S.SYN_RECEIVED or s.flags & SYN:
            return
        age = s.time - e.rst_time
        if age <= REORDERING and ahead((s.seq + s.length) % 2**32, e.rst_seq) <= 0:
            return
        if not is_new(e, s) and not (is_repeat(s) and age > e.under_way):
            return
        sent = [entry for entry in e.story if entry.event == E.SENT_RST]
        if sent:
            e.state, e.rst_stands = sent[-1].before, False
            self.strike(e, sent[-1])

    def strike(self, e: End, gone: Entry) -> None:
        """An entry in the midst of a story did not happen."""
        place = next(place for place, entry in enumerate(e.story) if entry is gone)
        del e.story[place]
        if e.doubt is not None and e.doubt.place > place:
            e.doubt.place -= 1

    def came_another_way(self, e: End, s: Segment) -> None:
        """Its first segment that is no RST shows it at another distance than the RST before did."""
        if (
            not e.rst_count
            or e.rst_count != e.packets
            or not s.ttl
            or not e.rst_ttl
            or not other_path(e.rst_ttl, s.ttl)
        ):
            return
        for entry in [entry for entry in e.story if entry.event == E.SENT_RST]:
            self.strike(e, entry)
        e.rst_stands = False

    def undo_reset_for(self, e: End, p: End, s: Segment) -> bool:
        """Sent before the peer's RST came, and it changes what its sender lived through: the end is taken back."""
        if not e.killed or e.state != S.CLOSED:
            return False
        acked = s.flags & ACK and p.fin is not None and ahead(s.ack, p.fin) >= 0 and not e.has_peer_fin
        if s.flags & SYN or not (acked or (s.flags & FIN and e.fin_count == 0)):
            return False
        return e.undo_reset()

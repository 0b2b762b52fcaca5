"""TD2xx: a FIN or its acknowledgment got lost."""

from itertools import pairwise

from tests.second_opinion.closing import answers, is_probe, stays_in
from tests.second_opinion.opinion import Case, absent, must, need, predicate
from tests.second_opinion.packets import Segment, ahead
from tests.second_opinion.silences import timers_fit

RTO_LEAST = 10_000_000  # no stack repeats by time-out sooner where the round trip is not known


def the_same_fin(case: Case, first: Segment, last: Segment) -> list[Segment]:
    """All FINs of the blamed side, the first and last of which the message names."""
    fins = [row for row in case.flow.fins(case.own) if row.end == first.end]
    must(first.fin and last.fin, f"frames {first.frame} and {last.frame} are not both FINs")
    must(fins[0].frame == first.frame, f"frame {fins[0].frame} is its first FIN")
    must(last.end == first.end and fins[-1].frame <= last.frame, f"frame {fins[-1].frame} is its last FIN")
    return fins


@predicate("TD201")
def fin_never_acknowledged(case: Case) -> None:
    fins = the_same_fin(case, case.segment("first", case.own), case.segment("last", case.own))
    must(len(fins) > 1, "the FIN was not repeated")
    case.number_of("count", fins)
    case.happened("when", fins[0])
    case.lasted("span", fins[-1].time - fins[0].time)
    first = lost_before(case, fins[0])
    earlier = case.flow.before(first)
    for silence in ("idle", "lost_after"):
        case.lasted(silence, first.time - earlier[-1].time if earlier else 0)
    timers_fit(case, first)
    covered = list(case.flow.covering(case.peer, fins[0].end))
    later = [row for row in covered if row.frame > fins[-1].frame]
    absent(later, "frame {} acknowledges it")
    if covered:
        trip, crossed = case.flow.round_trip, fins[-1].time - covered[0].time
        need(trip is not None, f"frame {covered[0].frame} acknowledges it; no round trip tells whether that was lost")
        must(crossed > (trip or 0), f"frame {covered[0].frame} acknowledges it, and the last repeat crossed that")
    resets = [row for row in case.flow.resets(case.peer) if row.frame > fins[0].frame]
    absent(resets, "frame {} answers with RST")
    heard(case)
    stays_in(case, case["state"])


def lost_before(case: Case, fin: Segment) -> Segment:
    """What was lost first: the FIN, or what the message names before it, and what it says of the other side then."""
    first, others = fin, case.flow.of(case.peer)
    for name in ("lost", "uncovered"):
        if case[name] is not None:
            first = case.segment(name, case.own)
            must(first.takes_room and first.frame < fin.frame, f"frame {first.frame} is not data before the FIN")
            absent(list(case.flow.covering(case.peer, first.end)), "frame {} acknowledges what was sent before the FIN")
    case.lasted("lead", fin.time - first.time)
    for name in ("heard", "going_on"):
        if case[name] is not None:
            must(case.segment(name, case.peer) == others[-1], f"frame {others[-1].frame} is the last of the other side")
    if case["lost"] is not None or case["probes"] is not None:
        absent([row for row in others if row.time > first.time], "the other side still sent frame {}")
    if case["going_on"] is not None:
        must(others[-1].time > first.time, "the other side sent nothing after it")
    probes = [row for row in case.flow.before(first) if row.side == case.own and is_probe(case.flow, row)]
    case.number_of("probes", [row for row in probes if not others or row.frame > others[-1].frame])
    return first


def heard(case: Case) -> None:
    """The peer's last segment is as long ago as the message says."""
    rows = case.flow.of(case.peer)
    last = case.flow.of(case.own)[-1].time
    must(case.ran_on(last) * 2 >= case.capture.last - last, "nobody captured for most of the time until the end")
    if rows:
        case.before_end("silent", rows[-1].time)


@predicate("TD202")
def fin_retransmitted(case: Case) -> None:
    fins = the_same_fin(case, case.segment("first", case.own), case.segment("last", case.own))
    ack = case.segment("ack", case.peer)
    case.number_of("count", fins[1:] if "retransmitted its FIN" in case.finding["message"] else fins)
    case.lasted("span", fins[-1].time - fins[0].time)
    case.happened("when", fins[0])
    must(len(fins) > 1, "the FIN was not repeated")
    covering = list(case.flow.covering(case.peer, fins[0].end))
    must(covering and ack == covering[0], f"frame {covering[0].frame if covering else 0} acknowledges it first")
    if case["again"] is None:
        must(fins[1].frame < ack.frame, f"it was acknowledged (frame {ack.frame}) before it was repeated")
    else:
        first_acknowledgment(case, fins, case.segment("again", case.peer))
    repeated_by_timer(case, fins)


def first_acknowledgment(case: Case, fins: list[Segment], ack: Segment) -> None:
    """The acknowledgment is the first, or the first behind a repeat that proves that an earlier one did not arrive."""
    before = [row for row in case.flow.covering(case.peer, fins[0].end) if row.frame < ack.frame]
    repeat = [row for row in fins if row.frame < ack.frame][-1]
    since = [row for row in before if row.frame > repeat.frame]
    absent(since, "frame {} had covered it before")
    if before:
        need(case.flow.round_trip is not None, "no round trip tells whether the earlier acknowledgment was lost")
        crossed = repeat.time - before[0].time < (case.flow.trip(case.own) or 0) / 2
        must(not crossed, f"frame {before[0].frame} had covered it, and the repeat (frame {repeat.frame}) crossed that")


def repeated_by_timer(case: Case, fins: list[Segment]) -> None:
    """At least one repeat came after a time-out: later than a round trip, or as the same segment once more."""
    trip = case.flow.round_trip or 0
    late = [b for a, b in pairwise(fins) if b.time - a.time >= max(trip, 1) or b.ack == a.ack]
    must(late, "each repeat acknowledges more than the one before, within a round trip: nothing was lost")


def in_time_wait(case: Case, side: int, at: Segment) -> None:
    """``side`` had sent its FIN, the other had acknowledged that, and ``side`` acknowledges the other's in ``at``."""
    fins = [row for row in case.flow.fins(side) if row.frame <= at.frame]
    must(fins, f"no FIN of the side that should be in TIME_WAIT before frame {at.frame}")
    acked = [row for row in case.flow.covering(1 - side, fins[0].end) if row.frame < at.frame]
    must(acked, f"its own FIN (frame {fins[0].frame}) was not acknowledged before frame {at.frame}")


@predicate("TD203")
def last_ack_lost(case: Case) -> None:
    fin, again = case.segment("fin", case.own), case.segment("again", case.own)
    ack, reack = case.segment("ack", case.peer), case.segment("reack", case.peer)
    must(fin.fin and again.fin and fin.end == again.end, f"frames {fin.frame} and {again.frame} are not one FIN")
    must(fin.frame < ack.frame < again.frame < reack.frame, "the frames do not follow one another as told")
    must(ack.acknowledges(fin) and reack.acknowledges(fin), "an acknowledgment does not cover the FIN")
    before = [row for row in case.flow.covering(case.peer, fin.end) if again.frame < row.frame < reack.frame]
    absent(before, "frame {} had acknowledged it again before")
    in_time_wait(case, case.peer, reack)
    case.lasted("after", again.time - ack.time, again.time - fin.time)
    not_crossed(case, ack, again)


def not_crossed(case: Case, ack: Segment, again: Segment) -> None:
    """A repeat that left before the acknowledgment can have arrived proves no loss."""
    if "late" in case.finding["message"].replace("later", ""):
        return
    trip = case.flow.round_trip
    need(trip is not None or again.time - ack.time > RTO_LEAST, "no round trip tells whether they crossed")
    must(again.time - ack.time > (trip or 0), f"frame {again.frame} crossed the acknowledgment in frame {ack.frame}")


@predicate("TD204")
def last_ack_lost_then_rst(case: Case) -> None:
    fin, again = case.segment("fin", case.peer), case.segment("again", case.peer)
    ack, rst = case.segment("ack", case.own), case.segment("rst", case.own)
    must(fin.fin and again.fin and fin.end == again.end, f"frames {fin.frame} and {again.frame} are not one FIN")
    must(rst.rst, f"frame {rst.frame} is no RST")
    must(fin.frame < ack.frame < again.frame < rst.frame, "the frames do not follow one another as told")
    must(ack.acknowledges(fin), f"frame {ack.frame} does not cover the FIN")
    answers(rst, again)
    in_time_wait(case, case.own, ack)
    case.happened("when", rst)
    case.lasted("held", rst.time - ack.time, rst.time - fin.time)
    not_crossed(case, ack, again)


@predicate("TD205")
def simultaneous_close(case: Case) -> None:
    fins = (case.segment("client_fin", 0), case.segment("server_fin", 1))
    for side, fin in enumerate(fins):
        other = fins[1 - side]
        must(fin.fin, f"frame {fin.frame} carries no FIN")
        must(fin.has_ack, f"the FIN of frame {fin.frame} has no ACK flag: its acknowledgment says nothing")
        must(not fin.acknowledges(other), f"frame {fin.frame} acknowledges the FIN of frame {other.frame}")
        before = [row for row in case.flow.covering(side, other.end) if row.frame < fin.frame]
        known = [row for row in before if ahead(row.seq, fin.end) < 0]  # else it left behind the FIN, and overtook it
        absent(known, "frame {} had acknowledged the other's FIN")
    case.lasted("apart", abs(fins[0].time - fins[1].time))
    told_states(case)


def told_states(case: Case) -> None:
    """The states that the sentence gives each side are those of the timeline."""
    passed = str(case["passed"] or "").lower()
    for role in ("client", "server"):
        states = [row["state"] for row in case.flow.timeline if row["endpoint"] == role]
        on = states[states.index("CLOSING") :] if "CLOSING" in states else []
        told = "both" in passed or role in passed
        through = f"the timeline takes the {role} through {' '.join(dict.fromkeys(map(str, states)))}"
        must(told == bool(on), through)
        must(not told or "time_wait" not in passed or "TIME_WAIT" in on, through)

"""TD9xx: the capture itself."""

from tests.second_opinion.closing import distinct_bytes
from tests.second_opinion.opinion import Case, must, need, predicate
from tests.second_opinion.packets import Flow, Segment, ahead, furthest

WORD = 1 << 32
WINDOW_MOST = 1 << 30


@predicate("TD901")
def starts_mid_stream(case: Case) -> None:
    flow = case.flow
    first = case.segment("first")
    must(first.frame == min(row.frame for row in flow.captured), "an earlier frame belongs to it")
    must(not any(row.syn for row in flow.segments), "its SYN was captured")
    rows = [row for row in flow.segments if not row.rst]
    probe = len(rows) == 1 and not rows[0].has_ack
    must(rows and not probe, "one probe and its answer prove no connection")
    must(flow.row["client_known"] is False or not flow.row["client_known"], "flows says that the client is known")


@predicate("TD902")
def one_direction_only(case: Case) -> None:
    flow = case.flow
    must(not flow.of(case.own), "segments of the blamed side were captured")
    first, last = case.segment("first", case.peer), case.segment("last", case.peer)
    rows = flow.of(case.peer)
    must(first.frame == rows[0].frame and last.frame == rows[-1].frame, "first and last are others")
    case.counted("packets", len(rows), len([row for row in flow.captured if row.side == case.peer]))
    acks = {row.ack for row in rows if row.has_ack and not row.rst}
    must(acks, "none of them acknowledges anything")
    repeats = len(rows) > 1 and len({(row.seq, row.ack, row.flags) for row in rows}) == 1
    must(not repeats, "one segment repeated with an unchanged ACK: a silent peer")
    new = {row.seq for row in rows if row.length}
    must(len(rows) == 1 or len(acks) > 1 or len(new) > 1, "an ACK that never moves: a silent peer")


def lost_bytes(flow: Flow, side: int) -> int | None:
    """How many bytes of ``side`` the other acknowledged that no segment of the capture carries; None where nothing
    says where to count from."""
    rows = [row for row in flow.captured if row.side == side and not row.rst]
    acked = flow.highest_ack(1 - side)
    if acked is None or not rows:
        return None
    syns = [row for row in rows if row.syn]
    acks = [row.ack for row in flow.of(1 - side) if row.has_ack and not row.rst]
    base = (syns[0].seq + 1) % WORD if syns else lowest([*(row.seq for row in rows if row.length), *acks])
    fin = next((row for row in rows if row.fin), None)
    until = ahead(acked, base) - (1 if fin and ahead(acked, fin.end) >= 0 else 0)
    carried = [row for row in rows if row.length and ahead(row.data_end, base) > 0]
    return holes(carried, base, until)


def lowest(numbers: list[int]) -> int:
    found = numbers[0]
    for number in numbers:
        found = number if ahead(number, found) < 0 else found
    return found


def holes(rows: list[Segment], base: int, until: int) -> int:
    """How many of the numbers from ``base`` on, ``until`` of them, no segment carries."""
    spans = sorted((max(0, ahead(row.seq, base) + row.syn), min(until, ahead(row.data_end, base))) for row in rows)
    missing, reached = 0, 0
    for begin, end in spans:
        missing += max(0, begin - reached) if begin < until else 0
        reached = max(reached, end)
    return missing + max(0, until - reached)


@predicate("TD903")
def frames_missing(case: Case) -> None:
    flow = case.flow
    first = case.segment("frame", case.peer)
    must(first.has_ack, f"frame {first.frame} acknowledges nothing")
    missing = lost_bytes(flow, case.own)
    need(missing is not None, "nothing tells where its bytes begin")
    must(missing, "every byte that was acknowledged stands in the capture")
    must((missing or 0) < WINDOW_MOST, f"{missing} bytes: no window allows that")
    case.counted("missing", missing or 0)


@predicate("TD904")
def frames_duplicated(case: Case) -> None:
    flow = case.flow
    copies = [row for row in flow.captured if row not in flow.segments]
    case.counted("count", len(copies))
    again = case.segment("frame")
    must(copies and copies[0].frame == again.frame, f"frame {copies[0].frame if copies else 0} is the first copy")


@predicate("TD905")
def frames_cut_short(case: Case) -> None:
    cut = [row for row in case.flow.captured if row.cut]
    must(cut, "no TCP header is cut")
    case.counted("count", len(cut), len([row for row in case.flow.segments if row.cut]))
    must(case.segment("frame").frame == cut[0].frame, f"frame {cut[0].frame} is the first")


@predicate("TD906")
def clock_went_back(case: Case) -> None:
    rows = case.flow.captured
    frame = case.segment("frame")
    place = case.flow.place(frame)
    must(place > 0, f"frame {frame.frame} is the connection's first")
    step = max(row.time for row in rows[:place]) - frame.time
    must(step > 0, f"frame {frame.frame} is not earlier than the connection's own frames before it")
    must(step > case.capture.settings.clock_back_ns, f"by {step / 1e6:.3f} ms only")
    case.lasted("step", rows[place - 1].time - frame.time, step)

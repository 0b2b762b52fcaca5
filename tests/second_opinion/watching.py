"""TD9xx: the capture itself."""

from tests.second_opinion.claims import Duration
from tests.second_opinion.opinion import Case, absent, must, need, predicate
from tests.second_opinion.packets import Flow, Segment, ahead

WORD = 1 << 32
WINDOW_MOST = 1 << 30


@predicate("TD901")
def starts_mid_stream(case: Case) -> None:
    flow = case.flow
    first = case.segment("first")
    must(first.frame == flow.segments[0].frame, f"frame {flow.segments[0].frame} is its first")
    must(not any(row.syn for row in flow.segments), "its SYN was captured")
    rows = [row for row in flow.segments if not row.rst]
    refused = len(rows) == 1 and not rows[0].has_ack and len(flow.segments) > 1
    must(rows and not refused, "a RST, alone or in answer to one segment without ACK, proves no connection")
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
    asked = rows[0].syn and not rows[0].has_ack
    answering = [row for row in rows if row.is_pure_ack or (row.has_ack and (row.syn or asked))]
    need(len(rows) > 1 or answering, "one segment with data does not tell whether the other side spoke meanwhile")
    must(len(acks) > 1 or answering, "an ACK that never moves: a silent peer")


def lost_bytes(flow: Flow, side: int) -> int | None:
    """How many bytes of ``side`` the other acknowledged that no segment of the capture carries; None where nothing
    says where to count from."""
    rows = [row for row in flow.captured if row.side == side and not row.rst]
    acked = furthest_acknowledged(flow, 1 - side)
    if acked is None or not rows:
        return None
    base = first_number(flow, side, rows)
    fin = next((row for row in rows if row.fin), None)
    until = ahead(acked, base) - (1 if fin and ahead(acked, fin.end) >= 0 else 0)
    carried = [row for row in rows if row.length and ahead(row.data_end, base) > 0]
    return sum(end - begin for begin, end in holes(carried, base, until))


def furthest_acknowledged(flow: Flow, side: int) -> int | None:
    """The highest acknowledgment of ``side``, that of its first RST included where no window forbids it."""
    acked, resets = flow.highest_ack(side), [row for row in flow.resets(side) if row.has_ack]
    believed = [row.ack for row in resets[:1] if acked is not None and 0 < ahead(row.ack, acked) < 1 << 24]
    return believed[0] if believed else acked


def first_proofs(flow: Flow, side: int) -> list[Segment]:
    """For each stretch of lost bytes the first segment of the other side that acknowledges one of them, and all."""
    rows = [row for row in flow.captured if row.side == side and not row.rst]
    base, acked = first_number(flow, side, rows), furthest_acknowledged(flow, 1 - side) or 0
    carried = [row for row in rows if row.length and ahead(row.data_end, base) > 0]
    lost = holes(carried, base, ahead(acked, base))
    proved = [(base + number) % WORD for begin, end in lost for number in (begin + 1, end)]
    found = [flow.first_covering(1 - side, number) for number in proved]
    return [row for row in found if row is not None]


def first_number(flow: Flow, side: int, rows: list[Segment]) -> int:
    """The number of the first byte of ``side`` that the capture should show: behind its SYN, by that or by what answers
    it; else the lowest that either side names, keep-alive probes apart."""
    peers = [row for row in flow.of(1 - side) if row.has_ack and not row.rst]
    known = [(row.seq + 1) % WORD for row in rows if row.syn] or [row.ack for row in peers if row.syn]
    if known:
        return known[0]
    acks = {row.ack for row in peers}
    return lowest([*acks, *(row.seq for row in rows if not (row.is_alone and (row.seq + 1) % WORD in acks))])


def lowest(numbers: list[int]) -> int:
    found = numbers[0]
    for number in numbers:
        found = number if ahead(number, found) < 0 else found
    return found


def holes(rows: list[Segment], base: int, until: int) -> list[tuple[int, int]]:
    """Which of the ``until`` numbers from ``base`` on no segment carries: stretches, counted from ``base``."""
    spans = sorted((max(0, ahead(row.seq, base) + row.syn), min(until, ahead(row.data_end, base))) for row in rows)
    missing, reached = [], 0
    for begin, end in [*spans, (until, until)]:
        if min(begin, until) > reached:
            missing.append((reached, min(begin, until)))
        reached = max(reached, end)
    return missing


@predicate("TD903")
def frames_missing(case: Case) -> None:
    flow = case.flow
    first = case.segment("frame", case.peer)
    must(first.has_ack, f"frame {first.frame} acknowledges nothing")
    short = [row for row in flow.of(case.own) if row.short]
    absent(short, "frame {} had more bytes than were captured: lengths are not known")
    missing = lost_bytes(flow, case.own)
    need(missing is not None, "nothing tells where its bytes begin")
    must(missing, "every byte that was acknowledged stands in the capture")
    must((missing or 0) < WINDOW_MOST, f"{missing} bytes: no window allows that")
    shown = sorted(row.frame for row in first_proofs(flow, case.own))
    must(first.frame in shown, f"frames {shown} are the first to acknowledge bytes that are not there")
    least = "At least" in case.finding["message"]
    must(least or case["missing"] == missing, f"{case['missing']} claimed as missing; counted {missing}")
    must(case["missing"] <= (missing or 0), f"{case['missing']} claimed as missing; counted {missing}")


@predicate("TD904")
def frames_duplicated(case: Case) -> None:
    flow = case.flow
    sound = [row for row in flow.captured if not row.refused]
    certain = [row for row in sound if row not in set(flow.segments)]
    possible = [row for row in sound if row not in set(flow.least)]
    again = case.segment("frame")
    must(again in possible, f"frame {again.frame} is not the same packet as one before")
    least = 1 if "at least" in case.finding["message"] else len(certain)
    case.counted("count", *range(least, len(possible) + 1))


@predicate("TD905")
def frames_cut_short(case: Case) -> None:
    cut = [row for row in case.flow.captured if row.cut]
    must(cut, "no TCP header is cut")
    case.counted("count", len(cut), len([row for row in case.flow.segments if row.cut]))
    must(case.segment("frame").frame == cut[0].frame, f"frame {cut[0].frame} is the first")


@predicate("TD907")
def capture_has_gaps(case: Case) -> None:
    """Nothing at all was captured between two frames that follow one another in time."""
    times = case.capture.times
    must(len(case.frames) >= 2, "it does not name the frames at both sides of the hole")
    told = [case.claims[name] for name in case.claims if isinstance(case.claims[name], Duration)]
    for first, last in zip(case.frames[::2], case.frames[1::2], strict=False):
        begin, end = times[first], times[last]
        inside = [frame for frame, time in times.items() if begin < time < end]
        must(end > begin and not inside, f"frames {inside[:3]} lie between frames {first} and {last}")
        sizes = (end - begin, begin - case.capture.first, end - case.capture.first)
        must(not told or any(one.is_about(size) for one in told for size in sizes), f"{(end - begin) / 1e9:.3f} s")


@predicate("TD906")
def clock_went_back(case: Case) -> None:
    rows = case.flow.captured
    frame = case.segment("frame")
    place = case.flow.place(frame)
    must(place > 0, f"frame {frame.frame} is the connection's first")
    step = max(row.time for row in rows[:place]) - frame.time
    must(step > 0, f"frame {frame.frame} is not earlier than the connection's own frames before it")
    must(step > case.capture.settings.clock_back_ns, f"by {step / 1e6:.3f} ms only")
    least = 0 if "at least" in case.finding["message"] else rows[place - 1].time - frame.time
    case.lasted("step", least, step)

"""TD1xx: one side closed, the other did not."""

from typing import Any

from tests.second_opinion.opinion import Case, absent, must, need, predicate
from tests.second_opinion.packets import Flow, Segment, ahead, furthest

LONG = 10**9
UNASKED = " The last data before the FIN were the server's."
SHORT = " The last data before the FIN were the client's; they may need no answer, as short as a control frame."
NO_DATA = " No data had been sent before the FIN."
ALERT, DISGUISED = 0x15, 24  # the first byte of a TLS alert, and its length where TLS 1.3 hides the type
ROLES = ("client", "server")


def is_probe(flow: Flow, row: Segment) -> bool:
    """A keep-alive probe: no byte or one, numbered one below what its sender has sent, and that is acknowledged."""
    sent = [other for other in flow.before(row) if other.side == row.side and not other.rst]
    acked, following = flow.highest_ack(1 - row.side, row), (row.seq + 1) % 2**32
    known = [number for number in (furthest(other.end for other in sent), acked) if number is not None]
    return row.is_alone and bool(known) and all(number == following for number in known)


def speaks(flow: Flow, row: Segment) -> bool:
    """Whether it carries data, FIN or RST, not merely an acknowledgment or a keep-alive probe."""
    return row.rst or row.fin or (row.length > 0 and not is_probe(flow, row))


def acknowledged_fin(case: Case, fin_name: str = "fin") -> tuple[Segment | None, Segment]:
    """The peer's FIN (None where not captured) and the blamed side's acknowledgment of it, as the message names them:
    the acknowledgment covers that FIN, and is the first of its sender to do so."""
    ack = case.segment("ack", case.own)
    if case[fin_name] is None:
        need(case.finding["confidence"] != "high", "high, although the FIN itself was not captured")
        return None, ack
    fin = case.segment(fin_name, case.peer)
    must(fin.fin, f"frame {fin.frame} carries no FIN")
    must(ack.acknowledges(fin), f"frame {ack.frame} acknowledges {ack.ack}, short of the FIN in frame {fin.frame}")
    earlier = [row for row in case.flow.covering(case.own, fin.end) if row.frame < ack.frame and not row.rst]
    absent(earlier, "frame {} had acknowledged the FIN before that")
    return fin, ack


def never_closed(case: Case, ack: Segment) -> None:
    """The blamed side sent neither FIN nor RST in the whole connection, at whatever number."""
    closing = [row for row in case.flow.of(case.own) if row.fin or (row.rst and row.frame > ack.frame)]
    absent(closing, "it did send FIN or RST: frame {}")
    resets = [row for row in case.flow.resets(case.peer) if row.frame > ack.frame]
    absent(resets, "frame {} of the peer reset it after that")


def silent_since(case: Case, since: Segment) -> None:
    """Nothing but pure acknowledgments of the blamed side after ``since``."""
    spoken = [row for row in case.flow.after(since) if row.side == case.own and speaks(case.flow, row)]
    absent(spoken, "it spoke again in frame {}")


def last_spoken(case: Case, ack: Segment) -> Segment:
    """Its last segment with data, FIN or RST from its acknowledgment of the FIN on; that itself if there is none."""
    spoken = [row for row in case.flow.after(ack) if row.side == case.own and speaks(case.flow, row)]
    return spoken[-1] if spoken else ack


@predicate("TD101")
def close_wait_leak(case: Case) -> None:
    _, ack = acknowledged_fin(case)
    case.happened("when", ack)
    never_closed(case, ack)
    since = last_spoken(case, ack)
    silence = case.capture.last - since.time
    ran = case.ran_on(since.time)
    must(ran > case.capture.settings.close_wait_leak_ns, f"silent for {ran / 1e9:.3f} s while the capture ran")
    stays_in(case, "CLOSE_WAIT")
    ends = "capture's end" in str(case["until"] or "capture's end")  # else in a gap, in which nobody captured
    case.lasted("idle", silence if ends else case.capture.settings.close_wait_leak_ns, silence)


@predicate("TD107")
def half_closed_at_capture_end(case: Case) -> None:
    _, ack = acknowledged_fin(case)
    case.happened("when", ack)
    never_closed(case, ack)
    silence = case.ran_on(last_spoken(case, ack).time)
    must(silence <= case.capture.settings.close_wait_leak_ns, f"silent for {silence / 1e9:.3f} s: a leak")
    stays_in(case, "CLOSE_WAIT")
    case.lasted("idle", case.capture.last - last_spoken(case, ack).time, case.capture.last - ack.time)


def stays_in(case: Case, state: str) -> None:
    """The timeline leaves the blamed side in ``state``."""
    states = [row["state"] for row in case.flow.timeline if row["endpoint"] == case.finding["endpoint"]]
    must(states and states[-1] == state, f"the timeline leaves it in {states[-1] if states else None}")


@predicate("TD102")
def late_fin_answered_by_rst(case: Case) -> None:
    fin, ack = acknowledged_fin(case, "peer_fin")
    own = case.segment("fin", case.own)
    rst = case.segment("rst", case.peer)
    must(own.fin and own is case.flow.fins(case.own)[0], f"frame {own.frame} is not its first FIN")
    must(rst.rst and rst.frame > own.frame, f"frame {rst.frame} is no RST behind the FIN")
    answers(rst, own)
    must(not acked_before(case.flow, own, rst), "the FIN had been acknowledged before the RST")
    case.lasted("held", own.time - ack.time, own.time - (fin.time if fin else case.flow.start))
    case.happened("late", own)
    case.happened("when", rst)
    case.between("began", ack.time, ack.time + (case.flow.trip(case.peer) or 0))


def answers(rst: Segment, row: Segment) -> None:
    """A RST answers a segment if it takes its number from its acknowledgment, or acknowledges it."""
    fits = rst.seq == row.ack if row.has_ack else rst.acknowledges(row)
    asked = f"frame {row.frame} asks for {row.ack}"
    must(fits or rst.acknowledges(row), f"RST {rst.frame} has the number {rst.seq}, {asked}")


def acked_before(flow: Flow, row: Segment, rst: Segment) -> bool:
    """Whether the sender of the RST had acknowledged all of ``row`` before it."""
    return any(other.frame < rst.frame and not other.rst for other in flow.covering(1 - row.side, row.end))


def lost_last(flow: Flow, until: Segment) -> list[int]:
    """Sides of which something was acknowledged, up to that segment, that none of their segments had carried."""
    rows = [*flow.before(until), until]
    ends = [furthest(row.end for row in rows if row.side == side) for side in (0, 1)]
    acks = [furthest(row.ack for row in rows if row.side != side and row.has_ack) for side in (0, 1)]
    pairs = enumerate(zip(ends, acks, strict=True))
    return [side for side, (end, ack) in pairs if end is not None and ack is not None and ahead(ack, end) > 1]


@predicate("TD103")
def write_to_closed_peer(case: Case) -> None:
    """Either side may be blamed: who closed is who sent the FIN, who wrote is the other."""
    fin = case.segment("fin")
    data, rst = case.segment("data", 1 - fin.side), case.segment("rst", fin.side)
    must(fin.fin, f"frame {fin.frame} carries no FIN")
    known = [row for row in case.flow.covering(data.side, fin.end) if row.frame <= data.frame]
    must(known, f"no segment up to frame {data.frame} acknowledges the FIN")
    must(case["ack"] in (None, known[0].frame), f"frame {known[0].frame} acknowledges the FIN first")
    must(data.length, f"frame {data.frame} carries no data")
    must(rst.rst and rst.frame > data.frame, f"frame {rst.frame} is no RST behind the data")
    answers(rst, data)
    must(not acked_before(case.flow, data, rst), "the data had been acknowledged before the RST")
    sent = [row for row in case.flow.of(data.side) if known[0].frame <= row.frame < rst.frame]
    case.counted("sent", data.length, distinct_bytes(sent))
    case.lasted("after", data.time - fin.time)
    case.happened("when", rst)
    must(case["closer"] in (None, ROLES[fin.side]), f"the FIN is the {ROLES[fin.side]}'s")
    must(case["sender"] in (None, ROLES[data.side]), f"the data are the {ROLES[data.side]}'s")
    must(
        case["why"] is None or (case.own == fin.side) == (case["why"] not in ("", UNASKED, SHORT)),
        "who is blamed does not fit the reason given",
    )
    why, spoken = str(case["why"] or ""), [row for row in case.flow.before(fin) if row.length] or [fin]
    if case["alerts"]:
        spoken = [row for row in spoken if row.first_byte != ALERT and row.length != DISGUISED] or [fin]
        carried = [row for row in (*case.flow.before(fin), fin) if row.length]
        must(spoken == [fin] or spoken[-1].frame < carried[-1].frame, "no data passed behind the last")
    if why == NO_DATA:
        must(spoken == [fin], "data were sent before the FIN")
    if "last data before the FIN" in why:
        sides = lost_last(case.flow, fin) or [spoken[-1].side]
        must(any(f"the {ROLES[side]}'s" in why for side in sides), "the last data were another's")
        must((spoken[-1].side == fin.side) or "did not wait" not in why, "who waited was the other")
    if case["waited"]:
        own = [row for row in case.flow.before(fin) if row.side == fin.side and speaks(case.flow, row)]
        case.lasted("waited", *(fin.time - row.time for row in own[-3:]))
    if "still sending" in why:
        must(spoken[-1].side == data.side, "the last data were its own")
        open_still = not any(row.frame <= fin.frame for row in case.flow.covering(fin.side, spoken[-1].data_end))
        unaware = [
            row for row in case.flow.of(data.side) if row.frame > fin.frame and row.length and not row.acknowledges(fin)
        ]
        must(open_still or unaware, "it had acknowledged all, and nothing more was under way")


@predicate("TD104")
def half_close_in_use(case: Case) -> None:
    fin = case.segment("fin", case.peer)
    first, last = case.segment("first", case.own), case.segment("last", case.own)
    ack = case.segment("ack", case.peer)
    must(fin.fin, f"frame {fin.frame} carries no FIN")
    must(not [row for row in case.flow.fins(case.own) if row.frame < first.frame], "it had sent its own FIN before")
    needs_arrival(case, fin, first)
    known = max((row.end for row in case.flow.before(first) if row.side == case.own), default=first.seq,
                key=lambda number: ahead(number, first.seq))  # fmt: skip
    sent = ranges(case, first, last)
    case.counted("sent", sent)
    must(ahead(first.data_end, known) > 0, f"frame {first.frame} repeats what it had sent before the FIN")
    must(ack.has_ack and ack.frame > first.frame, f"frame {ack.frame} acknowledges nothing that was sent before it")
    rows = [row for row in case.flow.of(case.own) if first.frame <= row.frame <= last.frame and row.length]
    case.counted("acked", distinct_bytes(rows, until=ack.ack))
    earlier = [row for row in case.flow.covering(case.peer, ack.ack) if first.frame < row.frame < ack.frame]
    absent(earlier, "frame {} had acknowledged as much before")
    since = [
        last.time - row.time for row in case.flow.fins(case.peer) if row.frame < last.frame
    ]  # a repeat of it counts
    fits = case["span"] is None or any(case["span"].is_about(time) for time in since)
    must(fits, f"the last was sent {since[0] / 1e6:.3f} ms after the FIN")


def needs_arrival(case: Case, fin: Segment, row: Segment) -> None:
    """``row`` was sent after the FIN had reached its sender: it covers the FIN, or an earlier segment does; else only
    half a round trip later."""
    if any(other.frame <= row.frame for other in case.flow.covering(row.side, fin.end)):
        return
    trip = case.flow.round_trip
    need(trip is not None, f"frame {row.frame} does not acknowledge the FIN, and no round trip is known")
    early = row.time - fin.time < (trip or 0)
    must(not early, f"frame {row.frame} does not acknowledge the FIN, and follows it within a round trip")


def ranges(case: Case, first: Segment, last: Segment) -> int:
    """How many different bytes the blamed side sent from one segment to another."""
    rows = [row for row in case.flow.of(case.own) if first.frame <= row.frame <= last.frame and row.length]
    return distinct_bytes(rows)


def distinct_bytes(rows: list[Segment], until: int | None = None) -> int:
    """How many different bytes some segments of one side carry, before the number ``until`` where one is given."""
    if not rows:
        return 0
    base = rows[0].seq
    most = 1 << 31 if until is None else ahead(until, base)
    spans = sorted((ahead(row.seq, base) + row.syn, min(most, ahead(row.data_end, base))) for row in rows if row.length)
    total, until = 0, spans[0][0] if spans else 0
    for begin, end in spans:
        total += max(0, end - max(begin, until))
        until = max(until, end)
    return total


@predicate("TD105")
def slow_close(case: Case) -> None:
    fin, ack = acknowledged_fin(case)
    own = case.segment("own_fin", case.own)
    must(own.fin and own is case.flow.fins(case.own)[0], f"frame {own.frame} is not its first FIN")
    case.happened("when", own)
    spoken = [row for row in case.flow.of(case.own) if row.length and ack.frame <= row.frame < own.frame]
    slept = own.time - max(ack.time, *(row.time for row in spoken)) if spoken else own.time - ack.time
    must(slept > case.capture.settings.slow_close_ns, f"it closed {slept / 1e9:.3f} s after its own last segment")
    arrived = fin.time if fin else case.flow.start
    case.lasted("reaction", slept, slept + (ack.time - arrived))
    case.lasted("held", own.time - ack.time, own.time - arrived)


@predicate("TD106")
def close_wait_pile_up(case: Case) -> None:
    of = [row for row in case.capture.findings if row["code"] == "TD101"]
    address = case.finding[f"{case.finding['endpoint']}_ip"]
    port = case.finding[f"{case.finding['endpoint']}_port"]
    mine = [
        row
        for row in of
        if row["endpoint"] == case.finding["endpoint"]
        and row[f"{row['endpoint']}_ip"] == address
        and (port is None or row[f"{row['endpoint']}_port"] == port)
    ]
    case.counted("count", len(mine))
    must(len(mine) >= case.capture.settings.pile_up, f"only {len(mine)} leaks")
    begun = [began(case, row) for row in mine]
    start = case.capture.first
    for name, least, most in (
        ("first", min(fin for fin, _ in begun), min(ack for _, ack in begun)),
        ("last", max(fin for fin, _ in begun), max(ack for _, ack in begun)),
    ):
        must(case[name] is None or case[name].lies_in(least - start, most - start), f"the {name} began at another time")
    together = all_together(case, mine)
    must(case["peak"] is None or case["peak"] <= together, f"{together} of them in CLOSE_WAIT together")
    span = max(ack for _, ack in begun) - min(fin for fin, _ in begun)
    must(span >= 60 * LONG or "per minute" not in case.finding["message"], f"growth from {span / 1e9:.3f} s")


def began(case: Case, leak: dict[str, Any]) -> tuple[int, int]:
    """Between which times a leak began: those of the FIN and of its acknowledgment."""
    flow = case.capture.flows[leak["stream"]]
    times = [row.time for frame in str(leak["frames"]).split(";") for row in flow.by_frame.get(int(frame), [])]
    return min(times), max(times)


def all_together(case: Case, leaks: list[dict[str, Any]]) -> int:
    """How many of the leaking sockets are in CLOSE_WAIT at the capture's end: all that never left it."""
    return len([row for row in leaks if not case.capture.flows[row["stream"]].fins(case.own)])

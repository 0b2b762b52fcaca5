"""TD401, and the timers that are named in findings that follow a silence."""

import re
from itertools import pairwise

from tests.second_opinion.claims import DURATION, UNITS
from tests.second_opinion.closing import ROLES, distinct_bytes, is_probe
from tests.second_opinion.opinion import Case, absent, must, need, predicate
from tests.second_opinion.packets import Segment

TIMER = r"\((?:yours, )?([\d.]+)(?: to ([\d.]+))? s\)"


def timers_fit(case: Case, ended: Segment) -> None:
    """Each timer named fits a time that ended with the segment ``ended``: since the last segment, the last data of
    either side, the handshake, the first FIN, its acknowledgment or the last FIN. One that fires in silence is no
    longer than the longest of these."""
    said, flow = str(case["timers"] or case["lost_timers"] or ""), case.flow
    earlier = flow.before(ended)
    if not said or not earlier:
        must(not said, "nothing was captured before it")
        return
    data = [[row for row in earlier if row.side == side and row.length][-1:] for side in (0, 1)]
    fins = [row for row in earlier if row.fin]
    acks = [row for fin in fins[:1] for row in flow.covering(1 - fin.side, fin.end) if row.frame < ended.frame][:1]
    opened = [row for row in earlier if not row.syn][:1]
    since = [earlier[-1], *data[0], *data[1], *opened, *fins[:1], *fins[-1:], *acks]
    lengths = [(ended.time - row.time) / 1e9 for row in since]
    trip = (flow.round_trip or 0) / 1e9
    named = re.findall(TIMER, said)
    must(named, f"no timer is named: {said}")
    for least, most in named:
        low, high = float(least), float(most or least)
        acting = any(low - 0.1 <= length <= high + 1 + trip for length in lengths)
        fits = max(lengths) >= low if "at most that long" in said else acting
        must(fits, f"a timer of {least} s does not fit {lengths}")


def had_survived(case: Case, ended: Segment) -> None:
    """The longest silence before, after which both sides were heard of again."""
    rows = case.flow.before(ended)
    gaps = [
        later.time - earlier.time
        for place, (earlier, later) in enumerate(pairwise(rows))
        if any(row.side != later.side for row in rows[place + 2 :])
    ]
    case.lasted("survived", 0, max(gaps, default=0))
    if case["survived"] is not None:
        must(any(case["survived"].is_about(gap) for gap in gaps), "no such silence came before")


@predicate("TD401")
def closed_by_idle_timer(case: Case) -> None:
    if case.finding["stream"] is None:
        value_recurs(case)
        return
    flow, rst = case.flow, case.segment("rst", case.own)
    must(rst.rst, f"frame {rst.frame} is no RST")
    case.happened("when", rst)
    absent([row for row in flow.fins(case.own) if row.frame < rst.frame], "it had sent its FIN in frame {}")
    if case["answered"] is None:
        ended = rst
        waited_for(case, rst)
    else:
        ended = case.segment("answered", case.peer)
        must(not rst.has_ack and ended.has_ack and ended.ack == rst.seq, "the RST has not the number it answers")
        must(ended.frame < rst.frame, "it answers what came later")
    earlier = flow.before(ended)
    must(earlier, "nothing was captured before the silence")
    length = ended.time - earlier[-1].time
    case.lasted("idle", length)
    must(length >= 5 * 10**9, "it is shorter than the threshold")
    timers_fit(case, ended)
    minutes = str(case["minutes"] or "")
    rounded = round(length / 60e9) * 60e9
    must(not minutes or -1e8 <= length - rounded <= 1e9 + (flow.round_trip or 0), "it is no whole number of minutes")
    must(minutes or case["timers"], "no timer is named that fits")
    told = re.search(r"(\d+) connections", str(case["repeats"] or ""))
    if told:
        host = case.finding[f"{case.finding['endpoint']}_ip"]
        alike = [
            other
            for other in case.capture.findings
            if other["code"] == "TD401" and other[f"{other['endpoint']}_ip"] == host and other["stream"] is not None
        ]
        must(1 < int(told[1]) <= len(alike), f"{len(alike)} connections of {host} were reset so")


def waited_for(case: Case, rst: Segment) -> None:
    """What the message says of the dialogue before the silence."""
    place, flow = str(case["dialogue"] or ""), case.flow
    data = [row for row in flow.before(rst) if row.length and not is_probe(flow, row)]
    last = data[-1].side if data else None
    if "client had sent no data" in place:
        absent([row for row in data if row.side == 0], "it had, in frame {}")
    elif case["few"] is not None:
        few_were_last(case, rst)
    elif "client's last data" in place:
        must(last == 0, "the last data were not the client's")
    elif "the server" in place:
        must(last == 1, "the last data were not the server's")
    elif "FIN" in place:
        must([row for row in flow.before(rst) if row.fin], "no FIN had been sent")
    else:
        need(not place, f"the place in the dialogue is not understood: {place}")


def few_were_last(case: Case, end: Segment) -> None:
    """Where it is told how few bytes the client sent last, no data of the server came after the first of them."""
    if case["few"] is None:
        return
    data = [row for row in case.flow.before(end) if row.length and not is_probe(case.flow, row)]
    theirs = [row.frame for row in data if row.side == 1]
    turn = [row for row in data if row.side == 0 and row.frame > max(theirs, default=0)]
    must(turn, "the last data were not the client's")
    case.counted("few", distinct_bytes(turn))
    must(case["few"] <= 131, "no control frame is as long")


def value_recurs(case: Case) -> None:
    """So many of the connections of a server that one side ended in one way were ended as long after the last data."""
    who = ROLES.index(str(case["who"]))
    server = case.finding["server_ip"], case.finding["server_port"]
    by_rst = case["how"] == "reset"
    lengths = []
    for flow in (one for one in case.capture.flows.values() if one.ends[1] == server):
        rows = flow.segments
        ends = [row for row in rows if row.fin or row.rst][:1]
        if not ends or ends[0].side != who or ends[0].rst != by_rst:
            continue
        data = [row for row in flow.before(ends[0]) if row.length and not is_probe(flow, row)]
        if bool(data) == ("without any data" in str(case["since"])):
            continue
        opened = [row for row in flow.before(ends[0]) if not row.syn]
        since = data[-1:] or opened[:1] or flow.before(ends[0])[-1:]
        lengths += [ends[0].time - row.time for row in since]
    case.counted("among", len(lengths))
    bounds = [round(float(number) * UNITS[unit]) for number, unit in re.findall(DURATION, str(case["length"]))]
    low, high = bounds[0] - 10**6, bounds[-1] + 10**6
    inside = [length for length in lengths if low <= length <= high]
    case.counted("count", len(inside))
    must(len(inside) >= 5 and 2 * len(inside) > len(lengths), f"{len(inside)} of {len(lengths)} are few")
    must(max(inside) - min(inside) <= max(10**9, min(inside) // 100), "they are too different")
    for least, most in re.findall(TIMER, str(case["timers"] or "")):
        fits = any(float(least) - 0.1 <= length / 1e9 <= float(most or least) + 1.2 for length in inside)
        must(fits, f"a timer of {least} s does not fit them")

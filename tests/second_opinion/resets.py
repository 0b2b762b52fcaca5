"""TD3xx: resets and refusals."""

import re
from itertools import pairwise

from tests.second_opinion.capture import Error
from tests.second_opinion.claims import UNITS, Duration
from tests.second_opinion.closing import ROLES, acked_before, answers, distinct_bytes, is_probe
from tests.second_opinion.opinion import Case, absent, must, need, predicate
from tests.second_opinion.packets import CLIENT, SERVER, Flow, Segment, ahead, furthest
from tests.second_opinion.silences import few_were_last, had_survived, timers_fit

WORD = 1 << 32
SOON = 5 * 10**9  # no answer to a SYN takes longer
JITTER = 10**6  # a host may be this late
ARRIVED = 0.8  # of the shortest way there and back: what passed the tap sooner before an answer cannot have caused it
TLS_ALERT = 325  # bytes, with all the padding that CBC allows
TLS_1_3_ALERT = 24  # bytes: record header, alert, its true type, tag


def own_reset(case: Case) -> Segment:
    """The RST that the finding is about, at the time it names."""
    rst = case.segment("rst", case.own)
    must(rst.rst, f"frame {rst.frame} is no RST")
    case.happened("when", rst)
    return rst


def unanswered(flow: Flow, rst: Segment) -> list[Segment]:
    """Segments of the other side with data or FIN that had reached the sender of the RST before it, and that it had not
    acknowledged."""
    return [
        row
        for row in flow.before(rst)
        if row.side != rst.side
        and (row.length or row.fin)
        and not row.syn
        and not acked_before(flow, row, rst)
        and rst.time - row.time >= ARRIVED * (flow.trip(rst.side) or 0)
    ]


def unacknowledged(flow: Flow, side: int, until: Segment) -> list[Segment]:
    """Segments of ``side`` with data beyond what the other had acknowledged before ``until``."""
    acked = flow.highest_ack(1 - side, until)
    rows = [row for row in flow.before(until) if row.side == side and row.length and not is_probe(flow, row)]
    return [row for row in rows if acked is None or ahead(row.data_end, acked) > 0]


def was_open(flow: Flow, rst: Segment) -> bool:
    """Both sides spoke, beyond one segment and the RST that answers it; and not merely SYNs."""
    rows = [row for row in flow.before(rst) if not row.rst]
    both = {row.side for row in rows if not (row.syn and not row.has_ack)} == {0, 1}
    return both or any(row.side == rst.side and not row.syn for row in rows)


@predicate("TD301")
def abortive_close(case: Case) -> None:
    rst, flow = own_reset(case), case.flow
    must(was_open(flow, rst), "nothing shows that the connection was open")
    fins = [row for row in flow.fins(case.own) if row.frame < rst.frame]
    absent(fins, "it had sent its FIN in frame {}")
    open_rows = [row for row in unanswered(flow, rst) if not rst.acknowledges(row)]
    absent(open_rows[-1:], "frame {} of the peer is not acknowledged")
    heard = [row for row in flow.before(rst) if row.side == case.peer][-1:]
    answered = [
        row
        for row in heard
        if row.has_ack
        and row.ack == rst.seq
        and not rst.has_ack
        and not (row.takes_room and acked_before(flow, row, rst))
    ]
    absent(answered[-1:], "a bare RST with the number of frame {} answers that")
    lost = unacknowledged(flow, case.own, rst)
    late = [row for row in lost if not flow.first_covering(case.peer, row.data_end)]
    absent(late[-1:], "its own data in frame {} were never acknowledged")
    others = flow.before(rst)
    must(others, "the RST is the first segment")
    case.lasted("idle", rst.time - others[-1].time)
    place_fits(case, rst, str(case["place"] or ""))
    few_were_last(case, rst)
    timers_fit(case, rst)


def place_fits(case: Case, rst: Segment, place: str) -> None:
    """Where in the dialogue it reset: at the peer's FIN, or by who sent data last."""
    fins = [row for row in case.flow.fins(case.peer) if row.frame < rst.frame]
    data = [row for row in case.flow.before(rst) if row.length and not is_probe(case.flow, row)]
    alerts = [row for row in data if looks_like_alert(row)]
    last, last_spoken = (
        ROLES[rows[-1].side] if rows else "nobody" for rows in (data, [r for r in data if r not in alerts])
    )
    own, peer = ROLES[case.own], ROLES[case.peer]
    if "FIN" in place:
        must(fins, "the other side had sent no FIN")
    elif "close_notify" in place:
        must(last == own and looks_like_alert(data[-1]), "its last data are no TLS alert")
    elif "keep-alive probes" in place:
        alone = [row for row in case.flow.before(rst) if row.side == case.own and row.is_alone]
        probes = [row for row in alone if case.flow.highest_ack(case.peer, row) == (row.seq + 1) % WORD]
        must(probes and (not data or data[-1].frame < probes[-1].frame), "it sent no probe since the last data")
        answered = [row for row in case.flow.before(rst) if row.side == case.peer and row.frame > probes[-1].frame]
        must(bool(answered) == ("was answered" in place), "whether the last probe was answered")
    elif "not in the capture" in place:
        reached = [row for row in case.flow.of(case.own) if row.has_ack and row.frame <= rst.frame]
        sent = furthest(row.end for row in case.flow.before(rst) if row.side == case.peer)
        must(sent is not None and any(ahead(row.ack, sent) > 0 for row in reached), "it acknowledges nothing else")
    elif "neither side" in place:
        must(not data, "data were sent")
    elif "not acknowledged all" in place:
        must(peer in (last, last_spoken), "the last data were its own")
        must(unacknowledged(case.flow, case.peer, rst), "it had acknowledged all of them")
    elif f"the {peer} had sent the last data" in place or f"the {peer}'s last data" in place:
        must(peer in (last, last_spoken), f"the last data were the {last}'s")
    elif "its own" in place or f"the {own} had sent the last data" in place:
        must(own in (last, last_spoken), f"the last data were the {last}'s")
    else:
        need(not place, f"the place in the dialogue is not understood: {place}")


def looks_like_alert(row: Segment) -> bool:
    """A TLS alert in clear, or in the disguise of TLS 1.3."""
    disguised = row.first_byte == 0x17 and row.length == TLS_1_3_ALERT
    return disguised or (row.first_byte == 0x15 and row.length <= TLS_ALERT)


@predicate("TD302")
def abort_with_data_lost(case: Case) -> None:
    rst, flow = own_reset(case), case.flow
    lost = unacknowledged(flow, case.own, rst)
    must(lost, "all its data were acknowledged")
    acked = flow.highest_ack(case.peer, rst)
    need(acked is not None, "no acknowledgment of the peer was captured")
    end = furthest(row.data_end for row in lost) or 0
    ever = ahead(end, flow.highest_ack(case.peer) or 0)  # acknowledgments that were under way count, or they do not
    case.counted("lost", ever, ahead(end, acked or 0), distinct_bytes(lost))
    data = case.segment("data", case.own)
    must(data.length, f"frame {data.frame} carries no data")
    last = [row for row in flow.before(rst) if row.side == case.own and row.length][-1]
    must(data.frame == last.frame, f"frame {last.frame} is its last data")
    absent(list(flow.covering(case.peer, lost[-1].data_end)), "frame {} acknowledges them")
    repeats = [row for row in lost if row.seq == lost[-1].seq]
    must(len(repeats) < 4, f"the data were repeated {len(repeats) - 1} times before: it gave up (TD403)")


@predicate("TD303")
def reset_with_unread_data(case: Case) -> None:
    rst, flow = own_reset(case), case.flow
    data = case.segment("data", case.peer)
    must(data.length, f"frame {data.frame} carries no data")
    must(data.frame < rst.frame, "the data came behind the RST")
    acked = [row for row in flow.covering(case.own, data.data_end) if row.frame < rst.frame and not row.rst]
    absent(acked, "frame {} had acknowledged them: whether they were read, nothing tells")
    spoke = [row for row in flow.of(case.own) if data.frame < row.frame < rst.frame and row.length]
    answered = [row for row in spoke if row.covers((data.seq + 1) % WORD)]
    absent(answered, "frame {} answers them")
    case.lasted("age", rst.time - data.time)
    known, arrived = (
        flow.highest_ack(case.own, rst),
        furthest(row.data_end for row in flow.before(rst) if row.side == data.side),
    )
    case.counted("unread", ahead(arrived or 0, known if known is not None else data.seq))
    if "the RST does" in str(case["told"] or ""):
        must(rst.covers(data.data_end), "the RST does not acknowledge them")
    if case["part"] is not None:
        must(rst.has_ack and known is not None, "nothing tells how much the RST acknowledges")
        case.counted("part", ahead(rst.ack, known or 0))
        return
    if not rst.covers(data.data_end):
        trip = flow.round_trip
        need(trip is not None, "no round trip tells whether the data had arrived")
        must(rst.time - data.time >= (trip or 0), "the data crossed the RST: they had not arrived")


@predicate("TD304")
def reset_after_own_fin(case: Case) -> None:
    rst, flow = own_reset(case), case.flow
    fin = case.segment("fin", case.own)
    must(fin.fin and fin.frame < rst.frame, f"frame {fin.frame} is no FIN before the RST")
    case.lasted("after", rst.time - fin.time)
    why, answered = str(case["why"] or ""), case["answered"]
    if answered is None:
        waiting = [row for row in unanswered(flow, rst) if row.length]
        if "not captured" in why:
            must(not flow.of(case.peer), "segments of the peer were captured")
            return
        if "no effect" in why:
            acked = [list(flow.covering(1 - side, flow.fins(side)[0].end)) for side in (0, 1) if flow.fins(side)]
            must(len(acked) == 2 and all(acked), "not both FINs were acknowledged")
        if "do not show" in why:
            must(waiting, "nothing of the peer was unanswered")
            return
        if "unread" in why or "gave up, or closed" in why:
            data = [row for row in flow.before(rst) if row.length and (row.side == case.peer or not row.fin)]
            unread = bool(data) and data[-1].side == case.peer
            must(unread or "unread" not in why, "the last data are its own")
        must("answers" not in why.replace("answers no", ""), "what it answers is not named")
        absent(unanswered(flow, rst)[-1:], "frame {} of the peer was unanswered")
        return
    row = case.segment("answered", case.peer)
    must(row.frame < rst.frame, f"frame {row.frame} came behind the RST")
    answers(rst, row)
    if "first to acknowledge" in why:
        must(rst.acknowledges(row) and row.length, f"RST {rst.frame} does not acknowledge data of frame {row.frame}")
    else:
        kind_fits(case, why, row)
        must(not ("data" in why and rst.acknowledges(row)), f"RST {rst.frame} acknowledges frame {row.frame}")
    must(not row.takes_room or is_probe(flow, row) or not acked_before(flow, row, rst),
         f"frame {row.frame} had been acknowledged before the RST")  # fmt: skip
    if "close_notify" in str(case["sent_tls_alert"] or ""):
        alert = row.first_byte == 0x15 or (row.first_byte == 0x17 and row.length == TLS_1_3_ALERT)
        must(alert, f"frame {row.frame} is no TLS alert")


def kind_fits(case: Case, why: str, row: Segment) -> None:
    """``it answers data`` and the like."""
    kinds = {"a FIN": row.fin, "keep-alive": is_probe(case.flow, row), "an acknowledgment": row.is_pure_ack,
             "data": row.length > 0}  # fmt: skip
    told = next((word for word in kinds if word in why), None)
    need(told, f"what it answers is not understood: {why}")
    must(kinds[str(told)], f"frame {row.frame} is not {told}")


@predicate("TD305")
def reset_by_host_without_connection(case: Case) -> None:
    rst, flow = own_reset(case), case.flow
    row = case.segment("answered", case.peer)
    must(row.frame < rst.frame, f"frame {row.frame} came behind the RST")
    must(not rst.has_ack, "the RST acknowledges something: its sender knew the connection")
    must(row.has_ack and row.ack == rst.seq, f"frame {row.frame} acknowledges {row.ack}, the RST has {rst.seq}")
    ended = [other for other in flow.before(rst) if other.side == case.own and (other.fin or other.rst)]
    absent(ended, "it had sent FIN or RST itself in frame {}")
    must(not (row.takes_room and acked_before(flow, row, rst)), f"it had acknowledged frame {row.frame} before")
    earlier = flow.before(row)
    case.lasted("idle", row.time - earlier[-1].time if earlier else 0)
    timers_fit(case, row)
    had_survived(case, row)


@predicate("TD306")
def request_crossed_fin(case: Case) -> None:
    flow = case.flow
    fin, data = case.segment("fin", case.own), case.segment("data", case.peer)
    rst = case.segment("rst", case.own)
    must(fin.fin and data.length and rst.rst, "the frames are not FIN, data and RST")
    case.happened("closed", fin)
    must(not data.acknowledges(fin), f"the data's ACK {data.ack} covers the FIN: its sender knew of it")
    known = [row for row in flow.covering(case.peer, fin.end) if row.frame < data.frame]
    absent(known, "the FIN had been acknowledged in frame {}")
    must(rst.frame > max(fin.frame, data.frame), "the RST came before")
    answers(rst, data)
    must(not acked_before(flow, data, rst), "the data had been acknowledged before the RST")
    behind = [row for row in flow.resets(case.own) if data.frame < row.frame < rst.frame and row.seq == rst.seq]
    absent(behind, "frame {} is a RST with the same number, before")
    case.counted("size", data.length)
    margin = abs(fin.time - data.time)
    case.lasted("margin", margin)
    within_round_trip(case, fin, data)
    first = min(fin, data, key=lambda row: row.frame)
    earlier = flow.before(first)
    need(earlier, "nothing was captured before them")
    case.lasted("idle", min(first.time, fin.time) - earlier[-1].time, fin.time - earlier[-1].time)
    timers_fit(case, fin)
    order = str(case["order"] or "")
    must(not order or ("after the FIN" in order) == (data.frame > fin.frame), f"frame {data.frame} is not {order}")


def within_round_trip(case: Case, fin: Segment, data: Segment) -> None:
    """Neither could have been an answer to the other: what passed second had left before the first arrived. Where the
    FIN passed second, its acknowledgment says so, for the RST shows that the data arrived."""
    first, second = sorted((fin, data), key=lambda row: row.time)
    if second is fin and not fin.covers(data.data_end):
        return
    trip = case.flow.trip(second.side)
    need(trip is not None, "no round trip is known")
    apart = second.time - first.time
    must(apart <= 2 * (trip or 0) + JITTER, f"{apart / 1e6:.3f} ms apart; an answer takes {(trip or 0) / 1e6:.3f} ms")


@predicate("TD307")
def connection_refused(case: Case) -> None:
    syn, rst = case.segment("syn", case.peer), case.segment("rst", case.own)
    must(syn.syn and not syn.has_ack, f"frame {syn.frame} is no SYN")
    must(rst.rst and rst.has_ack, f"frame {rst.frame} is no RST that acknowledges")
    must(rst.ack in (syn.end, (syn.seq + 1) % WORD), f"the RST acknowledges {rst.ack}, the SYN ends at {syn.end}")
    between = [row for row in case.flow.of(case.peer) if syn.frame < row.frame < rst.frame and row.syn]
    absent(between[-1:], "the SYN of frame {} lies between them")
    case.lasted("after", abs(rst.time - syn.time))
    order = str(case["order"] or "")
    must(not order or ("before" in order) == (rst.frame < syn.frame), f"the RST is not {order}")
    syns = [row for row in case.flow.of(case.peer) if row.syn and not row.has_ack]
    resets = [row for row in case.flow.resets(case.own) if row.has_ack and row.ack == rst.ack]
    case.counted("count", *range(min(case.fewest(syns), case.fewest(resets)), max(len(syns), len(resets)) + 1))
    beside_its_answers(case, rst)


def beside_its_answers(case: Case, rst: Segment) -> None:
    """Whether the host's SYN-ACKs, in any connection, came over another number of hops is said where it is so."""
    host = case.flow.ends[case.own]
    answers, said = case.capture.answer_ttls(host), str(case["ttls"] or "")
    trips = [flow.shortest_trip(SERVER) for flow in case.capture.flows.values() if flow.ends[SERVER][0] == host[0]]
    known = [trip for trip in trips if trip]
    sooner = re.search(r"(?:in (\d+) other connections )?took (\d+(?:\.\d+)?) (s|ms|µs) at least", said)
    if sooner:
        least = Duration(round(float(sooner[2]) * UNITS[sooner[3]]), UNITS[sooner[3]] // 2000 + 1)
        must(known and least.is_about(min(known)), f"its answers took {min(known, default=0) / 1e6} ms at least")
        must(case["after"].ns < min(known), "it did not come sooner")
        must(not sooner[1] or int(sooner[1]) == len(known) >= 3, f"{len(known)} connections show that")
        said = said[: sooner.start()]
    told = [int(number) for number in re.findall(r"\d+", said)]
    if sooner and not told:
        return
    if told:
        must(told == [rst.ttl, *sorted(answers)], f"TTL {rst.ttl}, of SYN-ACKs {sorted(answers)}")
        must(all(hops(rst.ttl) != hops(ttl) for ttl in answers), "a SYN-ACK came over as many hops")
    else:
        near = [ttl for ttl in answers if abs(hops(rst.ttl) - hops(ttl)) <= 1]
        must(near or not answers, f"TTL {rst.ttl} fits none of its SYN-ACKs {sorted(answers)}")


@predicate("TD308")
def connection_attempt_unanswered(case: Case) -> None:
    first = case.segment("first", case.peer)
    last = first if case["last"] is None else case.segment("last", case.peer)
    syns = [row for row in case.flow.of(case.peer) if row.syn and not row.has_ack]
    must(syns and syns[0].frame == first.frame and syns[-1].frame == last.frame, "other SYNs are its first and last")
    case.number_of("count", syns)
    if case["s"] is not None:
        must((last is first) == (case["s"] == ""), "one frame or several?")
        must(case["span"] is not None or last.time <= first.time, "the time between them is not told")
    case.lasted("span", last.time - first.time)
    number = (first.seq + 1) % WORD
    replies = [row for row in case.flow.of(case.own) if row.frame > first.frame and in_answer(row, number, syns)]
    absent(replies, "frame {} came back")
    errors = [error for error in case.capture.quoting(case.flow, first) if error.drops]
    if case["icmp"] is None:
        must(len(syns) > 1, "the SYN was not repeated")
        must(not errors, f"ICMP errors in frames {[error.frame for error in errors[:3]]} quote it")
    else:
        answered_by_icmp(case, syns, errors)


def answered_by_icmp(case: Case, syns: list[Segment], errors: list[Error]) -> None:
    """The first of the errors that quote the SYN is told as it stands in the packet."""
    told, last = errors[0], errors[-1]
    must(told.frame == case["icmp"], f"the first ICMP error that quotes it is frame {told.frame}")
    must(told.teller == case["teller"], f"it comes from {told.teller}")
    must(told.words in str(case["icmp_said"]), f"it says: {told.words}")
    must(told.mtu == (case["mtu"] or 0), f"it names the MTU {told.mtu}")
    by_itself = told.teller == case.flow.ends[case.own][0]
    must(("ICMP only" in str(case["did"])) == by_itself, "the server itself answered by ICMP, or another did")
    before = [row for row in syns if row.frame < told.frame]
    must(before, "it came before the SYN")
    case.lasted("delay", told.time - before[-1].time)
    must(case["delay"] is not None or told.time <= before[-1].time, "how long after the SYN it came is not told")
    must(case["last_icmp"] == (None if last is told else last.frame), f"the last one is frame {last.frame}")
    same = {(error.teller, error.kind, error.mtu) for error in errors} == {(told.teller, told.kind, told.mtu)}
    must(last is told or ("again" in str(case["icmp_again"])) == same, "the others say the same, or not")


def in_answer(row: Segment, number: int, syns: list[Segment]) -> bool:
    """It acknowledges the SYN, or comes as soon after one as an answer does."""
    return (row.has_ack and row.ack == number) or any(0 <= row.time - syn.time < SOON for syn in syns)


@predicate("TD309")
def reset_by_third_party(case: Case) -> None:
    rst, why = own_reset(case), str(case["why"] or "")
    need(any(word in why for word in ("TTL", "hops", "continued", "IP id")), f"the clue is not understood: {why}")
    others = [row for row in case.flow.of(case.own) if not row.rst]
    if case["ttl"] is not None:
        case.counted("ttl", rst.ttl)
        need(others, "its sender sent nothing else")
        low, high = min(row.ttl for row in others), max(row.ttl for row in others)
        up_to = f" to {high}" if high > low else ""
        must((case["low"], str(case["up_to"] or "")) == (low, up_to), f"the other segments' TTLs are {low}{up_to}")
    how_others_came(case, rst)
    silence_before(case, rst)
    if case["turned"]:
        copied, before = (
            case.segment("copied", case.peer),
            [row for row in case.flow.before(rst) if row.side != rst.side],
        )
        must(copied is before[-1], f"frame {copied.frame} is not the last of its receiver before it")
        must(rst.ip_id and rst.ip_id == copied.ip_id, f"their IP ids are {rst.ip_id} and {copied.ip_id}")
        must(len({row.ip_id for row in before}) > 1, "its receiver has one IP id for all")
    if "hops" in why:
        must(
            others and hops(rst.ttl) not in {hops(row.ttl) for row in others},
            f"it came over {hops(rst.ttl)} hops as the others did",
        )
    if "TTL" in why or "hops" in why:
        habit = case.capture.answer_ttls(case.flow.ends[case.own])
        if "TTL" in why:  # by hops other RSTs of somebody else would be taken for a habit
            habit |= case.capture.reset_ttls(case.flow.ends[case.own], case.flow)
        must(rst.ttl not in habit, f"others of this host in the whole capture have the TTLs {sorted(habit)}")
        must(rst.ttl not in {row.ttl for row in others}, f"other segments have the TTL {rst.ttl}, too")
    if "far from" in why:
        off_the_count(case, rst)
    if "continued" in why:
        on = went_on(case.flow, case.own, rst)
        must(on, "behind the RST its sender sent nothing new in the same numbers")
        must(case["own"] is None or case["own"] in {row.frame for row in on}, f"frame {case['own']} is nothing new")


def silence_before(case: Case, rst: Segment) -> None:
    """The silence that it ended itself, or that the other side's segment had ended which it met."""
    ended = rst if case["met"] is None else case.segment("met", case.peer)
    earlier = case.flow.before(ended)
    if case["idle"] is not None:
        must(earlier, "nothing was captured before the silence")
        case.lasted("idle", ended.time - earlier[-1].time)
    if ended is not rst:
        after = [row for row in case.flow.before(rst) if row.frame > ended.frame]
        absent([row for row in after if row.side == rst.side], "its sender answered in frame {}")
        must(rst.time - ended.time <= 10**9 + 2 * (case.flow.round_trip or 0), "it came long after that segment")
    timers_fit(case, ended)


def off_the_count(case: Case, rst: Segment) -> None:
    """Its number is far from those of its sender's last segments, which go up one by one."""
    own = [row for row in case.flow.before(rst) if row.side == rst.side]
    counted, ids = case.segment("counted", case.own), [row.ip_id or 0 for row in own[-4:]]
    must(counted is own[-1], f"frame {counted.frame} is not the last of its sender before it")
    must(len(ids) == 4 and all(two == (one + 1) % 65536 for one, two in pairwise(ids)), f"the last IP ids are {ids}")
    away = ((rst.ip_id or 0) - ids[-1]) % 65536
    must(rst.has_ack and rst.ip_id and 1024 < away < 65536 - 1024, f"its IP id {rst.ip_id} is near {ids[-1]}")
    must(rst.time - counted.time <= 20 * 10**6, "it came more than 20 ms later")


def how_others_came(case: Case, rst: Segment) -> None:
    """What is said of the other RSTs and the SYN-ACKs in the host's name."""
    said, host = str(case["habit"] or ""), case.flow.ends[case.own]
    numbers = [int(number) for number in re.findall(r"\d+", said)]
    resets: dict[int, set[int]] = {}
    for flow, row in case.capture.of_host(host):
        if row.rst:
            resets.setdefault(flow.stream, set()).add(row.ttl)
    if "SYN-ACKs" in said:
        must(set(numbers) <= case.capture.answer_ttls(host), "no SYN-ACK has that TTL")
        must(case.finding["confidence"] == "low", "it is told as sure")
    elif "all RSTs" in said:
        must(numbers == [len(resets)] and len(resets) >= 3, f"{len(resets)} connections have RSTs")
        must({hops(ttl) for some in resets.values() for ttl in some} == {hops(rst.ttl)}, "others came over other hops")
    elif said:
        elsewhere = [
            stream for stream, some in resets.items() if some & set(numbers[1:]) and stream != case.flow.stream
        ]
        must(len(elsewhere) == numbers[0], f"{len(elsewhere)} other connections have such RSTs")


def hops(ttl: int) -> int:
    """Over how many routers a packet came, by the usual first values of a TTL."""
    return min(first - ttl for first in (32, 64, 128, 255) if first >= ttl)


def went_on(flow: Flow, side: int, rst: Segment) -> list[Segment]:
    """New data, or a new acknowledgment, of ``side`` behind the RST, in the numbers it had used before; where it is the
    receiver's side, later than a round trip, for what passes sooner was under way."""
    before = [row for row in flow.before(rst) if row.side == side and not row.rst]
    if not before:  # its numbers are not known: it went on where it acknowledges more than the RST
        return [row for row in flow.after(rst) if row.side == side == rst.side and goes_on(row.ack, rst.ack)]
    sent, acked = furthest(row.end for row in before), flow.highest_ack(side, rst)
    least = 0 if side == rst.side else (flow.trip(side) or 0)
    return [
        row
        for row in flow.after(rst)
        if row.side == side
        and not row.syn
        and not row.rst
        and row.time - rst.time >= least
        and (goes_on(row.end, sent) or (row.has_ack and (acked is None or goes_on(row.ack, acked))))
    ]


def goes_on(number: int, known: int | None) -> bool:
    """A little ahead of what is known; far away is another connection."""
    return known is not None and 0 < ahead(number, known) < 2**24


@predicate("TD310")
def reset_ignored(case: Case) -> None:
    flow = case.flow
    rst = case.segment("rst", case.own)
    last = case.segment("last", case.peer)
    must(rst.rst and last.frame > rst.frame, "the frames are not a RST and a later segment")
    resets = flow.resets(case.own)
    case.counted("count", *range(1, len(resets) + 1))
    on = went_on(flow, case.peer, rst)
    must(on, "what it sent later was under way, a repeat or a new SYN")
    shows = last in on or "something new" not in case.finding["message"]
    must(shows, f"frame {last.frame} was under way, a repeat or a new SYN")
    disowned = went_on(flow, case.own, rst)
    if "continued too" in str(case["disowned"] or ""):
        must(disowned, "the alleged sender sent nothing new behind it")


@predicate("TD313")
def accept_queue_full(case: Case) -> None:
    """SYN-ACKs that left later than the ACK of the first can have arrived, or a RST in answer to that ACK: the kernel
    had not taken the connection."""
    flow = case.flow
    syn_acks = [row for row in flow.of(case.own) if row.syn and row.has_ack]
    must(syn_acks, "no SYN-ACK was captured")
    acks = [row for row in flow.of(case.peer) if row.acknowledges(syn_acks[0]) and not row.rst]
    must(acks, "its ACK was not captured")
    must(case.segment("syn_ack", case.own) == syn_acks[0], f"frame {syn_acks[0].frame} is its SYN-ACK")
    trip, resets = flow.trip(case.own) or 0, flow.resets(case.own)
    late = [row for row in syn_acks if row.time > acks[0].time + trip]
    proofs = late or [row for row in resets if not row.has_ack and row.seq == acks[0].ack]
    must(proofs, f"neither a SYN-ACK nor a RST came after its ACK (frame {acks[0].frame}) can have arrived")
    must(("RST" in str(case["what"] or "")) == (proofs is not late), f"it is not true that {case['what']}")
    absent(
        [row for row in flow.of(case.own) if row.length and row.frame < proofs[-1].frame], "frame {} carries data of it"
    )
    case.number_of("count", late or proofs[-1:])
    begins = proofs[0] if late else acks[0]
    must(case.segment("first") == begins, f"frame {begins.frame} is the first of them")
    must(case.segment("last", case.own) == proofs[-1], f"frame {proofs[-1].frame} is the last of them")


@predicate("TD314")
def refused_with_wrong_number(case: Case) -> None:
    """Each RST that answers a SYN acknowledges another number than that SYN's, so that it must be ignored."""
    flow, asker = case.flow, case.peer if case.flow.resets(case.own) else case.own
    syns = [row for row in flow.of(asker) if row.syn and not row.has_ack]
    resets = flow.resets(1 - asker)
    must(syns and resets, "there are no SYNs and RSTs that answer them")
    fitting = [row for row in resets if row.has_ack and any(row.ack in ((s.seq + 1) % WORD, s.end) for s in syns)]
    absent(fitting, "frame {} acknowledges the SYN as it must")
    must(not [row for row in flow.of(1 - asker) if row.syn], "a SYN-ACK came back")
    for syn, after in zip(syns, [*syns[1:], None], strict=True):
        drawn = [row for row in resets if row.frame > syn.frame and (after is None or row.frame < after.frame)]
        must(drawn, f"the SYN of frame {syn.frame} drew no RST")
    case.number_of("syns", syns)
    case.number_of("count", resets)
    syn, rst = case.segment("syn", asker), case.segment("rst", 1 - asker)
    must(rst.rst and rst.frame > syn.frame, "the RST named is none behind the SYN")
    must(syn in syns and not [row for row in syns if syn.frame < row.frame < rst.frame], "the SYN named is another's")


@predicate("TD312")
def half_open_probe(case: Case) -> None:
    syn, rst = case.segment("syn", case.own), case.segment("rst", case.own)
    answer = case.segment("answer", case.peer)
    must(syn.syn and not syn.has_ack, f"frame {syn.frame} is no SYN")
    must(answer.syn and answer.acknowledges(syn), f"frame {answer.frame} is no SYN-ACK for it")
    must(rst.rst and rst.frame > answer.frame, f"frame {rst.frame} is no RST behind the SYN-ACK")
    opened = [row for row in case.flow.covering(case.own, answer.end) if row.frame < rst.frame and not row.rst]
    absent(opened, "frame {} had opened it")
    case.lasted("after", rst.time - answer.time)


@predicate("TD311")
def challenge_ack_loop(case: Case) -> None:
    flow, first, last = case.flow, case.segment("first", case.own), case.segment("last", case.peer)
    rst = case.segment("rst", case.own)
    must(first.rst and rst.rst and rst.seq == first.seq, "the frames are no RSTs with one number")
    awaited = flow.highest_ack(case.peer, first)
    must(awaited is not None and awaited == case["expected"], f"the number awaited is {awaited}")
    assert awaited is not None
    must(0 < ahead(first.seq, awaited) == case["ahead"], f"they lie {ahead(first.seq, awaited)} beyond it")
    asked = [row for row in flow.resets(case.own) if first.frame <= row.frame <= rst.frame]
    nexts = [next((row for row in flow.after(one) if row.side == case.peer), None) for one in asked]
    echo = case["awaits"] != "awaits"
    drawn = [row for row in nexts if row and row.is_pure_ack and row.ack == (first.seq if echo else awaited)]
    case.counted("count", len(drawn))
    must(not echo or last.time - first.time > 10**6, "these ACKs may have been under way when the first RST passed")
    must(drawn and drawn[-1] == last, f"frame {last.frame} is not the last challenge")
    case.happened("when", first)
    case.lasted("span", last.time - first.time)


@predicate("TD315")
def answered_from_elsewhere(case: Case) -> None:
    if case["segment"]:
        goes_on_elsewhere(case)
        return
    syn, second = case.segment("syn", CLIENT), case.capture.flows.get(case["second"])
    must(syn.syn and not syn.has_ack and syn == case.flow.segments[0], f"frame {syn.frame} is not its first SYN")
    absent(case.flow.of(SERVER), "frame {} answers it")
    must(second is not None and case["stream"] == case.flow.stream, "one of the streams is another")
    assert second
    must(second.ends[CLIENT] == case.flow.ends[CLIENT], "the second stream has another client")
    must(second.ends[SERVER] != case.flow.ends[SERVER], "both are the same connection")
    must((case["answerer"], case["answer_port"]) == second.ends[SERVER], f"it was answered by {second.ends[SERVER]}")
    answer = second.at(case["syn_ack"], SERVER)
    must(answer is not None and answer.syn and answer.has_ack, f"frame {case['syn_ack']} is no SYN-ACK")
    assert answer
    must(answer == second.segments[0], "something came before it")
    must(answer.ack == (syn.seq + 1) % WORD, "it acknowledges another number")
    absent([row for row in second.of(CLIENT) if row.syn], "frame {} asked there")
    must(second.resets(CLIENT), "the client did not refuse it")
    case.lasted("delay", answer.time - syn.time)


def goes_on_elsewhere(case: Case) -> None:
    """A segment of another stream has the numbers of this connection, and was refused."""
    flow, second = case.flow, case.capture.flows.get(case["second"])
    must(second is not None and case["stream"] == flow.stream, "one of the streams is another")
    assert second
    stray = second.segments[0]
    must(stray.frame == case["segment"] and not stray.syn, f"it begins with frame {stray.frame}")
    absent([row for row in second.segments if row.syn], "frame {} has SYN")
    to_client = case["receiver"] == "client"
    receiver, sender = (CLIENT, SERVER) if to_client else (SERVER, CLIENT)
    elsewhere = second.ends[stray.side]
    must(second.ends[1 - stray.side] == flow.ends[receiver], "it came to somebody else")
    must((case["elsewhere"], case["elsewhere_port"]) == elsewhere, f"it came from {elsewhere}")
    must(elsewhere != flow.ends[sender], "it came from where the connection is")
    refusals = [row.frame for row in second.resets(1 - stray.side)]
    must(refusals and case["refusal"] in (None, *refusals), f"it was refused in frames {refusals}")
    must(case["began"] == flow.segments[0].frame, f"it began in frame {flow.segments[0].frame}")
    first = [next((row for row in flow.of(side) if row.syn), None) for side in (CLIENT, SERVER)]
    mine, other = first[sender], first[receiver]
    need(mine and other, "a SYN was not captured")
    assert mine and other
    must(ahead(stray.seq, mine.seq) == case["sent"], f"it lies {ahead(stray.seq, mine.seq)} beyond the first number")
    must(ahead(stray.ack, other.seq) == case["acked"], f"it acknowledges {ahead(stray.ack, other.seq)}")
    ends = [
        max(ahead(row.seq, first.seq) + row.length for row in flow.of(side))
        for side, first in ((sender, mine), (receiver, other))
    ]
    must(0 < case["acked"] <= ends[1] + 1, "the receiver had not come to the acknowledged number")
    must(0 < case["sent"] <= ends[0] + 65_537, "the sender had not come to that number")

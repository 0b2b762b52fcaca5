"""TD4xx and TD5xx: timers, waiting, and the reuse of the same addresses and ports."""

from itertools import pairwise

from tests.second_opinion.closing import answers, is_probe
from tests.second_opinion.fins import in_time_wait
from tests.second_opinion.opinion import Case, absent, must, need, predicate
from tests.second_opinion.packets import Flow, Segment, ahead
from tests.second_opinion.silences import had_survived, timers_fit

WORD = 1 << 32
TEN_MINUTES = 600 * 10**9
LONGEST_WAIT = 60 * 10**9  # from here on the gaps between repeats do not grow (RFC 6298 2.5)


@predicate("TD402")
def keepalive_gave_up(case: Case) -> None:
    last = case.segment("last", case.own)
    flow = case.flow
    probes = [row for row in flow.of(case.own) if row.seq == last.seq and row.length <= 1 and is_probe(flow, row)]
    heard_last = [row for row in flow.of(case.peer) if row.frame < last.frame and not is_probe(flow, row)][-1:]
    if heard_last:
        probes = [row for row in probes if row.frame > heard_last[0].frame]
    must(probes and probes[-1].frame == last.frame, f"frame {last.frame} is not its last probe")
    case.number_of("count", probes)
    case.happened("when", probes[0])
    case.lasted("span", probes[-1].time - probes[0].time)
    case.lasted("silent", probes[0].time - heard_last[0].time if heard_last else 0)
    timers_fit(case, probes[0])
    absent(
        [row for row in flow.of(case.peer) if row.frame > last.frame and not is_probe(flow, row)], "frame {} answers"
    )
    if "probes of the other side" in case.finding["message"]:
        theirs = [row for row in flow.of(case.peer) if row.frame > probes[0].frame and is_probe(flow, row)]
        must(theirs, "no probe of the other side came meanwhile")
    rest(case, last)


def rest(case: Case, last: Segment) -> None:
    """Then a RST of the same endpoint, or nothing of it at all."""
    later = [row for row in case.flow.after(last) if row.side == case.own]
    if case["rst"] is not None:
        must(case.segment("rst", case.own).rst, f"frame {case['rst']} is no RST")
        must(later and later[0].rst, "something else came first")
    elif "nothing" in str(case["end"] or ""):
        absent(later, "frame {} came after it")


@predicate("TD403")
def retransmission_gave_up(case: Case) -> None:
    flow, last = case.flow, case.segment("last", case.own)
    must(last.length, f"frame {last.frame} carries no data")
    sent = [row for row in flow.of(case.own) if row.length and carries(row, last.seq) and row.frame <= last.frame]
    must(len(sent) > 1, f"the data of frame {last.frame} were sent once")
    number = (last.seq + 1) % WORD
    absent(list(flow.covering(case.peer, number)), "frame {} acknowledges the data")
    sack = case.capture.sacked(flow, case.peer, last)
    must(sack is None, f"frame {sack} acknowledges them by SACK")
    case.number_of("count", sent[1:])
    case.happened("when", sent[1])
    case.lasted("span", last.time - sent[1].time)
    gaps = [b.time - a.time for a, b in pairwise(sent)]
    must(len(gaps) >= 2, f"repeated {len(gaps)} times only")
    backed_off = max(gaps) >= 1.4 * min(gaps) or min(gaps) > LONGEST_WAIT
    must(backed_off, f"no back-off: gaps of {min(gaps) / 1e9:.3f} to {max(gaps) / 1e9:.3f} s")
    told_by_icmp(case)
    earlier = flow.before(sent[0])
    case.lasted("idle", sent[0].time - earlier[-1].time if earlier else 0)
    timers_fit(case, sent[0])
    had_survived(case, sent[0])
    if case["apart"]:
        must(all(abs(gap - 120e9) <= 2e9 for gap in gaps[1:]), f"gaps of {gaps[1:]} ns")
    only_large_lost(case, sent)
    rest(case, last)
    if case["rst"] is None:
        must(case.capture.last - last.time > gaps[-1], "the capture ended before the next repeat was due")


def only_large_lost(case: Case, sent: list[Segment]) -> None:
    """Where the size of what is repeated is told, all repeats have it, nothing as large was acknowledged, by ACK or
    SACK, something smaller was, and the other side acknowledged something else after it was sent."""
    if not case["size"]:
        return
    flow, size, answer = case.flow, case["size"], case.segment("answered", case.peer)
    must({row.length for row in sent[1:]} == {size}, "the repeats have other sizes")
    data = [row for row in flow.of(case.own) if row.length]
    acked = [row.length for row in data if list(flow.covering(case.peer, row.data_end))]
    must(acked and max(acked) == case["acked_size"] < size, "the largest that was acknowledged has another size")
    for row in data:
        must(row.length < size or case.capture.sacked(flow, case.peer, row) is None, f"frame {row.frame} arrived")
    before = [row for row in flow.of(case.peer) if row.frame < answer.frame and row.ack == sent[0].seq]
    must(answer.frame > sent[0].frame and answer.is_pure_ack, f"frame {answer.frame} came before the data")
    must(answer.ack == sent[0].seq, "it acknowledges another number")
    must(before, "no acknowledgment of that number came before")


def told_by_icmp(case: Case) -> None:
    """Where ICMP errors quote its segments, and none of them its SYN, the first and the last are told."""
    flow = case.flow
    syns = [error for row in flow.of(case.own) if row.syn for error in case.capture.quoting(flow, row)]
    found = {e.frame: e for row in flow.of(case.own) for e in case.capture.quoting(flow, row) if e.drops}
    errors = [found[frame] for frame in sorted(found)]
    if case["icmp"] is None:
        must(syns or not errors, f"ICMP errors in frames {[error.frame for error in errors[:3]]} quote it")
        return
    must(errors and errors[0].frame == case["icmp"], "another is the first ICMP error that quotes it")
    must(errors[0].teller == case["teller"], f"it comes from {errors[0].teller}")
    must(errors[0].words in str(case["icmp_said"]), f"it says: {errors[0].words}")
    must(errors[0].mtu == (case["mtu"] or 0), f"it names the MTU {errors[0].mtu}")
    must(errors[-1].frame == (case["last_icmp"] or case["icmp"]), f"the last is frame {errors[-1].frame}")
    differ = len({(error.teller, error.kind, error.mtu) for error in errors}) > 1
    must(not case["last_icmp"] or ("other" in str(case["icmp_again"])) == differ, "do all of them say the same?")


def carries(row: Segment, number: int) -> bool:
    """Whether a segment carries the byte of that number."""
    return ahead(number, row.seq) >= 0 and ahead(number, row.data_end) < 0


@predicate("TD404")
def zero_window_stall(case: Case) -> None:
    flow, shut = case.flow, case.segment("frame", case.own)
    must(shut.window == 0 and not shut.rst, f"frame {shut.frame} does not close the window")
    case.happened("since", shut)
    end = flow.at(case["rst"])
    must(end is not None, f"frame {case['rst']} is none of this connection")
    assert end
    opened = [r for r in flow.of(case.own) if shut.frame < r.frame < end.frame and r.window and not r.rst]
    absent(opened, "frame {} opens the window")
    case.lasted("stall", end.time - shut.time)
    if case["until"] == ", up to its last segment":
        must(case["least"], "it is not said that this is the least")
        must(end == flow.of(case.own)[-1] and not end.window, f"frame {end.frame} is not its last, or opens the window")
        absent([row for row in flow.segments if row.rst], "frame {} is a RST")
    else:
        must(end.rst, f"frame {end.frame} is no RST")
        role = "the other side" if end.side != case.own else "it"
        must(case["until"] == f", until {role} reset the connection", f"who reset is another: {case['until']}")
    asked = [row for row in flow.of(case.peer) if shut.frame < row.frame and (not end.rst or row.frame < end.frame)]
    sent = {row.seq for row in flow.of(case.peer) if row.frame < shut.frame and row.length}
    probes = []
    for row in asked:
        if row.seq == (shut.ack - 1) % WORD or (row.seq == shut.ack and (row.length == 1 or row.seq in sent)):
            probes.append(row)
        sent |= {row.seq} if row.length else set()
    case.number_of("tries", probes)
    must(probes[-1].frame == case["last"], f"frame {case['last']} is not the last of them")
    if case["silent"] is not None:
        case.lasted("silent", case.ran_on(flow.of(case.peer)[-1].time))


@predicate("TD405")
def fin_wait_2_expired(case: Case) -> None:
    fin, ack = case.segment("fin", case.own), case.segment("ack", case.peer)
    probe, rst = case.segment("probe", case.peer), case.segment("rst", case.own)
    must(fin.fin and ack.acknowledges(fin), f"frame {ack.frame} does not cover the FIN of frame {fin.frame}")
    must(not [row for row in case.flow.fins(case.peer) if row.frame < rst.frame], "the peer's FIN had come")
    must(is_probe(case.flow, probe), f"frame {probe.frame} is no keep-alive probe")
    must(rst.rst and rst.frame > probe.frame, f"frame {rst.frame} is no RST behind the probe")
    answers(rst, probe)
    case.happened("acked", ack)
    case.happened("when", rst)


@predicate("TD501")
def tuple_reused_in_time_wait(case: Case) -> None:
    syn = case.segment("syn")
    answer = case.segment("answer", 1 - syn.side)
    must(syn.syn and not syn.has_ack, f"frame {syn.frame} is no SYN")
    must(answer.syn and answer.acknowledges(syn), f"frame {answer.frame} does not accept it")
    case.happened("when", syn)
    earlier = case.capture.named(case.flow.ends, case.flow.stream)
    need(earlier, "the older connection is not in the capture")
    old = earlier[-1]
    holder = old.ends.index(case.flow.ends[case.own])
    fins = old.fins(1 - holder)
    must(old.fins(holder) and fins, "the older connection was not closed by two FINs")
    acks = list(old.covering(holder, fins[0].end))
    must(acks, "the last FIN was not acknowledged")
    own = old.fins(holder)[0]
    freed = old.first_covering(1 - holder, own.end)
    must(freed is not None, "the FIN of the side in TIME_WAIT was not acknowledged")
    assert freed
    begun = max(acks[0].time, freed.time)
    slack = (old.round_trip or 0) + (case.flow.round_trip or 0)
    case.lasted("held", syn.time - begun - slack, syn.time - min(begun, fins[0].time) + slack)
    rule_fits(case, old, holder, syn)


def rule_fits(case: Case, old: Flow, holder: int, syn: Segment) -> None:
    """By its number, by its timestamp, or because the TIME_WAIT was the client's own."""
    rule = str(case["rule"] or "")
    asker = 1 - holder if case.own != syn.side else holder
    rows = [row for row in old.of(asker) if not row.rst]
    if "sequence number" in rule:
        must(all(ahead(syn.seq, row.end) >= 0 for row in rows), "its number is not beyond the old connection's")
    elif "timestamp" in rule:
        clocks = [row.ts_val for row in rows if row.ts_val is not None]
        must(syn.ts_val is not None and clocks, "there are no timestamps")
        must(all(ahead(syn.ts_val or 0, clock) > 0 for clock in clocks), "its timestamp is not newer")
    elif "own choice" in rule:
        must(case.own == syn.side, "the TIME_WAIT was the other side's")
    else:
        need(False, f"the rule is not understood: {rule}")


@predicate("TD502")
def reuse_delayed(case: Case) -> None:
    flow, syn = case.flow, case.segment("syn", case.peer)
    must(syn.syn and not syn.has_ack, f"frame {syn.frame} is no SYN")
    case.happened("when", syn)
    syns = [row for row in flow.of(case.peer) if row.syn and not row.has_ack]
    answer = next((row for row in flow.of(case.own) if row.syn and row.acknowledges(syn)), None)
    case.number_of("count", syns)
    stale = [row for row in flow.of(case.own) if stray(row, syn) and (answer is None or row.frame < answer.frame)]
    answered = str(case["reply"])
    if "old acknowledgment" in answered:
        must(("acknowledgments" in answered) == (len(stale) > 1), f"{len(stale)} came back")
        named = case.segment("stale_frame", case.own)
        must(named in stale, f"frame {named.frame} is no acknowledgment of an older connection")
        prompt = [row for row in syns if row.frame < named.frame]
        must(prompt, "no SYN came before it")
        trip = flow.round_trip or 10**9
        behind = named.time - prompt[-1].time
        must(behind <= max(trip, 10**9), f"it came {behind / 1e9:.1f} s behind")
    else:
        must(not stale, "an old acknowledgment came back")
    answered_after(case, syns, answer)
    old_state(case)


def answered_after(case: Case, syns: list[Segment], answer: Segment | None) -> None:
    """When the SYN-ACK came, or for how long none did; and how long the sender of the SYN waited after its RST."""
    must(("no SYN-ACK" in str(case["end"] or "")) == (answer is None), f"whether it was answered: {case['end']}")
    last = answer or case.flow.of(case.peer)[-1]
    case.lasted("delay", last.time - syns[0].time)
    must(case["end_frame"] in (None, last.frame), f"frame {last.frame} is that segment")
    if case["wait"] is not None:
        first = case.segment("rst", case.peer)
        must(first.rst, f"frame {first.frame} is no RST")
        rows = [row for row in case.flow.of(case.peer) if row.rst or row in syns]
        pairs = [(row, later) for row, later in pairwise(rows) if row.rst and later in syns]
        must(pairs and rows[rows.index(first) - 1] is syns[0], f"frame {first.frame} is not the first RST")
        case.lasted("wait", sum(later.time - row.time for row, later in pairs))


def stray(row: Segment, syn: Segment) -> bool:
    """An acknowledgment that does not fit the SYN."""
    return row.has_ack and not row.syn and not row.rst and row.ack != (syn.seq + 1) % WORD


def old_state(case: Case) -> None:
    """The state of the older connection is that in which its timeline leaves this endpoint."""
    told = str(case["old"] or "")
    earlier = case.capture.named(case.flow.ends, case.flow.stream)
    if "not captured" in told or "still in" in told:
        must("old acknowledgment" in str(case["reply"]), "no sign of an older connection")
        must("not captured" in told or earlier, "there is no older connection in the capture")
        return
    must(earlier, "there is no older connection in the capture")
    role = "client" if earlier[-1].ends.index(case.flow.ends[case.own]) == 0 else "server"
    states = [str(row["state"]) for row in earlier[-1].timeline if row["endpoint"] == role]
    must(any(state in told for state in states), f"the older connection's {role} was in {states[-1:]}")


@predicate("TD503")
def time_wait_assassinated(case: Case) -> None:
    rst = case.segment("rst", case.peer)
    must(rst.rst, f"frame {rst.frame} is no RST")
    case.happened("when", rst)
    in_time_wait(case, case.own, rst)
    fins = case.flow.fins(case.peer)
    must(fins, "the peer had sent no FIN")
    acks = [row for row in case.flow.covering(case.own, fins[0].end) if row.frame < rst.frame]
    must(acks, "its FIN had not been acknowledged")
    must(rst.seq == acks[-1].ack, f"the RST has the number {rst.seq}, awaited was {acks[-1].ack}")
    own = case.flow.first_covering(case.peer, case.flow.fins(case.own)[0].end)
    assert own
    begun = max(acks[0].time, own.time)
    slack = case.flow.round_trip or 0
    case.lasted("held", rst.time - begun - slack, rst.time - min(begun, fins[0].time) + slack)


@predicate("TD407")
def silent_without_keepalive(case: Case) -> None:
    flow = case.flow
    last = flow.segments[-1]
    must(last.frame == case["last"], f"frame {last.frame} is its last")
    absent([row for row in flow.segments if row.fin or row.rst], "frame {} closes")
    absent([row for row in flow.segments if is_probe(flow, row)], "frame {} is a keep-alive")
    must(flow.of(0) and flow.of(1), "one side was not captured")
    ends = {flow.segments[0].time for flow in case.capture.flows.values()}
    ends |= {flow.segments[-1].time for flow in case.capture.flows.values()} | {case.capture.last}
    known = last.time
    for moment in sorted(ends):
        if last.time < moment <= known + TEN_MINUTES:
            known = moment
    threshold = case.capture.settings.open_silence_ns
    must(known - last.time > threshold, f"the capture is known to have run for {(known - last.time) / 1e9:.3f} s")
    one = case.capture.path.is_file()  # else a gap between files may end what is known
    case.lasted("idle", known - last.time if one else threshold, known - last.time)

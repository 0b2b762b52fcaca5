"""Predicates of the findings about all connections of a capture: ports in TIME_WAIT, outages, floods.

Numbers are counted the slow way, moment by moment.
"""

import re

from analyzer.tcp.timers import timers_of
from tests.second_opinion.claims import Duration
from tests.second_opinion.opinion import Case, must, predicate
from tests.second_opinion.packets import CLIENT, SERVER, Flow, Segment

SECOND = 10**9


def moment(case: Case, name: str, time: int) -> None:
    """The moment claimed as ``name``, which counts from the capture's first frame, is ``time``."""
    claimed = case[name]
    must(not isinstance(claimed, Duration) or claimed.is_about(time - case.capture.first), f"{name} was another time")


def service(case: Case) -> list[Flow]:
    """The connections to the server's address and port, in the order of time."""
    end = case.finding["server_ip"], case.finding["server_port"]
    return sorted(
        (flow for flow in case.capture.flows.values() if flow.ends[SERVER] == end and flow.captured), key=begin
    )


def begin(flow: Flow) -> int:
    return flow.start


def is_completed(flow: Flow) -> bool:
    """Whether SYN, SYN-ACK and an acknowledgment of that were captured."""
    answer = [row for row in flow.of(SERVER) if row.syn and row.has_ack]
    return bool(answer) and any(row.has_ack and not row.rst and row.acknowledges(answer[0]) for row in flow.of(CLIENT))


@predicate("TD316")
def half_open_flood(case: Case) -> None:
    least = case.capture.settings.half_open
    mine = [flow for flow in service(case) if stays_half_open(flow, case.capture.last)]
    must(len(mine) >= least, f"only {len(mine)} stayed half-open")
    case.counted("count", len(mine))
    case.counted("sources", sources := len({flow.ends[CLIENT][0] for flow in mine}))
    must(sources >= 10, f"they came from {sources} addresses")
    moment(case, "first", mine[0].start)
    moment(case, "last", mine[-1].start)
    case.counted("syn", mine[0].captured[0].frame)
    case.counted("last_syn", mine[-1].captured[0].frame)
    dense = max(sum(one.start <= other.start <= one.start + 10 * SECOND for other in mine) for one in mine)
    case.counted("dense", dense)
    case.lasted("within", 10 * SECOND)
    must(dense >= least, f"no more than {dense} of them began within ten seconds")
    repeated = [flow for flow in mine if len(flow.of(SERVER)) > 1]
    told = [int(number) for number in re.findall(r"\d+", str(case["held"]))]
    peak = max(sum(other.start <= one.start < other.captured[-1].time for other in mine) for one in mine)
    must(told == ([len(repeated), peak] if repeated else []), f"{len(repeated)} repeated, {peak} at the same time")
    until = max(flow.captured[-1].time for flow in mine)
    done = [flow for flow in service(case) if is_completed(flow) and mine[0].start <= flow.start <= until]
    told = [int(number) for number in re.findall(r"\d+", str(case["served"]))]
    must(told == ([len(done)] if done else []), f"{len(done)} were completed meanwhile")


def stays_half_open(flow: Flow, last: int) -> bool:
    """Whether there is one SYN, and nothing but SYN-ACKs behind it until a second before the capture's end."""
    asked, answers = flow.of(CLIENT), flow.of(SERVER)
    once = len(asked) == 1 and asked[0].syn and not asked[0].has_ack
    answered = bool(answers) and all(row.syn and row.has_ack and not row.rst for row in answers)
    return once and answered and flow.captured[-1].time <= last - SECOND


@predicate("TD317")
def service_outage(case: Case) -> None:
    least, all_of_it = case.capture.settings.outage, service(case)
    failed = [flow for flow in all_of_it if failure(flow, case.capture.last)]
    taken = [flow for flow in all_of_it if is_completed(flow)]
    must(taken, "the service took no connection")
    first, last = (flow_of(case, name) for name in ("syn", "last_syn"))
    mine = [flow for flow in failed if first.start <= flow.start <= last.start]
    must(len(mine) >= least, f"only {len(mine)} failed")
    must(first in failed and last in failed, "the SYNs named did not fail")
    moment(case, "first", first.start)
    moment(case, "last", last.start)
    refused, ignored = (
        [flow for flow in mine if failure(flow, case.capture.last) == how] for how in ("refused", "ignored")
    )
    told = [int(number) for number in re.findall(r"\d+", str(case["how"]))]
    parts = [len(refused), len(mine), len(ignored)] if refused and ignored else [len(mine)]
    must(told == parts, f"{len(refused)} refused, {len(ignored)} not answered")
    must(("refused" in str(case["how"])) == bool(refused), "none was refused")
    case.counted("clients", len({flow.ends[CLIENT][0] for flow in mine}))
    clients_taken = {flow.ends[CLIENT][0] for flow in taken}
    strange = not any(flow.ends[CLIENT][0] in clients_taken for flow in mine)
    must(bool(case["strangers"]) == strange, f"the clients that failed are {'' if strange else 'not '}all strangers")
    beside = [flow for flow in taken if first.start < flow.start < last.start]
    must(str(case["meanwhile"]) == (str(len(beside)) if beside else "none"), f"{len(beside)} were taken meanwhile")
    for name, rows in (
        ("earlier", [flow for flow in taken if flow.start < first.start][-1:]),
        ("later", [flow for flow in taken if flow.start > last.start][:1]),
    ):
        told = re.findall(r"\d+\.\d{6}", str(case[name] or ""))
        must(bool(told) == bool(rows), f"of those taken {name} there are {len(rows)}")
        passed = [flow.start - case.capture.first for flow in rows]
        must(
            all(abs(float(text) * SECOND - time) < 600 for text, time in zip(told, passed, strict=True)), f"not {name}"
        )
        must(case[f"{name}_frame"] in ([flow.captured[0].frame for flow in rows] or [None]), f"not the frame {name}")


def failure(flow: Flow, last: int) -> str:
    """How an attempt failed: "refused" by a RST that acknowledges the SYN, "ignored" by all; nothing if it did not."""
    asked, answers = [row for row in flow.of(CLIENT) if row.syn and not row.has_ack], flow.of(SERVER)
    if not asked or is_completed(flow):
        return ""
    if not answers and all(row.syn for row in flow.of(CLIENT)):
        return "ignored" if flow.captured[-1].time <= last - SECOND else ""
    refusals = [row for row in answers if row.rst and row.has_ack and any(row.ack == syn.end for syn in asked)]
    return "refused" if refusals and not any(row.syn for row in answers) else ""


def flow_of(case: Case, name: str) -> Flow:
    """The connection that begins with the frame which the message names."""
    found = [flow for flow in case.capture.flows.values() if flow.captured and flow.captured[0].frame == case[name]]
    must(found, f"frame {case[name]} ({name}) begins no connection")
    return found[0]


@predicate("TD504")
def time_wait_pile_up(case: Case) -> None:
    settings, finding = case.capture.settings, case.finding
    timer = timers_of(settings).time_wait.length
    mine = [flow for flow in service(case) if flow.ends[CLIENT][0] == finding["client_ip"]]
    stays = {flow.stream: stay for flow in mine if (stay := waiting(flow, timer))}
    spans = [
        (start, min([end, *next_from(flow, mine)])) for flow in mine for start, end in [stays.get(flow.stream, (0, 0))]
    ]
    spans = [(start, end) for start, end in spans if end > start]
    case.counted("count", len(spans))
    case.lasted("timer", timer)
    peak = max((sum(start <= time < end for start, end in spans) for time, _ in spans), default=0)
    case.counted("peak", peak)
    case.counted("share", 100 * peak // settings.ephemeral_ports)
    must(100 * peak >= settings.ports_used_percent * settings.ephemeral_ports - 100, f"{peak} at the same time")
    reached = min(time for time, _ in spans if sum(start <= time < end for start, end in spans) == peak)
    moment(case, "peak_time", reached)
    span = reached - min(start for start, _ in spans)
    must(span >= 60 * SECOND or "per minute" not in finding["message"], f"growth from {span / SECOND:.3f} s")


def waiting(flow: Flow, timer: int) -> tuple[int, int] | None:
    """From when to when the client is in TIME_WAIT, if it closed first: it has acknowledged the server's FIN."""
    own, peers = flow.fins(CLIENT)[:1], flow.fins(SERVER)[:1]
    if not own or not peers or (own[0].acknowledges(peers[0]) and not peers[0].acknowledges(own[0])):
        return None
    both = flow.first_covering(CLIENT, peers[0].end), flow.first_covering(SERVER, own[0].end)
    if both[0] is None or both[1] is None:
        return None
    start = max(row.time for row in both if row is not None)
    return start, min([start + timer, *(row.time for row in resets(flow))])


def resets(flow: Flow) -> list[Segment]:
    return flow.resets(CLIENT) + flow.resets(SERVER)


def next_from(flow: Flow, others: list[Flow]) -> list[int]:
    """When the next connections on the same addresses and ports began."""
    return [other.start for other in others if other.ends == flow.ends and other.start > flow.start]

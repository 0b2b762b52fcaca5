"""Message, ``timeline``, ``flows`` and ladder say the same of every connection.

A check is a generator over one connection: it yields a sentence for each contradiction. None of them asks whether the
program is right about the network, only whether its tables agree with one another and with the times of the frames.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from analyzer.views.ladder import ladder_lines
from tests.second_opinion.capture import SIDES, Capture
from tests.second_opinion.packets import Flow, Segment
from tests.second_opinion.sources import short

STATES = (
    "LISTEN|SYN_SENT|SYN_RECEIVED|ESTABLISHED|FIN_WAIT_1|FIN_WAIT_2|CLOSE_WAIT|CLOSING|LAST_ACK|TIME_WAIT|CLOSED|"
    "UNKNOWN"
)
STATE = re.compile(rf"\b({STATES})\b")
STEP = re.compile(r"^\s*-?\d+\.\d{6}\s")
ROLES = ("client", "server")
STATES_ALONE = re.compile(rf"^(\s*({STATES})\W?)+\s*$")
END = "capture-end"
NOT_CAPTURED = "not captured"  # says the note of a FIN that only acknowledgments show
THIRD_PARTY = "third-party"
COLUMNS = 160
OF_THE_OLD = {"TD501", "TD502"}  # they name states of the older connection
MICROSECOND = 1000

Rows = list[dict[str, Any]]
Check = Callable[[Capture, Flow], Iterator[str]]
CHECKS: list[Check] = []


@dataclass(frozen=True)
class Contradiction:
    capture: str
    stream: int
    check: str
    reason: str


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


def contradictions(capture: Capture) -> list[Contradiction]:
    """All that contradicts itself in what is said of a capture."""
    return [
        Contradiction(short(capture.path), flow.stream, function.__name__, reason)
        for flow in capture.flows.values()
        if flow.row
        for function in CHECKS
        for reason in function(capture, flow)
    ]


def rows_of(flow: Flow, role: str) -> Rows:
    return [row for row in flow.timeline if row["endpoint"] == role]


def findings_of(capture: Capture, flow: Flow) -> Rows:
    return [row for row in capture.findings if row["stream"] == flow.stream]


def passed(flow: Flow, row: dict[str, Any]) -> int | None:
    """When the frame of a row passed the tap."""
    segment = flow.at(row["frame"])
    return None if segment is None else segment.time


@check
def states_follow_one_another(capture: Capture, flow: Flow) -> Iterator[str]:
    """Each row begins in the state in which the one before ended, and none is earlier."""
    for role in ROLES:
        rows = rows_of(flow, role)
        for before, row in pairwise(rows):
            if row["from_state"] != before["state"]:
                leads = f"{before['event']} leads to {before['state']}"
                yield f"{role}: {leads}, {row['event']} comes from {row['from_state']}"
            if None not in (row["time_epoch"], before["time_epoch"]) and row["time_epoch"] < before["time_epoch"]:
                yield f"{role}: {row['event']} (frame {row['frame']}) is earlier than {before['event']} before it"


@check
def times_lie_within_their_bounds(capture: Capture, flow: Flow) -> Iterator[str]:
    for row in flow.timeline:
        early, best, late = row["earliest_epoch"], row["time_epoch"], row["latest_epoch"]
        if None not in (early, best) and best < early:
            yield f"{row['endpoint']}: {row['event']} is {early - best} ns before its earliest time"
        if None not in (late, best) and best > late:
            yield f"{row['endpoint']}: {row['event']} is {best - late} ns behind its latest time"


@check
def nothing_comes_before_its_cause(capture: Capture, flow: Flow) -> Iterator[str]:
    """An endpoint receives nothing before it has passed the tap for the first time."""
    for row in flow.timeline:
        cause, shown = cause_of(flow, row), passed(flow, row)
        if cause is None or (shown is not None and shown < cause):  # the file has them in the wrong order
            continue
        for name in ("time_epoch", "earliest_epoch"):
            if row[name] is not None and row[name] < cause:
                yield f"{row['endpoint']}: {name} of {row['event']} lies {cause - row[name]} ns before its cause passed"


def cause_of(flow: Flow, row: dict[str, Any]) -> int | None:
    """When that which ``row`` says an endpoint received first passed the tap."""
    side = SIDES[row["endpoint"]]
    sent = flow.of(1 - side)
    if row["event"] == "peer-fin":
        times = [other.time for other in sent if other.fin]
    elif row["event"] == "fin-acked":
        own = flow.fins(side)
        times = [other.time for other in flow.covering(1 - side, own[0].end)] if own else []
    elif row["event"] == "peer-rst":
        times = [other.time for other in sent if other.rst]
    elif row["event"] == "ack":
        numbers = {(other.seq + 1) % 2**32 for other in flow.of(side) if other.syn}
        times = [other.time for other in sent if other.has_ack and other.ack in numbers]
    else:
        return None
    return min(times, default=None)


@check
def what_is_sent_was_sent_before_it_passed(capture: Capture, flow: Flow) -> Iterator[str]:
    for row in flow.timeline:
        time = passed(flow, row)
        if row["basis"] != "sent" or time is None or row["time_epoch"] is None:
            continue
        if flow.at(row["frame"], SIDES[row["endpoint"]]) is None:
            yield f"{row['endpoint']}: {row['event']} is called sent, and frame {row['frame']} is the other side's"
        elif row["time_epoch"] > time and not flow.runs_backward:
            yield f"{row['endpoint']}: {row['event']} is {row['time_epoch'] - time} ns behind its frame {row['frame']}"


@check
def flows_end_in_the_states_of_the_timeline(capture: Capture, flow: Flow) -> Iterator[str]:
    for role in ROLES:
        rows = rows_of(flow, role)
        if rows and rows[-1]["state"] != flow.row[f"{role}_state"]:
            yield f"{role}: flows says {flow.row[f'{role}_state']}, the timeline ends in {rows[-1]['state']}"


@check
def fins_are_those_of_the_timeline(capture: Capture, flow: Flow) -> Iterator[str]:
    for role in ROLES:
        told = flow.row[f"{role}_fin_epoch"]
        unseen = [row for row in rows_of(flow, role) if row["event"] == "fin" and NOT_CAPTURED in str(row["note"])]
        captured = ("fin", "fin-retransmitted") if unseen else ("fin",)
        rows = [row for row in rows_of(flow, role) if row["event"] in captured and row not in unseen]
        if (told is None) != (not rows):
            yield f"{role}: fin_epoch is {told}, the timeline has {len(rows)} rows of its FIN"
        elif rows and told not in (passed(flow, rows[0]), rows[0]["time_epoch"]):
            yield f"{role}: fin_epoch is {told}, that of its FIN in frame {rows[0]['frame']} {passed(flow, rows[0])}"


@check
def acknowledged_fins_are_those_of_the_timeline(capture: Capture, flow: Flow) -> Iterator[str]:
    for role in ROLES:
        told = flow.row[f"{role}_fin_acked_epoch"]
        rows = [row for row in rows_of(flow, role) if row["event"] in ("fin-acked", "fin-acked-again")]
        if told is None and rows:
            yield f"{role}: fin_acked_epoch is empty, the timeline has its FIN acknowledged in frame {rows[0]['frame']}"
        if told is not None and told not in {row.time for row in flow.of(1 - SIDES[role]) if row.has_ack}:
            yield f"{role}: fin_acked_epoch is no time of an acknowledgment"


@check
def who_reset_is_who_sent_the_reset(capture: Capture, flow: Flow) -> Iterator[str]:
    """``rst_by`` is an endpoint that enters CLOSED by its own RST, unless the other ignores that; it is empty where the
    RST that counted was a third party's."""
    told, cause = flow.row["rst_by"], flow.row["rst_cause"]
    left = {role: [row for row in rows_of(flow, role) if leaves_by_reset(row)] for role in ROLES}
    ignored = {row["frame"] for row in flow.timeline if row["event"] == "rst-ignored"}
    counted = [role for role in ROLES if left[role] and left[role][0]["frame"] not in ignored]
    if counted and told not in counted and cause != THIRD_PARTY:
        yield f"the {counted[0]} left by its RST (frame {left[counted[0]][0]['frame']}), rst_by is {told}"
    if told and not flow.resets(SIDES[str(told)]):
        yield f"rst_by is {told}, which sent no RST"
    if bool(told) != bool(cause) and cause != THIRD_PARTY:
        yield f"rst_by is {told}, rst_cause is {cause}"


def leaves_by_reset(row: dict[str, Any]) -> bool:
    return bool(row["event"] == "rst" and row["basis"] == "sent" and row["state"] != row["from_state"])


@check
def how_it_ended_is_what_happened(capture: Capture, flow: Flow) -> Iterator[str]:
    word = flow.row["teardown"]
    fins = [role for role in ROLES if flow.row[f"{role}_fin_epoch"] is not None]
    acked = [role for role in ROLES if flow.row[f"{role}_fin_acked_epoch"] is not None]
    reset = flow.row["rst_by"] or flow.row["rst_cause"] == THIRD_PARTY
    if word in ("graceful", "simultaneous") and (len(fins) < 2 or len(acked) < 2):
        yield f"{word}, with FINs of {fins} and acknowledgments of those of {acked}"
    if word == "half-closed" and (not fins or len(acked) == 2 == len(fins)):
        yield f"half-closed, with FINs of {fins} and acknowledgments of those of {acked}"
    if word in ("reset", "aborted") and not reset:
        yield f"{word}, and nobody reset it"
    if word == "reset" and not fins:
        yield "reset after a FIN, and there is no FIN"
    if word == "aborted" and fins_before_resets(flow):
        yield f"aborted without a FIN, and frame {fins_before_resets(flow)[0].frame} is one"
    if word == "open" and (fins or reset):
        yield f"open, with FINs of {fins} and a RST of {reset}"


def fins_before_resets(flow: Flow) -> list[Segment]:
    """FINs that passed before the first RST."""
    resets = [row.frame for side in (0, 1) for row in flow.resets(side)]
    return [row for side in (0, 1) for row in flow.fins(side) if resets and row.frame < min(resets)]


@check
def who_closed_first_is_first(capture: Capture, flow: Flow) -> Iterator[str]:
    told = flow.row["closed_by"]
    closed = [role for role, side in SIDES.items() if flow.fins(side) or flow.resets(side)]
    own = [role for role in ROLES if any(row["event"] in ("fin", "rst") for row in rows_of(flow, role))]
    silent = ("never-established", "timed-out", "open")
    if told in ROLES and told not in {*closed, *own}:
        yield f"closed_by is {told}, which sent neither FIN nor RST"
    if told == "both" and len({*closed, *own}) < 2:
        yield f"closed_by is both, and only the {closed} closed"
    if not told and own and flow.row["teardown"] not in silent and flow.row["rst_cause"] != THIRD_PARTY:
        yield f"closed_by is empty, and the {own[0]} sent FIN or RST"
    if told in ROLES:
        first, other = flow.fins(SIDES[str(told)])[:1], flow.fins(1 - SIDES[str(told)])[:1]
        if first and other and other[0].frame < first[0].frame and first[0].acknowledges(other[0]):
            yield f"closed_by is {told}, whose FIN in frame {first[0].frame} acknowledges the other's"


@check
def findings_are_listed_with_their_flow(capture: Capture, flow: Flow) -> Iterator[str]:
    told = sorted(str(flow.row["findings"] or "").split(";")) if flow.row["findings"] else []
    found = sorted({row["code"] for row in findings_of(capture, flow)})
    if sorted(set(told)) != found:
        yield f"flows lists {told}, findings has {found}"


@check
def states_in_messages_are_those_of_the_timeline(capture: Capture, flow: Flow) -> Iterator[str]:
    states = {row[name] for row in flow.timeline for name in ("state", "from_state")}
    for finding in findings_of(capture, flow):
        older = capture.named(flow.ends, flow.stream) if finding["code"] in OF_THE_OLD else []
        known = states | {row[name] for old in older[-1:] for row in old.timeline for name in ("state", "from_state")}
        strange = set(STATE.findall(str(finding["message"]))) - known
        if strange:
            yield f"{finding['code']} names {sorted(strange)}, the timeline has {sorted(map(str, states))}"


@check
def foreign_resets_move_nobody(capture: Capture, flow: Flow) -> Iterator[str]:
    """A RST that a finding calls foreign or ignored is not its alleged sender's in the other tables."""
    for finding in findings_of(capture, flow):
        foreign = finding["code"] == "TD309" or (finding["code"] == "TD310" and "somebody else" in finding["message"])
        if not foreign and finding["code"] != "TD310":
            continue
        frame = int(str(finding["frames"]).split(";")[0])
        for row in flow.timeline:
            if foreign and row["frame"] == frame and row["event"] == "rst" and row["basis"] == "sent":
                yield f"{finding['code']} calls frame {frame} foreign, the timeline lets the {row['endpoint']} send it"
            if row["frame"] == frame and row["event"] == "peer-rst" and finding["code"] == "TD310":
                yield f"TD310 says that frame {frame} was ignored, the timeline closes the {row['endpoint']} by it"
        sender = rows_of(flow, str(finding["endpoint"]))
        other = [row for row in sender if str(row["event"]).startswith("rst") and row["frame"] != frame]
        if flow.row["rst_by"] == finding["endpoint"] and not other:
            yield f"{finding['code']} calls frame {frame} foreign, rst_by is {flow.row['rst_by']}"


@check
def nothing_is_sure_where_frames_are_missing(capture: Capture, flow: Flow) -> Iterator[str]:
    """What is said of the connection, not of the capture, has high confidence only where no side has gaps."""
    if flow.row["observability"] in ("frames-missing", "one-direction-only"):
        sure = [row["code"] for row in findings_of(capture, flow) if row["confidence"] == "high"]
        yield from (f"{code} is sure, and {flow.row['observability']}" for code in sure if not code.startswith("TD9"))


@check
def each_reset_is_explained_once(capture: Capture, flow: Flow) -> Iterator[str]:
    resets = {row.frame for side in SIDES.values() for row in flow.resets(side)}
    told: dict[int, set[str]] = {}
    for finding in findings_of(capture, flow):
        if finding["code"] == "TD903":
            continue  # what only the RST acknowledges is missing from the capture: that explains no RST
        for frame in resets & {int(frame) for frame in str(finding["frames"]).split(";")}:
            told.setdefault(frame, set()).add(str(finding["code"]))
    yield from (f"RST {frame} is explained by {sorted(codes)}" for frame, codes in told.items() if len(codes) > 1)


@check
def what_is_replaced_ends_before_what_replaces_it(capture: Capture, flow: Flow) -> Iterator[str]:
    """At each host the older connection is gone before the new one has its first state there."""
    earlier = capture.named(flow.ends, flow.stream)[-1:]
    for row in (row for old in earlier for row in old.timeline if row["event"] == "replaced"):
        host = (row["endpoint_ip"], row["endpoint_port"])
        own = [new for new in flow.timeline if (new["endpoint_ip"], new["endpoint_port"]) == host]
        times = [new["time_epoch"] for new in own if new["time_epoch"] is not None]
        if times and row["time_epoch"] > times[0] and not flow.runs_backward:
            yield f"the older {row['endpoint']} is replaced {row['time_epoch'] - times[0]} ns behind the first state"


@check
def durations_are_those_of_the_timeline(capture: Capture, flow: Flow) -> Iterator[str]:
    """``close_wait_s`` and ``fin_wait_2_s`` are as long as the timeline stays in that state."""
    for role in ROLES:
        for state, column in (("CLOSE_WAIT", "close_wait_s"), ("FIN_WAIT_2", "fin_wait_2_s")):
            told, rows = flow.row[f"{role}_{column}"], rows_of(flow, role)
            entered = [row for row in rows if row["state"] == state and row["from_state"] != state]
            left = [row for row in rows if row["from_state"] == state and row["state"] != state]
            if (told is None) != (not entered):
                yield f"{role}: {column} is {told}, the timeline enters {state} {len(entered)} times"
            elif entered and not flow.runs_backward:
                lasted = (left[-1]["time_epoch"] if left else capture.last) - entered[0]["time_epoch"]
                if abs(float(str(told)) * 1e9 - max(lasted, 0)) > MICROSECOND:  # it may begin behind the capture's end
                    yield f"{role}: {column} is {told}, the timeline gives {lasted / 1e9:.9f}"


@check
def codes_about_the_capture_agree_with_flows(capture: Capture, flow: Flow) -> Iterator[str]:
    codes = {row["code"] for row in findings_of(capture, flow)}
    if "TD901" in codes and flow.row["handshake"] != "not-captured":
        yield f"TD901, and the handshake is {flow.row['handshake']}"
    if "TD902" in codes and flow.row["observability"] != "one-direction-only":
        yield f"TD902, and observability is {flow.row['observability']}"
    if "TD903" in codes and flow.row["observability"] == "complete":
        yield "TD903, and observability is complete"
    if "TD308" in codes and flow.row["handshake"] != "unanswered":
        yield f"TD308, and the handshake is {flow.row['handshake']}"
    if "TD307" in codes and flow.row["handshake"] != "refused":
        yield f"TD307, and the handshake is {flow.row['handshake']}"


@check
def counts_are_those_of_the_segments(capture: Capture, flow: Flow) -> Iterator[str]:
    """Those apart that came when the connection was long over, as a notice says."""
    if any("after the connection was over" in notice for notice in map(str, capture.result.summary.notices)):
        return
    for role, side in SIDES.items():
        rows = [row for row in flow.captured if row.side == side]
        few = [row for row in flow.least if row.side == side]
        packets, carried = flow.row[f"{role}_packets"], flow.row[f"{role}_bytes"]
        if not len(few) <= int(str(packets)) <= len(rows):
            yield f"{role}_packets is {packets}, {len(rows)} segments"
        if not sum(row.length for row in few) <= int(str(carried)) <= sum(row.length for row in rows):
            yield f"{role}_bytes is {carried}, the segments carry {sum(row.length for row in rows)}"


def changes(states: list[str]) -> list[str]:
    """States without those that only go on."""
    return [state for place, state in enumerate(states) if place == 0 or states[place - 1] != state]


@check
def the_ladder_shows_the_states_of_the_timeline(capture: Capture, flow: Flow) -> Iterator[str]:
    """Each state it shows is one that the endpoint enters, and the last is among them. A state stands beside the frame
    that shows it, a line shows the last of several: neither their order nor their number is the timeline's."""
    lines = [line.plain for line in ladder_lines(capture.result, flow.stream, columns=COLUMNS, everything=True)]
    shown: dict[str, list[str]] = {role: [] for role in ROLES}
    for line in lines:
        if STEP.match(line) or STATES_ALONE.match(line):
            for found in STATE.finditer(line):
                shown[ROLES[found.start() > COLUMNS // 2]].append(found[1])
    for role in ROLES:
        rows = [row for row in rows_of(flow, role) if row["state"] != row["from_state"] or row["event"] == END]
        entered, told = changes([str(row["state"]) for row in rows]), changes(shown[role])
        if not told and set(entered) == {"UNKNOWN"}:
            continue
        if not set(told) <= set(entered) or (entered[-1:] and entered[-1] not in told):
            yield f"{role}: the ladder shows {' '.join(told)}, the timeline enters {' '.join(entered)}"
    missing = [row["code"] for row in findings_of(capture, flow) if not any(row["code"] in line for line in lines)]
    if missing:
        yield f"the ladder does not show {missing}"

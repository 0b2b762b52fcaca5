"""Connections written by hand, a line for each segment, for tests of the predicates.

    0.1 C FA 10 5 0      at 0.1 s the client sends FIN and ACK, sequence number 10, acknowledgment 5, no payload

Numbers are relative to first ones that lie just below 2^32, so that every story passes the wrap.
"""

from pathlib import Path
from typing import Any

from analyzer.settings import Settings
from tests.second_opinion.capture import Capture
from tests.second_opinion.opinion import FOLLOWS, PREDICATES, REFUTED, UNDECIDED, CannotTell, Case, DoesNotFollow
from tests.second_opinion.packets import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN, Flow, Segment

BITS = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "A": ACK, "-": 0}
FIRST = ((1 << 32) - 5, (1 << 32) - 9)  # of client and server
SECOND = 10**9
ENDS = (("192.0.2.1", 40000), ("192.0.2.2", 80))
OPEN = """
    0.000 C S 0 0 0
    0.010 S SA 0 1 0
    0.020 C A 1 1 0
"""


def told(*lines: str, opened: bool = True, stream: int = 0, first_frame: int = 1) -> Flow:
    """The connection of these lines, behind a handshake of 20 ms unless it is not ``opened``."""
    written = [line for text in (OPEN if opened else "", *lines) for line in text.splitlines() if line.strip()]
    rows = [_segment(frame, line.split()) for frame, line in enumerate(written, first_frame)]
    return Flow(stream, ENDS, rows, {"client_known": opened})


def _segment(frame: int, words: list[str]) -> Segment:
    time, role, letters, seq, ack, length, *more = words
    side = CLIENT if role == "C" else SERVER
    given: dict[str, Any] = dict(word.split("=") for word in more)
    return Segment(
        frame=frame,
        time=round(float(time) * SECOND),
        side=side,
        seq=(FIRST[side] + int(seq)) % (1 << 32),
        ack=(FIRST[1 - side] + int(ack)) % (1 << 32) if "A" in letters else 0,
        flags=sum(BITS[letter] for letter in letters),
        length=int(length),
        window=int(given.get("window", 1000)),
        ttl=int(given.get("ttl", 64)),
        ip_id=int(given.get("id", frame)),
        scale=-1,
        ts_val=None,
        first_byte=int(given["byte"]) if "byte" in given else None,
        cut="cut" in given,
        refused=False,
        short="short" in given,
    )


def answer(
    code: str,
    flow: Flow,
    endpoint: str | None = "client",
    others: list[Flow] | None = None,
    frames: str = "",
    times: dict[int, int] | None = None,
    **claims: Any,
) -> str:
    """What the predicate of ``code`` says of ``flow``, with these claims; the capture ends after 100 s."""
    flows = {one.stream: one for one in (flow, *(others or []))}
    count = max(row.frame for one in flows.values() for row in one.captured)
    capture = Capture(Path("told"), flows, [], 0, 100 * SECOND, count, Settings(), None)
    capture.__dict__.update(packets=dict.fromkeys(range(1, count + 1), b""), times=times or {})
    finding = {"code": code, "stream": flow.stream, "endpoint": endpoint, "confidence": "high", "frames": frames}
    case = Case(capture, finding | {"message": ""})
    case.__dict__["claims"] = claims
    try:
        PREDICATES[code](case)
    except DoesNotFollow:
        return REFUTED
    except CannotTell:
        return UNDECIDED
    return FOLLOWS

"""The second opinion: what a predicate is given, and its three answers.

A predicate is a function over a :class:`Case`. It returns where everything that the finding states follows from the
packets, raises :class:`DoesNotFollow` at the first statement that does not, and :class:`CannotTell` where the packets
at hand do not decide it. It is written from the definition of the code and RFC 9293, never from the rule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from tests.second_opinion.capture import SIDES, Capture
from tests.second_opinion.claims import Duration, claims, frames_in
from tests.second_opinion.packets import Flow, Segment
from tests.second_opinion.sources import short

DAY = 86_400 * 10**9
FOLLOWS, REFUTED, UNDECIDED = "follows", "does not follow", "cannot be re-derived"


class DoesNotFollow(Exception):
    """A statement of the message that the packets refute."""


class CannotTell(Exception):
    """The packets at hand decide it neither way."""


@dataclass
class Case:
    """One finding with its connection."""

    capture: Capture
    finding: dict[str, Any]

    @cached_property
    def claims(self) -> dict[str, Any]:
        found = claims(self.finding["code"], self.finding["message"])
        must(found is not None, "the message does not fit its template")
        return found or {}

    def __getitem__(self, name: str) -> Any:
        return self.claims.get(name)

    @property
    def flow(self) -> Flow:
        return self.capture.flows[self.finding["stream"]]

    @property
    def own(self) -> int:
        """The side that the finding blames."""
        return SIDES[self.finding["endpoint"]]

    @property
    def peer(self) -> int:
        return 1 - self.own

    @property
    def frames(self) -> list[int]:
        return [int(frame) for frame in str(self.finding["frames"] or "").split(";") if frame]

    def segment(self, name: str, side: int | None = None) -> Segment:
        """The segment in the frame that the message names as ``name``, which must be of ``side``."""
        found = self.flow.at(self[name], side)
        must(found is not None, f"frame {self[name]} ({name}) is no segment of that side of this connection")
        assert found is not None
        return found

    def fewest(self, rows: list[Segment]) -> int:
        """How many of some segments are left where all are dropped that may be copies."""
        return sum(1 for row in rows if row in self.least)

    @cached_property
    def least(self) -> set[Segment]:
        return set(self.flow.least)

    def number_of(self, name: str, rows: list[Segment]) -> None:
        """The count claimed as ``name`` is that of ``rows``; where copies and repeats look alike, either is right."""
        self.counted(name, *range(self.fewest(rows), len(rows) + 1))

    def lasted(self, name: str, least: int, most: int | None = None) -> None:
        """The duration claimed as ``name`` is that from the packets, or lies between two of them."""
        claimed, most = self[name], least if most is None else most
        if isinstance(claimed, Duration):
            shown = f"{claimed.ns / 1e9:.6f} s claimed as {name}"
            must(claimed.lies_in(max(least, 0), max(most, 0)), f"{shown}; {least / 1e9:.6f} to {most / 1e9:.6f} s")

    def happened(self, name: str, segment: Segment) -> None:
        """The moment claimed as ``name`` is that of ``segment``."""
        claimed, passed = self[name], segment.time - self.flow.start
        if isinstance(claimed, Duration):
            must(claimed.is_about(passed), f"frame {segment.frame} passed at {passed / 1e9:.6f} s, not as {name} says")

    def counted(self, name: str, *allowed: int) -> None:
        must(self[name] is None or self[name] in allowed, f"{self[name]} claimed as {name}; counted {allowed}")

    def before_end(self, name: str, time: int) -> None:
        self.lasted(name, self.capture.last - time)

    def between(self, name: str, least: int, most: int) -> None:
        """The moment claimed as ``name`` lies between two times."""
        claimed, start = self[name], self.flow.start
        if isinstance(claimed, Duration):
            must(claimed.lies_in(least - start, most - start), f"{claimed.ns / 1e9:.6f} s claimed as {name}")

    def ran_on(self, since: int) -> int:
        """How long the capture ran on after ``since``: days in which nothing at all was captured do not count."""
        times = sorted({since, *(row.time for row in self.capture.segments if row.time > since), self.capture.last})
        holes = [b - a for a, b in pairwise(times) if b - a > DAY]
        return self.capture.last - since - sum(holes)


def must(holds: object, reason: str) -> None:
    if not holds:
        raise DoesNotFollow(reason)


def absent(rows: "list[Segment]", reason: str) -> None:
    """There is none of these segments; ``reason`` says what the first, whose frame stands for ``{}``, would prove."""
    if rows:
        raise DoesNotFollow(reason.format(rows[0].frame))


def need(holds: object, reason: str) -> None:
    if not holds:
        raise CannotTell(reason)


Predicate = Callable[[Case], None]
PREDICATES: dict[str, Predicate] = {}


def predicate(code: str) -> Callable[[Predicate], Predicate]:
    def register(function: Predicate) -> Predicate:
        PREDICATES[code] = function
        return function

    return register


@dataclass(frozen=True)
class Opinion:
    """What came out for one finding."""

    capture: str
    code: str
    confidence: str
    stream: int | None
    frames: str
    answer: str
    reason: str
    message: str


def opinion(capture: Capture, finding: dict[str, Any]) -> Opinion:
    """The answer for one finding, and why."""
    try:
        case = Case(capture, finding)
        frames_belong(case)
        names_fit(case)
        judge = PREDICATES.get(finding["code"])
        need(judge, "no predicate is written for it")
        assert judge
        judge(case)
        answer, reason = FOLLOWS, ""
    except DoesNotFollow as refuted:
        answer, reason = REFUTED, str(refuted)
    except CannotTell as undecided:
        answer, reason = UNDECIDED, str(undecided)
    return Opinion(
        short(capture.path), finding["code"], finding["confidence"], finding["stream"], str(finding["frames"] or ""),
        answer, reason, finding["message"],
    )  # fmt: skip


def frames_belong(case: Case) -> None:
    """Every frame that the message names is one of the finding's, and those are frames of the connection."""
    missing = [frame for frame in frames_in(case.finding["message"]) if frame not in case.frames]
    must(not missing, f"frames {missing} stand in the message and not in frames")
    must(case.frames, "it names no frame")
    if case.finding["stream"] is not None:
        second = case.capture.flows.get(case["second"]) if isinstance(case["second"], int) else None
        own = case.flow.by_frame | (second.by_frame if second else {})
        beyond = case.capture.count
        strange = [row for row in case.frames if row not in own and (row in case.capture.frames or row > beyond)]
        must(not strange, f"frames {strange} are of another connection")
    else:
        strange = [frame for frame in case.frames if not 0 < frame <= case.capture.count]
        must(not strange, f"frames {strange} are not in this capture")


def names_fit(case: Case) -> None:
    """Every endpoint that the message names is the one that the finding blames, or its peer; every threshold is that of
    the settings."""
    finding, settings = case.finding, case.capture.settings
    if finding["stream"] is not None:
        expected = names(case)
        wrong = [name for name in expected if name in case.claims and case[name] not in expected[name]]
        must(not wrong, f"{wrong[0] if wrong else ''} is {case[wrong[0]] if wrong else ''}")
    for name, claimed in case.claims.items():
        if hasattr(settings, f"{name}_ns"):
            must(claimed.is_about(getattr(settings, f"{name}_ns")), f"the threshold {name} is another")
        elif isinstance(getattr(settings, name, None), int) and isinstance(claimed, int):
            must(claimed == getattr(settings, name), f"the threshold {name} is another")


def names(case: Case) -> dict[str, set[str]]:
    """How the endpoints of a connection are called."""
    roles = ("client", "server")
    at = [f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip, port in case.flow.ends]
    if not case.finding["endpoint"]:
        return {"client": {at[0]}, "server": {at[1]}}
    own, peer = case.own, case.peer
    return {
        "client": {at[0]},
        "server": {at[1]},
        "blamed": {f"{roles[own]} {at[own]}"},
        "peer": {f"{roles[peer]} {at[peer]}"},
        "role": {roles[own]},
        "peer_role": {roles[peer]},
        "blamed_at": {at[own]},
        "peer_at": {at[peer]},
        "other": {at[peer]},
        "blamed_ip": {case.flow.ends[own][0]},
        "peer_ip": {case.flow.ends[peer][0]},
    }

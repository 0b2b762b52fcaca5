"""What a message claims, read back from its words: times, durations, counts, bytes, frames, states.

The rule's template says where each claim stands and what kind it is; nothing else of the rule is used. A number in a
message is rounded, so a claim is compared with what the packets give to half of its last digit.
"""

import re
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Any

from analyzer.findings import rules

UNITS = {"s": 10**9, "ms": 10**6, "µs": 10**3}
DURATION = r"(\d+(?:\.\d+)?) (s|ms|µs)"
SPAN = r"\d+(?:\.\d+)? (?:s|ms|µs)"
OFTEN = {"once": 1, "twice": 2}
FRAME = re.compile(r"\bframes? \(?(\d+)(?: (?:to|and) (\d+))?")
ANYTHING = r".*?"


@dataclass(frozen=True)
class Duration:
    """A duration as a message gives it, in nanoseconds, known to ``within``."""

    ns: int
    within: int

    def is_about(self, ns: int) -> bool:
        return abs(self.ns - max(ns, 0)) <= self.within

    def lies_in(self, least: int, most: int) -> bool:
        return least - self.within <= self.ns <= most + self.within


def _duration(text: str) -> Duration | None:
    found = re.search(DURATION, text)
    if not found:
        return None
    unit = UNITS[found[2]]
    return Duration(round(float(found[1]) * unit), max(unit // 2000, 1) + 1)


def _moment(text: str) -> Duration:
    """Seconds since the flow's first frame, six decimals."""
    return Duration(round(float(text.removesuffix(" s")) * 10**9), 501)


def _frame(text: str) -> int | None:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else None


def _number(text: str) -> int | None:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else None


KINDS: dict[str, tuple[str, Any]] = {
    "duration": (SPAN, _duration),
    "before_end": (SPAN, _duration),
    "into": (r"\d+\.\d{6} s", _moment),
    "times": (r"once|twice|\d+ times", lambda text: OFTEN.get(text) or _number(text)),
    "frame": (r"frame \d+|not captured", _frame),
    "shown": (r" \(frame \d+\)|", _frame),
    "silence": (rf", after {SPAN} of silence|", _duration),
    "quiet": (rf", then nothing for {SPAN}|", _duration),
    "than": (rf" than {SPAN}\.|", _duration),
    "few": (r"; the client's last data were \d+ bytes?, which may be no request|", _number),
    "next_hop": (r", next-hop MTU \d+|", _number),
    "carried": (r" Each repeat of the oldest data carries \d+ bytes?|", _number),
    "of_them": (r"; the RST acknowledges \d+ bytes? of them|", _number),
    "above": (r", more than any segment of it that was acknowledged \(\d+ bytes? at most\)|", _number),
    "without_it": (r"; the other side repeated [^()]+ does not cover them \(frame \d+\)\.|", _frame),
    "survived": (rf" \(it had survived {SPAN} before\)|", _duration),
    "broken": (r" that frame \d+ had ended|", _frame),
    "ending": (r" in answer to frame \d+, which was sent|", _frame),
    "entered": (rf", entered {SPAN} before|", _duration),
    "nor_from": (r", nor of anything that it had sent from frame \d+ on|", _frame),
    "late": (
        rf" The connection had opened late: the SYN was repeated, and the SYN-ACK came {SPAN} after the first|",
        _duration,
    ),
    "of_this": (rf"\. Of this, {SPAN} passed between|", _duration),
    "ahead": (rf", {SPAN} before the FIN|", _duration),
    "unanswered": (r"; \d+ probes? before it had not been answered either|", _number),
    "none_after": (r"; nothing of the other side was captured after frame \d+|", _frame),
    "neither": (r"; the acknowledgment number of the other side does not cover frame \d+ either|", _frame),
    "its_last": (r"; the other side still sent, last in frame \d+|", _frame),
    "within": (rf" in {SPAN}|", _duration),
    "after": (rf", {SPAN} after|", _duration),
    "to": (r" to \d+|", _frame),
    "numbered": (r"\d+", _frame),
    "address": (r"[0-9a-f.:]+|", str),
    "state": (r"[A-Z_0-9]+", str),
    "": (ANYTHING, lambda text: int(text) if text.isdigit() else text),
}


WORDS = {  # fields that name an endpoint, whatever the kind
    **dict.fromkeys(("blamed", "peer"), r"(?:client|server) \S+?"),
    **dict.fromkeys(("client", "server", "blamed_at", "peer_at", "blamed_ip", "peer_ip", "other"), r"\S+?"),
    **dict.fromkeys(("role", "peer_role", "sender", "receiver"), "client|server"),
    "awaits": "awaits|had acknowledged before",
    "over": " and had ended|",
    "low": r"\d+",
    "captured": "captured |",
    "hops_left": "TTL|hop limit",
    "hops_left_and_id": "TTL and IP id|hop limit",
    "up_to": r" to \d+|",
    "turned": "; it has the IP id of the receiver's last segment before it|",
    "off": "; the IP ids of the sender's segments had gone up by one each, to its last before the RST|",
    "habit": r"(?:; (?:all |that of )?RSTs in this host's name.*?|; that of SYN-ACKs of this host.*?|)",
    "alerts": r" What looks like a TLS alert is not counted among them\.|",
    "served": "It completed .*?",
    "earlier": r"\. It took the last one before that at [0-9.]+ s|",
    "later": r"(?: and|\. It took) the first one after that at [0-9.]+ s|",
    **dict.fromkeys(
        ("timers", "lost_timers"),
        r"(?:, consistent with [^;]*?(?=\.|;|, and no |, within a second |\) does not fit|$))?",
    ),
    "dialogue": r"(?:; .*?| It had never sent any data[^.]*\.| The client's last data [^.]*\.)?",
    "minutes": "(?:, within a second of a whole number of minutes[^;]*?)?",
    "repeats": r"(?:; \d+ connections [^;]*?)?",
    "space": " |",
    "about_it": " about a segment of it|",
    "stop": r"\.|",
    "only_icmp": ", only ICMP: |",
    "icmp_said": r" reported [^()]+?|",
    "of_syn": " a SYN|",
    "anew": " and again after a retransmission|",
    "icmp_again": "; and again, last|; then other errors, last|",
}


@cache
def _pattern(template: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """A template as an expression with a group for each field, and the kind of each."""
    parts, kinds = [], {}
    for literal, name, kind, _ in Formatter().parse(template):
        parts.append(re.escape(literal))
        if name and name in kinds:
            parts.append(f"(?P={name})")
        elif name:
            kinds[name] = kind or ""
            form = WORDS.get(name) or (KINDS[kind or ""][0] if (kind or "") in KINDS else rf"\d+ {kind}s?")
            parts.append(f"(?P<{name}>{form})")
    return re.compile("".join(parts)), kinds


def _fitting(code: str, message: str) -> tuple[re.Match[str] | None, dict[str, str]]:
    """The message as its template has it, or as the template of what the rule says of many flows."""
    rule = rules()[code]
    for each in (rule, rule.of_many):
        pattern, kinds = _pattern(each.message) if each else (None, {})
        found = pattern.fullmatch(message) if pattern else None
        if found:
            return found, kinds
    return None, {}


def claims(code: str, message: str) -> dict[str, Any] | None:
    """The claims of ``message`` by the names its template gives them; None where it does not fit the template."""
    found, kinds = _fitting(code, message)
    if not found:
        return None
    return {name: KINDS.get(kind, ("", _number))[1](found[name]) for name, kind in kinds.items()}


def places(code: str, message: str) -> dict[str, tuple[str, int, int]]:
    """The kind of each claim in ``message``, and where it begins and ends there."""
    found, kinds = _fitting(code, message)
    return {name: (kind, *found.span(name)) for name, kind in kinds.items()} if found else {}


def frames_in(message: str) -> list[int]:
    """Every frame that a message names."""
    return [int(number) for found in FRAME.finditer(message) for number in found.groups() if number]

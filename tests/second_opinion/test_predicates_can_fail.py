"""Predicates that cannot fail would be no opinion: findings that follow are falsified, claim by claim, and refuted."""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from analyzer.findings import rules
from tests.second_opinion.capture import Capture, read
from tests.second_opinion.claims import OFTEN, places
from tests.second_opinion.opinion import FOLLOWS, REFUTED, opinion
from tests.second_opinion.sources import OURS, captures

ENOUGH = 2  # findings of a code that are falsified
OTHERS = 20  # frames of a connection that are told instead of the right one
EXAMPLES = {  # one of several frames that show the same
    ("TD104", "ack"),
    ("TD305", "answered"),
    ("TD310", "last"),
    ("TD502", "stale_frame"),
    ("TD903", "frame"),
    ("TD904", "frame"),
}
SPANS = {"duration", "before_end", "silence", "within", "after"}
WORDS = {times: word for word, times in OFTEN.items()}


@cache
def followed() -> dict[str, list[tuple[Capture, dict[str, Any]]]]:
    """Some findings of each code in our own captures that follow from the packets."""
    found: dict[str, list[tuple[Capture, dict[str, Any]]]] = defaultdict(list)
    for path in (path for name in OURS for path in captures(name) if name == "own" or ".a." in path.name):
        capture = read(path)
        for finding in capture.findings:
            some = found[finding["code"]]
            if len(some) < ENOUGH and opinion(capture, finding).answer == FOLLOWS:
                some.append((capture, finding))
    return found


def longer(text: str) -> str:
    """A duration and a half, and three more."""
    return re.sub(r"\d+(?:\.\d+)?(?= (?:s|ms|µs))", lambda found: f"{float(found[0]) * 1.5 + 3:.3f}", text)


def numbers_changed(capture: Capture, finding: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The finding once more for each number in its message, with another number there."""
    for name, (kind, begin, end) in places(finding["code"], finding["message"]).items():
        text = finding["message"][begin:end]
        if kind in SPANS:
            changed = longer(text)
        elif kind == "into":
            changed = f"{float(text.removesuffix(' s')) + 1:.6f} s"
        elif kind == "times":
            changed = f"{(OFTEN.get(text) or int(text.split()[0])) + 3} times"
        elif kind and kind not in ("frame", "shown", "state", "to", "address"):
            changed = re.sub(r"\d+", lambda found: str(int(found[0]) + 3), text)
        else:
            continue
        if changed != text:
            yield name, with_message(finding, begin, end, changed)


def frames_changed(capture: Capture, finding: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The finding once more for each frame in its message and each other frame of the connection instead."""
    if finding["stream"] is None:
        return
    others = list(capture.flows[finding["stream"]].by_frame)[:OTHERS]
    for name, (kind, begin, end) in places(finding["code"], finding["message"]).items():
        text = finding["message"][begin:end]
        number = re.search(r"\d+", text)
        if (
            not number
            or not (kind in ("frame", "shown", "to") or text.isdigit())
            or (finding["code"], name) in EXAMPLES
        ):
            continue
        for frame in others:
            if frame != int(number[0]) and frame in capture.frames and name not in ("ttl", "low", "high", "pile_up"):
                changed = with_message(finding, begin, end, text.replace(number[0], str(frame)))
                yield name, {**changed, "frames": f"{finding['frames']};{frame}"}


def with_message(finding: dict[str, Any], begin: int, end: int, text: str) -> dict[str, Any]:
    return {**finding, "message": finding["message"][:begin] + text + finding["message"][end:]}


CODES = sorted(rules())


@pytest.mark.parametrize("code", CODES)
def test_each_number_of_a_message_is_held_against_the_packets(code: str) -> None:
    passed = [
        (name, changed["message"])
        for capture, finding in followed()[code]
        for name, changed in numbers_changed(capture, finding)
        if opinion(capture, changed).answer != REFUTED
    ]
    assert passed == []


@pytest.mark.parametrize("code", CODES)
def test_each_frame_of_a_message_is_held_against_the_packets(code: str) -> None:
    passed = [
        (name, changed["message"])
        for capture, finding in followed()[code]
        for name, changed in frames_changed(capture, finding)
        if opinion(capture, changed).answer == FOLLOWS
    ]
    assert passed == []


@pytest.mark.parametrize("code", CODES)
def test_who_is_blamed_is_held_against_the_packets(code: str) -> None:
    """Client and server exchanged, in the message and in whom the finding blames."""
    other = {"client": "server", "server": "client"}
    for capture, finding in followed()[code]:
        if finding["endpoint"] and finding["stream"] is not None:
            swapped = re.sub("client|server", lambda found: other[found[0]], finding["message"])
            assert opinion(capture, {**finding, "message": swapped}).answer == REFUTED
            assert opinion(capture, {**finding, "endpoint": other[finding["endpoint"]]}).answer == REFUTED


@pytest.mark.parametrize("code", CODES)
def test_a_frame_that_is_not_among_the_findings_is_seen(code: str) -> None:
    for capture, finding in followed()[code]:
        first, *rest = str(finding["frames"]).split(";")
        for frames in (";".join(rest), f"{finding['frames']};{capture.count + 1}"):
            changed = opinion(capture, {**finding, "frames": frames})
            named = re.search(rf"\b{first}\b", finding["message"])
            assert changed.answer == REFUTED or (frames == ";".join(rest) and rest and not named)


def test_most_codes_fire_in_our_own_captures() -> None:
    """Else the tests above would be about nothing."""
    assert len([code for code in CODES if followed()[code]]) >= 0.9 * len(CODES)

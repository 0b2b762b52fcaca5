"""``python -m tests.second_opinion [CAPTURE...] [--code TDxxx] [--json]``: findings that do not follow, and a table."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from analyzer.errors import TeardownError
from tests.second_opinion.capture import read
from tests.second_opinion.opinion import FOLLOWS, REFUTED, UNDECIDED, Opinion, opinion
from tests.second_opinion.sources import SETS, captures

CONFIDENCES = ("high", "medium", "low")


def opinions(paths: list[Path], unread: list[str]) -> Iterator[Opinion]:
    """The second opinion on every finding of some captures; those that cannot be read are added to ``unread``."""
    for path in paths:
        try:
            capture = read(path)
        except TeardownError as fault:
            unread.append(f"{path}: {fault}")
            continue
        yield from (opinion(capture, finding) for finding in capture.findings)


def table(given: list[Opinion]) -> Iterator[str]:
    """A line for each code."""
    yield f"{'code':6} {'fired':>6} {'high':>5} {'med':>5} {'low':>5} {'follow':>7} {'not':>5} {'cannot':>7}"
    for code in [*sorted({one.code for one in given}), "all"]:
        rows = [one for one in given if code in (one.code, "all")]
        sure, answers = Counter(one.confidence for one in rows), Counter(one.answer for one in rows)
        numbers = [*(sure[word] for word in CONFIDENCES), answers[FOLLOWS], answers[REFUTED], answers[UNDECIDED]]
        yield "{:6} {:>6} {:>5} {:>5} {:>5} {:>7} {:>5} {:>7}".format(code, len(rows), *numbers)


def lines(given: list[Opinion], answer: str) -> Iterator[str]:
    """Each finding with that answer: where it stands, why, and what it says."""
    for one in sorted((one for one in given if one.answer == answer), key=lambda one: (one.code, one.capture)):
        yield f"{one.code} {one.confidence} {one.capture} stream {one.stream} frames {one.frames}"
        yield f"    {answer}: {one.reason}"
        yield f"    {one.message}"


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.second_opinion", description=__doc__)
    parser.add_argument("captures", nargs="*", type=Path)
    parser.add_argument("--code", action="append", help="only findings of this code")
    parser.add_argument("--json", action="store_true", help="every opinion as a line of JSON")
    given = parser.parse_args(words)
    paths = given.captures or [path for name in SETS for path in captures(name)]
    unread: list[str] = []
    found = [one for one in opinions(paths, unread) if not given.code or one.code in given.code]
    if given.json:
        print("\n".join(json.dumps(asdict(one), ensure_ascii=False) for one in found))
    else:
        print("\n".join([*lines(found, REFUTED), "", *lines(found, UNDECIDED), "", *table(found), ""]))
        print(f"{len(paths)} captures, {len(unread)} of which the program does not read")
    return int(any(one.answer == REFUTED for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

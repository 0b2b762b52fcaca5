"""``python -m tests.second_opinion [CAPTURE...] [--code TDxxx] [--json]``: findings that do not follow, contradictions,
and a table of codes; of all captures at hand if none is given. ``--precision`` writes docs/precision.md."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from analyzer.vocabulary import CONFIDENCES
from tests.second_opinion import precision
from tests.second_opinion.consistency import Contradiction
from tests.second_opinion.opinion import FOLLOWS, REFUTED, UNDECIDED, Opinion
from tests.second_opinion.sources import SETS, captures
from tests.second_opinion.survey import survey


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


def clashing(found: list[Contradiction]) -> Iterator[str]:
    """Each contradiction, by kind, and how many of each kind there are."""
    for one in sorted(found, key=lambda one: (one.check, one.capture, one.stream)):
        yield f"{one.check}: {one.capture} stream {one.stream}: {one.reason}"
    yield from (f"{count:5} {name}" for name, count in Counter(one.check for one in found).most_common())


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.second_opinion", description=__doc__)
    parser.add_argument("captures", nargs="*", type=Path)
    parser.add_argument("--code", action="append", help="only findings of this code")
    parser.add_argument("--json", action="store_true", help="every opinion as a line of JSON")
    parser.add_argument("--precision", action="store_true", help="write docs/precision.md and the README's line")
    given = parser.parse_args(words)
    if given.precision:
        precision.write()
        return 0
    paths = given.captures or [path for name in SETS for path in captures(name)]
    made = survey(paths)
    found = [one for one in made.opinions if not given.code or one.code in given.code]
    clashes = [] if given.code else made.contradictions
    if given.json:
        rows = [*map(asdict, found), *map(asdict, clashes)]
        print("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    else:
        parts = (lines(found, REFUTED), lines(found, UNDECIDED), clashing(clashes), table(found))
        print("\n\n".join("\n".join(part) for part in parts), end="\n\n")
        print(f"{len(paths)} captures, {len(made.unread)} of which the program does not read")
    return int(bool(clashes) or any(one.answer == REFUTED for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``docs/precision.md``: how often each finding fired on all captures at hand, and how many of them were derived anew.

The public captures and the cases are no part of the project. The page therefore has a table for what everybody has (the
project's own captures and the laboratory's recordings), and one for all sets together, with the numbers of each set.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from analyzer.findings import rules
from analyzer.vocabulary import CONFIDENCES
from tests.second_opinion.opinion import FOLLOWS, REFUTED, UNDECIDED, Opinion
from tests.second_opinion.sources import OURS, ROOT, SETS, captures
from tests.second_opinion.survey import Survey, survey

PAGE = ROOT / "docs" / "precision.md"
README = ROOT / "README.md"
MADE = "<!-- Made by python -m tests.second_opinion --precision; edit tests/second_opinion, not this page. -->\n\n"
MEANINGS = {
    "own": "the project's own, in `captures/`",
    "laboratory": "recordings of real kernels, in `tests/lab/recordings/`",
    "cases": "connections that the program once got wrong",
    "public": "published by other projects with their tests and tutorials",
}
HEAD = """# How many findings are true

Every finding of every available capture is derived a second time: by a predicate for each code, a few lines written
from the definition of the code and from RFC 9293, not from the rule, over the captured segments alone
(`tests/second_opinion/`). The words of a message have definitions in sequence numbers, frames and times: "never
acknowledged" means that no segment of the other side covers the bytes anywhere in the capture, "crossed" that neither
acknowledges the other. Every number, frame and endpoint in the message is compared with the packets. A finding
*follows*, or it *does not follow* (then a test fails), or it *cannot be re-derived* from what was captured. The
agreement of messages, tables and ladder is checked on the same captures, for every connection.

    python -m tests.second_opinion                 # every finding that does not follow, with the reason
    python -m tests.second_opinion CAPTURE...      # of these captures
    make precision                                 # this page and the line in the README

{sum}

"""


@cache
def of_set(name: str) -> Survey:
    return survey(captures(name))


def together(names: tuple[str, ...]) -> Survey:
    return survey(path for name in names for path in captures(name))


def at_hand() -> tuple[str, ...]:
    """The sets of which there are captures."""
    return tuple(name for name in SETS if captures(name))


def page() -> str:
    """docs/precision.md from the captures at hand."""
    return MADE + HEAD.format(sum=sentence(together(at_hand()))) + "\n".join([_sets(), ours(), *_all()]) + "\n"


def sentence(found: Survey) -> str:
    """The sum, as the README has it."""
    answers = Counter(one.answer for one in found.opinions)
    high = [one for one in found.opinions if one.confidence == "high"]
    sure = sum(one.answer == FOLLOWS for one in high)
    return (
        f"Of {len(found.opinions)} findings on {found.captures} captures, {answers[FOLLOWS]} follow from the packets "
        f"when derived a second time, {answers[REFUTED]} do not, {answers[UNDECIDED]} cannot be re-derived; of the "
        f"{len(high)} at high confidence {sure} follow."
    )


def _sets() -> str:
    lines = [
        "## The captures\n",
        "| set | captures | not read | connections | findings | follow | do not | cannot |\n|---|" + "---:|" * 7,
    ]
    for name in at_hand():
        found = of_set(name)
        answers = Counter(one.answer for one in found.opinions)
        numbers = (found.captures, len(found.unread), found.flows, len(found.opinions), *counts(answers))
        lines.append(f"| {name}: {MEANINGS[name]} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(lines) + "\n"


def counts(answers: Counter[str]) -> tuple[int, int, int]:
    return answers[FOLLOWS], answers[REFUTED], answers[UNDECIDED]


def ours() -> str:
    """The part that everybody can make: the table of our own captures and recordings."""
    return "\n".join(["## On the project's own captures and recordings\n", *_table(together(OURS).opinions)]) + "\n"


def _all() -> Iterator[str]:
    opinions = together(at_hand()).opinions
    yield "\n".join(["## On all of them\n", *_table(opinions)]) + "\n"
    yield "\n".join(["## What cannot be re-derived, and why\n", *_reasons(opinions, UNDECIDED)]) + "\n"
    yield "\n".join(["## What does not follow\n", *_reasons(opinions, REFUTED)])


def _table(opinions: list[Opinion]) -> Iterator[str]:
    """A line for each code, also for those that never fired."""
    yield "| code | name | fired | high | medium | low | follow | do not | cannot |\n|---|---|" + "---:|" * 7
    names = {code: rule.name for code, rule in rules().items()}
    for code in [*sorted(names), "all"]:
        rows = [one for one in opinions if code in (one.code, "all")]
        sure, answers = Counter(one.confidence for one in rows), Counter(one.answer for one in rows)
        numbers = (len(rows), *(sure[word] for word in CONFIDENCES), *counts(answers))
        yield f"| {code} | {names.get(code, '')} | " + " | ".join(map(str, numbers)) + " |"


def _reasons(opinions: list[Opinion], answer: str) -> Iterator[str]:
    """Each reason with how often it is given, by code; numbers left out."""
    found = Counter((one.code, re.sub(r"\d+(\.\d+)?", "n", one.reason)) for one in opinions if one.answer == answer)
    if not found:
        yield "Nothing."
        return
    yield "| code | findings | reason |\n|---|---:|---|"
    yield from (f"| {code} | {count} | {reason.replace('|', ' ')} |" for (code, reason), count in sorted(found.items()))


def with_sum(readme: str, text: str) -> str:
    """The README with the sum between its marks."""
    before, begin, rest = readme.partition("<!-- precision -->\n")
    _, end, after = rest.partition("<!-- /precision -->")
    return f"{before}{begin}{_wrapped(text)}\n{end}{after}" if begin and end else readme


def _wrapped(text: str) -> str:
    return textwrap.fill(f"{text} [docs/precision.md](docs/precision.md) has every code.", 118, break_on_hyphens=False)


def sum_on_page(text: str) -> str:
    """The sum that a page states."""
    found = re.search(r"^Of \d+ findings .*\.$", text, re.M)
    assert found
    return found[0]


def write(root: Path = ROOT) -> None:
    """The page and the README's line, written."""
    text = page()
    (root / "docs" / "precision.md").write_text(text)
    (root / "README.md").write_text(with_sum((root / "README.md").read_text(), sum_on_page(text)))

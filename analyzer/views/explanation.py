"""The findings' names and pages for the terminal, from the rules themselves."""

import re
from collections.abc import Iterator
from functools import cache

from analyzer.findings import explain, rules
from analyzer.views.console import SEVERITY_STYLES, Line, wrapped

GROUPS = {  # by the first digit of a code
    "1": "one side closed, the other did not",
    "2": "what became of a FIN",
    "3": "resets, refusals and attempts to connect",
    "4": "silences, timers and giving up",
    "5": "addresses and ports used again",
    "9": "the capture itself",
}


@cache
def names() -> dict[str, str]:
    """The name of every finding there is, by its code."""
    return {code: rule.name for code, rule in rules().items()}


def list_lines(columns: int) -> list[Line]:
    """Every finding there is, by what it is about: code, name and severity, and its title under them."""
    lines: list[Line] = []
    for hundred, about in GROUPS.items():
        lines += [*([Line()] if lines else []), Line(f"TD{hundred}xx: {about}", "bold")]
        for code, rule in rules().items():
            if code[2] == hundred:
                lines.append(Line(f"{code} {rule.name} ({rule.severities})", SEVERITY_STYLES[rule.severity]))
                lines += map(Line, wrapped(rule.title, 6, columns))
    return lines


def page_lines(code: str, columns: int) -> list[Line]:
    """The page of one finding, wrapped; raises UsageError if there is none. Its headings are bold on a terminal."""
    lines: list[Line] = []
    for part in re.split(r"\n{2,}", explain(code).strip()):
        lines += [*([Line()] if lines else []), *_paragraph(part, columns)]
    return lines


def _paragraph(markdown: str, columns: int) -> Iterator[Line]:
    """A heading, text, or a list; what is indented or fenced stays as it is."""
    text = markdown.replace("**", "")
    if markdown.startswith("#"):
        yield Line(text.lstrip("# "), "bold")
    elif markdown.startswith(("    ", "```", "|")):
        yield from map(Line, text.splitlines())
    else:
        for item in re.split(r"\n(?=[*-] )", text):
            first, *others = wrapped(item, 0, columns - 2)
            yield Line(first)
            yield from (Line(("  " if item[:2] in ("* ", "- ") else "") + line) for line in others)

"""The findings' names and pages for the terminal, from the rules themselves."""

from functools import cache

from analyzer.findings import explain, rules
from analyzer.views.console import SEVERITY_STYLES, Line, wrapped


@cache
def names() -> dict[str, str]:
    """The name of every finding there is, by its code."""
    return {code: rule.name for code, rule in rules().items()}


def list_lines(columns: int = 80) -> list[Line]:
    """Every finding there is: code, name and severity, and its title under them."""
    lines = []
    for code, rule in rules().items():
        lines.append(Line(f"{code} {rule.name} ({rule.severities})", SEVERITY_STYLES[rule.severity]))
        lines += map(Line, wrapped(rule.title, 6, columns))
    return lines


def page_lines(code: str) -> list[Line]:
    """The page of one finding; raises UsageError if there is none. Its headings are bold on a terminal."""
    return [_line(line) for line in explain(code).splitlines()]


def _line(markdown: str) -> Line:
    text = markdown.replace("**", "")
    return Line(text.lstrip("# "), "bold") if markdown.startswith("#") else Line(text)

"""The page of a rule, from its file: for ``teardown explain CODE`` and for the docs, in Markdown."""

from dataclasses import fields
from difflib import get_close_matches

from analyzer.errors import UsageError
from analyzer.findings.loading import rules
from analyzer.findings.rule import Rule
from analyzer.settings import Settings, default_text, option_name
from analyzer.vocabulary import INFO


def explain(code: str) -> str:
    """The page of the finding ``code`` (in any case, or its name). Raises UsageError where there is none."""
    wanted = code.strip()
    for rule in rules().values():
        if wanted.upper() == rule.code or wanted.lower() == rule.name:
            return page(rule)
    raise UsageError(f"no finding {wanted!r}; {_near(wanted)}")


def _near(wanted: str) -> str:
    """What may have been meant: the findings whose code or name is near to it."""
    if wanted.upper().startswith("TD"):  # codes that look alike have nothing to do with each other
        return "teardown explain --list shows all"
    names = {rule.name: rule for rule in rules().values()}
    near = get_close_matches(wanted.lower(), list(names), n=3, cutoff=0.4)
    parts = [rule.name for rule in rules().values() if len(wanted) > 2 and wanted.lower() in rule.name]
    found = {rule.code for rule in (names[name] for name in parts[:3] or near)}
    if not found:
        return "teardown explain --list shows all"
    meant = " or ".join(f"{code} {rules()[code].name}" for code in sorted(found))
    return f"did you mean {meant}? --list shows all"


def page(rule: Rule) -> str:
    """Title, what kind it is, the rule's own words, its thresholds, and how it is worded in a report."""
    parts = [f"# {rule.code} {rule.name}", rule.title, _severity(rule), rule.page]
    parts += [_thresholds(rule)] if rule.thresholds else []
    parts += [_instead(rule)] if rule.supersedes else []
    return "\n\n".join(parts) + "\n"


def _severity(rule: Rule) -> str:
    mild = f", or **{INFO}** {rule.info_when}" if rule.info_when else ""
    return f"Severity: **{rule.severity}**{mild}."


def page_with_example(rule: Rule) -> str:
    """The page in the docs: also names the captures that show the finding, and one that almost does."""
    return page(rule) + (
        f"\n## Captures\n\n`captures/{rule.example}` shows it; `captures/{rule.near_miss}` is similar and must not "
        f"fire. To see it: `teardown analyze captures/{rule.example}{'' if '.' in rule.example else '/*'}"
        f"{_options(rule)}`.\n"
    )


def _options(rule: Rule) -> str:
    """The options with which its example shows it."""
    known = {entry.name: entry for entry in fields(Settings)}
    return "".join(f" {option_name(known[name])} {value}" for name, value in rule.example_settings.items())


def _thresholds(rule: Rule) -> str:
    known = {entry.name: entry for entry in fields(Settings)}
    rows = []
    for name in rule.thresholds:
        entry = known[name]
        timed = "seconds" in entry.metadata and entry.default is not None
        value = default_text(entry) + (" s" if timed else "")
        rows.append(f"- `{option_name(entry)}` (default {value}): {entry.metadata['help']}")
    return "\n".join(["## Thresholds", "", *rows])


def _instead(rule: Rule) -> str:
    named = ", ".join(f"{code} {rules()[code].name}" for code in rule.supersedes if code in rules())
    return f"## Replaces\n\nOn the same connection this finding replaces {named}."


def index() -> str:
    """The table of all findings, for the docs."""
    rows = [
        f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.severities} | {rule.title} |"
        for rule in rules().values()
    ]
    return "\n".join(
        ["# Findings", "", INDEX_TEXT, "", "| code | name | severity | what was seen |", "|---|---|---|---|", *rows, ""]
    )


INDEX_TEXT = """\
A code is stable and never reused. Severity says how much it matters: `error`, something is broken and needs action;
`warning`, probably wrong, or wasteful; `info`, worth knowing, often legal. Confidence says how sure it is: `high` only
if every state it relies on was sent or is proven and nothing is missing from the connection; `low` if the capture's
start, its end or its losses allow another explanation; otherwise `medium`. One cause gives one finding: a more exact
one replaces a vaguer one on the same connection. Times in messages count from the connection's first frame, like
Wireshark's `tcp.time_relative`."""

"""The rules there are: each file in ``rules/`` is read and checked, and all that they ask for is put together.

What is wrong with a rule file is said when the rules are loaded, in one line that names the file. A rule that asks for
something that it would never be given is refused: else it would be silent, and nobody would know.
"""

import importlib
import pkgutil
import re
from dataclasses import fields
from functools import cache
from string import Formatter
from types import ModuleType
from typing import Any, get_type_hints

import numpy as np

from analyzer.errors import UnusableRule
from analyzer.findings import rules as folder
from analyzer.findings.all_flows import AllFlows
from analyzer.findings.ledger_view import LedgerView
from analyzer.findings.needs import NO_NEEDS, Needs, needs_of
from analyzer.findings.rule import (
    ABOUTS,
    AT_THE_END,
    CAPTURE,
    CONNECTION,
    SETTLE,
    Crowd,
    OfCapture,
    Rule,
    Verdict,
)
from analyzer.flows.row import FLOW
from analyzer.settings import Settings
from analyzer.tracker.signs import Asked, Sign
from analyzer.tracker.storage.transpose import OF_REUSED, ChosenColumns, ColumnNotKept, LedgerColumns, TransposedLedger
from analyzer.vocabulary import INFO, SEVERITIES

CONSTANTS = (
    *("CODE", "NAME", "SEVERITY", "SUPERSEDES", "THRESHOLDS", "NEEDS"),
    *("EXAMPLE", "NEAR_MISS", "MESSAGE", "ADVICE", "judge"),
)


@cache
def rules() -> dict[str, Rule]:
    """Every rule there is, by code, in the order of the codes. Raises UnusableRule where one of them cannot work."""
    found: dict[str, Rule] = {}
    for entry in pkgutil.iter_modules(folder.__path__):
        rule = _loaded(entry.name)
        if rule.code in found:
            raise UnusableRule(f"{entry.name}: there is another rule with the code {rule.code}")
        found[rule.code] = rule
    return dict(sorted(found.items()))


def _loaded(name: str) -> Rule:
    """The rule in a file of ``rules/``. Raises UnusableRule, whatever is wrong with it."""
    try:
        return read(importlib.import_module(f"{folder.__name__}.{name}"))
    except UnusableRule:
        raise
    except Exception as error:
        raise UnusableRule(f"{name}: this rule cannot be loaded: {type(error).__name__}: {error}") from error


@cache
def asked() -> Asked:
    """What the rules together ask of flows. The few columns that are kept of a flow which shows no more than an older
    one on its addresses and ports have to suffice for all rules that ask for that sign; else all columns are kept."""
    signs, few_columns_enough = Sign(0), Sign.OLDER_FLOW
    for rule in rules().values():
        signs |= rule.needs.signs
        if rule.needs.signs & Sign.OLDER_FLOW and not suffice(rule, OF_REUSED):
            few_columns_enough = Sign(0)
    return Asked(signs, few_columns_enough)


def read(module: ModuleType) -> Rule:
    """The rule a module holds. Raises UnusableRule where it cannot work."""
    where = module.__name__.rpartition(".")[2]
    missing = [name for name in CONSTANTS if not hasattr(module, name)]
    if missing:
        raise UnusableRule(f"{where}: a rule needs {', '.join(missing)}")
    title, _, page = (module.__doc__ or "").partition("\n")
    types = get_type_hints(module.judge)
    answer, all_flows = types.get("return"), next(iter(types.values()), None) is AllFlows
    rule = Rule(
        module.CODE,
        module.NAME,
        module.SEVERITY,
        getattr(module, "INFO_WHEN", ""),
        title.strip(),
        page.strip(),
        module.SUPERSEDES,
        module.THRESHOLDS,
        _needs(module, answer, all_flows, where),
        getattr(module, "ABOUT", CONNECTION),
        getattr(module, "LIVE_WAIT", SETTLE),
        module.EXAMPLE,
        getattr(module, "EXAMPLE_SETTINGS", {}),
        module.NEAR_MISS,
        module.MESSAGE,
        module.ADVICE,
        module.judge,
        getattr(module, "hindsight", None),
        answer is Crowd,
        all_flows,
        answer == OfCapture | None,
    )
    _check(rule, where)
    return rule._replace(of_many=_of_many(rule, module, where))


def _of_many(rule: Rule, module: ModuleType, where: str) -> Rule | None:
    """What a rule about single flows, or about all, says of many besides, as a rule."""
    if not hasattr(module, "judge_many"):
        return None
    missing = [name for name in ("MESSAGE_OF_MANY", "ADVICE_OF_MANY") if not hasattr(module, name)]
    if (
        missing
        or not (rule.of_flows or rule.of_all_flows)
        or get_type_hints(module.judge_many).get("return") is not Crowd
    ):
        raise UnusableRule(
            f"{where}: judge_many is for rules about flows, returns Crowd and needs MESSAGE_OF_MANY and ADVICE_OF_MANY"
        )
    many = rule._replace(
        message=module.MESSAGE_OF_MANY,
        advice=module.ADVICE_OF_MANY,
        judge=module.judge_many,
        needs=NO_NEEDS,
        supersedes=rule.supersedes if rule.of_all_flows else (),
        hindsight=None,
        crowd=True,
        of_all_flows=True,
        besides=True,
    )
    _check(many, where)
    return many


def _needs(module: ModuleType, answer: Any, all_flows: bool, where: str) -> Needs:
    """What the rule needs, by what it is given and answers with."""
    if all_flows:
        if module.NEEDS or answer is not Crowd:
            raise UnusableRule(f"{where}: a rule about all flows answers with Crowd, and its NEEDS must be ()")
        return NO_NEEDS
    if answer == OfCapture | None:
        if module.NEEDS:
            raise UnusableRule(f"{where}: a rule about the capture is given no flows: its NEEDS must be ()")
        return NO_NEEDS
    if answer not in (Verdict, Crowd):
        raise UnusableRule(f"{where}: judge must be declared to return Verdict, Crowd or OfCapture | None")
    needs = needs_of(module.NEEDS, where)
    if answer is Crowd and needs != needs_of((Sign.LEFT_IN_CLOSE_WAIT,), where):
        raise UnusableRule(
            f"{where}: a rule about a crowd is given the flows left in CLOSE_WAIT, no others: its NEEDS must be "
            "(Sign.LEFT_IN_CLOSE_WAIT,); or judge is declared to be given AllFlows"
        )
    return needs


def _check(rule: Rule, where: str) -> None:
    """Raises UnusableRule where a constant has a value that means nothing."""
    if not isinstance(rule.code, str) or not re.fullmatch(r"TD\d{3,}", rule.code):
        raise UnusableRule(f"{where}: CODE must be TD and a number of three digits")
    for name, value in (("SUPERSEDES", rule.supersedes), ("THRESHOLDS", rule.thresholds)):
        if not isinstance(value, tuple) or not all(isinstance(word, str) for word in value):
            raise UnusableRule(f"{where}: {name} must be a tuple of words")
    if not rule.title:
        raise UnusableRule(f"{where}: a rule needs a docstring, whose first line is its title")
    for text in (rule.message, rule.advice):
        list(Formatter().parse(text))  # raises ValueError where braces do not match
    if rule.severity not in SEVERITIES:
        raise UnusableRule(f"{where}: SEVERITY must be one of {', '.join(SEVERITIES)}")
    if not isinstance(rule.info_when, str) or (rule.info_when and rule.severity == INFO):
        raise UnusableRule(f"{where}: INFO_WHEN must be words that say when a finding is less grave than SEVERITY")
    if rule.about not in ABOUTS or (rule.of_capture and rule.about != CAPTURE):
        raise UnusableRule(f"{where}: ABOUT must be {' or '.join(ABOUTS)}, and capture if judge is given the recording")
    if foreign := set(rule.example_settings) - set(rule.thresholds):
        raise UnusableRule(f"{where}: EXAMPLE_SETTINGS names {', '.join(sorted(foreign))}, which THRESHOLDS does not")
    if unknown := set(rule.thresholds) - {entry.name for entry in fields(Settings)}:
        raise UnusableRule(f"{where}: THRESHOLDS names {', '.join(sorted(unknown))}, which is no setting")
    if type(rule.live_wait) is not int or (rule.live_wait < 0 and rule.live_wait != AT_THE_END):
        raise UnusableRule(f"{where}: LIVE_WAIT must be nanoseconds or AT_THE_END")


def suffice(rule: Rule, chosen: ChosenColumns) -> bool:
    """Whether the ``chosen`` columns are all that a rule reads: it is tried with a flow of which nothing is known."""
    ends, flows = np.zeros((len(chosen.ends), 2, 1), np.int64), np.zeros((len(chosen.flows), 1), np.int64)
    facts = LedgerColumns(chosen, ends, flows, np.array([int(rule.needs.signs)]))
    try:
        rule.judge(LedgerView(TransposedLedger(facts, np.zeros(1, FLOW), 0), np.arange(1)), Settings())
    except ColumnNotKept:
        return False
    return True

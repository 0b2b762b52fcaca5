"""From the ledger to verdicts: :func:`judge` applies every rule, :func:`explain` tells what one means.

``rule.py`` says what a rule is, ``rules/`` holds them, one a file; ``judging.py`` applies them, ``words.py`` makes
their sentences, ``pages.py`` their pages.
"""

from typing import TYPE_CHECKING

from analyzer.findings.pages import explain
from analyzer.findings.rule import Rule, rules

if TYPE_CHECKING:
    from analyzer.findings.judging import Judgement
    from analyzer.segments.addresses import AddressBook
    from analyzer.settings import Settings
    from analyzer.tracker.outcome import Ledger

__all__ = ["Rule", "explain", "judge", "rules"]


def judge(ledger: "Ledger", book: "AddressBook", settings: "Settings") -> "Judgement":
    """Apply every rule to ``ledger``; ``book`` has the texts of its addresses.

    The findings come as a DataFrame with the contract's columns, with what could not be judged beside it.
    """
    from analyzer.findings import judging

    return judging.judge(ledger, book, settings)

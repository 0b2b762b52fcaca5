"""From the ledger to verdicts: :class:`RuleEngine` applies every rule, :func:`explain` tells what one means.

``rule.py`` says what a rule is, ``rules/`` holds them, one a file; ``engine.py`` applies them, ``wording.py``
makes pieces of their sentences, ``pages.py`` their pages.
"""

from analyzer.findings.engine import RuleEngine
from analyzer.findings.loading import rules
from analyzer.findings.pages import explain
from analyzer.findings.rule import Rule

__all__ = ["Rule", "RuleEngine", "explain", "rules"]

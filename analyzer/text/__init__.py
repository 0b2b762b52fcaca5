"""Rows of numbers become text, at the speed of memory: the tables, and the sentences of findings.

A :class:`Template` is a list of pieces, what a line is made of from left to right. It is bound to arrays and fills
a buffer with a line a row, compiled, two threads at a time if need be (no lock of the interpreter is held).
:class:`Words` are byte strings by number: the vocabulary of a code, the addresses of a capture, or the lines that a
template has made, which can so become pieces of other lines or be put in another order.
"""

from analyzer.text.template import (
    ParentRows,
    Template,
    TemplatePiece,
    TextLines,
    code,
    compact,
    in_order,
    letters,
    literal,
    number,
    run_on,
    seconds,
)
from analyzer.text.words import SLACK, Words, quoted

__all__ = [
    "SLACK",
    "ParentRows",
    "Template",
    "TemplatePiece",
    "TextLines",
    "Words",
    "code",
    "compact",
    "in_order",
    "letters",
    "literal",
    "number",
    "quoted",
    "run_on",
    "seconds",
]

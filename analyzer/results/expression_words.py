"""The words of a ``--where`` expression, held against the columns of flows before anything is reckoned.

A comparison that no connection can fit, such as that of a number with a text, would silently choose nothing. Here it
is an error that says what to write. What people mean otherwise than pandas does is put as pandas takes it:

    'TD501' in findings          findings.str.contains('TD501')   (pandas: is the whole text 'TD501'?)
    findings.contains('TD501')   findings.str.contains('TD501')
    first_epoch > '20:20'        first_epoch > '2026-11-30 20:20:00'   (pandas: today), times as --between takes them
"""

import ast
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from analyzer.columns import TableColumn
from analyzer.errors import UsageError
from analyzer.filters import parsed, shortened
from analyzer.moments import moment_of, resolved
from analyzer.results.schema import TABLES
from analyzer.times import date_text

TEXTS = ("word", "address", "file", "text", "letters")
EQUALITIES = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def readable(expression: str, first_ns: int = 0) -> str:
    """The expression as pandas takes it; the capture begins at ``first_ns``. Raises UsageError where it names no column
    or compares one with what it never is."""
    try:
        return ast.unparse(_Reader(expression, first_ns).visit(parsed(expression)))
    except RecursionError:
        raise UsageError(f"--where {shortened(expression)} is nested too deeply") from None


def known_column(name: str) -> str:
    """A column of flows. Raises UsageError, with all there are, for another name."""
    known = [column.name for column in TABLES["flows"]]
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f"; did you mean {near[0]}?" if near else "."
        raise UsageError(f"flows has no column {name or repr(name)}{meant} There are {', '.join(known)}")
    return name


def _column(node: ast.AST) -> TableColumn | None:
    """The column that a name is, if it is one."""
    name = node.id if isinstance(node, ast.Name) else ""
    return next((column for column in TABLES["flows"] if column.name == name), None)


class _Reader(ast.NodeTransformer):
    """Goes through an expression once."""

    def __init__(self, expression: str, first_ns: int) -> None:
        self._shown, self._first_ns = shortened(expression), first_ns

    def visit_Name(self, node: ast.Name) -> ast.AST:
        known_column(node.id)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        sides = [node.left, *node.comparators]
        for left, sign, right in zip(sides, node.ops, sides[1:], strict=False):
            for one, other in ((left, right), (right, left)):
                if (column := _column(one)) is not None:
                    self._compared(column, sign, other)
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn):
            return self._contained(node)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        method = node.func
        column = _column(method.value) if isinstance(method, ast.Attribute) else None
        if isinstance(method, ast.Attribute) and column is not None and method.attr not in ("isna", "notna"):
            self._must_be_text(column, method.attr)
            method.value = _text(method.value)
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        column = _column(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert) and column is not None and column.kind in TEXTS:
            self._wrong(f"{column.name} is text: write {column.name} == '' where there is none")
        return self.generic_visit(node)

    def _contained(self, node: ast.Compare) -> ast.AST:
        """``'TD501' in findings`` asks for a part of the text; ``client_ip in '10.1.1.1'`` wants a list."""
        part, whole = node.left, node.comparators[0]
        column, value = _column(whole), _column(part)
        if isinstance(part, ast.Constant) and column is not None:
            self._must_be_text(column, "in")
            held = ast.Call(ast.Attribute(_text(whole), "contains", ast.Load()), _plain(part), [])
            return held if isinstance(node.ops[0], ast.In) else ast.UnaryOp(ast.Not(), held)
        if isinstance(whole, ast.Constant) and value is not None:
            network = "; for a network there is --host" if value.kind == "address" else ""
            self._wrong(f"{value.name} in ... takes a list: {value.name} in [{whole.value!r}]{network}")
        return self.generic_visit(node)

    def _compared(self, column: TableColumn, sign: ast.cmpop, other: ast.AST) -> None:
        """Look at the constants that a column is compared with, and at bare words meant as such."""
        words = column.words.meanings
        if isinstance(other, ast.Name) and other.id in words:
            self._wrong(f"a text stands in quotes: {column.name} == {other.id!r}")
        for constant in _constants(other):
            self._fits(column, constant)
            if words and isinstance(sign, EQUALITIES) and constant.value not in (*words, ""):
                if isinstance(other, ast.Constant) and isinstance(sign, ast.In | ast.NotIn):
                    continue  # a part of the text
                self._wrong(f"{column.name} is never {constant.value!r}; it is one of {', '.join(words)}, or ''")

    def _fits(self, column: TableColumn, constant: ast.Constant) -> None:
        """Raises UsageError where a column never is of the kind of a constant; a time is put as a date."""
        value: Any = constant.value
        name, shown = column.name, repr(value)
        if value is None:
            unknown = f"{name} == ''" if column.kind in TEXTS else f"{name}.isna()"
            self._wrong(f"where {name} is not known, write {unknown}")
        if column.kind == "time":
            moment = moment_of(str(value))
            constant.value = date_text(resolved(moment, self._first_ns)).removesuffix(" UTC")
        elif column.kind in TEXTS and not isinstance(value, str):
            self._wrong(f"{name} is text: write '{value}', not {shown}")
        elif column.kind == "flag" and isinstance(value, str):
            self._wrong(f"{name} is true or false: write {name}, or not {name}")
        elif column.kind not in TEXTS and isinstance(value, str):
            self._wrong(f"{name} is a number, not {shown}")

    def _must_be_text(self, column: TableColumn, what: str) -> None:
        if column.kind not in TEXTS:
            self._wrong(f"{column.name} is no text, which {what} is for")

    def _wrong(self, what: str) -> None:
        raise UsageError(f"--where {self._shown}: {what}")


def _text(column: ast.expr) -> ast.Attribute:
    """``column.str``"""
    return ast.Attribute(column, "str", ast.Load())


def _plain(part: ast.Constant) -> list[ast.expr]:
    """The arguments of ``contains`` for a part that is no pattern: in upper and lower case as it stands."""
    return [part, ast.Constant(True), ast.Constant(0), ast.Constant(False), ast.Constant(False)]


def _constants(node: ast.AST) -> Iterator[ast.Constant]:
    """A constant, or those of a list."""
    for each in node.elts if isinstance(node, ast.List | ast.Tuple) else [node]:
        if isinstance(each, ast.Constant):
            yield each

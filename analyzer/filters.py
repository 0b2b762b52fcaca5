"""Which connections are asked for, as people write it: read and checked here, applied in ``results.choice``.

Every filter is text. Several values are separated by commas, and one of them is enough; of several filters all must
hold. Whether the words in them are known is looked up where they are applied.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from tokenize import NAME, TokenError, generate_tokens, untokenize
from typing import TYPE_CHECKING, Any

from analyzer.errors import UsageError
from analyzer.moments import GivenTime, moment_of

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

HELP = {
    "host": "Only connections with one of these addresses at either end: ADDRESS[/PREFIX], separated by commas.",
    "port": "Only connections with one of these ports at either end.",
    "stream": "Only these connections: numbers of tcp.stream in Wireshark, as 3,7-9.",
    "between": "Only connections alive in this time: times of day (UTC), dates, seconds since 1970 or from the begin.",
    "code": "Only connections with one of these findings: codes, separated by commas.",
    "ending": "Only connections that ended so: words of the column teardown, separated by commas.",
    "where": "Only connections for which this is true: an expression over the columns of flows.",
}
METAVARS = {
    "host": "ADDRESSES",
    "port": "PORTS",
    "stream": "STREAMS",
    "between": "FROM TO",
    "code": "CODES",
    "ending": "WORDS",
    "where": "EXPRESSION",
}
Given = str | int | Iterable[str | int]
Range = tuple[int, int]

METHODS = ("contains", "startswith", "endswith", "isna", "notna")
NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.Name, ast.Load),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.List, ast.Tuple, ast.Constant),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Invert),
    *(ast.Call, ast.Attribute),
)
LONGEST_EXPRESSION = 10_000  # characters
SIGNS = {ast.Pow: "**", ast.FloorDiv: "//", ast.Is: "is", ast.IsNot: "is not", ast.BitXor: "^"}


@dataclass(frozen=True)
class Filters:
    """What the filters ask for; an empty one asks for nothing. ``between`` are two moments."""

    host: "tuple[IPv4Network | IPv6Network, ...]" = ()
    port: tuple[Range, ...] = ()
    stream: tuple[Range, ...] = ()
    between: tuple[GivenTime, ...] = ()
    code: frozenset[str] = frozenset()
    ending: frozenset[str] = frozenset()
    where: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in HELP)


def filters_of(given: Any) -> Filters:
    """The filters among the attributes of ``given``. Raises UsageError for one that means nothing."""
    texts = {name: getattr(given, name) for name in HELP}
    return Filters(**{name: _READ[name](text) for name, text in texts.items() if text is not None})


def check(name: str, text: Any) -> None:
    """Raises UsageError where the filter ``name`` cannot be ``text``."""
    _READ[name](text)


def written(name: str, value: Given) -> str | tuple[str, ...]:
    """A filter as text, from what Python is given: a number, a text, or several."""
    several = (value,) if isinstance(value, str | int) else tuple(value)
    return tuple(map(str, several)) if name == "between" else ",".join(map(str, several))


def columns_of(expression: str) -> list[str]:
    """The columns that an expression names. Raises UsageError where it is none."""
    tree = parsed(expression)
    return sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})


def _hosts(text: str) -> "tuple[IPv4Network | IPv6Network, ...]":
    from ipaddress import ip_network

    try:
        return tuple(ip_network(part.strip().strip("[]"), strict=False) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--host takes ADDRESS or ADDRESS/PREFIX, separated by commas: {error}") from None


def _ranges(option: str, most: int, text: str) -> tuple[Range, ...]:
    found = [re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", part.strip()) for part in str(text).split(",")]
    made = [(int(part[1]), int(part[2] or part[1])) for part in found if part]
    if len(made) < len(found) or any(first > last or last > most for first, last in made):
        raise UsageError(f"{option} takes numbers from 0 to {most}, as 3,7-9, not {text!r}")
    return tuple(made)


def _ports(text: str) -> tuple[Range, ...]:
    return _ranges("--port", 65_535, text)


def _streams(text: str) -> tuple[Range, ...]:
    return _ranges("--stream", (1 << 32) - 1, text)


def _between(texts: Iterable[str]) -> tuple[GivenTime, ...]:
    moments = tuple(map(moment_of, (texts,) if isinstance(texts, str) else texts))
    if len(moments) != 2:
        raise UsageError("--between takes two times")
    return moments


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in text.split(",") if word.strip())


def codes_of(text: str) -> frozenset[str]:
    """The codes that the filter ``code`` names."""
    return frozenset(code.upper() for code in _words(text))


def _codes(text: str) -> frozenset[str]:
    return codes_of(_named("--code", text))


def _endings(text: str) -> frozenset[str]:
    return _words(_named("--ending", text))


def _named(option: str, text: str) -> str:
    """What an option was given, which an empty variable of a shell may have been meant to be."""
    if not _words(text):
        raise UsageError(f"{option} names nothing")
    return text


def _where(text: str) -> str:
    if not columns_of(text):
        raise UsageError(_help(text, "names no column of flows"))
    return text


_READ: Mapping[str, Callable[[Any], Any]] = {
    "host": _hosts,
    "port": _ports,
    "stream": _streams,
    "between": _between,
    "code": _codes,
    "ending": _endings,
    "where": _where,
}


def parsed(expression: str) -> ast.Expression:
    """The expression as a tree of nothing but columns, constants, comparisons, arithmetic and METHODS. Raises
    UsageError for any other."""
    if len(expression) > LONGEST_EXPRESSION:
        raise UsageError(f"--where is longer than {LONGEST_EXPRESSION} characters")
    try:
        tree = ast.parse(_with_words(expression.strip()), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError, TokenError):
        raise UsageError(_help(expression, "is no expression")) from None
    for node in ast.walk(tree):
        if not isinstance(node, NODES):
            what = ast.unparse(node) or SIGNS.get(type(node), type(node).__name__)
            raise UsageError(_help(expression, f"contains {what!r}"))
        _method_only(expression, node)
    return tree


def _with_words(expression: str) -> str:
    """The expression with "and" and "or" for & and |, which bind as these do where columns are compared."""
    words = {"&": "and", "|": "or"}
    tokens = [token[:2] for token in generate_tokens(StringIO(expression).readline)]
    return untokenize((NAME, words[text]) if text in words else (kind, text) for kind, text in tokens).strip()


def _method_only(expression: str, node: ast.AST) -> None:
    """Nothing is called but a method of METHODS on a column, with constants."""
    if isinstance(node, ast.Call):
        method = node.func
        known = isinstance(method, ast.Attribute) and method.attr in METHODS
        if not known or node.keywords or not all(isinstance(value, ast.Constant) for value in node.args):
            raise UsageError(_help(expression, f"contains {ast.unparse(node)!r}"))
    if isinstance(node, ast.Attribute) and (node.attr.startswith("_") or node.attr not in {*METHODS, "str"}):
        raise UsageError(_help(expression, f"contains {ast.unparse(node)!r}"))


def shortened(expression: str) -> str:
    """The expression as a message has it."""
    return repr(expression if len(expression) <= 80 else expression[:77] + "...")


def _help(expression: str, what: str) -> str:
    return (
        f'--where {shortened(expression)} {what}; write for instance "server_port == 443 and duration_s > 5", '
        "\"closed_by == 'client'\", \"findings.str.contains('TD101')\"; and, or, not, in [...] work, && and || do not"
    )

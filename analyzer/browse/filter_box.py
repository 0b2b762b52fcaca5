"""What is typed into the filter box: the filters, ``--sort`` and ``--columns`` as on the command line.

What stands before the first option says by itself what it is: an address, an address and port, codes of findings, words
of the column teardown; anything else is an expression, as ``--where`` takes it. An expression needs no quotes.
"""

import re
import shlex
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, NamedTuple

from analyzer.errors import UsageError
from analyzer.filters import HELP, METAVARS
from analyzer.results.expression_words import known_column
from analyzer.results.filter_words import check_words
from analyzer.results.flow_selection import order_of
from analyzer.settings import Settings, adjustable, check, filters_text, without_filters
from analyzer.tracker.vocabularies import TEARDOWNS
from analyzer.views.flow_list import FlowListing

OPTIONS = (*HELP, "sort", "columns")
ENDPOINT = re.compile(r"\[?([0-9A-Fa-f.:]+?)\]?:(\d{1,5})")


class BoxWords(NamedTuple):
    """What the box asks for: the settings with these filters, and how the connections are listed."""

    settings: Settings
    listing: FlowListing

    @property
    def text(self) -> str:
        """The same as it stands in the box."""
        order, columns = self.listing.order, self.listing.columns
        by = f"--sort {'-' if order.down else ''}{order.column}" if order.column != "stream" or order.down else ""
        which = f"--columns {','.join(columns)}" if columns else ""
        expression = self.settings.where
        where = f"--where {_quoted(expression)}" if expression is not None else ""
        return " ".join(filter(None, (filters_text(replace(self.settings, where=None)), where, by, which)))


def read_box(text: str, settings: Settings) -> BoxWords:
    """What ``text`` asks for; ``settings`` are those in force. Raises UsageError for what means nothing, which names
    what there is."""
    given = _given(text.strip())
    listing = FlowListing(order_of(given.pop("sort", None), None), _columns(given.pop("columns", "")))
    for entry in adjustable():
        if entry.name in given:
            check(entry, given[entry.name])
    made = replace(without_filters(settings), **given)
    check_words(made)
    return BoxWords(made, listing)


def with_more(words: BoxWords, text: str) -> BoxWords:
    """The same with the filters that ``text`` names, in place of those of these names."""
    more = {name: value for name, value in _given(text).items() if name in HELP}
    return words._replace(settings=replace(words.settings, **more))


def _quoted(expression: str) -> str:
    """An expression quoted for a shell, so that its own quotes stay as they are wherever that can be."""
    return f'"{expression}"' if not set('"$`\\').intersection(expression) else shlex.quote(expression)


def _columns(text: str) -> tuple[str, ...]:
    return tuple(known_column(name.strip()) for name in text.split(",") if name.strip())


def _given(text: str) -> dict[str, Any]:
    """The values by the names of the options."""
    bare, *options = re.split(r"(?:^|(?<=\s))--(?=[A-Za-z])", text)
    given = _bare(bare.strip()) if bare.strip() else {}
    for option in options:
        name, _, value = re.sub(r"^([A-Za-z]+)=", r"\1 ", option).strip().partition(" ")
        if name not in OPTIONS:
            there = ", ".join(f"--{known}" for known in OPTIONS)
            raise UsageError(f"there is no --{name} here; there are {there}")
        if name in given:
            raise UsageError(f"--{name} is given more than once")
        given[name] = _value(name, value.strip())
    return given


def _value(name: str, text: str) -> str | tuple[str, ...]:
    """The value of an option: an expression as it is written, unless all of it is quoted; else one word, or two."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        if name == "where":
            return text
        raise UsageError(f"--{name} {text}: {error}") from None
    takes = METAVARS.get(name, name.upper())
    if name == "where" and len(words) != 1:
        words = [text] if text else []
    if len(words) != len(takes.split()):
        raise UsageError(f"--{name} takes {takes}, not {text!r}")
    return tuple(words) if len(words) > 1 else words[0]


def _bare(text: str) -> dict[str, Any]:
    """What a text without an option asks for."""
    parts = [part.strip() for part in text.split(",")]
    if all(map(_is_network, parts)):
        return {"host": text}
    if (found := ENDPOINT.fullmatch(text)) and _is_network(found[1]):
        return {"host": found[1], "port": found[2]}
    if all(re.fullmatch(r"(?i)TD\d+", part) for part in parts):
        return {"code": text}
    if all(part.lower() in TEARDOWNS.meanings for part in parts):
        return {"ending": text}
    if all(re.fullmatch(r"\d+(-\d+)?", part) for part in parts):
        raise UsageError(f"{text} alone may be a port or a connection: write --port {text} or --stream {text}")
    return {"where": text}


def _is_network(text: str) -> bool:
    try:
        ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return False
    return not text.isdigit()

"""The tables that are made only where they are asked for: ``census``, ``reuse``, ``timers``. Their columns are declared
in ``schema``; each has a module here with one function or two:

    make(kept)              the table, as ``MadeTable``, of all that was kept: see ``KeptFlows``.
    note(ledger, endings)   if there is one: what the table needs of flows that are no ordinary ones and that only their
                            ledger knows, as rows of any dtype: none, one or more of each flow. It is called beside the
                            rules, a few thousand flows at a time; ``endings`` (ENDING) are the same flows. Flows that
                            took over from older ones on the fast path come apart; their ledger has the columns of
                            OF_REUSED only, and raises ColumnNotKept for others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.columns import TableColumn
from analyzer.errors import UsageError
from analyzer.results.number_table import Numbers, NumberTable
from analyzer.results.schema import TABLES
from analyzer.results.store import FlowStore
from analyzer.settings import Settings
from analyzer.text import Words
from analyzer.tracker.outcome import Ledger
from analyzer.vocabulary import FURTHER

Rows = NDArray[np.void]


@dataclass
class KeptFlows:
    """What a table is made from.

    ``flows`` has all flows as rows of ENDING, their timelines as rows of ENTRY where those were kept, and what their
    numbers mean; ``noted`` is what the table's module noted, None where that is nothing; ``flow_table`` is the flow
    table (FLOW), in the order of streams; ``end`` is when the capture ended. Times are those of the inner clock.
    """

    flows: FlowStore
    settings: Settings
    flow_table: Rows
    end: int
    noted: Rows | None = None

    def slices(self, entries: bool = False) -> Iterator[tuple[Rows, Rows]]:
        """The flows in the order of streams, many thousand at a time: rows of ENDING and, if asked for, of ENTRY, whose
        ``end`` counts within these."""
        flows, rows = (16_384, 262_144) if entries else (65_536, 0)
        return (gather() for gather in self.flows.slices(flows, rows))


class MadeTable(NamedTuple):
    """The rows of a table: ``parts`` gives some at a time, each time it is called, as numbers of its columns
    (``Numbers``). An address is a row of the address book, a word its place in the column's vocabulary, a file its
    number. ``texts`` are those of the columns of kind ``text``, whose numbers are places in them."""

    parts: Callable[[], Iterator[Numbers]]
    texts: Mapping[str, Sequence[str]] = {}


def module_of(name: str) -> Any:
    """The module that makes a table."""
    return import_module(f"{__name__}.{name}")


def takers(names: Iterable[str]) -> dict[str, Callable[[Ledger, Rows], Rows]]:
    """Of these tables, those that need what only the ledger knows: what notes it."""
    modules = {name: module_of(name) for name in names}
    return {name: module.note for name, module in modules.items() if hasattr(module, "note")}


def further_table(name: str, kept: KeptFlows) -> NumberTable:
    """The table. Raises UsageError where what it is made from was not kept."""
    settings, source = kept.settings, FURTHER[name]
    if name not in settings.keep_further:
        raise UsageError(f"no table {name}: keep_further does not name it")
    for what in ("flows", source):
        if not getattr(settings, f"keep_{what}"):
            raise UsageError(f"no table {name}: keep_{what}=False leaves out what it is made from")
    made: MadeTable = module_of(name).make(kept)
    texts = {column.name: words for column in TABLES[name] if (words := _texts(column, kept, made)) is not None}
    return NumberTable(TABLES[name], texts, made.parts)


def _texts(column: TableColumn, kept: KeptFlows, made: MadeTable) -> Words | None:
    """What the numbers of a column stand for, if they do."""
    if column.kind == "address":
        return kept.flows.addresses
    known = {"word": column.words.by_code, "file": kept.flows.files.files, "text": made.texts.get(column.name, ())}
    return Words.of(known[column.kind]) if column.kind in known else None

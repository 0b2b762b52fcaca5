"""Which connections of the page have a ladder, and the ladders: drawn as ``teardown timeline --svg`` draws them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.engine.segment_spool import SegmentSpool
from analyzer.page.connections import PageConnections
from analyzer.page.embedded import packed
from analyzer.results.column_values import segment_rows
from analyzer.results.finding_list import RuleFindings
from analyzer.results.result import Analysed, ResultTables
from analyzer.units import UNKNOWN
from analyzer.views.pictures.ladder import ladder_picture
from analyzer.views.pictures.svg import markup
from analyzer.views.summary_findings import by_importance

MOST, SAMPLED = 240, 30  # ladders, and how many of them are of the sample at most
SEGMENTS, LONGEST = 150_000, 20_000  # of all of them together, and of one
AT_ONCE, BYTES = 12, 1_100_000  # ladders compressed together; letters of all


class PageLadders:
    """The ladders: ``blocks``, each some of them, compressed; ``place`` says which block has that of a stream."""

    def __init__(self, analysed: Analysed, spool: SegmentSpool, connections: PageConnections) -> None:
        self.blocks: list[str] = []
        self.place: dict[int, int] = {}
        self.pictures: dict[int, str] = {}
        wanted = _wanted(analysed, connections)
        result = _tables_of(analysed, spool, np.array(sorted(wanted), np.int64))
        segments = result.segments
        counts: dict[Any, int] = {} if segments is None else segments["stream"].value_counts().to_dict()
        drawn = _within(wanted, counts)
        parts = _split(result, drawn)
        size = 0
        for begin in range(0, len(drawn), AT_ONCE):
            some = drawn[begin : begin + AT_ONCE]
            pictures = {stream: markup(ladder_picture(parts[stream], stream)) for stream in some}
            block = packed(pictures)
            size += len(block)
            if size > BYTES:
                break
            self.place |= dict.fromkeys(some, len(self.blocks))
            self.blocks.append(block)
            self.pictures |= pictures


def _within(wanted: list[int], counts: dict[Any, int]) -> list[int]:
    """Those whose segments are not too many."""
    kept, left = [], SEGMENTS
    for stream in wanted:
        own = int(counts.get(stream, 0))
        if 0 < own <= min(LONGEST, left):
            kept.append(stream)
            left -= own
    return kept


def _wanted(analysed: Analysed, connections: PageConnections) -> list[int]:
    """The connections that are to have one: of each code in turn, the surest first; then some of the sample."""
    queues = [_of_code(table) for table in by_importance(analysed.listing.tables)]
    known = set(connections.streams.tolist())
    kept: dict[int, None] = {}
    sampled = connections.sampled.tolist()
    most = MOST - min(SAMPLED, len(sampled))
    depth = 0
    while len(kept) < most and any(depth < len(queue) for queue in queues):
        for queue in queues:
            if depth < len(queue) and queue[depth] in known and len(kept) < most:
                kept[queue[depth]] = None
        depth += 1
    step = max(len(sampled) // max(MOST - len(kept), 1), 1)
    for stream in sampled[::step]:
        if len(kept) < MOST:
            kept[stream] = None
    return list(kept)


def _of_code(table: RuleFindings) -> list[int]:
    streams = table.columns["stream"][table.by_stream]
    sure = table.columns["confidence"][table.by_stream]
    order = np.argsort(sure, kind="stable")
    chosen = [table.columns["stream"][table.surest], *streams[order][: MOST + 1]]
    return [int(stream) for stream in dict.fromkeys(map(int, chosen)) if stream != UNKNOWN]


def _tables_of(analysed: Analysed, spool: SegmentSpool, streams: NDArray[np.int64]) -> ResultTables:
    """The tables of some connections with their segments."""
    flags = np.zeros(int(streams.max(initial=0)) + 1, np.bool_)
    flags[streams] = True
    flow_table = analysed.flow_table
    assert flow_table is not None
    segments, quoted = spool.of_streams(streams, flow_table)
    listing = analysed.listing.some(
        lambda table: np.isin(table.columns["stream"], streams) | (table.columns["stream"] < 0)
    )
    some = replace(analysed, tables=analysed.tables.only(flags), listing=listing)
    some.segments, some.quoted = (segment_rows([segments]), flow_table), quoted
    return some.result()


def _split(result: ResultTables, streams: list[int]) -> dict[int, ResultTables]:
    """The tables of each connection by itself: what a ladder looks through is short."""
    names = ("flows", "timeline", "segments")
    tables: dict[str, dict[Any, Any]] = {
        name: dict(iter(getattr(result, name).groupby("stream", observed=True, sort=False))) for name in names
    }
    made = {}
    for stream in streams:
        own = {name: tables[name].get(stream, getattr(result, name)[:0]) for name in names}
        own["segments"] = own["segments"].copy(deep=False)
        own["segments"].attrs = dict(result.segments.attrs) if result.segments is not None else {}
        made[stream] = replace(result, **own)
    return made

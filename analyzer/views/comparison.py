"""Two recordings side by side: a sentence for each thing that changed, and the numbers of each server.

Worse comes first, then better, then what cannot be told; nobody has to read the tables to know whether the fix worked.
"""

import math
from collections.abc import Iterator, Sequence

from analyzer.findings.loading import rules
from analyzer.results.comparison import (
    BETTER,
    CANNOT_TELL,
    CHANCE,
    CHANGED,
    CONFIDENCE,
    FEW,
    FEWEST,
    LASTED,
    LOAD,
    NO_SERVER,
    SAME,
    WORSE,
    ComparedThing,
    Comparison,
)
from analyzer.results.intervals import Durations, Interval
from analyzer.results.server_measures import Measure, RecordingMeasures, ServerName, Share, Tally, Thing
from analyzer.settings import Settings
from analyzer.units import SECOND, counted
from analyzer.views.console import Line, aligned, duration, endpoint, heading, wrapped
from analyzer.views.next_commands import command
from analyzer.views.summary import read_lines

MOST_TOLD = 20  # lines under one heading
MOST_SERVERS = 5  # tables
TITLES = {WORSE: "Got worse", BETTER: "Got better", CHANGED: "Otherwise changed", CANNOT_TELL: "Cannot be told"}
STYLES = {WORSE: "bold red", BETTER: "green", CHANGED: "cyan", CANNOT_TELL: "yellow"}


def comparison_lines(comparison: Comparison, settings: Settings, columns: int) -> Iterator[Line]:
    """The whole page, wrapped at ``columns``."""
    yield from _recording("Before", comparison.before, columns)
    yield from _recording("After", comparison.after, columns)
    for verdict in TITLES:
        yield from _told(comparison, verdict, columns)
    same = sum(entry.verdict == SAME for entry in comparison.things)
    yield from heading(f"Stayed the same: {same or 'nothing'}")
    yield from _tables(comparison)
    yield from _alone(comparison, columns)
    yield from _last_words(comparison, columns)
    yield from _next(comparison, settings)


def _recording(title: str, recording: RecordingMeasures, columns: int) -> Iterator[Line]:
    """What was read, and what is to be known of it."""
    yield Line(title, "bold")
    yield from read_lines(recording.summary, columns)
    about = [f"{code} {rules()[code].name} ({counted(n, 'connection')})" for code, n in recording.recorded.items()]
    notices = [notice.text for notice in recording.summary.notices]
    for text in [f"about the recording: {', '.join(about)}"] * bool(about) + notices:
        yield from (Line(line, "yellow") for line in wrapped(text, 0, columns))


def _told(comparison: Comparison, verdict: str, columns: int) -> Iterator[Line]:
    """The sentences of one verdict. What cannot be told of things that are neither good nor bad stands in the tables
    only."""
    entries = [entry for entry in comparison.things if entry.verdict == verdict and _worth_telling(entry)]
    if not entries and verdict in (CHANGED, CANNOT_TELL):
        return
    yield from heading(f"{TITLES[verdict]}: {len(entries) or 'nothing'}")
    for entry in entries[:MOST_TOLD]:
        first, *others = wrapped(f"{server_text(entry.server)}  {said(entry)}", 0, columns - 2)
        yield Line(first, STYLES[verdict])
        yield from (Line(f"  {line}", STYLES[verdict]) for line in others)
    if len(entries) > MOST_TOLD:
        yield Line(f"... and {len(entries) - MOST_TOLD:,} more; --csv has all")


def _worth_telling(entry: ComparedThing) -> bool:
    if entry.verdict != CANNOT_TELL or entry.thing.kind == "finding":
        return True
    return entry.bad != 0 and entry.difference.doubt != FEW and min(map(_of, (entry.before, entry.after))) >= FEWEST


def _of(measure: Measure) -> int:
    return len(measure) if isinstance(measure, Durations) else measure.of


def said(entry: ComparedThing) -> str:
    """One thing in a sentence."""
    before = _measure_text(entry.before)
    after = _measure_text(entry.after).removesuffix(" connections").removesuffix(" connection")
    return f"{thing_text(entry.thing)}: {before} before, {after} after{_verdict_text(entry)}"


def thing_text(thing: Thing) -> str:
    """What is compared, in words."""
    if thing.kind in ("finding", "crowd"):
        return f"{thing.severity} {thing.name} {thing.title}"
    return {
        "ending": f"ended as {thing.name}",
        "dwell": f"{thing.name} lasted",
        "peak": f"{thing.name}, most at once",
    }[thing.kind]


def server_text(name: ServerName) -> str:
    """A server, as far as servers are told apart."""
    if name == NO_SERVER:
        return "no server in particular"
    if name.port < 0:
        return "all servers"
    return endpoint(name.address, name.port) if name.address else f"port {name.port}"


def _measure_text(measure: Measure) -> str:
    if isinstance(measure, Share):
        return f"{percent(measure)} of {counted(measure.of, 'connection')}"
    if isinstance(measure, Tally):
        return f"{f'{measure.count:,}' if measure.count else 'none'} for {counted(measure.of, 'connection')}"
    if not len(measure):
        return "never"
    return f"{quantile_text(measure, 0.5)} (median of {len(measure):,})"


def percent(share: Share) -> str:
    """``37 %``, ``0.4 %``, none, all."""
    if not share.count or share.count == share.of:
        return "all" if share.count else "none"
    value = 100 * share.count / share.of
    return (
        f"{value:.0f} %"
        if 9.95 <= value < 99
        else f"{value:.2g} %"
        if value < 10
        else f"{math.floor(value * 10) / 10} %"
    )


def quantile_text(durations: Durations, share: float) -> str:
    """A quantile; "at least" where it rests on one that had not ended."""
    least, most = durations.quantile(share)
    return duration(least / SECOND) if least == most else f"at least {duration(_rounded_down(int(least)) / SECOND)}"


def _rounded_down(length: int) -> int:
    """Nanoseconds to the digits that ``duration`` says, so that "at least" stays true."""
    step = 1000 if length < 999_500 else 10 ** (len(str(length)) - 3)
    return length - length % step


def _verdict_text(entry: ComparedThing) -> str:
    """How far the difference may come from chance; or why it cannot be told."""
    difference, thing = entry.difference, entry.thing
    interval = _interval_text(thing, difference.interval, difference.way)
    if not difference.doubt:
        return f" ({interval})" if interval else ""
    if thing.kind == "crowd":
        which = "many fewer connections" if difference.doubt == LOAD else "much less time"
        return f"; but the recording without it has {which}"
    if difference.doubt == LASTED:
        return "; some had not ended when the recording did"
    if difference.doubt == FEW:
        return f"; fewer than {FEWEST} connections are not judged"
    if difference.doubt == CHANCE:
        why = "may be chance" if thing.kind == "peak" else "too few connections to tell"
        return f": {why}{f': {interval}' if interval else ''}"
    if thing.kind == "peak":
        return "; but the recordings differ in length, or connections came faster in one"
    return "; but one recording is shorter, and connections had not ended in it that may show it yet"


def _interval_text(thing: Thing, interval: Interval, way: int) -> str:
    """The interval in words, "" where it says nothing."""
    low, high = interval
    if thing.kind == "crowd" or math.isinf(low) or math.isinf(high) or (thing.kind == "peak" and not low):
        return ""
    if thing.kind == "peak":
        if way < 0:
            low, high = 1 / high, 1 / low
        return f"{_plain(low)} to {_plain(high)} times {'fewer' if way < 0 else 'as many'}, for as many connections"
    if thing.kind == "dwell":
        if not way:
            return f"between {_signed(low)} and {_signed(high)}"
        ends = sorted((abs(low), abs(high)))
        return f"{duration(ends[0] / SECOND)} to {duration(ends[1] / SECOND)} {'longer' if way > 0 else 'shorter'}"
    if not way:
        return f"between {100 * low:+.3g} and {100 * high:+.3g} percentage points"
    ends = sorted((100 * abs(low), 100 * abs(high)))
    return f"{_plain(ends[0])} to {_plain(ends[1])} percentage points {'more' if way > 0 else 'fewer'}"


def _signed(nanoseconds: float) -> str:
    return f"{'-' if nanoseconds < 0 else '+'}{duration(abs(nanoseconds) / SECOND)}"


def _plain(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.2g}"


def _tables(comparison: Comparison) -> Iterator[Line]:
    """The numbers of the servers with the most connections before."""
    judged = [name for name in comparison.servers if comparison.judged(name)]
    shown = judged or comparison.servers
    for name in (*shown[:MOST_SERVERS], NO_SERVER):
        entries = [entry for entry in comparison.things if entry.server == name]
        counts = [side.servers[name].connections for side in _both(comparison) if name in side.servers]
        total = [["connections", *(f"{count:,}" for count in counts), ""]] if counts else []
        rows = [*total, *(row for entry in entries for row in _rows(entry))]
        if entries:
            first, *others = aligned([[server_text(name), "before", "after", ""], *rows])
            yield from heading(first)
            yield from map(Line, others)
    if len(shown) > MOST_SERVERS:
        yield Line(f"... and {counted(len(shown) - MOST_SERVERS, 'more server')}; --csv has all")


def _both(comparison: Comparison) -> tuple[RecordingMeasures, RecordingMeasures]:
    return comparison.before, comparison.after


def _rows(entry: ComparedThing) -> Iterator[Sequence[str]]:
    text = thing_text(entry.thing)
    verdict = "" if entry.verdict == SAME else entry.verdict
    pair = (entry.before, entry.after)
    if entry.thing.kind == "dwell":
        for title, share in (("median", 0.5), ("p99", 0.99)):
            cells = [_quantile_cell(measure, share) for measure in pair]
            yield [f"{text}, {title}", *cells, verdict if title == "median" else ""]
    else:
        yield [text, *map(_cell, pair), verdict]


def _quantile_cell(measure: Measure, share: float) -> str:
    assert isinstance(measure, Durations)
    return quantile_text(measure, share) if len(measure) else "-"


def _cell(measure: Measure) -> str:
    assert not isinstance(measure, Durations)
    if not measure.count:
        return "-"
    return f"{measure.count:,} ({percent(measure)})" if isinstance(measure, Share) else f"{measure.count:,}"


def _alone(comparison: Comparison, columns: int) -> Iterator[Line]:
    """The servers of which nothing can be compared."""
    unjudged = [(name, comparison.before.servers[name].connections) for name in comparison.servers]
    groups = {f"Not judged, for want of {FEWEST} connections": [n for n in unjudged if not comparison.judged(n[0])]}
    before, after = map(comparison.alone, _both(comparison))
    groups |= {"Only before": before, "Only after": after}
    for title, found in groups.items():
        names = [f"{server_text(name)} ({number:,})" for name, number in found[:MOST_SERVERS]]
        more = [f"{len(found) - MOST_SERVERS:,} more"] if len(found) > MOST_SERVERS else []
        if found:
            yield Line()
            yield from map(Line, wrapped(f"{title}: {', '.join([*names, *more])}", 0, columns))


def _last_words(comparison: Comparison, columns: int) -> Iterator[Line]:
    """What the intervals mean."""
    yield Line()
    if not comparison.servers:
        text = "The recordings have no server in common. Where only addresses differ: --by port; or --by all."
    else:
        text = (
            f"Told as changed is only what chance does not explain: {counted(comparison.intervals, 'interval')}, "
            f"which all hold in {100 * CONFIDENCE:.0f} of 100 comparisons, if connections are independent."
        )
    yield from (Line(line, "dim") for line in wrapped(text, 0, columns))


def _next(comparison: Comparison, settings: Settings) -> Iterator[Line]:
    """Where to look at what got worse most."""
    codes = [entry.thing.name for entry in comparison.things if entry.grave]
    if codes:
        options = ["--code", codes[0]] if settings.code is None else []
        yield from heading("Next")
        yield Line(command("analyze", comparison.after.summary, settings, *options))
        yield Line(f"teardown explain {codes[0]}")

"""Two recordings held against each other, server by server: what got worse, what got better, what cannot be told.

Each thing is compared with an interval for its difference (``intervals``). All intervals hold at once in CONFIDENCE of
comparisons: the more things are compared, the wider each is. What chance explains is never called a change, and neither
is what the recordings' lengths explain: in the shorter one, connections that had not ended when it did may yet show
what was found in the longer one, and are counted both ways.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from analyzer.results.intervals import (
    Durations,
    Interval,
    median_difference,
    newcombe,
    quantile_for,
    rate_ratio,
)
from analyzer.results.server_measures import (
    UNFINISHED_WORDS,
    Measure,
    RecordingMeasures,
    ServerMeasures,
    ServerName,
    Share,
    Tally,
    Thing,
)
from analyzer.units import SECOND
from analyzer.vocabulary import INFO

CONFIDENCE = 0.95
FEWEST = 5  # connections of a server, in both recordings, that are compared at all
ALIKE = 0.8  # numbers of connections, and lengths, are alike if none is less than this of the other
SMALL_SHARE = 0.05  # an interval that reaches no farther says that nothing changed
SMALL_TIME, SMALL_RATIO = SECOND // 100, 0.1  # so does a difference of medians below the greater of these
WORSE, BETTER, CHANGED, CANNOT_TELL, SAME = VERDICTS = ("worse", "better", "changed", "cannot tell", "same")
FEW, CHANCE, LENGTH, LOAD, LASTED = "few", "chance", "length", "load", "lasted"  # why it cannot be told
GOOD = ("graceful", "simultaneous")
BAD = ("reset", "aborted", "timed_out", "never_established")
KINDS = ("finding", "crowd", "ending", "dwell", "peak")
NO_SERVER = ServerName("", -2)  # findings about no server


class Difference(NamedTuple):
    """``interval`` of the difference (of a peak, of the ratio); ``way``: more or less of it for certain, 0 neither;
    ``doubt``: why it cannot be told, "" if it can."""

    interval: Interval
    way: int
    doubt: str = ""


@dataclass(frozen=True)
class ComparedThing:
    """One thing of one server."""

    server: ServerName
    thing: Thing
    before: Measure
    after: Measure
    difference: Difference
    verdict: str

    @property
    def bad(self) -> int:
        """1 where more of it is worse, -1 where more is better, 0 where neither is said."""
        return _bad(self.thing)

    @property
    def grave(self) -> bool:
        """Whether it counts for ``--fail-on worse``."""
        return self.verdict == WORSE and self.thing.kind in ("finding", "crowd")


@dataclass(frozen=True)
class Comparison:
    """Two recordings. ``things`` are in the order of VERDICTS."""

    before: RecordingMeasures
    after: RecordingMeasures
    things: tuple[ComparedThing, ...]
    intervals: int  # that hold at once

    @property
    def worse(self) -> bool:
        """Whether a finding of severity warning or error got worse."""
        return any(entry.grave for entry in self.things)

    @property
    def servers(self) -> list[ServerName]:
        """Those in both."""
        return [name for name in self.before.servers if name in self.after.servers]

    def judged(self, name: ServerName) -> bool:
        """Whether both recordings have enough connections of a server."""
        return min(side.servers[name].connections for side in (self.before, self.after)) >= FEWEST

    def alone(self, which: RecordingMeasures) -> list[tuple[ServerName, int]]:
        """The servers in one of the two only, with their connections."""
        both = set(self.servers)
        return [(name, server.connections) for name, server in which.servers.items() if name not in both]


def compare(before: RecordingMeasures, after: RecordingMeasures) -> Comparison:
    """Hold two recordings against each other."""
    pairs = [(name, server, after.servers[name]) for name, server in before.servers.items() if name in after.servers]
    pairs.append((NO_SERVER, _of_all(before), _of_all(after)))
    counted = sum(_counts(thing, *servers) for _, *servers in pairs for thing in _things(*servers))
    judge = _Judge(before.length, after.length, quantile_for(CONFIDENCE, counted))
    things = [entry for name, *servers in pairs for entry in judge.server(name, *servers)]
    return Comparison(before, after, tuple(sorted(things, key=_rank)), counted)


def _of_all(recording: RecordingMeasures) -> ServerMeasures:
    """What was found about no server in particular."""
    return ServerMeasures(recording.connections, things=dict(recording.crowds))


def _things(before: ServerMeasures, after: ServerMeasures) -> Iterator[Thing]:
    """Those that either shows."""
    return iter(sorted({*before.things, *after.things}, key=lambda thing: (KINDS.index(thing.kind), thing.name)))


def _counts(thing: Thing, before: ServerMeasures, after: ServerMeasures) -> bool:
    """Whether it is judged by an interval."""
    return thing.kind != "crowd" and min(before.connections, after.connections) >= FEWEST


def _rank(entry: ComparedThing) -> tuple[int, int, int]:
    """By verdict, gravest first; what is equal stays in the order of servers."""
    grave = ("error", "warning", INFO, "").index(entry.thing.severity)
    return VERDICTS.index(entry.verdict), grave, KINDS.index(entry.thing.kind)


class _Judge:
    """Compares the things of a server; ``z`` is as of ``intervals``."""

    def __init__(self, before_length: int, after_length: int, z: float) -> None:
        self._lengths, self._z = (before_length, after_length), z

    def server(self, name: ServerName, before: ServerMeasures, after: ServerMeasures) -> Iterator[ComparedThing]:
        for thing in _things(before, after):
            measures = self._measure(thing, before, after), self._measure(thing, after, before)
            difference = self._difference(thing, *measures)
            if thing.kind != "crowd" and not _counts(thing, before, after):
                difference = difference._replace(way=0, doubt=FEW)
            yield ComparedThing(name, thing, *measures, difference, _verdict(thing, difference))

    def _measure(self, thing: Thing, own: ServerMeasures, other: ServerMeasures) -> Measure:
        """What a recording shows of a thing; where it does not occur, the same with nothing in it."""
        if thing in own.things:
            return own.things[thing]
        shown = other.things[thing]
        if isinstance(shown, Durations):
            return Durations.none()
        if isinstance(shown, Tally):
            return Tally(0, own.connections)
        if thing.kind == "finding":
            return Share(0, own.connections, own.unfinished)
        return Share(0, own.connections - (0 if thing.name in UNFINISHED_WORDS else own.unfinished))

    def _difference(self, thing: Thing, before: Measure, after: Measure) -> Difference:
        if isinstance(before, Share) and isinstance(after, Share):
            return self._of_shares(before, after)
        if isinstance(before, Durations) and isinstance(after, Durations):
            return self._of_medians(before, after)
        assert isinstance(before, Tally) and isinstance(after, Tally)
        return self._of_crowds(before, after) if thing.kind == "crowd" else self._of_peaks(before, after)

    def _of_shares(self, before: Share, after: Share) -> Difference:
        """In the shorter recording, what had not ended may be of the kind as well."""
        interval = newcombe(before.count, before.of, after.count, after.of, self._z)
        way = (interval.low > 0) - (interval.high < 0)
        if not way:
            near = max(-interval.low, interval.high) <= SMALL_SHARE
            return Difference(interval, 0, "" if near else CHANCE)
        shorter = self._shorter()
        more = [one.count + (one.unfinished if shorter == place else 0) for place, one in enumerate((before, after))]
        worst = newcombe(more[0], before.of, more[1], after.of, self._z)
        if (worst.low > 0) - (worst.high < 0) != way:
            return Difference(worst, 0, LENGTH)
        return Difference(interval, way)

    def _shorter(self) -> int:
        """Which of the recordings is much shorter than the other: 0 or 1, else -1."""
        before, after = self._lengths
        if min(before, after) >= ALIKE * max(before, after):
            return -1
        return int(after < before)

    def _of_medians(self, before: Durations, after: Durations) -> Difference:
        interval = median_difference(before, after, self._z)
        small = max(SMALL_TIME, SMALL_RATIO * before.quantile(0.5).low)
        if -small <= interval.low and interval.high <= small:
            return Difference(interval, 0)
        way = (interval.low > 0) - (interval.high < 0)
        if not way:
            return Difference(interval, 0, LASTED if before.lasted or after.lasted else CHANCE)
        least = after.quantile(0.5).low - before.quantile(0.5).high
        most = after.quantile(0.5).high - before.quantile(0.5).low
        return Difference(interval, way if max(-most, least) >= small else 0)

    def _of_peaks(self, before: Tally, after: Tally) -> Difference:
        """Sockets by the number of connections, and by how many came in a second: a leak grows with the one, what lasts
        for a while with the other. Only what both say is a change."""
        by_number = rate_ratio(before.count, before.of, after.count, after.of, self._z)
        lengths = [max(length, 1) / SECOND for length in self._lengths]
        by_rate = rate_ratio(before.count, before.of / lengths[0], after.count, after.of / lengths[1], self._z)
        ways = [(interval.low > 1) - (interval.high < 1) for interval in (by_number, by_rate)]
        if ways[0] and ways[0] == ways[1]:
            return Difference(by_number, ways[0])
        if any(ways):
            return Difference(by_number, 0, LENGTH)
        near = by_number.low >= ALIKE and by_number.high <= 1 / ALIKE
        return Difference(by_number, 0, "" if near else CHANCE)

    def _of_crowds(self, before: Tally, after: Tally) -> Difference:
        """Told or not: a finding about many needs many, and time."""
        nothing = Interval(0.0, 0.0)
        way = (after.count > 0) - (before.count > 0)
        if not way:
            return Difference(nothing, 0)
        where = int(way < 0)  # the recording in which it was not found
        fewer = (before.of, after.of)[where] < ALIKE * (before.of, after.of)[1 - where]
        if fewer or self._shorter() == where:
            return Difference(nothing, 0, LOAD if fewer else LENGTH)
        return Difference(nothing, way)


def _verdict(thing: Thing, difference: Difference) -> str:
    if difference.doubt:
        return CANNOT_TELL
    if not difference.way:
        return SAME
    bad = _bad(thing)
    return CHANGED if not bad else WORSE if bad == difference.way else BETTER


def _bad(thing: Thing) -> int:
    """1 where more of it is worse, -1 where more is better, 0 where neither is said."""
    if thing.kind in ("finding", "crowd"):
        return int(thing.severity != INFO)
    if thing.kind == "ending":
        return (thing.name in BAD) - (thing.name in GOOD)
    return int("TIME_WAIT" not in thing.name)

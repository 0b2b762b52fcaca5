"""What is compared of each server: how its connections ended, what was found, how long states lasted, how many sockets
were in them at once. Numbers of one recording; ``comparison`` holds two against each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.results.finding_list import RuleFindings
from analyzer.results.intervals import Durations
from analyzer.results.result import Analysed
from analyzer.results.source_summary import Summary
from analyzer.results.store import ENTRIES_AT_ONCE, FLOWS_AT_ONCE, Rows
from analyzer.tcp.codes import CAPTURE_END
from analyzer.tcp.states import State
from analyzer.tracker.flow_record import ENDING
from analyzer.tracker.vocabularies import SIDES, TEARDOWNS, Teardown
from analyzer.units import UNKNOWN

BY = ("server", "port", "all")  # which connections are compared together
ROLES = ("client", "server")
UNFINISHED = (Teardown.OPEN, Teardown.HALF_CLOSED)
UNFINISHED_WORDS = tuple(TEARDOWNS.by_code[code] for code in UNFINISHED)
COLUMNS = (
    *("stream", "server_ip", "server_port", "teardown", "client_state", "server_state"),
    *(f"{role}_{state}_s" for role in ROLES for state in ("close_wait", "fin_wait_2")),
)
KEPT = [(name, ENDING[name]) for name in COLUMNS]
PEAKS = ("close_wait", "time_wait")
Ints = NDArray[np.int64]


class ServerName(NamedTuple):
    """An address and a port; "" and -1 where servers are compared together."""

    address: str
    port: int


class Thing(NamedTuple):
    """What is compared: of the kind ``finding`` a code and its severity, ``ending`` a word of the column teardown,
    ``dwell`` and ``peak`` a role and a state, ``crowd`` the code of a finding about many connections."""

    kind: str
    name: str
    severity: str = ""
    title: str = ""


@dataclass(frozen=True)
class Share:
    """So many connections ``of`` so many; of others, ``unfinished`` when the recording ended, it cannot be said yet."""

    count: int
    of: int
    unfinished: int = 0


@dataclass(frozen=True)
class Tally:
    """A number of sockets or findings, and of how many connections."""

    count: int
    of: int


Measure = Share | Tally | Durations


@dataclass
class ServerMeasures:
    """Of one server in one recording; so many of its connections were ``unfinished`` when that ended."""

    connections: int
    unfinished: int = 0
    things: dict[Thing, Measure] = field(default_factory=dict)


@dataclass
class RecordingMeasures:
    """Of all servers in one recording, that took ``length`` ns. ``crowds`` are findings about no server, ``recorded``
    those about how the recording was made: how many connections have them."""

    summary: Summary
    length: int
    connections: int
    servers: dict[ServerName, ServerMeasures]
    crowds: dict[Thing, Tally]
    recorded: dict[str, int]


def measured(analysed: Analysed, by: str = "server") -> RecordingMeasures:
    """The measures of an analysis that kept its timelines and the census."""
    groups = _Groups(analysed, by)
    groups.add_endings()
    groups.add_dwells()
    groups.add_peaks()
    recorded: dict[str, int] = {}
    for table in analysed.listing.tables:
        if table.rule.about_capture:
            recorded[table.rule.code] = max(len(table.streams), 1)
        else:
            groups.add_findings(table)
    summary, connections = analysed.summary, len(groups.flows)
    length = (summary.last_ns or 0) - (summary.first_ns or 0)
    return RecordingMeasures(summary, length, connections, groups.servers(), groups.crowds, recorded)


class _Groups:
    """The connections of one analysis in groups, a server each."""

    def __init__(self, analysed: Analysed, by: str) -> None:
        self._analysed, self._by = analysed, by
        parts = [gather()[0][[*COLUMNS]] for gather in analysed.tables.slices(FLOWS_AT_ONCE)]
        self.flows: Rows = np.concatenate([np.zeros(0, KEPT), *parts])
        keys = _key(self.flows["server_ip"], self.flows["server_port"], by)
        self._keys, self.of_flows = np.unique(keys, return_inverse=True)
        ends = [((key >> 17) - 1, (key & 0x1FFFF) - 1) for key in self._keys.tolist()]
        self._names = [ServerName(analysed.listing.address(row), port) for row, port in ends]
        self._sizes = np.bincount(self.of_flows, minlength=len(self._names))
        unfinished = self._counted(np.isin(self.flows["teardown"], UNFINISHED))
        self._measures = [ServerMeasures(*both) for both in zip(self._sizes.tolist(), unfinished, strict=True)]
        self.crowds: dict[Thing, Tally] = {}

    def servers(self) -> dict[ServerName, ServerMeasures]:
        """The one with the most connections first."""
        order = np.argsort(-self._sizes, kind="stable").tolist()
        return {self._names[place]: self._measures[place] for place in order}

    def group_of(self, addresses: NDArray[np.integer], ports: NDArray[np.integer]) -> Ints:
        """The groups of some ends, -1 for those that have none."""
        keys = _key(addresses, ports, self._by)
        place = np.minimum(np.searchsorted(self._keys, keys), max(len(self._keys) - 1, 0))
        known = self._keys[place] == keys if len(self._keys) else np.zeros(len(keys), np.bool_)
        return np.where(known, place, -1).astype(np.int64)

    def _counted(self, which: NDArray[np.bool_]) -> list[int]:
        """How many of these connections each group has."""
        return list(np.bincount(self.of_flows[which], minlength=len(self._names)).tolist())

    def add_endings(self) -> None:
        """How connections ended: of those that did, and how many had not."""
        teardown = self.flows["teardown"]
        for code, word in enumerate(TEARDOWNS.by_code):
            for measures, count in zip(self._measures, self._counted(teardown == code), strict=True):
                if count:
                    without = 0 if code in UNFINISHED else measures.unfinished
                    measures.things[Thing("ending", word)] = Share(count, measures.connections - without)

    def add_findings(self, table: RuleFindings) -> None:
        """How many connections one finding is about; or how often it was told of many."""
        rule, stream = table.rule, table.columns["stream"]
        about = np.isin(self.flows["stream"], table.streams)
        unfinished = self._counted(np.isin(self.flows["teardown"], UNFINISHED) & ~about)
        thing = Thing("finding", rule.code, rule.severity, rule.name)
        for measures, count, left in zip(self._measures, self._counted(about), unfinished, strict=True):
            if count:
                measures.things[thing] = Share(count, measures.connections, left)
        many = stream == UNKNOWN
        if many.any():
            self._add_crowds(thing._replace(kind="crowd"), table, many)

    def _add_crowds(self, thing: Thing, table: RuleFindings, many: NDArray[np.bool_]) -> None:
        groups = self.group_of(table.columns["server_ip"][many], table.columns["server_port"][many])
        for group, count in zip(*np.unique(groups, return_counts=True), strict=True):
            if group < 0:
                self.crowds[thing] = Tally(int(count), len(self.flows))
            else:
                measures = self._measures[int(group)]
                measures.things[thing] = Tally(int(count), measures.connections)

    def add_dwells(self) -> None:
        """How long each role was in CLOSE_WAIT, FIN_WAIT_2 and TIME_WAIT."""
        for place, role in enumerate(ROLES):
            for state in (State.CLOSE_WAIT, State.FIN_WAIT_2):
                lengths = self.flows[f"{role}_{state.name.lower()}_s"]
                self._add_dwell(f"{role} {state.name}", lengths, self.flows[f"{role}_state"] == state)
            lengths, lasted = self._time_waits(place)
            self._add_dwell(f"{role} TIME_WAIT", lengths, lasted)

    def _add_dwell(self, name: str, lengths: Ints, lasted: NDArray[np.bool_]) -> None:
        known = np.flatnonzero(lengths != UNKNOWN)
        order = known[np.argsort(self.of_flows[known], kind="stable")]
        bounds = np.searchsorted(self.of_flows[order], np.arange(len(self._names) + 1))
        for measures, begin, end in zip(self._measures, bounds[:-1], bounds[1:], strict=True):
            if end > begin:
                some = order[begin:end]
                measures.things[Thing("dwell", name)] = Durations(lengths[some], lasted[some])

    def _time_waits(self, side: int) -> tuple[Ints, NDArray[np.bool_]]:
        """How long one side of each connection was in TIME_WAIT, UNKNOWN where it never was; and whether that lasted
        when it was last known."""
        lengths, lasted = [np.zeros(0, np.int64)], [np.zeros(0, np.bool_)]
        for gather in self._analysed.tables.slices(FLOWS_AT_ONCE, ENTRIES_AT_ONCE):
            endings, entries = gather()
            entries = entries[(entries["end"] & 1) == side]
            flow, time = (entries["end"] >> 1).astype(np.int64), entries["time"]
            began, stopped, left = (np.full(len(endings), UNKNOWN) for _ in range(3))
            was, now = entries["from_state"] == State.TIME_WAIT, entries["state"] == State.TIME_WAIT
            last = entries["event"] == CAPTURE_END
            for times, rows in ((began, now & ~was), (left, was & ~now), (stopped, last)):
                times[flow[rows]] = time[rows]
            over = left >= began
            until = np.where(over, left, np.where(stopped >= began, stopped, self._analysed.end))
            lengths.append(np.where(began == UNKNOWN, UNKNOWN, np.maximum(until - began, 0)))
            lasted.append(~over)
        return np.concatenate(lengths), np.concatenate(lasted)

    def add_peaks(self) -> None:
        """How many sockets of a server, and of all its clients, were in a state at once, at most."""
        rows = np.concatenate([np.zeros((0, 6), np.int64), *self._census()])
        rows = rows[rows[:, 0] >= 0]
        for place, state in enumerate(PEAKS):
            group, client, server, time = rows[:, :4].T
            highest = _highest(group, (client, server, time), rows[:, 4 + place], 2 * len(self._names))
            for which, count in enumerate(highest.tolist()):
                if count:
                    measures, role = self._measures[which >> 1], ROLES[which & 1]
                    thing = Thing("peak", f"{role} {state.upper()}")
                    measures.things[thing] = Tally(count, measures.connections)

    def _census(self) -> Iterator[Ints]:
        """2 * group, + 1 for the server; whose sockets, as two numbers; the time, and the counts of PEAKS."""
        for part in self._analysed.further("census").parts():
            server = part["role"] == SIDES.by_code.index("server")
            ip, port = (np.where(server, part[name], part[f"peer_{name}"]) for name in ("ip", "port"))
            client = np.where(server, -1, part["ip"])
            whose = (2 * self.group_of(ip, port) + server, client, _key(ip, port, "server"))
            yield np.column_stack([*whose, part["time_epoch"], *(part[name] for name in PEAKS)])


def _key(addresses: NDArray[np.integer], ports: NDArray[np.integer], by: str) -> Ints:
    """Ends that are compared together have one key."""
    address = addresses.astype(np.int64) if by == "server" else np.full(len(addresses), -1)
    port = np.maximum(ports.astype(np.int64), -1) if by != "all" else np.full(len(ports), -1)
    return np.asarray((address + 1) << 17 | port + 1, np.int64)


def _highest(group: Ints, when: tuple[Ints, Ints, Ints], counts: Ints, groups: int) -> Ints:
    """For each group the most that the counts of all its members add up to, each of which holds until the next of the
    same client and server; ``when`` has these two and the time."""
    client, server, time = when
    order = np.lexsort((time, server, client))
    change, same = counts[order].copy(), (client[order][1:] == client[order][:-1])
    same &= server[order][1:] == server[order][:-1]
    change[1:] -= np.where(same, counts[order][:-1], 0)
    time, group = time[order], group[order]
    order = np.lexsort((time, group))
    time, group, sums = time[order], group[order], np.cumsum(change[order])
    before = np.append(0, sums)[np.searchsorted(group, np.arange(groups))]
    settled = np.append((time[1:] != time[:-1]) | (group[1:] != group[:-1]), np.ones(min(len(time), 1), np.bool_))
    highest = np.zeros(groups, np.int64)
    np.maximum.at(highest, group[settled], (sums - before[group])[settled])
    return highest

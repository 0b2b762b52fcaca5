"""What ``netstat -nat`` would have shown on each host at a moment: every socket of a connection, and its state.

It follows from the timelines as the census does: a socket is listed from the first state that its host has, in each
state from its best time on, and no longer once that is CLOSED. A timeline also bounds each time: where the moment lies
between the bounds of a step, the state before and the state after it are both possible, and all that are possible but
the likeliest is ``also_possible``.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.errors import UsageError
from analyzer.filters import filters_of
from analyzer.flows.row import FLOW
from analyzer.moments import GivenTime, resolved
from analyzer.results.choice import in_networks
from analyzer.results.further_tables import KeptFlows, Rows
from analyzer.results.further_tables.census import CLIENT, SERVER, SocketCensus, keys_of_hosts, keys_of_services
from analyzer.results.further_tables.census_kernels import CHANGE, COUNTED, NONE, UNKNOWN_STATE, find_changes
from analyzer.results.number_table import Numbers, NumberTable
from analyzer.results.result import Analysed
from analyzer.results.schema import NETSTAT, TABLES
from analyzer.tcp.codes import FIN_AGAIN, TIMER
from analyzer.tcp.states import State
from analyzer.text import Words
from analyzer.times import NEVER, date_text, inner
from analyzer.tracker.vocabularies import SIDES
from analyzer.units import UNKNOWN

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
STATES = tuple(state.name for state in COUNTED)
WORDS = (*STATES, State.CLOSED.name)  # bit k of ``possible`` is the k-th; the last is no socket
NO_SOCKET, UNSEEN_STATE = 1 << len(STATES), 1 << int(UNKNOWN_STATE)
ANY_STATE = NO_SOCKET - 1 | NO_SOCKET
TIME_WAIT = STATES.index(State.TIME_WAIT.name)
EVER, FOREVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max
MOST_MOMENTS = 1_000_000
NAMES = tuple(column.name for column in NETSTAT if column.name != "time_epoch")


class EndpointStates(NamedTuple):
    """The endpoints of some flows at a moment, the client and the server of a flow side by side."""

    column: Ints  # the place of its state in STATES, NONE for no socket
    since: Ints  # when it entered that state; TIME_WAIT: when its timer last started
    possible: Ints  # the states that the bounds allow, as bits
    perhaps: Bools  # no socket is likeliest, but the bounds of its timeline allow one
    unheard: Bools  # its connection was open before, and is heard of later only
    timed_out: Bools  # a timer had ended its TIME_WAIT, by the profile in force


class EndpointSteps(NamedTuple):
    """The steps of some endpoints from state to state, those of an endpoint together and in their order."""

    key: Ints  # which endpoint: 2 * the place of its flow + 0 for the client, 1 for the server
    time: Ints  # the best estimate, by the inner clock
    column: Ints  # the place of the state in STATES, NONE for no socket
    earliest: Ints  # bounds of the time; no step can come before those before it
    latest: Ints
    first: Bools  # whether it is the endpoint's first
    from_unknown: Bools  # whether it was in a state before that the capture does not show
    timed_out: Bools  # whether a timer ended its TIME_WAIT, by the profile in force


class SocketList(NamedTuple):
    """The sockets at a moment, ``at`` in nanoseconds since 1970: numbers of the columns NETSTAT, host after host, that
    with most sockets first, each host's by its ports, TIME_WAIT last. ``perhaps`` and ``unheard`` are how many more
    there may have been (EndpointStates), ``timed_out`` how many had been in TIME_WAIT."""

    at: int
    rows: Numbers
    texts: dict[str, Words]
    perhaps: int
    unheard: int
    timed_out: int

    def table(self) -> NumberTable:
        """The same as a table."""
        return NumberTable(NETSTAT, self.texts, lambda: iter([self.rows]))


def kept_flows(analysed: Analysed) -> KeptFlows:
    """What an analysis kept. Raises UsageError where that is not enough."""
    settings = analysed.listing.settings
    if not (settings.keep_flows and settings.keep_timeline):
        raise UsageError(
            "no states at a moment: keep_flows=False or keep_timeline=False leaves out what they follow from"
        )
    return KeptFlows(analysed.tables, settings, np.zeros(0, FLOW), analysed.end)


def span_of(analysed: Analysed) -> tuple[int, int]:
    """The first and the last packet. Raises UsageError where there is none."""
    first, last = analysed.summary.first_ns, analysed.summary.last_ns
    if first is None or last is None:
        raise UsageError("the capture contains no packet")
    return first, last


def moment_in(analysed: Analysed, moment: GivenTime) -> int:
    """A moment in nanoseconds since 1970. Raises UsageError for one before or after the capture."""
    first, last = span_of(analysed)
    at = resolved(moment, first)
    if not first <= at <= last:
        where, span = "before" if at < first else "after", f"{date_text(first)} to {date_text(last)}"
        raise UsageError(f"{date_text(at)} is {where} the capture, which is from {span}")
    return at


def sockets_at(analysed: Analysed, moment: GivenTime) -> SocketList:
    """The sockets at a moment. Raises UsageError for one before or after the capture."""
    at, kept = moment_in(analysed, moment), kept_flows(analysed)
    shown, texts = shown_hosts(analysed), analysed.tables.addresses
    parts, others = [np.zeros((len(NAMES), 0), np.int64)], np.zeros(3, np.int64)
    for endings, entries in kept.slices(entries=True):
        ends = endpoint_states(entries, 2 * len(endings), inner(at), kept.end)
        columns = _columns(endings)
        own = shown[columns["local_ip"]]
        listed = own & (ends.column != NONE)
        others += [(flags & own).sum() for flags in (ends.perhaps, ends.unheard, ends.timed_out)]
        columns |= _states(ends, inner(at), analysed.timers.time_wait.length)
        parts.append(np.stack([columns[name][listed] for name in NAMES]))
    rows = _in_order(dict(zip(NAMES, np.concatenate(parts, axis=1), strict=True)), texts)
    masks, rows["also_possible"] = np.unique(rows["also_possible"], return_inverse=True)
    rows["time_epoch"] = np.full(len(rows["stream"]), at)
    words = dict.fromkeys(("local_ip", "foreign_ip"), texts) | {"endpoint": Words.of(SIDES.by_code)}
    words |= {"state": Words.of(STATES), "also_possible": Words.of([words_of_bits(mask) for mask in masks.tolist()])}
    return SocketList(at, rows, words, *others.tolist())


def words_of_bits(mask: int) -> str:
    """The states of some bits, joined by ``;``."""
    return ";".join(word for place, word in enumerate(WORDS) if mask >> place & 1)


def shown_hosts(analysed: Analysed) -> Bools:
    """Of each address, whether its sockets are asked for: the filter ``host`` also chooses whose are shown."""
    networks, texts = filters_of(analysed.listing.settings).host, analysed.tables.addresses.texts()
    return in_networks(texts, networks) if networks else np.ones(len(texts), np.bool_)


def endpoint_states(entries: Rows, count: int, now: int, capture_end: int) -> EndpointStates:
    """``count`` endpoints at the moment ``now``, from the timelines ``entries`` of their flows."""
    steps = endpoint_steps(entries, count, capture_end)
    key, time = steps.key, steps.time
    starts = np.flatnonzero(steps.first)
    seen = key[starts]
    made = EndpointStates(
        np.full(count, NONE), np.full(count, EVER), np.zeros(count, np.int64), *np.zeros((3, count), np.bool_)
    )
    begun = np.bincount(key[time <= now], minlength=count)[seen]
    latest = (starts + begun - 1)[begun > 0]
    made.column[seen[begun > 0]] = steps.column[latest]
    made.since[seen[begun > 0]] = time[latest]
    made.unheard[seen] = (begun == 0) & steps.from_unknown[starts]
    _bound(made, steps, now)
    made.timed_out[key[steps.timed_out & (time <= now)]] = True
    again = entries[(entries["event"] == FIN_AGAIN) & (entries["time"] <= now)]
    np.maximum.at(made.since, again["end"] ^ 1, again["time"])  # TIME_WAIT of its peer starts again (RFC 9293 3.10.7.4)
    return made


def endpoint_steps(entries: Rows, count: int, capture_end: int) -> EndpointSteps:
    """The steps of ``count`` endpoints, from the timelines ``entries`` of their flows."""
    changes, places = np.empty(len(entries), CHANGE), np.empty(len(entries), np.int64)
    some = find_changes(entries, np.arange(count, dtype=np.uint32), capture_end, changes, places)
    order = np.argsort(changes["key"][:some], kind="stable")
    changes, causes = changes[:some][order], entries[places[:some][order]]
    key, time = changes["key"].astype(np.int64), changes["time"].astype(np.int64)
    first = np.append(True, key[1:] != key[:-1])[:some]
    earliest, latest = np.minimum(causes["earliest"], time), np.maximum(causes["latest"], time)
    width, longest = 1, int(np.bincount(key, minlength=1).max())
    while width < longest:
        same = key[width:] == key[:-width]
        earliest[width:][same] = np.maximum(earliest[width:], earliest[:-width])[same]
        latest[:-width][same] = np.minimum(latest[:-width], latest[width:])[same]
        width *= 2
    timed_out = (changes["from_column"] == TIME_WAIT) & (causes["event"] == TIMER)
    from_unknown = causes["from_state"] == State.UNKNOWN
    return EndpointSteps(
        key, time, changes["column"].astype(np.int64), earliest, latest, first, from_unknown, timed_out
    )


def _bound(made: EndpointStates, steps: EndpointSteps, now: int) -> None:
    """Fill in what is possible: an endpoint may be in a state from the earliest time of the step into it, to the latest
    time of the next one. No step comes before those before it."""
    key, first, earliest, latest, column = steps.key, steps.first, steps.earliest, steps.latest, steps.column
    until = np.append(latest[1:], FOREVER)
    until[:-1][first[1:]] = FOREVER
    held = (earliest <= now) & (until > now)
    bits = np.where(column == NONE, NO_SOCKET, 1 << np.maximum(column, 0))
    np.bitwise_or.at(made.possible, key[held], bits[held])
    bounded = held & (column != NONE) & ~(first & (earliest == NEVER))
    made.perhaps[key[bounded]] = True
    made.perhaps[made.unheard | (made.column != NONE)] = False
    made.possible[key[first & (latest > now)]] |= NO_SOCKET
    made.possible[made.possible == 0] = NO_SOCKET
    made.possible[made.unheard | (made.column == UNKNOWN_STATE)] = ANY_STATE


def _columns(endings: Rows) -> dict[str, Ints]:
    """Who the endpoints of some flows are."""

    def both(client: str, server: str) -> Ints:
        return np.column_stack([endings[client], endings[server]]).astype(np.int64).reshape(-1)

    return {
        "local_ip": both("client_ip", "server_ip"),
        "local_port": both("client_port", "server_port"),
        "foreign_ip": both("server_ip", "client_ip"),
        "foreign_port": both("server_port", "client_port"),
        "stream": both("stream", "stream"),
        "endpoint": np.tile([CLIENT, SERVER], len(endings)).astype(np.int64),
    }


def _states(ends: EndpointStates, now: int, time_wait: int) -> dict[str, Ints]:
    """What is known of their states."""
    left = np.maximum(ends.since, now - time_wait) + time_wait - now
    own = np.where(ends.column == NONE, NO_SOCKET, 1 << np.maximum(ends.column, 0))
    return {
        "state": ends.column,
        "time_wait_left_s": np.where(ends.column == TIME_WAIT, left, UNKNOWN),
        "also_possible": np.where(ends.column == UNKNOWN_STATE, 0, ends.possible & ~own & ~UNSEEN_STATE),
    }


def _in_order(rows: dict[str, Ints], texts: Words) -> dict[str, Ints]:
    """Host after host, that with most sockets first; each host's by its ports and the other ends, TIME_WAIT last."""
    count, rank = np.bincount(rows["local_ip"], minlength=len(texts)), ranks(texts)
    names = ("local_ip", "local_port", "foreign_ip", "foreign_port", "stream")
    keys = [rank[rows[name]] if name.endswith("_ip") else rows[name] for name in names]
    order = np.lexsort([*reversed(keys[1:]), rows["state"] == TIME_WAIT, keys[0], -count[rows["local_ip"]]])
    return {name: column[order] for name, column in rows.items()}


def ranks(texts: Words) -> Ints:
    """The place of each address among all, put in order as numbers: IPv4 first."""
    from ipaddress import ip_address

    def key(text: str) -> tuple[int, int, str]:
        try:
            address = ip_address(text)
        except ValueError:
            return 0, 0, text
        return address.version, int(address), text

    known = texts.texts()
    order = sorted(range(len(known)), key=lambda place: key(known[place]))
    made = np.empty(len(known), np.int64)
    made[order] = np.arange(len(known))
    return made


class CountsOverTime:
    """How many sockets were in each state at each of ``moments`` (ns since 1970): of each host, or of each service
    (its own, and those of its clients)."""

    def __init__(self, analysed: Analysed, step: int, services: bool = False) -> None:
        self.moments = moments_of(span_of(analysed), step)
        kept = kept_flows(analysed)
        self.keys = keys_of_services(kept) if services else keys_of_hosts(kept)
        self.texts = analysed.tables.addresses
        self._services, self._census = services, SocketCensus(kept, self.keys)
        self._shown = np.append(shown_hosts(analysed) | services, True)

    def places(self) -> Ints:
        """Which keys are shown: those with most connections first."""
        connections = np.bincount(self.keys.of_ends, minlength=len(self.keys.role))
        rank = np.append(ranks(self.texts), -1)
        keys = (self.keys.peer_port, self.keys.port, rank[self.keys.peer_ip], rank[self.keys.ip], -connections)
        order = np.lexsort(keys)
        shown: Ints = order[self._shown[self.keys.ip[order]]]
        return shown

    def counts(self, places: Ints) -> NDArray[np.int32]:
        """The counts of some keys: a row of STATES for each moment and key."""
        made = np.empty((len(self.moments), len(places), len(STATES)), np.int32)
        for place, rows in enumerate(self._census.counts(self.moments)):
            made[place] = rows[places]
        return made

    def table(self) -> NumberTable:
        """All of it as rows, moment after moment; without keys that have no socket then."""
        without = () if self._services else ("role", "port", "peer_ip", "peer_port")
        columns = [column for column in TABLES["census"] if column.name not in without]
        words = {"ip": self.texts, "peer_ip": self.texts, "role": Words.of(SIDES.by_code)}
        texts = {column.name: words[column.name] for column in columns if column.name in words}
        return NumberTable(columns, texts, self._parts)

    def _parts(self) -> Iterator[Numbers]:
        for rows in self._census.over(self.moments):
            own = self._shown[rows["ip"]]
            yield {name: column[own] for name, column in rows.items()}


def moments_of(span: tuple[int, int], step: int) -> Ints:
    """The whole multiples of ``step``, counted from 1970, within the capture, and its last packet. Raises UsageError
    where they are too many."""
    if step <= 0:
        raise UsageError("--every takes a length of time above 0")
    first, last = span
    begin = -(-first // step) * step
    count = max(last - begin, -1) // step + 1
    if count > MOST_MOMENTS:
        raise UsageError(f"--every would make {count:,} moments, more than {MOST_MOMENTS:,}; ask for a longer step")
    moments = begin + step * np.arange(count, dtype=np.int64)
    return moments if count and moments[-1] == last else np.append(moments, last)

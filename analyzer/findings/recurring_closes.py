"""Closes that came as long after the last data, of the connections of one server: over all flows of a capture.

Ordinary connections are among them, so nothing but columns of ``flows`` is looked at, and what no silence came before
costs no more than a comparison.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows, FlowColumn
from analyzer.findings.facts import LONG_NS
from analyzer.findings.recurring import Window, best_windows
from analyzer.findings.rule import Bools
from analyzer.findings.silences import (
    ANSWER,
    BY_FIN,
    BY_RST,
    WAITS,
    Longs,
    Silences,
    of_flow_columns,
    waits_of_flow_columns,
)
from analyzer.settings import Settings
from analyzer.tracker.vocabularies import CLIENT, SERVER, SIDES, Handshake, RstCause
from analyzer.units import SECOND, UNKNOWN

FEWEST = 5  # closes after as long a silence: fewer are chance
APART_NS = SECOND // 2  # so long apart are the moments of closes that a timer ended, each by itself
SHOWN = 100  # so many frames are named
WHOLE = 0  # in the column observability: nothing is missing


class Proof(NamedTuple):
    """The frames that ended some connections, when they passed, and their streams, in the order of time."""

    frame: Longs
    when: Longs
    stream: Longs


class Recurring(NamedTuple):
    """An entry for each value that recurs: ``windows`` of lengths of closes of the connections to ``address`` and
    ``port``, among ``among`` that the same side ended in the same way; all waited for the same. ``by_fin`` and
    ``by_reset`` have the middle one of each as a silence that was ended by either."""

    address: Longs
    port: Longs
    by_rst: Bools
    no_data: Bools  # nobody had sent any: then the lengths count from the handshake
    asked_before: Bools  # a request had been answered before
    among: Longs
    windows: list[Window]
    proof: list[Proof]
    whole: Bools  # whether nothing is missing of these flows
    by_fin: Silences
    by_reset: Silences


def recurring_closes(flows: AllFlows, settings: Settings) -> Recurring:
    """The values that most closes of the connections of a server show."""
    long = flows.where(lambda column: column("since_data_s") >= LONG_NS)
    chosen, members = _windows(flows, long, settings) if len(long) >= FEWEST else ([], [])
    middle = np.array([mine[len(mine) // 2] for mine in members], np.intp)
    column = flows.of(middle)
    way, state = _way(column), _state(column)
    return Recurring(
        address=column("server_ip"),
        port=column("server_port"),
        by_rst=(way & BY_RST_BIT) > 0,
        no_data=(state & NO_DATA_BIT) > 0,
        asked_before=(state & ASKED_BEFORE_BIT) > 0,
        among=np.array([window.among for window in chosen], np.int64),
        windows=chosen,
        proof=[_proof(flows.of(mine)) for mine in members],
        whole=np.array([(flows.column("observability", mine) == WHOLE).all() for mine in members], np.bool_),
        by_fin=of_flow_columns(column, BY_FIN),
        by_reset=of_flow_columns(column, BY_RST),
    )


BY_CLIENT_BIT, BY_RST_BIT = 1, 2
NO_DATA_BIT, ASKED_BEFORE_BIT, STATES = 1, 2, 4 * len(WAITS)
ASKED_BEFORE = 3  # turns: a request had been answered before, so the next one was to be answered, too


def _windows(
    flows: AllFlows, long: NDArray[np.intp], settings: Settings
) -> tuple[list[Window], list[NDArray[np.intp]]]:
    """Of the flows ``long`` those that were ended as long after the data as most of their kind, the shortest first."""
    column = flows.of(long)
    way, length = _way(column), column("since_data_s")
    enough = _ended(column) & ((length >= settings.idle_timer_ns) | (way & BY_RST_BIT == 0))
    rows, length = long[enough], length[enough]
    key = _key(column)[enough]
    found = best_windows(key, length, FEWEST)
    alike = [np.flatnonzero(found.codes == place) for place in range(1, len(found.found))]
    own_keys = np.sort(key)  # those after a silence only: where they outnumber a window, all do
    apart = [
        (window, mine)
        for window, mine in zip(found.found[1:], alike, strict=True)
        if 2 * window.size > _count(own_keys, key[mine[0]], 1) and _spread(flows.of(rows[mine]))
    ]
    if not apart:
        return [], []
    all_keys = _keys_of_ways(flows, np.unique([key[mine[0]] // STATES for _, mine in apart]))
    chosen, members = [], []
    for window, mine in apart:
        if 2 * window.size > _count(all_keys, key[mine[0]], 1):
            chosen.append(window._replace(among=_count(all_keys, key[mine[0]], STATES)))
            members.append(rows[mine[np.argsort(length[mine], kind="stable")]])
    return chosen, members


def _keys_of_ways(flows: AllFlows, ways: Longs) -> Longs:
    """The keys of all flows that were ended in one of some ``ways``, ascending."""
    of_ways = flows.where(lambda column: np.isin(_way(column), ways) & _ended(column))
    return np.sort(_key(flows.of(of_ways)))


def _spread(column: FlowColumn) -> bool:
    """Whether most of some flows ended at different moments: else something ended all of them at once, as a restart."""
    when = np.sort(_proof(column).when)
    return bool(when[-1 - len(when) // 5] - when[len(when) // 5] >= APART_NS)


def _count(keys: Longs, key: int, width: int) -> int:
    """How many of the ascending ``keys`` are in the same class of ``width`` as ``key``."""
    begin = key // width * width
    first, end = (int(np.searchsorted(keys, bound)) for bound in (begin, begin + width))
    return end - first


def _by_rst(column: FlowColumn) -> Bools:
    """Flows that were reset by who ended them, for no other reason than its own."""
    side = np.where(column("closed_by") == CLIENT, SIDES.by_code.index("client"), SIDES.by_code.index("server"))
    return np.asarray((column("rst_by") == side) & (column("rst_cause") == RstCause.ABORT))


def _ended(column: FlowColumn) -> Bools:
    """Flows that one side ended first, with a FIN or by such a RST, a known time after the last data."""
    closer = column("closed_by")
    fins = np.where(closer == CLIENT, column("client_fin_epoch"), column("server_fin_epoch"))
    known = ((closer == CLIENT) | (closer == SERVER)) & (column("since_data_s") != UNKNOWN)
    known &= (column("turns") > 0) | (column("handshake") != Handshake.NOT_CAPTURED)  # else the begin is not known
    return np.asarray(known & ((fins != UNKNOWN) | _by_rst(column)))


def _proof(column: FlowColumn) -> Proof:
    """Of each flow the FIN that ended it, else its last frame, which a RST was; in the order of time."""
    by_client = column("closed_by") == CLIENT
    frame = np.where(by_client, column("client_fin_frame"), column("server_fin_frame"))
    when = np.where(by_client, column("client_fin_epoch"), column("server_fin_epoch"))
    last = np.where(frame > 0, frame, column("last_frame")), np.where(frame > 0, when, column("last_epoch"))
    order = np.lexsort(last)
    return Proof(last[0][order], last[1][order], column("stream")[order])


def _key(column: FlowColumn) -> Longs:
    """A number for each server, way in which a connection of it was ended, and state in which it was."""
    return np.asarray(_way(column) * STATES + _state(column), np.int64)


def _way(column: FlowColumn) -> Longs:
    """A number for each server, side that ended a connection, and way in which it did."""
    server = (column("server_ip").astype(np.int64) << 18) | (column("server_port").astype(np.int64) << 2)
    return np.asarray(server | (column("closed_by") == CLIENT) * BY_CLIENT_BIT | _by_rst(column) * BY_RST_BIT, np.int64)


def _state(column: FlowColumn) -> Longs:
    """A number for each thing that a connection may wait for; whether data were sent, and a request answered before."""
    turns, waits = column("turns"), waits_of_flow_columns(column)
    before = (waits == ANSWER) & (turns >= ASKED_BEFORE)
    return np.asarray(waits * 4 | before * ASKED_BEFORE_BIT | (turns == 0) * NO_DATA_BIT, np.int64)

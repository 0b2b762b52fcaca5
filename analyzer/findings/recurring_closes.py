"""Closes that came as long after the last data, of the connections of one server: over all flows of a capture.

Ordinary connections are among them, so nothing but columns of ``flows`` is looked at, and what no silence came before
costs no more than a comparison.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows
from analyzer.findings.facts import LONG_NS
from analyzer.findings.recurring import Window, best_windows
from analyzer.findings.rule import Bools
from analyzer.findings.silences import BY_FIN, BY_RST, Longs, Silences, of_flow_columns
from analyzer.settings import Settings
from analyzer.tracker.vocabularies import CLIENT, SERVER, SIDES, Handshake, RstCause
from analyzer.units import UNKNOWN

FEWEST = 5  # closes after as long a silence: fewer are chance
SHOWN = 100  # so many frames are named
WHOLE = 0  # in the column observability: nothing is missing


FlowColumn = Callable[[str], NDArray[Any]]  # gives a column of some flows by its name


class Proof(NamedTuple):
    """The frames that ended some connections, when they passed, and their streams, in the order of time."""

    frame: Longs
    when: Longs
    stream: Longs


class Recurring(NamedTuple):
    """An entry for each value that recurs: ``windows`` of lengths of closes of the connections to ``address`` and
    ``port``, among ``among`` that the same side ended in the same way; ``by_fin`` and ``by_reset`` have the middle one
    of each as a silence that was ended by either."""

    address: Longs
    port: Longs
    by_rst: Bools
    no_data: Bools  # nobody had sent any: then the lengths count from the handshake
    turns: Longs  # of the middle one
    among: Longs
    windows: list[Window]
    proof: list[Proof]
    whole: Bools  # whether nothing is missing of these flows
    by_fin: Silences
    by_reset: Silences


def recurring_closes(flows: AllFlows, settings: Settings) -> Recurring:
    """The values that most closes of the connections of a server show."""
    long = np.flatnonzero(flows.column("since_data_s") >= LONG_NS)
    chosen, members = _windows(flows, long, settings) if len(long) >= FEWEST else ([], [])
    middle = np.array([mine[len(mine) // 2] for mine in members], np.intp)
    column = _of(flows, middle)
    key = _key(column)
    return Recurring(
        address=column("server_ip"),
        port=column("server_port"),
        by_rst=(key & BY_RST_BIT) > 0,
        no_data=(key & NO_DATA_BIT) > 0,
        turns=column("turns"),
        among=np.array([window.among for window in chosen], np.int64),
        windows=chosen,
        proof=[_proof(_of(flows, mine)) for mine in members],
        whole=np.array([(flows.column("observability", mine) == WHOLE).all() for mine in members], np.bool_),
        by_fin=of_flow_columns(column, BY_FIN),
        by_reset=of_flow_columns(column, BY_RST),
    )


BY_CLIENT_BIT, BY_RST_BIT, NO_DATA_BIT = 1, 2, 4


def _windows(
    flows: AllFlows, long: NDArray[np.intp], settings: Settings
) -> tuple[list[Window], list[NDArray[np.intp]]]:
    """Of the flows ``long`` those that were ended as long after the data as most of their kind, the shortest first."""
    column = _of(flows, long)
    key, length = _key(column), column("since_data_s")
    enough = _ended(column) & ((length >= settings.idle_timer_ns) | (key & BY_RST_BIT == 0))
    rows, key, length = long[enough], key[enough], length[enough]
    found = best_windows(key, length, FEWEST)
    if len(found.found) == 1:
        return [], []
    column = _of(flows, np.arange(len(flows)))
    all_keys = np.sort(_key(column)[_ended(column)])
    chosen, members = [], []
    for place, window in enumerate(found.found[1:], 1):
        mine = np.flatnonzero(found.codes == place)
        first, last = (np.searchsorted(all_keys, key[mine[0]], side) for side in ("left", "right"))
        if 2 * window.size > last - first:
            chosen.append(window._replace(among=int(last - first)))
            members.append(rows[mine[np.argsort(length[mine], kind="stable")]])
    return chosen, members


def _of(flows: AllFlows, rows: NDArray[np.intp]) -> FlowColumn:
    """The columns of some flows."""
    return lambda name: flows.column(name, rows)


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
    """A number for each server, side that ended a connection, and way in which it did; and whether data were sent."""
    server = (column("server_ip").astype(np.int64) << 19) | (column("server_port").astype(np.int64) << 3)
    by_client, silent = column("closed_by") == CLIENT, column("turns") == 0
    return np.asarray(
        server | by_client * BY_CLIENT_BIT | _by_rst(column) * BY_RST_BIT | silent * NO_DATA_BIT, np.int64
    )

"""Closes that came as long after the last data, of the connections of one server: over all flows of a capture.

Ordinary connections are among them, so nothing but columns of ``flows`` is looked at, and what no silence came before
costs no more than a comparison.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows
from analyzer.findings.facts import LONG_NS
from analyzer.findings.recurring import Window, best_windows
from analyzer.findings.rule import Bools
from analyzer.findings.silences import BY_FIN, BY_RST, Longs, Silences, of_flow_columns
from analyzer.settings import Settings
from analyzer.tracker.vocabularies import CLIENT, SERVER, SIDES, RstCause
from analyzer.units import UNKNOWN

FEWEST = 5  # closes after as long a silence: fewer are chance
SHOWN = 100  # so many frames are named
NOTHING: Longs = np.zeros(0, np.int64)
WHOLE = 0  # in the column observability: nothing is missing


class Recurring(NamedTuple):
    """An entry for each value that recurs: ``windows`` of lengths of the closes ``members`` (places of flows, in the
    order of time) of the connections to ``address`` and ``port``, among ``among`` that the same side ended in the same
    way; ``silences`` has the middle one of each by either way of ending."""

    address: Longs
    port: Longs
    by_rst: Bools
    no_data: Bools  # nobody had sent any: then the lengths count from the handshake
    among: Longs
    windows: list[Window]
    members: list[NDArray[np.intp]]
    frame: Longs  # of every flow, the frame that ended it, and when that passed
    when: Longs
    by_fin: Silences
    by_reset: Silences


def recurring_closes(flows: AllFlows, settings: Settings) -> Recurring:
    """The values that most closes of the connections of a server show."""
    length = flows.column("since_data_s")
    long = _ended(flows, np.flatnonzero(length >= LONG_NS))
    key = _key(flows, long)
    kept = (key & BY_RST_BIT == 0) | (length[long] >= settings.idle_timer_ns)
    long, key = long[kept], key[kept]
    found = best_windows(key, length[long], FEWEST)
    several = len(found.found) > 1
    all_keys = np.sort(_key(flows, _ended(flows, np.arange(len(flows))))) if several else NOTHING
    chosen, members = [], []
    for place, window in enumerate(found.found[1:], 1):
        mine, of = long[found.codes == place], key[found.codes == place][0]
        among = int(np.searchsorted(all_keys, of, "right") - np.searchsorted(all_keys, of))
        if 2 * window.size > among:
            chosen.append(window._replace(among=among))
            members.append(mine)
    middle = np.array([mine[np.argsort(length[mine])[len(mine) // 2]] for mine in members], np.intp)
    frame, when = _proof(flows) if several else (NOTHING, NOTHING)
    ways = _key(flows, middle)

    def column(name: str) -> NDArray[np.int64]:
        return flows.column(name, middle)

    return Recurring(
        address=flows.column("server_ip", middle),
        port=flows.column("server_port", middle),
        by_rst=(ways & BY_RST_BIT) > 0,
        no_data=(ways & NO_DATA_BIT) > 0,
        among=np.array([window.among for window in chosen], np.int64),
        windows=chosen,
        members=[mine[np.argsort(when[mine], kind="stable")] for mine in members],
        frame=frame,
        when=when,
        by_fin=of_flow_columns(column, BY_FIN),
        by_reset=of_flow_columns(column, BY_RST),
    )


BY_CLIENT_BIT, BY_RST_BIT, NO_DATA_BIT = 1, 2, 4


def _by_rst(flows: AllFlows, some: NDArray[np.intp]) -> Bools:
    """Which of some flows were reset by who ended them, for no other reason than its own."""
    closer, rst_by, cause = flows.columns("closed_by", "rst_by", "rst_cause", places=some)
    own = np.where(closer == CLIENT, rst_by == SIDES.by_code.index("client"), rst_by == SIDES.by_code.index("server"))
    return np.asarray(own & (cause == RstCause.ABORT))


def _ended(flows: AllFlows, some: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those of some flows that one side ended first, with a FIN or by such a RST, a known time after the last data."""
    closer, length, *fins = flows.columns(
        "closed_by", "since_data_s", "client_fin_epoch", "server_fin_epoch", places=some
    )
    known = ((closer == CLIENT) | (closer == SERVER)) & (length != UNKNOWN)
    ended = known & ((np.where(closer == CLIENT, *fins) != UNKNOWN) | _by_rst(flows, some))
    return np.asarray(some[ended], np.intp)


def _proof(flows: AllFlows) -> tuple[Longs, Longs]:
    """Of each flow the FIN that ended it; else its last frame, which a RST was."""
    client, server = flows.columns("client_fin_frame", "server_fin_frame")
    frame, last = np.where(flows.column("closed_by") == CLIENT, client, server), flows.column("last_frame")
    times, passed = flows.columns("client_fin_epoch", "server_fin_epoch"), flows.column("last_epoch")
    when = np.where(flows.column("closed_by") == CLIENT, *times)
    return np.where(frame > 0, frame, last), np.where(frame > 0, when, passed)


def _key(flows: AllFlows, some: NDArray[np.intp]) -> Longs:
    """Of some flows a number for each server, side that ended a connection, and way in which it did; and whether data
    were sent."""
    address, port, closer, turns = flows.columns("server_ip", "server_port", "closed_by", "turns", places=some)
    by_rst = _by_rst(flows, some)
    server = (address.astype(np.int64) << 19) | (port.astype(np.int64) << 3)
    how = (closer == CLIENT) * BY_CLIENT_BIT | by_rst * BY_RST_BIT | (turns == 0) * NO_DATA_BIT
    return np.asarray(server | how, np.int64)


def seen_whole(flows: AllFlows, members: NDArray[np.intp]) -> bool:
    """Whether nothing is missing of some flows."""
    return bool((flows.column("observability", members) == WHOLE).all())

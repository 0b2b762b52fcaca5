"""Figures of matplotlib for notebooks and post-mortems: sockets by state over time, and how connections ended.

They have the colours of the page and of the ladder, and hatches beside them, so that they can be printed in grey.
"""

from typing import TYPE_CHECKING, Any

from analyzer.errors import UsageError
from analyzer.views.console import endpoint
from analyzer.views.pictures.colours import COUNTED, LIGHT, name_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analyzer.results.result import ResultTables

MOMENTS = 2000  # of a curve: more than it has pixels
LEAST_LABELLED = 0.06  # of the width of all bars: a number has no room in a shorter part
SERVERS = 12  # rows of bars; the others are summed up in one more
HATCHES = {"close-wait": "////", "time-wait": "....", "fin-wait-2": "\\\\\\\\", "unknown": "xxxx"}
ENDINGS = {  # the colours that the page has for them
    "graceful": ("fin-wait-2", ""),
    "simultaneous": ("fin-wait-1", ""),
    "reset": ("reset", "////"),
    "aborted": ("reset", "xxxx"),
    "half-closed": ("close-wait", "\\\\\\\\"),
    "timed-out": ("last-ack", "...."),
    "never-established": ("syn-sent", "...."),
    "open": ("established", ""),
}
OTHERS = "other servers"
STATES = [state.name.lower() for state in COUNTED]  # columns of census


def census_figure(result: "ResultTables", server: str | None = None, role: str = "server") -> "Figure":
    """Sockets by state over time of a ``server`` ("10.1.2.2:8080"; without one, of that with the most connections):
    its own, or with ``role="client"`` those of all its clients, by the best times of the timelines, in UTC.

    Raises UsageError without matplotlib, for a role that is none, or for a server that is not in the capture.
    """
    pyplot = _matplotlib()
    if role not in ("server", "client"):
        raise UsageError(f"role is server or client, not {role!r}")
    name = _server(result, server)
    counts = socket_counts(result, name, role)
    figure, axes = pyplot.subplots(figsize=(9, 3.6), layout="constrained")
    bottom = 0 * counts.iloc[:, 0]
    for column in STATES:
        if counts[column].any():
            top, state = bottom + counts[column], name_of(column)
            axes.fill_between(
                counts.index, bottom, top, step="post", facecolor=LIGHT[state], label=column.upper(),
                hatch=HATCHES.get(state), edgecolor=LIGHT["text"], linewidth=0.3,
            )  # fmt: skip
            bottom = top
    axes.set(ylabel="sockets", xlabel="time (UTC)", title=f"Sockets of {_whose(name, role)} by state", ylim=(0, None))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return _finished(figure, axes)


def endings_figure(result: "ResultTables") -> "Figure":
    """How connections ended, a bar for each server, those with the most connections first.

    Raises UsageError without matplotlib, or where there is no connection.
    """
    pyplot = _matplotlib()
    counts = ending_counts(result)
    figure, axes = pyplot.subplots(figsize=(9, 1.4 + 0.4 * len(counts)), layout="constrained")
    left, least = 0 * counts.iloc[:, 0], LEAST_LABELLED * counts.sum(axis=1).max()
    for ending in counts:
        state, hatch = ENDINGS.get(str(ending), ("unknown", "xxxx"))
        bars = axes.barh(
            counts.index, counts[ending], left=left, color=LIGHT[state], hatch=hatch,
            label=f"{ending} ({counts[ending].sum():,})",
            edgecolor=LIGHT["text"], linewidth=0.3,
        )  # fmt: skip
        labels = [f"{number:,}" if number >= least else "" for number in counts[ending]]
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
        axes.bar_label(bars, labels, label_type="center", fontsize=8, bbox=box)
        left = left + counts[ending]
    axes.invert_yaxis()
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="connections", title="How connections ended, by server")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return _finished(figure, axes)


def socket_counts(result: "ResultTables", server: str, role: str) -> "pd.DataFrame":
    """Of the sockets of a server, or of all its clients: how many in each state, at each moment of a change until the
    capture's end; where these are more than MOMENTS, at so many moments as far apart as each other."""
    import pandas as pd

    census = result.census
    ip, port = ("ip", "port") if role == "server" else ("peer_ip", "peer_port")
    address, _, number = server.rpartition(":")
    mine = (census[ip] == address.strip("[]")) & (census[port] == int(number)) & (census["role"] == role)
    rows = census[mine.fillna(False).astype(bool)]
    states = rows[STATES].astype("int64")
    changes = states.groupby(rows["ip"], observed=True).diff().fillna(states).astype("int64")
    counts = changes.groupby(rows["time_epoch"]).sum().cumsum()
    end = pd.Timestamp(result.summary.last_ns or 0, unit="ns", tz="UTC")
    moments = counts.index[counts.index <= end].append(pd.DatetimeIndex([end])).unique()
    if len(moments) > MOMENTS:
        moments = pd.date_range(moments[0], end, periods=MOMENTS, unit="ns")
    return counts.reindex(moments, method="ffill", fill_value=0)


def ending_counts(result: "ResultTables") -> "pd.DataFrame":
    """How many connections of each server (rows) ended how (columns). Raises UsageError without a connection."""
    flows = result.flows
    if not len(flows):
        raise UsageError("there is no connection in it")
    servers = _names(flows, "server_ip", "server_port")
    counts = servers.groupby([servers, flows["teardown"].astype(str)], observed=True).size().unstack(fill_value=0)
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    if len(counts) > SERVERS:
        rest = counts.iloc[SERVERS:].sum()
        counts = counts.iloc[:SERVERS].copy()
        counts.loc[OTHERS] = rest
    order = [name for name in ENDINGS if name in counts] + sorted(map(str, set(counts) - set(ENDINGS)))
    return counts[order]


def _names(table: "pd.DataFrame", ip: str, port: str) -> "pd.Series[str]":
    """``10.1.2.2:8080``, ``[fd00::1]:8080``."""
    import pandas as pd

    pairs = zip(table[ip].astype(str), table[port], strict=True)
    named = ["" if pd.isna(number) else endpoint(address, int(number)) for address, number in pairs]
    return pd.Series(named, index=table.index, dtype=str)


def _server(result: "ResultTables", asked: str | None) -> str:
    there = _names(result.flows, "server_ip", "server_port").value_counts()
    if asked is None and len(there):
        return str(there.index[0])
    if asked is None or asked not in there.index:
        known = ", ".join(map(str, there.index[:5])) or "none"
        raise UsageError(f"there is no server {asked or ''} in it; there are: {known}")
    return asked


def _whose(server: str, role: str) -> str:
    return f"the server {server}" if role == "server" else f"the clients of {server}"


def _finished(figure: "Figure", axes: "Axes") -> "Figure":
    """Without a frame; closed for pyplot, so that a notebook shows it once."""
    axes.spines[["top", "right"]].set_visible(False)
    _matplotlib().close(figure)
    return figure


def _matplotlib() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise UsageError("figures need matplotlib: pip install 'teardown[plot]'") from error
    return pyplot

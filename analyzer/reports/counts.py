"""The two small tables everybody asks for first: how connections ended, and who closed first at which
server."""

import pandas as pd

from analyzer.reports.columns import CLOSERS, TEARDOWNS

NOBODY = "nobody"
ENDED_BY_RST = ("reset", "aborted")


def endings(flows: pd.DataFrame) -> pd.DataFrame:
    """Index: ``teardown``, in the order of its vocabulary. Columns: flows, then how many of them each side
    closed first (client, server, both, nobody)."""
    table = _by_closer(flows, ["teardown"])
    return table.reindex([word for word in TEARDOWNS if word in table.index])


def servers(flows: pd.DataFrame) -> pd.DataFrame:
    """Index: ``server_ip``, ``server_port``, the one with the most flows first. Columns as in
    :func:`endings`, and ``by RST``: how many of the flows a RST ended."""
    table = _by_closer(flows, ["server_ip", "server_port"])
    reset = flows["teardown"].isin(ENDED_BY_RST)
    table["by RST"] = reset.groupby([flows["server_ip"], flows["server_port"]], observed=True).sum()
    return table.astype(int).sort_values("flows", ascending=False, kind="stable")


def _by_closer(flows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    closer = flows["closed_by"].cat.add_categories([NOBODY]).fillna(NOBODY)
    counted = flows.groupby([*(flows[name] for name in by), closer], observed=True).size().unstack(fill_value=0)
    table = counted.reindex(columns=[*CLOSERS, NOBODY], fill_value=0).rename_axis(columns=None)
    table.columns = table.columns.astype(object)
    table.insert(0, "flows", table.sum(axis=1))
    return table

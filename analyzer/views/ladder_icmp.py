"""ICMP errors that quote a segment of a connection, as the ladder tells them: who sent them and what they say."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analyzer.findings.icmp import TEXTS, kind, text_of
from analyzer.results import segment_attrs
from analyzer.segments.table import IPV6, TOO_LARGE_4, TOO_LARGE_6, tells_icmp_error
from analyzer.times import outer

ANY_CODE = 256


class IcmpError(NamedTuple):
    """An ICMP error: its frame, its time in nanoseconds since 1970, and what it says in words."""

    frame: int
    time: int
    words: str


def icmp_errors(segments: pd.DataFrame, flow: "pd.Series[Any]") -> list[IcmpError]:
    """The errors that quote a segment of the connection that ``flow`` (a row of the flows) describes, by frame."""
    known = segment_attrs.read(segments.attrs)
    rows = known.quoted[tells_icmp_error(known.quoted)]
    ends = {role: (str(flow[f"{role}_ip"]), int(flow[f"{role}_port"])) for role in ("client", "server")}
    roles = {(ends["client"], ends["server"]): "client", (ends["server"], ends["client"]): "server"}
    found = []
    for row in rows:
        src, dst = ((known.texts[int(row[side])], int(row[f"{side}_port"])) for side in ("src", "dst"))
        if (src, dst) in roles:
            version = 6 if int(row["marks"]) & IPV6 else 4
            said = TEXTS[int(text_of(np.array([kind(version, *divmod(int(row["ts_val"]), ANY_CODE))]))[0])]
            said += _next_hop(row)
            words = f"ICMP from {known.texts[int(row['ts_ecr'])]}: {said}; it quotes a segment of the {roles[src, dst]}"
            found.append(IcmpError(int(row["frame"]), int(outer(int(row["time"]))), words))
    return sorted(found)


def _next_hop(row: np.void) -> str:
    """The MTU that the error which quotes ``row`` names."""
    said = int(row["ts_val"])
    too_large = said & 0xFF00 == TOO_LARGE_6 if int(row["marks"]) & IPV6 else said == TOO_LARGE_4
    return f", next-hop MTU {row['window']}" if too_large and row["window"] else ""

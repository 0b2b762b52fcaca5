"""What a tracker tells at the end, by the sides of the flow table instead of by roles."""

from collections.abc import Iterable

import numpy as np

from analyzer.flows.table import FlowTable
from analyzer.tracker.ordinary import ORDINARY
from analyzer.tracker.track import Ended


def sided(parts: Iterable[Ended], table: FlowTable) -> list[tuple[int, int, np.void]]:
    """Row of the flow table, side and entry (ENTRY) of everything in the timelines, flow by flow."""
    row_of = {int(stream): row for row, stream in enumerate(table.rows["stream"])}
    told = []
    for part in parts:
        if part.kind == ORDINARY:
            rows = [row_of[stream] for stream in part.endings["stream"].tolist()]
            clients = [client_of(ending, table.rows[row]) for ending, row in zip(part.endings, rows, strict=True)]
        else:
            rows, clients = part.facts.flow("row").tolist(), part.facts.flow("client").tolist()
        for entry in part.entries:
            flow = entry["end"] >> 1
            told.append((rows[flow], int(entry["end"] & 1) ^ clients[flow], entry))
    return sorted(told, key=lambda entry: entry[0])


def client_of(ending: np.void, flow: np.void) -> int:
    """The side of the flow table that is the client by a row of ENDING."""
    sides = list(zip(flow["address"].tolist(), flow["port"].tolist(), strict=True))
    return sides.index((ending["client_ip"], ending["client_port"])) if ending["client_port"] else 0

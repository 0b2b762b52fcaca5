"""The result as one JSON document for scripts (its fields are described in docs/json.md)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analyzer.capture.gaps import Gap
from analyzer.results.overview import CLOSERS
from analyzer.results.result import ResultTables
from analyzer.results.source_summary import Summary
from analyzer.times import decimal
from analyzer.version import VERSION


def json_document(result: ResultTables) -> Iterator[str]:
    """The document in pieces, a line for each finding. Plain ASCII: everything else is escaped."""
    head = json.dumps(_head(result), indent=2)
    yield head.removesuffix("\n}") + ',\n  "findings": ['
    separator = "\n    "
    for finding in result.findings.itertuples(index=False):
        yield separator + json.dumps(finding_object(finding))
        separator = ",\n    "
    yield "\n  ]\n}\n" if len(result.findings) else "]\n}\n"


def _head(result: ResultTables) -> dict[str, Any]:
    summary = result.summary
    return {
        "version": VERSION,
        "capture": {**_capture(summary), "gaps": [_gap(gap) for gap in result.recording.gaps.rows]},
        "told": summary.told or None,
        "settings_from": summary.settings_from or None,
        "flows": len(result.flows),
        "endings": {word: _counts((sum(row), *row)) for word, row in result.overview.endings.items()},
        "servers": _servers(result),
        "cannot_judge": [{"code": e.code, "reason": e.reason, "flows": e.flows} for e in summary.cannot_judge],
        "notices": [notice.text for notice in summary.notices],
    }


def _counts(counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(("flows", *CLOSERS, "by_rst"), counts, strict=False))


def _servers(result: ResultTables) -> list[dict[str, Any]]:
    """All servers, the one with the most flows first."""
    rows, _ = result.overview.servers()
    address = result.listing.address
    return [{"server_ip": address(row), "server_port": port, **_counts(counts)} for row, port, counts in rows]


def _capture(summary: Summary) -> dict[str, Any]:
    return {
        "files": summary.files,
        "bytes": summary.bytes,
        "packets": summary.packets,
        "segments": summary.segments,
        "first_epoch": None if summary.first_ns is None else decimal(summary.first_ns),
        "last_epoch": None if summary.last_ns is None else decimal(summary.last_ns),
        "link_types": summary.link_types,
        "not_understood": summary.not_understood,
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {"begin_epoch": decimal(gap.begin), "end_epoch": decimal(gap.end)}


def finding_object(finding: Any) -> dict[str, Any]:
    """All columns of findings.csv; unknown is null, a time the same decimal text, frames a list of
    numbers."""
    plain = {name: _plain(value) for name, value in finding._asdict().items()}
    plain["frames"] = [int(frame) for frame in str(plain["frames"]).split(";") if frame]
    moment = plain["time_epoch"]
    return {**plain, "time_epoch": None if moment is None else decimal(int(moment.as_unit("ns").value))}


def _plain(value: Any) -> Any:
    """``value`` without numpy's types; None where it is unknown."""
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value

"""The result as one JSON document for scripts (its fields are described in docs/json.md)."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analyzer.reports.counts import endings, servers
from analyzer.reports.decimals import decimal
from analyzer.reports.result import Result, Summary
from analyzer.version import VERSION


def json_document(result: Result) -> Iterator[str]:
    """The document in pieces, a line for each finding. Plain ASCII: everything else is escaped."""
    head = json.dumps(_head(result), indent=2)
    yield head.removesuffix("\n}") + ',\n  "findings": ['
    separator = "\n    "
    for finding in result.findings.itertuples(index=False):
        yield separator + json.dumps(finding_object(finding))
        separator = ",\n    "
    yield "\n  ]\n}\n" if len(result.findings) else "]\n}\n"


def _head(result: Result) -> dict[str, Any]:
    summary = result.summary
    by_server = [] if result.flows.empty else servers(result.flows).reset_index().to_dict("records")
    return {
        "version": VERSION,
        "capture": _capture(summary),
        "flows": len(result.flows),
        "endings": {} if result.flows.empty else endings(result.flows).to_dict("index"),
        "servers": [{str(key).replace(" ", "_").lower(): value for key, value in row.items()} for row in by_server],
        "cannot_judge": [{"code": e.code, "reason": e.reason, "flows": e.flows} for e in summary.cannot_judge],
        "notices": [notice.text for notice in summary.notices],
    }


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

"""The result as one JSON document for scripts (its fields are described in docs/json.md)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from analyzer.capture.gaps import Gap
from analyzer.findings.wording import ROLES
from analyzer.results.finding_list import FindingList, FindingRows
from analyzer.results.overview import CLOSERS
from analyzer.results.result import Analysed, ResultTables
from analyzer.results.schema import FINDINGS
from analyzer.results.source_summary import Summary
from analyzer.times import decimal, outer_column
from analyzer.units import UNKNOWN
from analyzer.version import VERSION
from analyzer.vocabulary import CONFIDENCES


def json_document(result: Analysed | ResultTables) -> Iterator[str]:
    """The document in pieces, a line for each finding. Plain ASCII: everything else is escaped."""
    head = json.dumps(head_of(result), indent=2)
    yield head.removesuffix("\n}") + ',\n  "findings": ['
    separator = "\n    "
    for places in result.listing.parts():
        for finding in finding_objects(result.listing, places):
            yield separator + json.dumps(finding)
            separator = ",\n    "
    yield "\n  ]\n}\n" if len(result.listing) else "]\n}\n"


def head_of(result: Analysed | ResultTables) -> dict[str, Any]:
    """All but the findings."""
    summary = result.summary
    return {
        "version": VERSION,
        "capture": {**_capture(summary), "gaps": [_gap(gap) for gap in result.recording.gaps.rows]},
        "told": summary.told or None,
        "settings_from": summary.settings_from or None,
        "flows": result.overview.flows,
        "endings": {word: _counts((sum(row), *row)) for word, row in result.overview.endings.items()},
        "servers": _servers(result),
        "cannot_judge": [{"code": e.code, "reason": e.reason, "flows": e.flows} for e in summary.cannot_judge],
        "notices": [notice.text for notice in summary.notices],
    }


def _counts(counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(("flows", *CLOSERS, "by_rst"), counts, strict=False))


def _servers(result: Analysed | ResultTables) -> list[dict[str, Any]]:
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


def finding_objects(listing: FindingList, places: FindingRows) -> Iterator[dict[str, Any]]:
    """Some findings, each as :func:`finding_object` has it."""
    picked = {name: listing.numbers(name, places) for name in ("stream", "when", "blamed", "confidence", *ENDS)}
    codes, severities = listing.vocabularies
    files, frames = listing.located(places)
    columns: dict[str, Sequence[Any]] = {
        "code": [codes[table] for table in places.table.tolist()],
        "severity": [severities[table] for table in places.table.tolist()],
        "stream": _known(picked["stream"], UNKNOWN),
        "endpoint": [(*ROLES, None)[side] for side in picked["blamed"].tolist()],
        "time_epoch": _known(outer_column(picked["when"]), UNKNOWN),
        "confidence": [CONFIDENCES[level] for level in picked["confidence"].tolist()],
        "file": [listing.files.files[file] if file >= 0 else None for file in files.tolist()],
        "file_frame": _known(frames, 0),
    }
    for role in ROLES:
        columns[f"{role}_ip"] = [listing.address(row) or None for row in picked[f"{role}_ip"].tolist()]
        columns[f"{role}_port"] = _known(picked[f"{role}_port"], -1)
    columns |= {name: listing.column(name, places).texts() for name in ("frames", "message", "advice")}
    names = [column.name for column in FINDINGS]
    for values in zip(*(columns[name] for name in names), strict=True):
        yield finding_object(dict(zip(names, values, strict=True)))


ENDS = tuple(f"{role}_{what}" for role in ROLES for what in ("ip", "port"))


def _known(values: Any, none: int) -> list[int | None]:
    """Numbers; None for ``none`` and, of a port, whatever is below it."""
    return [value if value > none else None for value in np.asarray(values).tolist()]


def finding_object(cells: Mapping[str, Any]) -> dict[str, Any]:
    """A row of findings.csv, from its cells without types of numpy, None for no value: a time, which is nanoseconds
    since 1970, becomes the decimal text of CSV, and frames a list of numbers."""
    when = cells["time_epoch"]
    frames = [int(frame) for frame in str(cells["frames"]).split(";") if frame]
    return {**cells, "frames": frames, "time_epoch": None if when is None else decimal(when)}

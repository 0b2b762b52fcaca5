"""A comparison for scripts: CSV, and one JSON document. Both have a row for each thing compared."""

import csv
import io
import json
import math
from typing import Any

from analyzer.results.comparison import NO_SERVER, ComparedThing, Comparison
from analyzer.results.intervals import Durations
from analyzer.results.server_measures import Measure, RecordingMeasures
from analyzer.units import SECOND
from analyzer.version import VERSION
from analyzer.views.comparison import said

UNITS = {"finding": "connections", "ending": "connections", "dwell": "s", "peak": "sockets", "crowd": "times"}
SCALES = {"dwell": 1 / SECOND}


def csv_text(comparison: Comparison) -> str:
    """A line for each thing; an unknown value is an empty cell."""
    text = io.StringIO()
    rows = [_row(entry) for entry in comparison.things]
    writer = csv.DictWriter(text, HEAD, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def json_text(comparison: Comparison) -> str:
    """The document; an unknown value is null."""
    document = {
        "version": VERSION,
        "before": _recording(comparison, comparison.before),
        "after": _recording(comparison, comparison.after),
        "told": comparison.after.summary.told or None,
        "settings_from": comparison.after.summary.settings_from or None,
        "worse": comparison.worse,
        "intervals": comparison.intervals,
        "things": [_row(entry) for entry in comparison.things],
    }
    return json.dumps(document, indent=2) + "\n"


def _recording(comparison: Comparison, recording: RecordingMeasures) -> dict[str, Any]:
    return {
        "files": recording.summary.files,
        "connections": recording.connections,
        "length_s": recording.length / SECOND,
        "notices": [notice.text for notice in recording.summary.notices],
        "findings_about_the_recording": recording.recorded,
        "servers_only_here": [
            {"server_ip": name.address or None, "server_port": name.port, "connections": count}
            for name, count in comparison.alone(recording)
        ],
    }


def _row(entry: ComparedThing) -> dict[str, Any]:
    thing, difference, named = entry.thing, entry.difference, entry.server != NO_SERVER
    scale = SCALES.get(thing.kind, 1)
    low, high = (_finite(end * scale) for end in difference.interval) if thing.kind != "crowd" else (None, None)
    return {
        "verdict": entry.verdict,
        "server_ip": entry.server.address or None,
        "server_port": entry.server.port if named and entry.server.port >= 0 else None,
        "kind": thing.kind,
        "name": thing.name,
        "severity": thing.severity or None,
        **_measure("before", entry.before),
        **_measure("after", entry.after),
        "unit": UNITS[thing.kind],
        "low": low,
        "high": high,
        "doubt": difference.doubt or None,
        "said": said(entry),
    }


HEAD = (
    *("verdict", "server_ip", "server_port", "kind", "name", "severity"),
    *(f"{when}{what}" for when in ("before", "after") for what in ("", "_of", "_p99_s", "_at_least")),
    *("unit", "low", "high", "doubt", "said"),
)


def _measure(when: str, measure: Measure) -> dict[str, Any]:
    """Its number, of how many; of a dwell the median, whether it is the least that this can be, and p99 likewise."""
    if not isinstance(measure, Durations):
        return {when: measure.count, f"{when}_of": measure.of, f"{when}_p99_s": None, f"{when}_at_least": None}
    median, p99 = (measure.quantile(share) for share in (0.5, 0.99))
    some = len(measure) > 0
    return {
        when: median.low / SECOND if some else None,
        f"{when}_of": len(measure),
        f"{when}_p99_s": p99.low / SECOND if some else None,
        f"{when}_at_least": math.isinf(median.high) if some else None,
    }


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else value


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.9f}" if isinstance(value, float) else value

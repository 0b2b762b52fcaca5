"""Two taps for scripts: CSV, a line for what only one tap has, and one JSON document with all."""

import csv
import io
import json
import math
from typing import Any

from analyzer.results.taps.clock import ClockPiece
from analyzer.results.taps.compared import TapsComparison
from analyzer.results.taps.crossing import Missing
from analyzer.results.taps.states import EnteredState, HostStates
from analyzer.results.taps.tap import Tap
from analyzer.times import NEVER, decimal, outer
from analyzer.units import SECOND
from analyzer.version import VERSION
from analyzer.views.taps import missing_text

HEAD = (
    *("tap", "kind", "fate", "role", "ip", "port", "stream_a", "stream_b", "count", "first_frame", "first_epoch"),
    *("repeated", "other_ended", "said"),
)


def csv_text(result: TapsComparison) -> str:
    """A line for each kind of segments of one sender that only one tap has."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEAD, lineterminator="\n")
    writer.writeheader()
    for one in result.missing:
        row = _missing(result, one)
        frames = row.pop("frames")
        flags = {name: "true" if row[name] else "false" for name in ("repeated", "other_ended")}
        writer.writerow({**row, "first_frame": frames[0], **flags})
    return text.getvalue()


def json_text(result: TapsComparison) -> str:
    """The document; an unknown value is null."""
    document = {
        "version": VERSION,
        "a": _tap(result.a),
        "b": _tap(result.b),
        "clock": [_piece(piece) for piece in result.clock.pieces],
        "there_and_back_s": None if result.returns_ns is None else result.returns_ns / SECOND,
        "lost": len(result.lost),
        "missing": [_missing(result, one) for one in result.missing],
        "one_way": [
            {
                "tap": way.tap,
                **_who(result, way.sender),
                "first_frame": way.frame,
                "first_epoch": decimal(outer(way.time)),
                "count": way.count,
                "others": way.others,
            }
            for way in result.dead
        ],
        "connections": [_connection(result, row) for row in result.pair_of],
        "at_one_tap": [
            {"tap": one.tap, "stream": one.stream, "segments": one.segments, "why": one.why} for one in result.alone
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _tap(tap: Tap) -> dict[str, Any]:
    summary = tap.analysed.summary
    notices = [notice.text for notice in summary.notices]
    return {"files": summary.files, "packets": summary.packets, "connections": summary.streams, "notices": notices}


def _piece(piece: ClockPiece) -> dict[str, Any]:
    return {
        "begin_epoch": decimal(outer(piece.begin)),
        "end_epoch": decimal(outer(piece.end)),
        "ahead_s": piece.ahead / SECOND,
        "ahead_low_s": _finite(piece.low / SECOND),
        "ahead_high_s": _finite(piece.high / SECOND),
        "drift_ppm": piece.drift * 1e6,
        "drift_low_ppm": piece.drift_low * 1e6,
        "drift_high_ppm": piece.drift_high * 1e6,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _who(result: TapsComparison, sender: int) -> dict[str, Any]:
    pair = result.pair_of[sender >> 1]
    ip, port = result.a.end_of(sender)
    return {
        "role": result.a.role(sender),
        "ip": ip,
        "port": port,
        "stream_a": int(result.a.flows["stream"][pair.row_a]),
        "stream_b": int(result.b.flows["stream"][pair.row_b]),
    }


def _missing(result: TapsComparison, one: Missing) -> dict[str, Any]:
    return {
        "tap": one.tap,
        "kind": one.kind.value,
        "fate": one.fate.value,
        **_who(result, one.sender),
        "count": len(one.frames),
        "frames": list(one.frames),
        "first_epoch": decimal(outer(one.times[0])),
        "repeated": one.repeated,
        "other_ended": one.ended,
        "said": missing_text(result, one),
    }


def _connection(result: TapsComparison, row: int) -> dict[str, Any]:
    pair = result.pair_of[row]
    client = result.client_sender(pair)
    other = 2 * pair.row_b + ((client & 1) ^ pair.swapped)
    ends = {
        f"{role}_{tap.name.lower()}": list(tap.end_of(sender))
        for tap, first in ((result.a, client), (result.b, other))
        for role, sender in (("client", first), ("server", first ^ 1))
    }
    hosts = result.states[row]
    if hosts[0].sender != client:
        hosts = (hosts[1], hosts[0])
    return {
        "stream_a": int(result.a.flows["stream"][row]),
        "stream_b": int(result.b.flows["stream"][pair.row_b]),
        **ends,
        "matched_by": pair.by,
        "moved": pair.moved,
        "near_client": result.near(client) or None,
        "client": _host(hosts[0]),
        "server": _host(hosts[1]),
    }


def _host(host: HostStates) -> dict[str, Any]:
    otherwise = None if host.otherwise is None else [one.state for one in host.otherwise]
    return {"tap": host.tap, "states": [_state(one) for one in host.entered], "other_tap_alone": otherwise}


def _state(one: EnteredState) -> dict[str, Any]:
    times = (("time", one.time), ("earliest", one.earliest), ("latest", one.latest))
    told = {f"{name}_epoch": decimal(outer(time)) if time > NEVER else None for name, time in times}
    return {"state": one.state, **told, "basis": one.basis, "frame": one.frame or None}

"""A DataFrame of segments becomes the table of segments again: the way back from ``result.segments``.

It may be of anybody's making: of the columns of docs/columns.md only ``REQUIRED`` must be there. What is not known of a
segment is what harms no verdict: the widest window scale, no option, no identification.
"""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analyzer.capture.interfaces import harmless
from analyzer.capture.objects.frames import nanoseconds
from analyzer.errors import UsageError
from analyzer.results import segment_attrs
from analyzer.results.pandas_types import epoch_ns
from analyzer.results.segment_attrs import SegmentAttrs
from analyzer.segments.addresses import AddressBook
from analyzer.segments.predecoded import PredecodedSegments
from analyzer.segments.table import (
    DUPLICATE,
    HAS_FIRST_BYTE,
    HAS_IP_ID,
    HAS_TIMESTAMP,
    IPV6,
    QUOTED,
    SEGMENT,
    SHORT_QUOTE,
    tells_icmp_error,
)
from analyzer.times import BEYOND_SECOND, FIRST_SECOND, inner, outer
from analyzer.units import SECOND

Rows = NDArray[np.void]
Address = IPv4Address | IPv6Address

ADDRESSES = {"src_ip": "src", "dst_ip": "dst"}
NUMBERS = ("src_port", "dst_port", "seq", "ack", "flags", "payload_len", "window")
REQUIRED = ("time_epoch", *ADDRESSES, *NUMBERS)
WIDEST_SCALE = 14  # RFC 7323, 2.3
OPTIONAL = {"window_scale": WIDEST_SCALE, "ip_id": 0, "ttl": 0, "ts_val": 0, "ts_ecr": 0, "first_byte": 0}
OPTIONAL |= {"interface": 0}
VALID = {HAS_IP_ID: ("ip_id",), HAS_TIMESTAMP: ("ts_val", "ts_ecr"), HAS_FIRST_BYTE: ("first_byte",)}
LOWEST, HIGHEST = {"frame": 1, "window_scale": -1}, {"frame": 1 << 62, "window_scale": WIDEST_SCALE, "flags": 0xFFF}


def segments_of(frame: pd.DataFrame) -> PredecodedSegments:
    """The segments of a DataFrame in the order of their frames, with what is kept beside them.

    Raises UsageError, which names the column, where one is missing or holds what it cannot.
    """
    missing = [name for name in REQUIRED if name not in frame.columns]
    if missing:
        raise UsageError(
            f"the DataFrame of segments has no column {', '.join(missing)}; it needs {', '.join(REQUIRED)} as "
            f"analyze(..., keep_segments=True).segments has them"
        )
    known, numbers = segment_attrs.read(frame.attrs), _Numbers()
    rows = _rows(frame, numbers)
    quoted = _quoted(known, rows, numbers)
    rows = np.concatenate([rows, quoted])
    rows = rows[np.argsort(rows["frame"], kind="stable")]
    book = _by_appearance(rows, numbers)
    times = rows["time"]
    last = outer(int(times.max())) if len(times) else None
    return PredecodedSegments(
        rows,
        book,
        known.first_ns if known.first_ns is not None or not len(times) else outer(int(times[0])),
        last if known.last_ns is None else known.last_ns,
        max(known.packets, len(rows)),
        known.not_understood,
        known.recording,
    )


class _Numbers:
    """Addresses by number, in the order in which they were asked for."""

    def __init__(self) -> None:
        self.addresses: dict[Address, int] = {}

    def of(self, text: Any, where: str) -> int:
        """The number of an address; ``where`` it stands is for the message."""
        try:
            address = ip_address(text)
        except ValueError:
            raise UsageError(f"{where} holds {harmless(repr(text)[:60])}, which is not an IP address") from None
        return self.addresses.setdefault(address, len(self.addresses))


def _rows(frame: pd.DataFrame, numbers: _Numbers) -> Rows:
    rows: Rows = np.zeros(len(frame), SEGMENT)
    rows["frame"] = _whole(frame, "frame") if "frame" in frame.columns else np.arange(1, len(frame) + 1)
    rows["time"], rows["sender"] = inner(_times(frame["time_epoch"])), -1
    for name, field in ADDRESSES.items():
        codes, texts = pd.factorize(frame[name])
        if len(codes) and codes.min() < 0:
            raise UsageError(f"the column {name} of the DataFrame has empty cells")
        places = np.array([numbers.of(text, f"the column {name} of the DataFrame") for text in texts], np.int64)
        rows[field] = places[codes] if len(codes) else 0
    for name in NUMBERS:
        rows[name] = _whole(frame, name)
    for name, unknown in OPTIONAL.items():
        rows[name] = _whole(frame, name, unknown) if name in frame.columns else unknown
    rows["marks"] = _marks(frame, rows, numbers)
    return rows


def _marks(frame: pd.DataFrame, rows: Rows, numbers: _Numbers) -> NDArray[np.int64]:
    """What decoding found, without what is found out again; where that is not told, which columns say something."""
    if "marks" in frame.columns:
        marks = _whole(frame, "marks", 0) & ~(DUPLICATE | QUOTED | SHORT_QUOTE | IPV6)
    else:
        marks = np.zeros(len(frame), np.int64)
        for bit, names in VALID.items():
            if all(name in frame.columns for name in names):
                marks |= np.where(frame[list(names)].notna().all(axis=1), bit, 0)
    six = np.array([address.version == 6 for address in numbers.addresses] or [False])
    return np.asarray(marks | np.where(six[rows["src"]], IPV6, 0))


def _whole(frame: pd.DataFrame, name: str, unknown: int | None = None) -> NDArray[np.int64]:
    """A column of whole numbers within what it can hold; ``unknown`` for an empty cell, if it may have one."""
    column, kind = frame[name], np.iinfo(SEGMENT[name])
    low, high = LOWEST.get(name, int(kind.min)), HIGHEST.get(name, int(kind.max))
    if unknown is not None:
        column = column.fillna(unknown)
    try:
        numbers = pd.to_numeric(column)
        if numbers.dtype.kind not in "iuf":
            numbers = numbers.astype("Int64")
        fits = bool(((numbers >= low) & (numbers <= high) & (numbers % 1 == 0)).fillna(False).all())
    except (ValueError, TypeError, OverflowError):
        fits = False
    if not fits:
        raise UsageError(f"the column {name} of the DataFrame contains values other than whole numbers {low} to {high}")
    return np.asarray(numbers.to_numpy("int64"))


def _times(column: "pd.Series[Any]") -> NDArray[np.int64]:
    """Nanoseconds since 1970 of times, of their texts (ISO 8601), or of seconds as numbers or their digits."""
    if column.isna().any():
        raise UsageError("the column time_epoch of the DataFrame has empty cells")
    dates = column
    first = column.iloc[0] if len(column) else None
    if isinstance(first, datetime) or (isinstance(first, str) and ":" in first):
        try:
            dates = pd.to_datetime(column, utc=True, format="ISO8601")
        except ValueError:
            raise UsageError("the column time_epoch of the DataFrame contains text that is not a time") from None
    if dates.dtype.kind != "M":
        rows = enumerate(column, 1)
        times = np.array([nanoseconds(time, f"row {number:,} of the DataFrame") for number, time in rows], np.int64)
        _check(times // SECOND)
        return times
    aware = dates if isinstance(dates.dtype, pd.DatetimeTZDtype) else dates.dt.tz_localize("UTC")
    seconds = aware.dt.tz_convert(None).to_numpy(dtype="datetime64[s]").astype(np.int64)
    _check(seconds)
    return epoch_ns(aware)


def _check(seconds: NDArray[np.int64]) -> None:
    """Raises UsageError where not all of these times can be told."""
    if len(seconds) and not (seconds.min() >= FIRST_SECOND and seconds.max() < BEYOND_SECOND):
        raise UsageError("the column time_epoch of the DataFrame contains a time outside the years 1824 to 2115")


def _quoted(known: SegmentAttrs, rows: Rows, numbers: _Numbers) -> Rows:
    """The quotations; of a part of the segments, those about a connection of which there are any."""
    quoted = known.quoted.copy()
    places = np.array([numbers.of(text, "attrs of the DataFrame") for text in known.texts] or [0], np.int64)
    telling = tells_icmp_error(quoted)
    for field, which in (("src", slice(None)), ("dst", slice(None)), ("ts_ecr", telling)):
        quoted[field][which] = places[quoted[field][which]]
    if known.segments == len(rows):
        return quoted
    ends = set(zip(*(rows[name].tolist() for name in ("src", "dst", "src_port", "dst_port")), strict=True))
    asked = [quoted[name].tolist() for name in ("src", "dst", "src_port", "dst_port")]
    there = [(a, b, p, q) in ends or (b, a, q, p) in ends for a, b, p, q in zip(*asked, strict=True)]
    return quoted[np.array(there, np.bool_)]


def _by_appearance(rows: Rows, numbers: _Numbers) -> AddressBook:
    """Number the addresses as decoding does: in the order of the packets that have them."""
    telling = tells_icmp_error(rows)
    seen = np.stack([rows["src"], rows["dst"], np.where(telling, rows["ts_ecr"], rows["src"])], axis=1).ravel()
    used, first = np.unique(seen, return_index=True)
    order = used[np.argsort(first)]
    place = np.zeros(len(numbers.addresses) + 1, np.int64)
    place[order] = np.arange(len(order))
    rows["src"], rows["dst"] = place[rows["src"]], place[rows["dst"]]
    rows["ts_ecr"][telling] = place[rows["ts_ecr"][telling]]
    addresses = list(numbers.addresses)
    return AddressBook.of([addresses[number] for number in order.tolist()])

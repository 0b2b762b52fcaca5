"""Public captures with tshark's answers beside them, where they are at hand.

The captures belong to many projects under many licences, so they are no part of this one: they are looked
for in ``../shared/captures`` beside the checkout, each ``NAME`` with a ``NAME.oracle.json``. Tests that need
them are marked with ``needs_captures`` and skipped elsewhere; what they guard is also tested with captures
made on the spot.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzer.segments.table import QUOTED, SEGMENT

LAST = 2**63 - 1

FOLDER = Path(__file__).parents[2] / "shared" / "captures"

needs_captures = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the public captures are not beside this checkout (../shared/captures)"
)


def names() -> list[str]:
    """All captures with an oracle, as paths relative to FOLDER."""
    return sorted(str(path.relative_to(FOLDER)).removesuffix(".oracle.json") for path in FOLDER.rglob("*.oracle.json"))


@dataclass(frozen=True)
class Oracle:
    """What tshark says of one capture. Rows are TCP segments, the innermost of each frame, in frame order."""

    name: str

    @property
    def path(self) -> Path:
        """The capture itself."""
        return FOLDER / self.name

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The whole file; its ``notes`` explain it."""
        text = (FOLDER / f"{self.name}.oracle.json").read_text("utf8")
        facts: dict[str, Any] = json.loads(text)
        return facts

    def column(self, name: str, missing: int = -1) -> NDArray[np.int64]:
        """One of frame, stream, src, dst (rows of ``facts["hosts"]``), seq, ack, flags, len, time_ns.

        Times beyond the year 2262 (a broken clock in one capture) are given as the last that 64 bits hold.
        """
        values = self.facts["cols"][name]
        return np.array([missing if value is None else min(value, LAST) for value in values], np.int64)

    def marked(self, name: str) -> NDArray[np.bool_]:
        """Which rows are in one of the lists rows_in_icmp, rows_multi_tcp, rows_time_odd, rows_cut."""
        chosen = np.zeros(len(self.facts["cols"]["frame"]), bool)
        chosen[self.facts[name]] = True
        return chosen

    @cached_property
    def addresses(self) -> list[str]:
        """Distinct addresses in order of appearance: ``segments`` has their places in src and dst."""
        return list(dict.fromkeys(address for address, _ in self.facts["hosts"]))

    @cached_property
    def segments(self) -> NDArray[np.void]:
        """The rows as decoding should give them, dtype SEGMENT; numbers that tshark does not print are 0."""
        batch = np.zeros(len(self.facts["cols"]["frame"]), SEGMENT)
        hosts = np.array([self.addresses.index(address) for address, _ in self.facts["hosts"]], np.int64)
        ports = np.array([port for _, port in self.facts["hosts"]], np.int64)
        for end in ("src", "dst"):
            batch[end] = hosts[self.column(end)]
            batch[f"{end}_port"] = ports[self.column(end)]
        for field, column in (("frame", "frame"), ("time", "time_ns"), ("payload_len", "len")):
            batch[field] = self.column(column, missing=0)
        for field in ("seq", "ack", "flags"):
            batch[field] = self.column(field, missing=0)
        batch["marks"] = np.where(self.marked("rows_in_icmp"), QUOTED, 0)
        batch["sender"] = -1
        return batch

"""What the pieces of sentences show, as columns of numbers: each is computed once for some findings of one rule.

A column is one of the findings' own, or derived from one: ``part:name``, where DERIVED has the parts.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.capture.gaps import watched_until
from analyzer.capture.recording import Recording, unbroken


class SentenceValues:
    """The values of some findings of one rule."""

    def __init__(
        self,
        columns: Mapping[str, NDArray[Any]],
        rows: NDArray[np.intp],
        v6: NDArray[np.bool_],
        end: int,
        recording: Recording | None = None,
    ) -> None:
        self._columns, self._rows, self._v6, self._end = columns, rows, v6, end
        self._files, self._gaps = recording or unbroken()
        self._made: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(name)
        return made

    def _make(self, name: str) -> NDArray[Any]:
        if name in self._columns:
            return self._columns[name][self._rows].astype(np.int64)
        part, _, of = name.partition(":")
        return DERIVED[part](self, of)

    def whose(self, kind: str, other: bool) -> NDArray[Any]:
        """``ip`` or ``port`` of the endpoint that is blamed (the client where none is), or of the ``other``."""
        server = (self["blamed"] == 1) ^ other
        return np.where(server, self[f"server_{kind}"], self[f"client_{kind}"])

    def brackets(self, whose: str) -> NDArray[Any]:
        """0 where there is no port, 1 for IPv4, 2 for IPv6, whose address stands in brackets then."""
        return np.where(self[f"{whose}_port"] > 0, 1 + self._v6[self[f"{whose}_ip"]], 0)

    def into(self, name: str) -> NDArray[np.int64]:
        """Microseconds from the flow's first frame."""
        return np.asarray((np.maximum(self[name] - self["start"], 0) + 500) // 1000, np.int64)

    def thousandths(self, name: str) -> NDArray[np.int64]:
        """A duration in thousandths of the unit that fits."""
        ns = np.maximum(self[name], 0)
        milliseconds, microseconds = (ns + 500_000) // 10**6, (ns + 500) // 1000
        return np.asarray(np.where(ns >= 10**9, milliseconds, np.where(ns >= 10**6, microseconds, ns)), np.int64)

    def units(self, name: str) -> NDArray[np.int64]:
        """Place in the words ``units``: what stands behind the whole number."""
        ns, size = self[name], self[f"thousandths:{name}"]
        unit = (ns < 10**9).astype(np.int64) + (ns < 10**6)
        return np.asarray(size - self[f"thousand:{name}"] * 1000 + unit * 1000, np.int64)

    def v6(self, name: str) -> NDArray[np.bool_]:
        """Whether an address is one of IPv6."""
        return np.asarray(self._v6[self[name]])

    def file(self, name: str) -> NDArray[np.int64]:
        """Which file a frame is in, -1 for none; its number there is kept for who asks for that."""
        file, self._made[f"own:{name}"] = self._files.locate(self[name])
        return file

    def own(self, name: str) -> NDArray[np.int64]:
        """The number of a frame in its file."""
        self._made[f"file:{name}"], own = self._files.locate(self[name])
        return own

    def until_end(self, name: str) -> NDArray[np.int64]:
        """From a moment to the end of what is known since: the capture's, or the next gap's begin."""
        return np.asarray(watched_until(self._gaps.bounds, self[name], self._end) - self[name], np.int64)

    def at_gap(self, name: str) -> NDArray[np.bool_]:
        """Whether that is a gap."""
        return np.asarray(watched_until(self._gaps.bounds, self[name], self._end) < self._end)


NOTHING = np.iinfo(np.int64).min  # a number that is not written


def _positive(values: SentenceValues, of: str) -> NDArray[np.int64]:
    return np.where(values[of] > 0, values[of], NOTHING)


DERIVED: dict[str, Callable[[SentenceValues, str], NDArray[Any]]] = {
    "role": lambda values, of: values["blamed"] == 1,
    "peer_role": lambda values, of: values["blamed"] != 1,
    "own_ip": lambda values, of: values.whose("ip", False),
    "other_ip": lambda values, of: values.whose("ip", True),
    "own_port": lambda values, of: values.whose("port", False),
    "other_port": lambda values, of: values.whose("port", True),
    "bracket": lambda values, of: values.brackets(of),
    "port": lambda values, of: _positive(values, f"{of}_port"),
    "thousandths": lambda values, of: values.thousandths(of),
    "thousand": lambda values, of: values[f"thousandths:{of}"] // 1000,
    "whole": lambda values, of: np.where(values[of] == NOTHING, NOTHING, values[f"thousand:{of}"]),
    "unit": lambda values, of: np.where(values[of] == NOTHING, -1, values.units(of)),
    "positive": _positive,
    "left": lambda values, of: values.until_end(of),
    "at_gap": lambda values, of: values.at_gap(of),
    "passed": lambda values, of: values.into(of),
    "seconds": lambda values, of: values[f"passed:{of}"] // 10**6,
    "milli": lambda values, of: values[f"passed:{of}"] // 1000 - values[f"seconds:{of}"] * 1000,
    "micro": lambda values, of: values[f"passed:{of}"] - values[f"passed:{of}"] // 1000 * 1000,
    "many": lambda values, of: np.where((values[of] == 1) | (values[of] == 2), NOTHING, values[of]),
    "often": lambda values, of: np.where((values[of] == 1) | (values[of] == 2), values[of], 0),
    "one": lambda values, of: values[of] == 1,
    "several": lambda values, of: values[of] > 1,
    "known": lambda values, of: values[of] > 0,
    "v6": lambda values, of: values.v6(of),
    "file": lambda values, of: values.file(of),
    "own": lambda values, of: values.own(of),
}

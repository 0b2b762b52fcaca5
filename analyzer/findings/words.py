"""Sentences for many rows at once: a template's pieces become columns of text, joined by pyarrow.

A template is text with fields in braces, ``{held:duration}``. A field names one of the rule's values, one of its
thresholds, or one of these: ``blamed`` and ``peer`` (role, address and port), ``client``, ``server``, ``blamed_at``
and ``peer_at`` (address and port), ``blamed_ip``, ``peer_ip``, ``role``, ``peer_role``, ``stream``, ``port`` (the
server's), and ``ss``, the filter that finds such sockets on the blamed host. A doubled brace is a brace. The kind
behind the colon:

    none          whole numbers as digits, text as it is
    duration      nanoseconds in the unit that fits, exact to the third decimal: 419 µs, 41.959 ms, 75.312 s
    into          a moment, as seconds since the flow's first frame (Wireshark's tcp.time_relative): 2.100584 s
    times         once, twice, 7 times
    frame         frame 8; not captured
    shown          (frame 8), or nothing
    silence       , after 612 s of silence; or nothing
    state         a State code by its name
    another word  that many of it: 1 byte, 8000 bytes
"""

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analyzer.tracker.transitions import State

Text = Any  # a pyarrow string array; pyarrow ships no types
UNITS = ((10**9, 10**6, "s"), (10**6, 10**3, "ms"), (10**3, 1, "µs"))


def sentences(template: str, values: Mapping[str, NDArray[Any]], start: NDArray[Any], count: int) -> Text:
    """``template`` filled for ``count`` rows; ``start`` is when each row's flow began, in ns."""
    pieces: list[Any] = [pa.scalar("")]
    for literal, name, kind, _ in Formatter().parse(template):
        if literal:
            pieces.append(pa.scalar(literal))
        if name:
            column = values[name] - start if kind == "into" else values[name]
            pieces.append((KINDS.get(kind or "") or counted(kind or ""))(np.broadcast_to(column, count)))
    return pc.binary_join_element_wise(*pieces, pa.array([""] * count, pa.string()), "")


def plain(values: NDArray[Any]) -> Text:
    if values.dtype.kind in "biu":
        return pc.cast(pa.array(values.astype(np.int64)), pa.string())
    return pa.array(values.astype(object), pa.string())


def duration(values: NDArray[Any]) -> Text:
    ns = np.maximum(np.asarray(values, np.int64), 0)
    return choose([ns >= 10**9, ns >= 10**6], [in_unit(ns, *unit) for unit in UNITS])


def in_unit(ns: NDArray[np.int64], unit: int, step: int, name: str) -> Text:
    """``ns`` in ``unit``, rounded to ``step``, a thousandth of it."""
    rounded = (ns + step // 2) // step
    whole, rest = np.divmod(rounded, unit // step)
    return decimal(whole, rest, 3, f" {name}")


def into(values: NDArray[Any]) -> Text:
    """Seconds with six decimals."""
    whole, rest = np.divmod((np.maximum(values, 0) + 500) // 1000, 10**6)
    return decimal(whole, rest, 6, " s", trim=False)


def decimal(whole: NDArray[Any], rest: NDArray[Any], places: int, behind: str, trim: bool = True) -> Text:
    digits = pc.utf8_lpad(plain(rest), places, "0")
    fraction = pc.utf8_rtrim(digits, "0") if trim else digits
    dotted = pc.binary_join_element_wise(plain(whole), fraction, ".")
    number = pc.if_else(pc.equal(fraction, ""), plain(whole), dotted)
    return pc.binary_join_element_wise(number, pa.scalar(behind), "")


def counted(noun: str) -> Callable[[NDArray[Any]], Text]:
    """A kind that counts ``noun``."""

    def counts(values: NDArray[Any]) -> Text:
        behind = choose([values == 1], [pa.scalar(f" {noun}"), pa.scalar(f" {noun}s")])
        return pc.binary_join_element_wise(plain(values), behind, "")

    return counts


def frame(values: NDArray[Any]) -> Text:
    known = pc.binary_join_element_wise(pa.scalar("frame "), plain(values), "")
    return choose([values > 0], [known, pa.scalar("not captured")])


def shown(values: NDArray[Any]) -> Text:
    known = pc.binary_join_element_wise(pa.scalar(" (frame "), plain(values), pa.scalar(")"), "")
    return choose([values > 0], [known, pa.scalar("")])


def times(values: NDArray[Any]) -> Text:
    more = pc.binary_join_element_wise(plain(values), pa.scalar(" times"), "")
    return choose([values == 1, values == 2], [pa.scalar("once"), pa.scalar("twice"), more])


def state(values: NDArray[Any]) -> Text:
    return pa.array([word.name for word in State], pa.string()).take(pa.array(values.astype(np.int64)))


def silence(values: NDArray[Any]) -> Text:
    told = pc.binary_join_element_wise(pa.scalar(", after "), duration(values), pa.scalar(" of silence"), "")
    return choose([values > 0], [told, pa.scalar("")])


def choose(conditions: list[NDArray[np.bool_]], texts: list[Text]) -> Text:
    """The first text whose condition holds, else the last."""
    chosen = texts[-1]
    for condition, text in zip(reversed(conditions), reversed(texts[:-1]), strict=True):
        chosen = pc.if_else(pa.array(condition), text, chosen)
    return chosen


KINDS: dict[str, Callable[[NDArray[Any]], Text]] = {
    "": plain,
    "duration": duration,
    "into": into,
    "times": times,
    "frame": frame,
    "shown": shown,
    "silence": silence,
    "state": state,
}

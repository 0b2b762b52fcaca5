"""Which known timers fit the silences of many flows, and how that is said: in every finding that follows a silence.

"Consistent with", never "is": most timers can be set, and what is silent shows only that its time was not longer.
"""

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.rule import Bools, Choice
from analyzer.findings.silences import ENDS, NOT_KNOWN, RESETS, WAITS, Silences, chosen
from analyzer.settings import Settings, seconds_text
from analyzer.tcp.timer_catalogue import (
    OF_FINS,
    KnownTimer,
    apart,
    could_end,
    in_force,
    in_time,
    protocol_at,
    rank,
    survived_by,
)
from analyzer.tracker.outcome import Ledger

ENDING = tuple(ENDS)
SHOWN = 3  # so many timers are named in a sentence
FORGETTING = (  # what timers do of which nobody hears: of an idle connection, and of one that a side has closed
    "devices that drop an idle connection after at most that long without telling either end: ",
    "time-outs of at most that long after which a closing connection is forgotten without telling either end: ",
)


class TimerSet(NamedTuple):
    """The timers that fit a silence, the likeliest first."""

    timers: tuple[KnownTimer, ...]
    likely: int  # so many of them; the others belong to systems that speak another protocol than is usual at the port

    @property
    def acting(self) -> bool:
        """Whether the likeliest is a timer that does something when it fires, and its value was met."""
        return self.likely > 0 and not self.timers[0].silent and not self.timers[0].wide

    @property
    def restarted_by_packets(self) -> bool:
        """Whether the likeliest is a device's timer that any segment starts anew, a keep-alive probe too."""
        return self.likely > 0 and self.timers[0].acts == "device" and self.timers[0].clock == "packet"

    @property
    def soonest(self) -> int:
        """When the likeliest may fire. Of those of which nobody hears any may have, so the shortest counts."""
        some = [timer for timer in self.timers[: self.likely] if timer.silent] if self.silent else self.timers[:1]
        return min((timer.length - timer.early for timer in some), default=0) if self.likely else 0

    @property
    def silent(self) -> bool:
        """Whether the likeliest is one that nobody hears of when it fires."""
        return self.likely > 0 and self.timers[0].silent


class Fits(NamedTuple):
    """What fits each of some flows: ``codes`` of shape (flows,), places in ``sets``; the first is empty."""

    codes: NDArray[np.int64]
    sets: list[TimerSet]

    def where(self, condition: Callable[[TimerSet], bool]) -> Bools:
        """The flows whose timers meet a condition."""
        return np.array([condition(some) for some in self.sets], np.bool_)[self.codes]

    def soonest(self) -> NDArray[np.int64]:
        """What helps against the timers of each flow has to come before this, 0 where there are none."""
        return np.array([some.soonest for some in self.sets], np.int64)[self.codes]

    def joined(self, others: "Fits") -> "Fits":
        """These, and ``others`` of flows of which nothing is known here."""
        codes = np.where(others.codes > 0, others.codes + len(self.sets), self.codes)
        return Fits(codes, [*self.sets, *others.sets])

    def keeping(self, where: Bools) -> "Fits":
        """These of some flows only."""
        return Fits(np.where(where, self.codes, 0), self.sets)

    def said(self, words: Callable[[TimerSet], str]) -> Choice:
        """What is to be said of the timers of each flow, as a value for a template."""
        return _CHOICES.choice(self.codes, [words(some) for some in self.sets])


def timers_that_fit(found: Silences, settings: Settings) -> Fits:
    """What fits each of the silences ``found``; nothing where no silence ended the flow."""
    rows = np.flatnonzero(found.ended)
    codes, sets = np.zeros(len(found.ended), np.int64), [TimerSet((), 0)]
    if not len(rows):
        return Fits(codes, sets)
    known, some = in_force(settings.timers), chosen(found, rows)
    fit = _table(some, known)
    protocols = np.array([protocol_at(port) for port in some.port.tolist()], object)
    names, protocol = np.unique(protocols.astype(str), return_inverse=True)
    keys = np.column_stack([np.packbits(fit, axis=1), protocol.astype(np.uint8)])
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    codes[rows] = 1 + group.reshape(-1)
    sets += [
        _ordered([known[place] for place in np.flatnonzero(fit[row])], names[protocol[row]], ENDING[some.ends])
        for row in first
    ]
    return Fits(codes, sets)


def consistent_with(
    ledger: Ledger, silence: Callable[[Ledger], Silences], endpoints: Bools, settings: Settings
) -> Choice:
    """What timers fit the silence of each flow of which an endpoint is asked about, as a value for a template: ",
    consistent with ..."; nothing where none does."""
    return fits_of(ledger, silence, endpoints, settings).said(fitting_words)


def fits_of(ledger: Ledger, silence: Callable[[Ledger], Silences], endpoints: Bools, settings: Settings) -> Fits:
    """The timers that fit the silence of each flow of which an endpoint is asked about."""
    where = endpoints[:, 0] | endpoints[:, 1]
    if not where.any():
        return Fits(np.zeros(len(where), np.int64), [TimerSet((), 0)])
    return timers_that_fit(ledger.once(silence).where(where), settings)


def kept_open_by(fits: Fits, idle: NDArray[np.int64]) -> NDArray[np.int64]:
    """What keeps a connection open that a device forgot during the silence ``idle`` of endpoints, shape (flows, 2), has
    to come before this: the shortest timer of a device that fits, or the silence itself; 0 where that is none."""
    soonest = np.where(fits.where(lambda some: some.silent), fits.soonest(), 0)[:, None]
    return np.asarray(np.where(soonest > 0, np.minimum(soonest, idle), idle), np.int64)


def fitting_words(some: TimerSet) -> str:
    """``, consistent with the timers of nginx (75 s), aiohttp server (75 s) and 4 others``."""
    if not some.likely:
        return ""
    first = some.timers[0]
    alike = [timer for timer in some.timers[: some.likely] if (timer.silent, timer.own) == (first.silent, first.own)]
    named = list(dict.fromkeys(map(_named, alike)))[:SHOWN]
    others = sum(_named(timer) not in named for timer in some.timers)
    listed = _joined([*named, *([f"{others} other{'s' * (others > 1)}"] if others else [])])
    return f", consistent with {FORGETTING[first.clock in OF_FINS] if first.silent else ''}{listed}"


def apart_words(some: TimerSet) -> str:
    """What would tell apart the timers that are likeliest: `` To tell them apart: ...``."""
    lengths = [timer.length for timer in some.timers[: some.likely] if not timer.own]
    asked = dict.fromkeys(lengths) if some.silent else lengths[:1]
    for length in asked:
        if lengths.count(length) > 1 and length in apart():
            return f" What tells timers of {seconds_text(length)} s apart: {apart()[length]}."
    return ""


def _table(found: Silences, known: tuple[KnownTimer, ...]) -> Bools:
    """Whether each timer fits each silence, shape (silences, timers)."""
    fit = np.zeros((len(found.ended), len(known)), np.bool_)
    kind_of = np.stack([found.waits, found.by_client, found.reset])
    kinds, kind = np.unique(kind_of, axis=1, return_inverse=True)
    for number, (waits, by_client, reset) in enumerate(kinds.T.tolist()):
        members = np.flatnonzero(kind.reshape(-1) == number)
        some, role = chosen(found, members), "client" if by_client else "server"
        for place in _candidates(known, WAITS[waits], ENDING[found.ends], role, RESETS[reset]):
            timer = known[place]
            length = some.lengths.get(timer.clock)
            if length is not None:
                survived = survived_by(timer, WAITS[waits], some.survived)
                fit[members, place] = (length != NOT_KNOWN) & in_time(timer, length, survived, some.round_trip)
    return fit


def _candidates(known: tuple[KnownTimer, ...], waits: str, ends: str, role: str, reset: str) -> list[int]:
    return [place for place, timer in enumerate(known) if could_end(timer, waits, ends, role, reset)]


def _ordered(timers: list[KnownTimer], protocol: str, ends: str) -> TimerSet:
    ranks = sorted((rank(timer, protocol, ends), timer) for timer in timers)
    return TimerSet(tuple(timer for _, timer in ranks), sum(not elsewhere for (_, elsewhere, *_), _ in ranks))


def _named(timer: KnownTimer) -> str:
    least, most = timer.length - timer.early, timer.length + timer.late
    value = f"{seconds_text(least)} to {seconds_text(most)}" if timer.wide else seconds_text(timer.length)
    return f"{timer.system} ({'yours, ' if timer.own else ''}{value} s)"


def _joined(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


class GrowingChoices:
    """Words that are found while flows are judged, some after the other: each keeps its number, so that what was judged
    before keeps its words."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": 0}
        self._lock = Lock()

    def choice(self, codes: NDArray[np.int64], words: list[str]) -> Choice:
        """``words`` by their places ``codes``."""
        with self._lock:
            numbers = [self._numbers.setdefault(word, len(self._numbers)) for word in words]
            return Choice(np.array(numbers, np.int64)[codes], tuple(self._numbers))


_CHOICES = GrowingChoices()

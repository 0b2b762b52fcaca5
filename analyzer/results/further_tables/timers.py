"""``timers``: the silences and waits of a second or more that ended something, and the known timers that fit.

Of ordinary connections, and of all that were closed in order, it follows from ``flows``; what else ended a silence only
the ledger knows: of these flows rows are noted beside the rules.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.facts import LONG_NS
from analyzer.findings.fitting_timers import TimerSet, timers_that_fit
from analyzer.findings.recurring import best_windows
from analyzer.findings.silences import (
    BY_FIN,
    NOT_KNOWN,
    SURVIVED,
    Longs,
    Silences,
    before_answered,
    before_fin,
    before_loss,
    before_reset,
    of_flow_columns,
)
from analyzer.results.further_tables import KeptFlows, MadeTable, Rows
from analyzer.results.number_table import Numbers
from analyzer.settings import Settings
from analyzer.tcp.timer_catalogue import CLOCKS
from analyzer.times import outer_column
from analyzer.tracker.outcome import Ledger, one_of
from analyzer.tracker.storage.transpose import ColumnNotKept
from analyzer.tracker.vocabularies import CLIENT, SERVER, SIDES, RstCause
from analyzer.units import UNKNOWN

AT_ONCE = 65_536
KNOWN_CLOCKS = tuple(clock for clock in CLOCKS if clock != "none")
WHO = ("stream", "client_ip", "client_port", "server_ip", "server_port")
SILENCE = np.dtype(
    [
        *((name, "<i8") for name in (*WHO, "when", "frame", "length", "round_trip", "waits", "reset")),
        *((f"by {clock}", "<i8") for clock in KNOWN_CLOCKS),
        *((f"survived {clock}", "<i8") for clock in SURVIVED),
        ("ends", "u1"),
        ("by_client", "?"),
    ]
)
OWN_DECISION = (  # causes of a RST that answers nothing; one that gave up ended no silence, but many repeats
    *(RstCause.ABORT, RstCause.ABORT_DATA_LOST, RstCause.UNREAD_DATA, RstCause.AFTER_OWN_FIN, RstCause.THIRD_PARTY),
)

TO_THE_NEXT = (RstCause.NO_CONNECTION, RstCause.THIRD_PARTY)  # of one that met the segment which ended the silence


def note(ledger: Ledger, endings: Rows) -> Rows:
    """The silences that ended flows of which ``flows`` does not tell all."""
    try:
        return _noted(ledger, endings)
    except ColumnNotKept:  # they were closed in order, and flows tells all of them
        return np.zeros(0, SILENCE)


def _noted(ledger: Ledger, endings: Rows) -> Rows:
    real = ledger.reported & ~ledger.mixed
    given_up = (ledger.in_vain & ledger.gave_up | ledger.probed_in_vain).any(axis=1)
    given_up |= ledger.rst_cause == RstCause.GAVE_UP
    found = (
        before_fin(ledger).where(real),
        before_reset(ledger).where(real & one_of(ledger.rst_cause, OWN_DECISION)),
        before_answered(ledger).where(real & one_of(ledger.rst_cause, TO_THE_NEXT)),
        before_loss(ledger).where(real & given_up),
    )
    return np.concatenate([_rows(silences, endings) for silences in found])


def _rows(found: Silences, endings: Rows) -> Rows:
    """Silences as rows."""
    ended = np.flatnonzero(found.ended)
    rows: Rows = np.zeros(len(ended), SILENCE)
    for name in WHO:
        rows[name] = endings[name][ended]
    for name in ("when", "frame", "length", "round_trip", "waits", "reset", "by_client"):
        rows[name] = getattr(found, name)[ended]
    for clock in KNOWN_CLOCKS:
        rows[f"by {clock}"] = found.lengths[clock][ended] if clock in found.lengths else NOT_KNOWN
    for clock in SURVIVED:
        rows[f"survived {clock}"] = found.survived[clock][ended] if clock in found.survived else 0
    rows["ends"] = found.ends
    return rows


def _silences(rows: Rows, ends: int) -> Silences:
    """Rows as silences."""
    return Silences(
        ended=np.ones(len(rows), np.bool_),
        side=np.zeros(len(rows), np.int64),
        by_client=rows["by_client"],
        waits=rows["waits"],
        ends=ends,
        length=rows["length"],
        lengths={clock: rows[f"by {clock}"] for clock in KNOWN_CLOCKS},
        survived={clock: rows[f"survived {clock}"] for clock in SURVIVED},
        when=rows["when"],
        frame=rows["frame"],
        round_trip=rows["round_trip"],
        port=rows["server_port"],
        reset=rows["reset"],
    )


def make(kept: KeptFlows) -> MadeTable:
    """The table."""
    rows = _all(kept)
    codes, sets = _fits(rows, kept.settings)
    first = [some.timers[0] if some.timers else None for some in sets]
    clock = np.array([KNOWN_CLOCKS.index(timer.clock) if timer else NO_CLOCK for timer in first], np.int64)[codes]
    value = np.array([timer.length if timer else UNKNOWN for timer in first], np.int64)[codes]
    length, clock = _lengths(rows, clock)
    recurs = _recurs(rows, length)

    def parts() -> Iterator[Numbers]:
        for begin in range(0, len(rows), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            yield _numbers(rows[some], codes[some]) | {
                "length_s": length[some],
                "clock": clock[some],
                "recurs": recurs[some],
                "likeliest_s": value[some],
            }

    ids = [";".join(timer.id for timer in some.timers) for some in sets]
    named = [f"{timer.system}: {timer.timer}" if timer else "" for timer in first]
    return MadeTable(parts, {"timers": ids, "likeliest": named})


NO_CLOCK = -1


def _numbers(rows: Rows, codes: Longs) -> dict[str, NDArray[Any]]:
    """The columns that stand in rows."""
    client, server = SIDES.by_code.index("client"), SIDES.by_code.index("server")
    return {
        **{name: rows[name] for name in WHO},
        "ended_by": np.where(rows["by_client"], client, server),
        "ending": rows["ends"].astype(np.int64),
        "waiting_for": rows["waits"],
        "silence_s": rows["length"],
        "end_epoch": outer_column(rows["when"]),
        "frame": np.where(rows["frame"] > 0, rows["frame"], UNKNOWN),
        "timers": codes,
        "likeliest": codes,
    }


def _all(kept: KeptFlows) -> Rows:
    """All silences by stream."""
    noted = np.zeros(0, SILENCE) if kept.noted is None else kept.noted
    told = noted["stream"][noted["ends"] == BY_FIN]
    of_flows = (_of_flows(endings, told) for endings, _ in kept.slices())
    rows: Rows = np.concatenate([noted, *of_flows])
    return rows[np.lexsort((rows["when"], rows["stream"]))]


def _of_flows(endings: Rows, told: Longs) -> Rows:
    """The silences before the first FIN of flows of which nothing is ``told``."""
    closer = endings["closed_by"]
    by_client = closer == CLIENT
    when = np.where(by_client, endings["client_fin_epoch"], endings["server_fin_epoch"])
    long = (endings["since_data_s"] >= LONG_NS) | (endings["idle_before_close_s"] >= LONG_NS)
    rows = np.flatnonzero(one_of(closer, (CLIENT, SERVER)) & (when != UNKNOWN) & long)
    some = endings[rows[~np.isin(endings["stream"][rows], told)]]
    return _rows(of_flow_columns(lambda name: some[name], BY_FIN), some)


def _fits(rows: Rows, settings: Settings) -> tuple[Longs, list[TimerSet]]:
    """What fits each of the silences: places in a list of sets."""
    codes, sets = np.zeros(len(rows), np.int64), [TimerSet((), 0)]
    places: dict[tuple[str, ...], int] = {(): 0}
    kinds = (np.flatnonzero(rows["ends"] == ends) for ends in range(len(np.unique(rows["ends"])) and 4))
    for chunk in chain.from_iterable(np.array_split(kind, len(kind) // AT_ONCE + 1) for kind in kinds if len(kind)):
        fits = timers_that_fit(_silences(rows[chunk], int(rows["ends"][chunk[0]])), settings)
        number = []
        for some in fits.sets:
            ids = tuple(timer.id for timer in some.timers)
            if ids not in places:
                places[ids] = len(sets)
                sets.append(some)
            number.append(places[ids])
        codes[chunk] = np.array(number)[fits.codes]
    return codes, sets


def _lengths(rows: Rows, clock: Longs) -> tuple[Longs, Longs]:
    """How long each waited by the clock of the likeliest timer; where none fits, since the last data, or the last
    segment where that is not known."""
    data, packet = (np.full(len(rows), KNOWN_CLOCKS.index(name)) for name in ("data", "packet"))
    other = np.where(rows["by data"] >= 0, data, packet)
    clock = np.where(clock == NO_CLOCK, other, clock)
    length = np.select([clock == place for place in range(len(KNOWN_CLOCKS))], [rows[f"by {c}"] for c in KNOWN_CLOCKS])
    return np.where(length == NOT_KNOWN, UNKNOWN, length), clock


def _recurs(rows: Rows, length: Longs) -> Longs:
    """How many silences of the server, ended by the same side in the same way, were as long."""
    server = (rows["server_ip"] << 19) | (rows["server_port"] << 3) | (rows["ends"].astype(np.int64) << 1)
    windows = best_windows(server | rows["by_client"], length)
    return np.maximum(np.array([window.size for window in windows.found], np.int64)[windows.codes], 1)

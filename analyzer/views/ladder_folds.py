"""Which segments of a long connection a ladder leaves out, and the line that stands for them.

What opens, closes, resets or proves something is always shown. Of every other kind of remarkable segment the first and
the last few are, and both ends of the longest silences; the line for the others counts what is among them.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from analyzer.segments.table import FIN, RST, SYN
from analyzer.units import SECOND, counted
from analyzer.views.console import duration, size
from analyzer.views.ladder_segments import LadderSegments
from analyzer.views.sent_side import COPY, PLURALS

SILENCE = SECOND  # from here on a pause is written out
RUN_SHOWN = 6  # a run of uneventful segments up to this long is shown whole
RUN_ENDS = 2  # of a longer one, so many at each end
KIND_FIRST, KIND_LAST = 2, 2  # of each kind of remarkable segment, so many are shown
SILENCES = 4  # so many of the longest silences are shown


def folds(talk: LadderSegments, told: set[int]) -> list[tuple[int, int]]:
    """Stretches [start, end) to leave out: the middles of long runs without SYN, FIN, RST, a frame in
    ``told``, or one of the remarkable segments and silences that are shown."""
    eventful = (talk.flags & (SYN | FIN | RST) != 0) | np.isin(talk.frame, list(told))
    shown = [*_remarkable(talk), *_silences(talk)]
    if shown:
        eventful[shown] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], eventful, [True]]).astype(np.int8)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start + RUN_ENDS, end - RUN_ENDS) for start, end in runs if end - start > RUN_SHOWN]


def _remarkable(talk: LadderSegments) -> set[int]:
    rows: dict[str, list[int]] = {}
    for row, word in enumerate(talk.word):
        if word:
            rows.setdefault(word, []).append(row)
    for row, remarks in talk.remarks.items():
        for remark in remarks:
            rows.setdefault(remark.kind, []).append(row)
    return {row for some in rows.values() for row in (*some[:KIND_FIRST], *some[-KIND_LAST:])}


def _silences(talk: LadderSegments) -> list[int]:
    """The rows before and after the longest silences."""
    pauses: NDArray[np.int64] = np.diff(talk.time)
    longest = np.argsort(-pauses, kind="stable")[:SILENCES]
    longest = longest[pauses[longest] >= SILENCE]
    return [*longest.tolist(), *(longest + 1).tolist()]


def fold_text(talk: LadderSegments, start: int, end: int, last: str) -> str:
    """What stands for the segments [start, end): how many, up to which frame, how long, how much, and what is among
    them."""
    up, times = talk.up[start:end], talk.time[start:end]
    sent = talk.size[start:end] * [word != COPY for word in talk.word[start:end]]
    data = [(int(sent[up].sum()), "client"), (int(sent[~up].sum()), "server")]
    carried = [f"{size(number)} from the {side}" for number, side in data if number]
    kinds = Counter(filter(None, talk.word[start:end]))
    kinds.update(remark.kind for row in range(start, end) if row in talk.remarks for remark in talk.remarks[row])
    parts = [", ".join(carried) or "no data"]
    named = [counted(number, kind, PLURALS.get(kind, "")) for kind, number in kinds.most_common()]
    parts += [", ".join(named)] if named else []
    pause = int(np.diff(times).max(initial=0))
    parts += [f"longest silence {duration(pause / SECOND)}"] if pause >= SILENCE else []
    lasted = duration((times[-1] - times[0]) / SECOND)
    return f"{counted(end - start, 'segment')} up to frame {last} in {lasted}: {'; '.join(parts)}"

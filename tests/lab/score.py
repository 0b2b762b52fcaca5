"""The score: what the program says of each endpoint, held against what its kernel really did.

What is compared, so that the comparison is fair both ways:

* The sequence of states entered. An endpoint is right when the program's whole sequence equals the kernel's.
* Only what happened while the capture ran: a state that the kernel entered before the first packet counts as the one
  the endpoint is found in; states entered after the last packet do not count, but for those that it caused: within a
  round trip after it they count if the program says so too.
* A state passed in no time counts like any other: FIN and ACK in one segment take a kernel through FIN_WAIT_2 too.
* LISTEN is the state of a listening socket, not of a connection: the server's sequence begins with SYN_RECEIVED.
* A kernel's socket belongs to the newest connection of its addresses and ports that had begun by then.
* Where packets cannot show what happened, the scenario says so beforehand (`Hidden`) and what the program should say
  instead; the endpoint then counts as ``permitted`` and not as ``exact``. Anything else is ``wrong``.
* Confidence is high where the basis is ``sent`` or ``proven``. A row counts as wrong where it is beyond what both
  sequences have in common.
* Times: the best time against the kernel's, where that is known exactly and the row's basis is no timer; and whether
  what is known of the kernel's time lies within ``earliest`` .. ``latest`` (timers included).
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import conduct, edits
from .inferred import Flow, Row, inferred
from .scenario import Hidden, Scenario, load
from .truth import Endpoint, Entry, Truth

TAPS = "amb"
EXACT, PERMITTED, WRONG = "exact", "permitted", "wrong"
HIGH = ("sent", "proven")
NEAR_NS = 20_000_000  # relay and scheduling on a busy machine


@dataclasses.dataclass(frozen=True)
class Timed:
    """A state both have: how far the best time is off (None where there is nothing to compare), whether inside."""

    error: int | None
    inside: bool
    basis: str
    at_host: bool


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One endpoint at one tap."""

    scenario: Scenario
    tap: str
    host: str
    nth: int
    outcome: str
    kernel: list[str]
    rows: list[Row]
    common: int  # so many states agree from the first on
    timed: list[Timed]
    hidden: tuple[Hidden, ...]

    @property
    def sure_and_wrong(self) -> list[Row]:
        """Rows of high confidence beyond what both have in common."""
        return [row for row in self.rows[self.common :] if row.basis in HIGH]

    def __str__(self) -> str:
        said = " ".join(f"{row.state}/{row.basis}" for row in self.rows)
        name = f"{self.scenario.name} tap {self.tap} endpoint {self.host}{self.nth or ''}: {self.outcome}"
        return f"{name}\n   kernel:  {' '.join(self.kernel)}\n   program: {said}"


@dataclasses.dataclass(frozen=True)
class Reset:
    """The cause of a RST: what it really was, or may be taken for (``true|taken``), and what the program says."""

    scenario: Scenario
    tap: str
    true: str
    said: str

    @property
    def outcome(self) -> str:
        """EXACT, PERMITTED or WRONG."""
        true, _, permitted = self.true.partition("|")
        return EXACT if self.said == true else PERMITTED if self.said == permitted != "" else WRONG


def shown(entered: list[Entry], rows: list[Row], span: tuple[int, int], delay: float) -> list[Entry]:
    """The part of a kernel's account that happened while a capture ran, and what followed at once if the program says
    so too."""
    first, last = span[0], span[1] + 2 * round(delay * 1e9) + NEAR_NS
    began = [entry for entry in entered if entry.time < first]
    found = began[-1:] + [entry for entry in entered if entry.time >= first and entry.earliest <= span[1]]
    at_once = [entry for entry in entered if max(first, span[1] + 1) <= entry.earliest <= last]
    for entry in at_once:
        if len(found) < len(rows) and rows[len(found)].state == entry.state:
            found.append(entry)
    return found


def owner(flows: list[Flow], end: Endpoint, slack: int) -> Flow | None:
    """The connection an endpoint belongs to."""
    mine = [flow for flow in flows if end.pair in flow.ends]
    if not mine or not end.entered:
        return None
    begun = [flow for flow in mine if flow.first <= end.entered[0].latest + slack]
    return begun[-1] if begun else mine[0]


def common(kernel: list[str], rows: list[Row]) -> int:
    """How many states agree from the first on."""
    count = 0
    while count < min(len(kernel), len(rows)) and kernel[count] == rows[count].state:
        count += 1
    return count


def outcome(kernel: list[str], said: list[str], hidden: tuple[Hidden, ...]) -> str:
    """EXACT, PERMITTED or WRONG."""
    if kernel == said:
        return WRONG if hidden else EXACT  # a declaration nobody needs is wrong
    for known in hidden:
        cut = len(kernel) - len(known.kernel)
        if tuple(kernel[cut:]) == known.kernel and [*kernel[:cut], *known.shown] == said:
            return PERMITTED
    return WRONG


def timed(kernel: list[Entry], rows: list[Row], at_host: bool) -> Iterator[Timed]:
    """The states both have, with their times; ``rows`` and ``kernel`` agree in states."""
    for entry, row in zip(kernel, rows, strict=True):
        exact = entry.earliest == entry.latest and row.basis != "timer"
        inside = (not row.earliest or row.earliest <= entry.latest) and row.latest >= entry.earliest
        yield Timed(abs(row.time - entry.time) if exact else None, inside, row.basis, at_host)


def judge(scenario: Scenario, tap: str, truth: Truth, path: Path) -> tuple[list[Verdict], list[Reset]]:
    """Every endpoint of one capture, and the causes of its resets."""
    flows, span = inferred(path)
    slack = round(scenario.delay * 1e9) + NEAR_NS
    verdicts = []
    for end in truth.endpoints:
        flow = owner(flows, end, slack)
        if flow is None:
            continue
        entered = shown(end.entered, flow.ends[end.pair], span, scenario.delay)
        nth = [other for other in truth.endpoints if other.host == end.host and other.entered].index(end)
        if entered:
            verdicts.append(_verdict(scenario, tap, end, entered, flow.ends[end.pair], nth, span))
    return verdicts, list(resets(scenario, tap, flows))


def resets(scenario: Scenario, tap: str, flows: list[Flow]) -> Iterator[Reset]:
    """What is said of each connection with a RST at this tap; only of scenarios that say what is true."""
    true = scenario.causes
    for place, flow in enumerate(flows):
        if true is not None and (flow.resets or flow.cause):
            yield Reset(scenario, tap, true[place] if place < len(true) else "", flow.cause)


def _verdict(
    scenario: Scenario,
    tap: str,
    end: Endpoint,
    entered: list[Entry],
    rows: list[Row],
    nth: int,
    span: tuple[int, int],
) -> Verdict:
    found = bool(entered) and entered[0].time < span[0]
    rows = [row for row in rows if not (found and row.state == "UNKNOWN" and row is not rows[-1])]
    kernel = [entry.state for entry in entered]
    hidden = tuple(h for h in scenario.hidden if h.host == end.host and tap in h.taps and h.nth == nth)
    same = common(kernel, rows)
    begin = int(found)
    compared = list(timed(entered[begin:same], rows[begin:same], tap == end.host))
    verdict = outcome(kernel, [row.state for row in rows], hidden)
    return Verdict(scenario, tap, end.host, nth, verdict, kernel, rows, same, compared, hidden)


def score(scenario: Scenario, folder: Path) -> tuple[list[Verdict], list[Reset]]:
    """One scenario at every tap, from what is kept of it in ``folder``."""
    base = scenario.base or scenario.name
    truth = conduct.read_truth(base, folder)
    verdicts: list[Verdict] = []
    causes: list[Reset] = []
    with tempfile.TemporaryDirectory() as scratch:
        for tap in scenario.taps:
            path = folder / f"{base}.{tap}.pcap.gz"
            if scenario.edit is not None:
                path = edits.edited(path, scenario, tap, Path(scratch))
            more = judge(scenario, tap, truth, path)
            verdicts += more[0]
            causes += more[1]
    return verdicts, causes


def score_all(names: list[str], folder: Path) -> tuple[list[Verdict], list[Reset]]:
    """Several scenarios; all when none is named."""
    verdicts: list[Verdict] = []
    causes: list[Reset] = []
    for scenario in load().values():
        if not names or scenario.name in names:
            more = score(scenario, folder)
            verdicts += more[0]
            causes += more[1]
    return verdicts, causes


def main(names: list[str], folder: Path, verbose: bool) -> int:
    """Print the table, and on request every endpoint that differs; the exit status is 1 where something is wrong."""
    from .table import table

    verdicts, causes = score_all(names, folder)
    for verdict in verdicts:
        if verdict.outcome == WRONG or (verbose and verdict.outcome != EXACT):
            print(verdict)
        if verdict.sure_and_wrong:
            print(f"   sure and wrong: {verdict.sure_and_wrong}")
        if verbose and not all(one.inside for one in verdict.timed):
            print(f"   outside: {verdict}")
    for reset in causes:
        if reset.outcome == WRONG or (verbose and reset.outcome != EXACT):
            print(f"{reset.scenario.name} tap {reset.tap}: RST is {reset.true or 'none'}, said {reset.said or 'none'}")
    print(table(verdicts, causes))
    return int(any(verdict.outcome == WRONG for verdict in verdicts))

"""The score: what the program says of each endpoint, held against what its kernel really did.

What is compared, so that the comparison is fair both ways:

* The sequence of states entered. An endpoint is right if the program's whole sequence equals the kernel's.
* Only what happened during the capture counts. If the capture began late, a state that the kernel entered before the
  first packet counts as the endpoint's initial state. States entered after the last packet do not count, except those
  that it caused: within a round trip after it they count if the program reports them too.
* A state that lasts no time counts like any other: FIN and ACK in one segment take a kernel through FIN_WAIT_2 too.
* LISTEN is the state of a listening socket, not of a connection: the server's sequence begins with SYN_RECEIVED.
* A kernel's socket belongs to the connection on its addresses and ports that began after the socket was opened and
  before the next one was. If a kernel had no socket at all, the endpoint is CLOSED or is not reported.
* If packets cannot show what happened, the scenario declares this beforehand (`Hidden`), and what the program should
  report instead; the endpoint then counts as ``permitted`` and not as ``exact``. If a scenario loses packets by
  chance, an endpoint is also ``permitted`` if its connection lost some (the three capture points differ) and nothing
  with high confidence is wrong. Anything else is ``wrong``.
* If the capture began late, the initial state of an endpoint may be UNKNOWN.
* Confidence is high if the basis is ``sent`` or ``proven``. A row is wrong if the kernel's sequence has no place for
  it.
* Times: the best time is compared with the kernel's, if that is known exactly and the row's basis is not a timer; and
  what is known of the kernel's time must lie within ``earliest`` .. ``latest`` (timers included).
"""

from __future__ import annotations

import dataclasses
import difflib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import conduct, edits
from .inferred import Flow, Row, inferred
from .scenario import Hidden, Scenario, load
from .sockdiag import Pair
from .truth import Endpoint, Entry, Truth

TAPS = "amb"
EXACT, PERMITTED, WRONG = "exact", "permitted", "wrong"
HIGH = ("sent", "proven")
FOUND_NS = 1_000_000  # what a kernel did this shortly before the first packet, that packet shows
NEAR_NS = 20_000_000  # relay and scheduling on a busy machine
BUSY_NS = 100_000_000  # the same where it is very busy; less than what a kernel waits before it repeats itself


@dataclasses.dataclass(frozen=True)
class Timed:
    """A state both have: how far the best time is off (None where there is nothing to compare), whether inside."""

    error: int | None
    inside: bool
    row: Row
    entry: Entry
    at_host: bool

    @property
    def words(self) -> str:
        """In microseconds from the kernel's time."""
        row, true = self.row, self.entry.time
        bounds = (f"{(time - true) / 1e3:.0f}" for time in (row.earliest, row.time, row.latest))
        return f"{row.state}/{row.basis} {' .. '.join(bounds)} µs"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One endpoint at one tap."""

    scenario: Scenario
    tap: str
    host: str
    pair: Pair
    nth: int
    outcome: str
    before: list[str]  # the state the endpoint is found in where the capture began late and nothing is said of it
    kernel: list[str]
    rows: list[Row]
    common: list[tuple[int, int]]  # states both have: place in the kernel's, place in the program's
    timed: list[Timed]
    hidden: tuple[Hidden, ...]

    @property
    def wrong_rows(self) -> list[Row]:
        """Rows that the kernel's sequence has no place for."""
        places = {place for _, place in common([*self.before, *self.kernel], [row.state for row in self.rows])}
        return [row for place, row in enumerate(self.rows) if place not in places]

    @property
    def sure_and_wrong(self) -> list[Row]:
        """Those of high confidence."""
        return [row for row in self.wrong_rows if row.basis in HIGH]

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

    def __str__(self) -> str:
        return f"{self.scenario.name} tap {self.tap}: the RST is {self.true or 'none'}, said {self.said or 'none'}"


def shown(
    entered: list[Entry], rows: list[Row], span: tuple[int, int], round_trip: int
) -> tuple[list[str], list[Entry]]:
    """The part of a kernel's account that happened while a capture ran (``span``; it begins with 0 where nothing had
    happened before), and what followed within a round trip if the program says so too; before it the state the endpoint
    is found in, and those it passed when the first packet was on its way, if the program says nothing of the last."""
    first, last = span[0] - FOUND_NS, span[1] + round_trip + BUSY_NS
    began = [entry for entry in entered if entry.time < first]
    passed = sum(entry.time >= first - round_trip // 2 for entry in began)
    before: list[str] = []
    if began and (not rows or rows[0].state != began[-1].state):
        before, began = [entry.state for entry in began[-1 - passed :]], []
    began = began[-1:]
    found = began + [entry for entry in entered if entry.time >= first and entry.earliest <= span[1]]
    at_once = [entry for entry in entered if max(first, span[1] + 1) <= entry.earliest <= last]
    for entry in at_once:
        if [row.state for row in rows].count(entry.state) > [one.state for one in found].count(entry.state):
            found.append(entry)
    return before, found


def owner(flows: list[Flow], end: Endpoint, truth: Truth, slack: int, way: int) -> Flow | None:
    """The connection an endpoint belongs to: the last that began after it was asked for, and before the next one of its
    addresses and ports was; if there is none, the newest that had begun with it, so that two told as one are noticed.
    ``way`` is what a packet of A takes to the tap.
    """
    mine = [flow for flow in flows if end.pair in flow.ends]
    if not mine or not end.entered:
        return None
    begun = [asked_for(other, truth, slack) for other in truth.endpoints if other.pair == end.pair and other.entered]
    since = asked_for(end, truth, slack)
    until = min([time for time in begun if time > since], default=1 << 63)
    own = [flow for flow in mine if since <= flow.first - way + FOUND_NS < until]
    return (own or [flow for flow in mine if flow.first <= end.entered[0].latest + slack] or [None])[-1]


def asked_for(end: Endpoint, truth: Truth, slack: int) -> int:
    """When the connection of an endpoint was asked for; no packet of it can have passed before."""
    same = [other for other in truth.endpoints if other.entered and {*other.pair} == {*end.pair}]
    asked = [other.entered[0] for other in same if other.entered[0].state == "SYN_SENT"]
    begun = end.entered[0]
    return max((entry.earliest for entry in asked if entry.earliest <= begun.latest), default=begun.earliest - slack)


def common(kernel: list[str], said: list[str]) -> list[tuple[int, int]]:
    """The states both have, in order, as many as can be: their places in either."""
    blocks = difflib.SequenceMatcher(None, kernel, said, autojunk=False).get_matching_blocks()
    return [(block.a + n, block.b + n) for block in blocks for n in range(block.size)]


def outcome(kernel: list[str], said: list[str], hidden: tuple[Hidden, ...]) -> str:
    """EXACT, PERMITTED or WRONG."""
    if kernel == said:
        return WRONG if hidden else EXACT  # a declaration nobody needs is wrong
    for known in hidden:
        for length in range(len(known.kernel) + 1):
            cut = len(kernel) - length
            if tuple(kernel[cut:]) == known.kernel[:length] and [*kernel[:cut], *known.shown] == said:
                return PERMITTED
    return WRONG


def timed(kernel: list[Entry], rows: list[Row], at_host: bool) -> Iterator[Timed]:
    """The states both have, with their times; ``rows`` and ``kernel`` agree in states."""
    for entry, row in zip(kernel, rows, strict=True):
        exact = entry.earliest == entry.latest and row.basis != "timer"
        inside = (not row.earliest or row.earliest <= entry.latest) and row.latest >= entry.earliest
        yield Timed(abs(row.time - entry.time) if exact else None, inside, row, entry, at_host)


def judge(scenario: Scenario, tap: str, truth: Truth, path: Path) -> tuple[list[Verdict], list[Reset]]:
    """Every endpoint of one capture, and the causes of its resets."""
    flows, span = inferred(path)
    return judge_flows(scenario, tap, truth, flows, span), list(resets(scenario, tap, flows))


def judge_flows(scenario: Scenario, tap: str, truth: Truth, flows: list[Flow], span: tuple[int, int]) -> list[Verdict]:
    """Every endpoint, by what is said of the connections seen at ``tap`` in ``span``."""
    ran = span if scenario.edit is not None else (0, span[1])
    slack = scenario.round_trip_ns // 2 + NEAR_NS
    way = round(scenario.delay * 1e9) * TAPS.index(tap) // 2
    verdicts = []
    sockets: set[tuple[int, Pair]] = set()
    for end in truth.endpoints:
        flow = owner(flows, end, truth, slack + BUSY_NS, way)
        sockets |= {(id(flow), end.pair)}
        over = end.states[-1:] == ["CLOSED"] and end.entered[-1].latest < span[0] - slack
        if flow is None or over or end.entered[0].earliest > span[1] + slack:
            continue
        rows = flow.ends[end.pair]
        before, entered = shown(end.entered, rows, ran, scenario.round_trip_ns)
        nth = [other for other in truth.endpoints if other.host == end.host and other.entered].index(end)
        if entered or rows:
            verdicts.append(_verdict(scenario, tap, end, before, entered, rows, nth, ran))
    strangers = [(pair, rows) for flow in flows for pair, rows in flow.ends.items() if (id(flow), pair) not in sockets]
    verdicts += socketless(scenario, tap, truth, strangers)
    return verdicts


def socketless(
    scenario: Scenario, tap: str, truth: Truth, strangers: list[tuple[Pair, list[Row]]]
) -> Iterator[Verdict]:
    """Endpoints of which no kernel has a socket and the program says more than CLOSED."""
    hosts = {end.pair[0][0]: end.host for end in truth.endpoints}
    for pair, rows in strangers:
        if pair[0][1] not in scenario.raw_ports and any(row.state != "CLOSED" for row in rows):
            yield Verdict(scenario, tap, hosts.get(pair[0][0], ""), pair, -1, WRONG, [], [], rows, [], [], ())


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
    before: list[str],
    entered: list[Entry],
    rows: list[Row],
    nth: int,
    span: tuple[int, int],
) -> Verdict:
    found = bool(entered) and entered[0].time < span[0] - FOUND_NS
    kernel, said = [entry.state for entry in entered], [row.state for row in rows]
    hidden = tuple(h for h in scenario.hidden if h.host == end.host and tap in h.taps and h.nth == nth)
    both = common(kernel, said)
    pairs = [(entered[k], rows[r]) for k, r in both if not (found and k == 0)]
    compared = list(timed([k for k, _ in pairs], [r for _, r in pairs], tap == end.host))
    judged = outcome(kernel, said, hidden)
    return Verdict(scenario, tap, end.host, end.pair, nth, judged, before, kernel, rows, both, compared, hidden)


def score(scenario: Scenario, folder: Path) -> tuple[list[Verdict], list[Reset]]:
    """One scenario at every tap, from what is kept of it in ``folder``."""
    base = scenario.base or scenario.name
    truth = conduct.read_truth(base, folder)
    verdicts: list[Verdict] = []
    causes: list[Reset] = []
    with tempfile.TemporaryDirectory() as scratch:
        lost = edits.lost_packets(folder, base, Path(scratch)) if scenario.lossy else set()
        for tap in scenario.taps:
            path = folder / f"{base}.{tap}.pcap.gz"
            if scenario.edit is not None:
                path = edits.edited(path, scenario, tap, Path(scratch))
            more = judge(scenario, tap, truth, path)
            verdicts += [excused(verdict, lost) for verdict in more[0]]
            causes += more[1]
    return verdicts, causes


def excused(verdict: Verdict, lost: set[frozenset[int]]) -> Verdict:
    """Where a connection really lost packets, who is unsure is as right as packets permit; who is sure is not."""
    ports = frozenset(address[1] for address in verdict.pair)
    if verdict.outcome == WRONG and ports in lost and not verdict.sure_and_wrong:
        return dataclasses.replace(verdict, outcome=PERMITTED)
    return verdict


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
        for one in verdict.timed if verbose else ():
            if not one.inside:
                print(f"   outside: {verdict.scenario.name} tap {verdict.tap} endpoint {verdict.host}: {one.words}")
    for reset in causes:
        if reset.outcome == WRONG or (verbose and reset.outcome != EXACT):
            print(reset)
    print(table(verdicts, causes))
    return int(any(verdict.outcome == WRONG for verdict in verdicts))

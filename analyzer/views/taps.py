"""Two taps held against each other, for people: what was lost between, the clocks, and what else differs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from analyzer.results.taps.altered import altered
from analyzer.results.taps.compared import AFTER, AMID, BEFORE, RENUMBERED, SEVERAL, Alone, TapsComparison
from analyzer.results.taps.crossing import DeadWay, Fate, Kind, Missing
from analyzer.results.taps.states import HostStates
from analyzer.units import counted
from analyzer.views.console import Line, endpoint, heading, wrapped
from analyzer.views.resets_between import reported, reset_text
from analyzer.views.summary import read_lines
from analyzer.views.taps_clock import clock_texts, seconds
from analyzer.views.taps_ladder import ladder_lines

MOST_TOLD = 20  # connections under one heading
MOST_FRAMES = 3
WHY_ALONE = {
    AFTER: "over before {other} began to capture",
    BEFORE: "began after {other}'s last segment",
    AMID: "no segment passed {other}, though it captured then: another path, or lost before it",
    RENUMBERED: "{other} has one between the same ends at the same time with other sequence numbers throughout: "
    "a proxy between the taps ends it and opens another",
    SEVERAL: "several connections of {other} fit equally well",
}


def taps_lines(result: TapsComparison, columns: int, ladder: bool) -> Iterator[Line]:
    """The whole page, wrapped at ``columns``; with ``ladder`` the segments of each connection that is asked for."""
    for line in verdict(result):
        yield from (Line(text, "bold") for text in wrapped(line, 0, columns))
    for tap in (result.a, result.b):
        yield Line()
        yield Line(f"Tap {tap.name}", "bold")
        yield from read_lines(tap.analysed.summary, columns)
        for notice in tap.analysed.summary.notices:
            yield from (Line(text, "yellow") for text in wrapped(notice.text, 0, columns))
    yield from _section("Clocks and path", [*clock_texts(result), *_altered_texts(result)], columns)
    yield from _crossing(result, columns)
    yield from _states(result, columns)
    yield from _section("Connections at one tap only", list(_alone_texts(result)), columns)
    if ladder:
        for pair in result.pairs:
            yield from ladder_lines(result, pair)


def verdict(result: TapsComparison) -> Iterator[str]:
    """What is said first."""
    of = sum(one.tap == "A" for one in result.alone) + len(result.pairs)
    yield f"{len(result.pairs):,} of {counted(of, 'connection')} of A {'is' if len(result.pairs) == 1 else 'are'} in B."
    for fate in Fate:
        counts = [(kind, sum(len(one.frames) for one in result.missing if (one.kind, one.fate) == (kind, fate)))
                  for kind in Kind]  # fmt: skip
        said = [counted(count, f"{kind.value} segment" if kind is Kind.DATA else kind.value) for kind, count in counts
                if count]  # fmt: skip
        if said:
            words = {
                Fate.LOST: "Passed one tap and not the next",
                Fate.INSERTED: "Missed by the capture nearer to the sender, or sent by a device between",
                Fate.UNCLEAR: "At one tap only",
                Fate.MISSED: "Missed by one of the captures, since they were acknowledged",
            }
            yield f"{words[fate]}: {', '.join(said)}."
    for way in result.dead[:MOST_FRAMES]:
        yield _dead_text(result, way)
    if not result.missing:
        yield "Every segment of these that passed one tap while the other captured passed the other, too."


def _section(title: str, texts: Sequence[str], columns: int) -> Iterator[Line]:
    if texts:
        yield from heading(title)
        for text in texts:
            yield from map(Line, wrapped(text, 0, columns))


def _altered_texts(result: TapsComparison) -> Iterator[str]:
    found = altered(result.common, result.all_pairs)
    if found.hops and found.hops[-1]:
        steps = " or ".join(map(str, found.hops))
        yield f"Between the taps the TTL is counted down by {steps}."
    if found.moved:
        yield f"{counted(found.moved, 'connection')} with other addresses or ports at B: translated between (NAT)."
    if found.renumbered:
        yield (
            f"{counted(found.renumbered, 'connection')} with other sequence numbers at B, matched by timestamps or by "
            "relative numbers, lengths and first bytes: a device between rewrites them."
        )
    if found.window_scales:
        yield f"{counted(found.window_scales, 'SYN')} with another window scale option at B: changed between."
    if found.timestamps:
        yield f"{counted(found.timestamps, 'segment')} with another timestamp option at B, or none: changed between."


def _crossing(result: TapsComparison, columns: int) -> Iterator[Line]:
    """What only one tap has, by connection."""
    if not result.missing:
        return
    by_row: dict[int, list[Missing]] = defaultdict(list)
    for one in result.missing:
        by_row[one.sender >> 1].append(one)
    gravest = sorted(by_row.items(), key=lambda item: min(list(Kind).index(one.kind) for one in item[1]))
    yield from heading(f"Segments at one tap only: {counted(len(by_row), 'connection')}")
    for row, found in gravest[:MOST_TOLD]:
        yield Line(pair_text(result, row), "bold")
        for one in found:
            style = "yellow" if one.kind in (Kind.DATA, Kind.ACK) else "bold red"
            yield from (Line(text, style) for text in wrapped(missing_text(result, one), 2, columns))
        for way in result.dead:
            if way.sender >> 1 == row:
                yield from (Line(text, "bold red") for text in wrapped(_dead_text(result, way), 2, columns))
    if len(gravest) > MOST_TOLD:
        yield Line(f"... and {len(gravest) - MOST_TOLD:,} more; --csv has all")


def pair_text(result: TapsComparison, row: int) -> str:
    """A connection by its number in both captures, and its ends; by B's where these differ."""
    pair = result.pair_of[row]
    client = result.client_sender(pair)
    ends = [endpoint(*result.a.end_of(sender)) for sender in (client, client ^ 1)]
    other = 2 * pair.row_b + ((client & 1) ^ pair.swapped)
    at_b = [endpoint(*result.b.end_of(sender)) for sender in (other, other ^ 1)]
    moved = f", at B {' -> '.join(at_b)}" if at_b != ends else ""
    streams = result.a.flows["stream"][row], result.b.flows["stream"][pair.row_b]
    return f"tcp.stream == {streams[0]} in A, {streams[1]} in B: {' -> '.join(ends)}{moved}"


def who(result: TapsComparison, sender: int) -> str:
    """``the client 10.0.0.1:4000``, by A's addresses."""
    return f"the {result.a.role(sender)} {endpoint(*result.a.end_of(sender))}"


def missing_text(result: TapsComparison, one: Missing) -> str:
    """What only one tap has, in a sentence or two."""
    other = "B" if one.tap == "A" else "A"
    count, what = len(one.frames), f"{one.kind.value} segment" if one.kind is Kind.DATA else one.kind.value
    named = ", ".join(map(str, one.frames[:MOST_FRAMES])) + (", ..." if count > MOST_FRAMES else "")
    frames = f"frame {named}" if count == 1 else f"frames {named}"
    begin = seconds(one.times[0] - result.a.span[0])
    subject = f"{counted(count, what)} of {who(result, one.sender)} ({frames} of {one.tap}, at {begin} s)"
    return f"{subject} never passed {other}. {_why(result, one, other)}"


def _why(result: TapsComparison, one: Missing, other: str) -> str:
    """What that says."""
    if one.kind is Kind.RST and one.fate is Fate.INSERTED:
        return reset_text(result, one)
    if one.ended:
        return f"{other}'s last segment came before: its capture may have been stopped by then."
    if one.fate is Fate.UNCLEAR:
        return "Which tap is nearer to its sender is not known."
    if one.fate is Fate.MISSED:
        return f"Its receiver acknowledged it: {other}'s capture missed it{reported(result, other)}."
    if one.fate is Fate.LOST:
        again = " Repeats of it passed both." if one.repeated and len(one.frames) == 1 else ""
        again = again or (" Other copies passed both." if one.repeated else "")
        return (
            f"Lost between {one.tap} and {other}, unless {other}'s capture missed it{reported(result, other)}.{again}"
        )
    return (
        f"{other} is nearer to its sender: {other}'s capture most likely missed it{reported(result, other)}, "
        "or a device between sent it once more."
    )


def _dead_text(result: TapsComparison, way: DeadWay) -> str:
    other = "B" if way.tap == "A" else "A"
    peer = who(result, way.sender ^ 1)
    return (
        f"From frame {way.frame} of {way.tap} on ({seconds(way.time - result.a.span[0])} s), none of "
        f"{counted(way.count, 'segment')} of {who(result, way.sender)} passed {other}, while {way.others:,} of {peer} "
        f"passed both: suspect a device between A and B that drops this one direction."
    )


def _states(result: TapsComparison, columns: int) -> Iterator[Line]:
    """Where one tap alone would have told other states."""
    if not result.differing:
        return
    yield from heading(f"States that one tap alone cannot tell: {counted(len(result.differing), 'endpoint')}")
    for host in result.differing[:MOST_TOLD]:
        yield from map(Line, wrapped(states_text(result, host), 0, columns))
    if len(result.differing) > MOST_TOLD:
        yield Line(f"... and {len(result.differing) - MOST_TOLD:,} more; --json has all")


def states_text(result: TapsComparison, host: HostStates) -> str:
    """Both accounts of an endpoint."""
    other = "B" if host.tap == "A" else "A"
    mine = " ".join(one.state for one in host.entered) or "nothing"
    theirs = " ".join(one.state for one in host.otherwise or ()) or "nothing"
    stream = result.a.flows["stream"][host.sender >> 1]
    near = ", nearer to it" if result.near(host.sender) == host.tap else ""
    return (
        f"tcp.stream == {stream} in A, {who(result, host.sender)}: {mine} by {host.tap}{near}; {other} alone shows "
        f"{theirs}."
    )


def _alone_texts(result: TapsComparison) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Alone]] = defaultdict(list)
    for one in result.alone:
        groups[one.tap, one.why].append(one)
    for (name, why), found in groups.items():
        other = "B" if name == "A" else "A"
        more = ", ..." if len(found) > MOST_FRAMES else ""
        streams = ", ".join(str(one.stream) for one in found[:MOST_FRAMES]) + more
        reason = WHY_ALONE[why].format(other=other)
        yield f"{counted(len(found), 'connection')} of {name} (tcp.stream {streams}): {reason}."

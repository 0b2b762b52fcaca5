"""The ladder says on what a state rests: a packet, a timer, or the likeliest explanation. Its signs, its words,
its legend and timeline.csv agree, on every connection at hand."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analyzer
from analyzer.errors import TeardownError
from analyzer.results.notes import note_texts
from analyzer.results.result import ResultTables
from analyzer.segments.table import FIN, RST, SYN
from analyzer.settings import Settings
from analyzer.tcp.evidence import Note
from analyzer.tcp.states import ARROWS, Event, State
from analyzer.tcp.timers import timers_of
from analyzer.views.ladder import ladder_lines
from analyzer.views.ladder_segments import ladder_segments
from analyzer.views.sent_side import AGAIN

ROOT = Path(__file__).parents[2]
OWN = sorted((ROOT / "captures").glob("*.pcap*"))
CASES = sorted((ROOT.parent / "shared" / "cases").glob("*/**/*.pcap*"))  # where they are beside this checkout
FLOWS_A_CAPTURE = 25
SMALL = 100_000  # bytes: the twin below keeps a set of numbers
LATE_FIN = "late-fin-answered-by-rst.pcapng"  # gone from FIN_WAIT_2 within five seconds, as a RST shows
EXPIRED = "fin-wait-2-expired.pcap"


def ladder(capture: str, stream: int = 0, **settings: object) -> str:
    """A ladder as text, each of its paragraphs on a line."""
    result = analyzer.analyze(ROOT / "captures" / capture, keep_segments=True, **settings)
    return "\n".join(line.plain for line in ladder_lines(result, stream, 300))


@cache
def analysed(path: Path) -> ResultTables | None:
    try:
        return analyzer.analyze(path, keep_segments=True)
    except TeardownError:
        return None


@pytest.mark.parametrize(
    ("settings", "keeps"),
    [
        ({}, "the profile linux keeps FIN_WAIT_2 for 60 s"),
        ({"profile": "windows"}, "the profile windows keeps FIN_WAIT_2 for 120 s"),
        ({"profile": "bsd"}, "the profile bsd keeps FIN_WAIT_2 for 600 s"),
        ({"profile": "bsd", "fin_timeout_s": 7}, "--fin-timeout keeps FIN_WAIT_2 for 7 s"),
        ({"fin_timeout_s": 20, "read_on_host": ("fin_timeout_ns",)}, "this host keeps FIN_WAIT_2 for 20 s"),
    ],
)
def test_a_packet_that_contradicts_the_timer_in_force(settings: dict[str, object], keeps: str) -> None:
    text = ladder(LATE_FIN, **settings)
    shown = "server: FIN_WAIT_2 had ended: the RST shows that it no longer had the connection; "
    assert f"{shown}ended after at most 4.96 s, although {keeps}; between 0.141712 and 5.100611" in text
    assert re.search(r"5\.100605 +CLOSED\^", text)
    assert "^ timer: a later packet shows that the state had ended, not when" in text
    assert "\n* " not in text
    assert "no packet" not in text


@pytest.mark.parametrize(("timeout", "ended"), [(3, "3.141712"), (4.9, "5.041712")])
def test_a_packet_that_fits_the_timer_in_force(timeout: float, ended: str) -> None:
    text = ladder(LATE_FIN, fin_timeout_s=timeout)
    assert re.search(rf"{ended} +CLOSED\^\n", text)
    shown = "the RST shows that it no longer had the connection"
    assert f"server: FIN_WAIT_2 had ended: {shown}; --fin-timeout: after {timeout} s; between 0.141712 and" in text
    assert "at most" not in text


@pytest.mark.parametrize(
    ("settings", "said", "seconds"),
    [
        ({}, "profile linux", "60"),
        ({"profile": "bsd"}, "profile bsd", "60"),
        ({"time_wait_s": 5}, "--time-wait", "5"),
        ({"time_wait_s": 60, "read_on_host": ("time_wait_ns",)}, "as on this host", "60"),
    ],
)
def test_a_time_wait_that_only_the_timer_in_force_ends(settings: dict[str, object], said: str, seconds: str) -> None:
    text = ladder("time-wait-runs-out.pcap", **settings)
    assert f"client: TIME_WAIT ends after {seconds} s: {said}; between " in text
    assert f"\n* timer: no packet shows it; {said}: TIME_WAIT lasts {seconds} s" in text
    assert "CLOSED*\n" in text
    assert "shows that" not in text


def test_a_longer_time_wait_lasts_to_the_captures_end() -> None:
    text = ladder("time-wait-runs-out.pcap", profile="windows")
    assert re.search(r"TIME_WAIT +\(the capture ends\)", text)
    assert "CLOSED*" not in text


def test_a_time_wait_is_never_called_delivered() -> None:
    text = ladder("graceful-client-first.pcap")
    assert "TIME_WAIT?" in text
    assert "? assumed: no packet shows whether a host keeps TIME_WAIT; a host with a full table does not" in text
    assert "the likeliest explanation" not in text
    mixed = ladder("starts-at-the-fin.pcap")
    assert "TIME_WAIT?" in mixed
    assert "FIN_WAIT_1?" in mixed
    assert "? assumed: the likeliest explanation; nothing captured proves or contradicts it" in mixed


def test_a_time_wait_that_was_not_kept() -> None:
    text = ladder("last-ack-lost-then-reset.pcap")
    assert "ended after at most 211 ms, although the profile linux keeps TIME_WAIT for 60 s" in text


def ladders(path: Path) -> Iterator[tuple[pd.DataFrame, list[str]]]:
    """Of each flow of a capture its timeline and its ladder."""
    result = analysed(path)
    for stream in [] if result is None else result.flows["stream"].tolist()[:FLOWS_A_CAPTURE]:
        assert result is not None
        timeline = result.timeline[result.timeline["stream"] == stream]
        yield timeline, [line.plain for line in ladder_lines(result, stream, 300)]


@pytest.mark.parametrize("path", [*OWN, *CASES], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_signs_words_legend_and_timeline_agree(path: Path) -> None:
    for timeline, lines in ladders(path):
        states = [state for line in lines for state in re.findall(r" [A-Z_\d]{6,}([~?*^]?)(?=  |$)", f" {line}")]
        used = {sign for sign in states if sign}
        assert used == {line[0] for line in lines if re.match(r"[~?*^] ", line)}
        by_timer = timeline[timeline["event"] == "timer"]
        assert set(by_timer["basis"]) <= {"timer"}
        shown = by_timer["note"].str.contains("the RST shows")
        assert states.count("^") == shown.sum()
        assert states.count("*") == (~shown).sum()
        assert by_timer["note"][~shown].str.fullmatch(r"TIME_WAIT ends after 60 s: profile linux").all()
        text = "\n".join(lines)
        for note in by_timer["note"]:
            assert str(note).split("; profile")[0] in text
        assert ("profile linux" in text) == bool(len(by_timer))


@pytest.mark.parametrize("path", [*OWN, *CASES], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_retransmission_is_what_had_been_captured(path: Path) -> None:
    """Against a twin that keeps every number that was sent."""
    result = analysed(path)
    for _, flow in [] if result is None else result.flows.head(FLOWS_A_CAPTURE).iterrows():
        assert result is not None
        assert result.segments is not None
        own = result.segments[result.segments["stream"] == flow["stream"]].sort_values("frame", kind="stable")
        talk = ladder_segments(result.segments, flow)
        if talk.size.sum() > SMALL:
            continue
        sent: dict[bool, set[int]] = {True: set(), False: set()}
        for row, raw in enumerate(own["seq"].astype(np.int64)):
            flags = int(talk.flags[row])
            length = int(talk.size[row]) + bool(flags & SYN) + bool(flags & FIN)
            numbers = {(raw + offset) % (1 << 32) for offset in range(length)}
            before = sent[bool(talk.up[row])]
            if talk.word[row] == AGAIN:
                assert numbers
                assert numbers <= before, int(talk.frame[row])
            elif talk.word[row] == "" and numbers and numbers <= before and not flags & (FIN | RST):
                raise AssertionError(f"frame {talk.frame[row]} repeats what had been sent")
            if not flags & RST:
                before |= numbers


@pytest.mark.parametrize("profile", ["linux", "bsd"])
def test_a_rst_that_time_wait_drops_is_not_told_by_its_number(profile: str) -> None:
    notes = note_texts(timers_of(Settings(profile=profile)))
    ignored = {
        state.name: notes[int(ARROWS[state, Event.RST_IGNORED]) * len(Note) + Note.OUTSIDE_WINDOW] for state in State
    }
    number = "RST without effect; its sequence number is not the next one expected (RFC 5961 3.2)"
    dropped = "RST without effect; profile bsd drops every RST in TIME_WAIT (RFC 1337)"
    assert ignored.pop("TIME_WAIT") == (dropped if profile == "bsd" else number)
    assert set(ignored.values()) == {number}

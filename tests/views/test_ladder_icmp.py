"""The ladder shows ICMP errors that quote a segment of the connection, each at its place."""

from pathlib import Path

import analyzer
from analyzer.views.ladder import ladder_lines

CAPTURES = Path(__file__).parents[2] / "captures"
SAID = "ICMP from 10.1.1.1: destination unreachable, communication administratively prohibited; it quotes a segment"


def lines(name: str, stream: int) -> list[str]:
    result = analyzer.analyze(CAPTURES / name, keep_segments=True)
    return [line.plain for line in ladder_lines(result, stream, columns=160)]


def test_each_error_has_its_sender_and_its_words_behind_the_segment_that_it_quotes() -> None:
    told = lines("path-closed-by-firewall.pcap", 0)
    assert sum(SAID in line for line in told) == 6
    frames = [int(line.split()[1]) for line in told if line.split()[1:2] and line.split()[1].isdigit()]
    assert frames == sorted(frames) and {9, 11, 13, 15, 17, 19} <= set(frames)


def test_an_error_about_another_connection_is_not_shown() -> None:
    assert not any("ICMP" in line for line in lines("path-closed-by-firewall.pcap", 1))


def test_no_silence_is_counted_across_an_error() -> None:
    told = lines("path-closed-by-firewall.pcap", 0)
    silences = [place for place, line in enumerate(told) if "of silence" in line]
    assert len(silences) == 2 and not any("▶" in told[place - 1] for place in silences)

"""Timers that fit the silences of many flows: the same as one by one, and how that is said."""

from pathlib import Path

import numpy as np
import pytest

import analyzer
from analyzer.errors import UsageError
from analyzer.findings.fitting_timers import GrowingChoices, apart_words, fitting_words, timers_that_fit
from analyzer.findings.recurring import best_windows, window_words
from analyzer.findings.silences import BY_FIN, BY_NOTHING, BY_RST, ENDS, IDLE, WAITS, Silences
from analyzer.settings import Settings, settings_of
from analyzer.tcp.timer_catalogue import COLUMNS, Silence, fitting
from tests.findings.filed import OPENED, analyzed

SECOND = 10**9
OWN = "\t".join(COLUMNS) + "\n" + "shop\tshop LB\tdevice\tdevice between (sends to both ends)\tidle\t7\tfixed\t"
OWN += "last packet either way\trst\tall\twiki\t[D]\n"


def silences(seconds: list[float], ends: int, by_client: bool = False, waits: int = IDLE, port: int = 443) -> Silences:
    """Silences of some lengths, by the clocks of packets and data."""
    length = np.array([round(value * SECOND) for value in seconds], np.int64)
    many, zeros = np.ones(len(length), np.int64), np.zeros(len(length), np.int64)
    clocks = {"packet": length, "data": length}
    client = np.full(len(length), by_client)
    return Silences(
        *(
            length > 0,
            zeros,
            client,
            waits * many,
            ends,
            length,
            clocks,
            {"packet": zeros},
            zeros,
            zeros,
            zeros,
            port * many,
            zeros,
        )
    )


@pytest.mark.parametrize("ends", [BY_FIN, BY_RST, BY_NOTHING])
@pytest.mark.parametrize("by_client", [False, True])
def test_many_at_once_are_as_one_by_one(ends: int, by_client: bool) -> None:
    lengths = [1.0, 4.95, 5.0, 6.0, 6.1, 60.0, 75.3, 240.2, 350.0, 900.4, 3600.5, 90000.0]
    fits = timers_that_fit(silences(lengths, ends, by_client), Settings())
    for code, value in zip(fits.codes.tolist(), lengths, strict=True):
        clocks = dict.fromkeys(("packet", "data"), round(value * SECOND))
        alone = Silence(WAITS[IDLE], tuple(ENDS)[ends], "client" if by_client else "server", clocks, {})
        assert list(fits.sets[code].timers) == fitting(alone, port=443)


def said(seconds: float, ends: int, by_client: bool = False, port: int = 443, waits: int = IDLE) -> str:
    fits = timers_that_fit(silences([seconds], ends, by_client, waits, port), Settings())
    return fitting_words(fits.sets[fits.codes[0]])


def test_the_likeliest_are_named_and_the_others_counted() -> None:
    assert said(75.0, BY_FIN).startswith(", consistent with nginx (75 s), Kubernetes ingress-nginx (75 s)")
    assert said(118.0, BY_FIN, by_client=True).startswith(", consistent with libcurl (118 s)")
    assert said(0.0, BY_FIN) == said(2000.0, BY_FIN) == ""


def test_what_is_silent_bounds_from_above() -> None:
    silent = said(255.0, BY_NOTHING)
    assert silent.startswith(", consistent with devices that drop an idle connection after at most that long")
    assert "(240 s)" in silent and "350" not in silent


def test_what_speaks_another_protocol_is_not_named() -> None:
    assert "LDAP" in said(900.0, BY_FIN, port=389)
    assert said(900.0, BY_FIN, port=1521) == ""


def test_what_may_miss_its_value_by_far_tells_between_what() -> None:
    assert said(181.5, BY_RST) == ", consistent with Citrix ADC (NetScaler) (120 to 240 s)"
    fits = timers_that_fit(silences([181.5, 240.3], BY_RST), Settings())
    assert fits.where(lambda some: some.acting).tolist() == [False, True]


def test_what_tells_them_apart_is_said_where_several_have_the_value() -> None:
    fits = timers_that_fit(silences([5.0, 118.0], BY_FIN), Settings())
    assert "tells timers of 5 s apart: from the server: httpd" in apart_words(fits.sets[fits.codes[0]])
    assert apart_words(fits.sets[0]) == ""


def test_words_keep_their_numbers() -> None:
    choices = GrowingChoices()
    first = choices.choice(np.array([0, 1]), ["", "one"])
    second = choices.choice(np.array([1, 0, 1]), ["two", "one"])
    assert [second.words[code] for code in second.codes] == ["one", "two", "one"]
    assert [second.words[code] for code in first.codes] == ["", "one"]


def test_a_value_that_recurs_is_found_among_others() -> None:
    lengths = np.array([10.0, 10.2, 3.0, 10.4, 55.0, 700.0, 10.1, 2.0], np.float64) * SECOND
    windows = best_windows(np.array([1, 1, 1, 1, 1, 2, 1, 2]), lengths.astype(np.int64))
    (window,) = windows.found[1:]
    assert (window.size, window.among, window_words(window)) == (4, 6, "10 s to 10.4 s")
    assert windows.codes.tolist() == [1, 1, 0, 1, 0, 0, 1, 0]


RESET_AFTER_7 = f"{OPENED}\nA P. 101:201 ack 201\nB P. 201:301 ack 201\nA . 201:201 ack 301\n+7200 B R. 301:301 ack 201"


def test_a_sites_own_timers_come_first(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text(OWN)
    (finding,) = analyzed(RESET_AFTER_7, tmp_path, timers=own).findings.itertuples()
    assert finding.code == "TD401" and "consistent with shop LB (yours, 7 s)" in finding.message
    (finding,) = analyzed(RESET_AFTER_7, tmp_path).findings.itertuples()
    assert finding.code == "TD301"
    own.write_text(OWN.replace("\t7\t", "\t8\t"))
    (finding,) = analyzed(RESET_AFTER_7, tmp_path, timers=own).findings.itertuples()
    assert finding.code == "TD301"


def test_the_advice_follows_from_when_the_timer_counts(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"

    def advice(story: str, row: str = OWN) -> str:
        own.write_text(row)
        (finding,) = analyzed(story, tmp_path, timers=own).findings.itertuples()
        assert finding.code == "TD401"
        return str(finding.advice)

    assert "Keep-alives sent more often than every 7 s keep the connection open." in advice(RESET_AFTER_7)
    from_data = OWN.replace("device between (sends to both ends)", "server").replace("packet either", "data either")
    assert "TCP keep-alives do not restart this timer of 7 s: drop idle" in advice(RESET_AFTER_7, from_data)
    asked = f"{OPENED}\nA P. 101:201 ack 201\nB . 201:201 ack 201\n+7000 B R. 201:201 ack 201"
    assert "The connection was not idle, a request was waiting: look in the server's log" in advice(asked, from_data)


def test_a_bad_file_is_one_error(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text(OWN + "x\n")
    with pytest.raises(UsageError, match=r"own\.tsv, line 3: it must have 12 columns"):
        settings_of(timers=own)
    with pytest.raises(UsageError, match="cannot read the timers in"):
        analyzer.analyze(b"", timers=str(tmp_path / "none.tsv"))


def test_resets_that_recur_are_told_once(tmp_path: Path) -> None:
    reset = f"{OPENED}\n+12300 B R. 201:201 ack 101"
    apart = [f"+{400 * n} {reset}" for n in range(6)]
    (many,) = analyzed("\n\n".join(apart), tmp_path).findings.itertuples()
    assert (many.code, many.severity) == ("TD401", "warning") and "6 ended 12.31 s after the last data" in many.message
    assert {*analyzed("\n\n".join([reset] * 4), tmp_path).findings["code"]} == {"TD301"}


def test_who_gave_up_waiting_is_told_by_td406_alone(tmp_path: Path) -> None:
    gave_up = f"{OPENED}\nA P. 101:201 ack 201\nB . 201:201 ack 201\n+12300 A R. 201:201 ack 201"
    assert {*analyzed("\n\n".join([gave_up] * 6), tmp_path).findings["code"]} == {"TD406"}


def test_two_causes_are_two_groups(tmp_path: Path) -> None:
    reset = f"{OPENED}\n+60000 B R. 201:201 ack 101"
    asked = f"{OPENED}\nA P. 101:201 ack 201\nB . 201:201 ack 201\n+60000 B R. 201:201 ack 201"
    found = analyzed("\n\n".join([reset, reset, asked]), tmp_path).findings
    repeated = [message for message in found["message"] if "2 connections of this host were reset after 60" in message]
    assert list(found["code"]) == ["TD401"] * 3 and len(repeated) == 2

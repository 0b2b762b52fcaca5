"""Filters: what people write is read, what means nothing is one line; what is chosen is told as in the whole."""

import subprocess
import sys
from decimal import Decimal
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analyzer
from analyzer.cli import guarded
from analyzer.commands import running
from analyzer.engine.pipeline import analyze
from analyzer.errors import UsageError
from analyzer.filters import columns_of, filters_of
from analyzer.flows import wanted
from analyzer.moments import GivenTime, moment_of, resolved
from analyzer.segments.addresses import AddressBook
from analyzer.settings import Settings, options_text, settings_of

CAPTURES = Path(__file__).parents[1] / "captures"
MANY = CAPTURES / "reconnect-loop-leaks.pcapng"
LEAK = CAPTURES / "close-wait-leak.pcap"
SECOND = 10**9
NINE = 1_700_000_000 * SECOND + 500_000_000  # 22:13:20.5


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", NINE),
        ("12.25", NINE + 12_250_000_000),
        ("-1", NINE - SECOND),
        ("1700000001.000000001", 1_700_000_001 * SECOND + 1),
        ("22:13:20", 1_700_000_000 * SECOND),
        ("22:13", 1_700_000_000 * SECOND - 20 * SECOND + 86_400 * SECOND),
        ("22:13:19", 1_700_000_000 * SECOND - SECOND + 86_400 * SECOND),
        ("2023-11-14 22:13:20.5", NINE),
        ("2023-11-14T22:13:20.5Z", NINE),
        ("2023-11-14", 1_699_920_000 * SECOND),
    ],
)
def test_moments(text: str, ns: int) -> None:
    assert resolved(moment_of(text), NINE) == ns


@pytest.mark.parametrize("text", ["", "soon", "25:00", "22:61", "2023-13-01", "nan", "1e400", "22:13:20.1234567890"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="write a time of day"):
        moment_of(text)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("host", "example", "--host takes ADDRESS"),
        ("host", "10.0.0.0/40", "--host takes ADDRESS"),
        ("port", "70000", "from 0 to 65535"),
        ("port", "9-3", "--port takes numbers"),
        ("stream", "-1", "--stream takes numbers"),
        ("stream", "1,,2", "--stream takes numbers"),
        ("between", ("1",), "two times"),
        ("code", "TD999", "no finding TD999"),
        ("ending", "slowly", "no ending slowly; there are graceful"),
        ("where", "duration > 3", "did you mean duration_s"),
        ("where", "__import__('os')", "contains"),
        ("where", "client_ip.to_csv('x')", "contains"),
        ("where", "client_ip.str.cat", "contains"),
        ("where", "(lambda: 1)()", "contains"),
        ("where", "1 == 1", "names no column"),
        ("where", "duration_s > 3 && stream", "is no expression"),
        ("where", "duration_s + 1", "neither true nor false"),
        ("where", "client_ip > 3", "client_ip is text: write '3', not 3"),
        ("where", "client_ip + 3 == 4", "cannot be reckoned"),
        ("where", "client_ip in '10.1.1.0/24'", "takes a list"),
        ("where", "duration_s > '3'", "duration_s is a number"),
        ("where", "client_known == 'yes'", "write client_known, or not client_known"),
        ("where", "closed_by == client", "a text stands in quotes: closed_by == 'client'"),
        ("where", "closed_by == 'Client'", "closed_by is never 'Client'; it is one of client, server, both, or ''"),
        ("where", "teardown in ['graceful', 'clean']", "teardown is never 'clean'"),
        ("where", "duration_s == None", "write duration_s.isna()"),
        ("where", "not findings", "write findings == ''"),
        ("where", "stream.contains('1')", "stream is no text"),
        ("where", "first_epoch > 'noon'", "'noon' is no time"),
        ("where", "duration_s ** 2 > 3", "contains '**'"),
        ("where", "duration_s is 3", "contains 'is'"),
        ("where", "nope > 3", "flows has no column nope. There are stream, "),
        ("where", "not " * 2000 + "stream == 1", "nested too deeply"),
        ("code", "", "--code names nothing"),
        ("ending", " ,", "--ending names nothing"),
        ("where", "(" * 4000 + "stream" + ")" * 4000, "is no expression"),
    ],
)
def test_what_means_nothing_is_one_line(name: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError) as error:
        analyzer.analyze(LEAK, **{name: value})
    assert said in str(error.value) and "\n" not in str(error.value)


def test_python_takes_numbers_and_lists() -> None:
    settings = settings_of(port=443, stream=[1, "7-9"], host=["10.0.0.1", "2001:db8::/32"], between=(1, 2.5))
    found = filters_of(settings)
    assert (found.port, found.stream) == (((443, 443),), ((1, 1), (7, 9)))
    assert found.between == (GivenTime(SECOND, "begin"), GivenTime(5 * SECOND // 2, "begin"))
    assert [str(network) for network in found.host] == ["10.0.0.1/32", "2001:db8::/32"]
    assert options_text(settings) == [
        "--host 10.0.0.1,2001:db8::/32",
        "--port 443",
        "--stream 1,7-9",
        "--between 1 2.5",
    ]


def test_the_columns_that_an_expression_names() -> None:
    assert columns_of("1 < duration_s <= 5 and client_ip in ['a'] or findings.str.contains('TD1')") == [
        "client_ip",
        "duration_s",
        "findings",
    ]


WHOLE = analyzer.analyze(MANY, keep_segments=True)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"host": "10.1.1.2"}, lambda flows: (flows.client_ip == "10.1.1.2") | (flows.server_ip == "10.1.1.2")),
        ({"host": "192.0.2.0/24"}, lambda flows: flows.stream < 0),
        ({"port": "8080"}, lambda flows: (flows.client_port == 8080) | (flows.server_port == 8080)),
        ({"stream": "3,5-7"}, lambda flows: flows.stream.isin([3, 5, 6, 7])),
        ({"between": (2, 4)}, lambda flows: alive(flows, 2, 4)),
        ({"code": "td101"}, lambda flows: flows.findings.str.contains("TD101")),
        ({"ending": "half-closed"}, lambda flows: flows.teardown == "half-closed"),
        ({"where": "stream % 2 == 1 and not (closed_by == 'client')"}, lambda flows: flows.stream % 2 == 1),
        ({"where": "server_close_wait_s > 5", "stream": "0-9"}, lambda flows: late(flows)),
        ({"where": "first_epoch > '2020-01-01' and client_fin_frame > 0"}, lambda flows: flows.client_fin_frame > 0),
        ({"where": "first_epoch <= 2.5"}, lambda flows: begins(flows, 2.5)),
        ({"where": "'TD1' in findings"}, lambda flows: flows.findings.str.contains("TD1")),
        ({"where": "'D10' not in findings"}, lambda flows: ~flows.findings.str.contains("D10")),
        ({"where": "(stream == 1 | stream == 2) and closed_by != 'client'"}, lambda flows: flows.stream.isin([1, 2])),
    ],
)
def test_the_tables_are_those_rows_of_the_whole(filters: dict[str, Any], wanted: Any) -> None:
    chosen = analyzer.analyze(MANY, keep_segments=True, **filters)
    flags = wanted(WHOLE.flows).fillna(False).astype(bool)
    streams = set(WHOLE.flows.stream[flags])
    same(chosen.flows, WHOLE.flows, streams)
    same(chosen.timeline, WHOLE.timeline, streams)
    same(chosen.reuse, WHOLE.reuse, streams)
    same(chosen.timers, WHOLE.timers, streams)
    assert chosen.segments is not None and WHOLE.segments is not None
    same(chosen.segments, WHOLE.segments, streams)
    about = chosen.findings[chosen.findings.stream.notna()]
    same(about, WHOLE.findings, streams)
    assert chosen.summary.chosen == chosen.overview.flows == len(streams)
    assert chosen.summary.streams == len(WHOLE.flows)
    assert chosen.census.sockets.max() <= WHOLE.census.sockets.max() if streams else chosen.census.empty


def alive(flows: pd.DataFrame, begin: float, end: float) -> "pd.Series[bool]":
    first = flows.first_epoch.min()
    times = [first + pd.Timedelta(seconds=one) for one in (begin, end)]
    return (flows.first_epoch <= times[1]) & (flows.last_epoch >= times[0])


def begins(flows: pd.DataFrame, until: float) -> "pd.Series[bool]":
    return flows.first_epoch <= flows.first_epoch.min() + pd.Timedelta(seconds=until)


def late(flows: pd.DataFrame) -> "pd.Series[bool]":
    return (flows.server_close_wait_s > 5) & (flows.stream < 10)


def same(ours: pd.DataFrame, theirs: pd.DataFrame, streams: set[int]) -> None:
    rows = theirs[theirs.stream.isin(streams)].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours.reset_index(drop=True), rows, check_categorical=False)


def test_a_crowd_is_told_where_one_of_it_is_chosen() -> None:
    crowd = WHOLE.findings[WHOLE.findings.stream.isna()]
    assert set(crowd.code) == {"TD106"}
    assert "TD106" in set(analyzer.analyze(MANY, stream=0).findings.code)
    assert "TD106" not in set(analyzer.analyze(MANY, host="192.0.2.1").findings.code)
    assert set(analyzer.analyze(MANY, code="TD106").findings.code) == {"TD106"}


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.stem)
def test_one_stream_alone_has_the_segments_that_it_has_in_the_whole(path: Path) -> None:
    """Whether told at a glance or segment by segment, and with what the tracker marks in them."""
    whole = analyzer.analyze(path, keep_segments=True)
    assert whole.segments is not None
    for stream in whole.flows.stream[:3]:
        alone = analyzer.analyze(path, keep_segments=True, keep_stream=int(stream))
        assert alone.segments is not None
        same(alone.segments, whole.segments, {stream})
        same(alone.timeline, whole.timeline, {stream})


def test_the_summary_says_what_was_chosen_and_leads_on_with_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(["analyze", str(LEAK), "--port", "8080", "--slow-close", "2"]) == 0
    out = capfd.readouterr().out
    assert "Told of this connection only: --port 8080\n" in out
    assert f"teardown timeline {LEAK} --stream 0 --slow-close 2\n" in out
    assert guarded(["analyze", str(LEAK), "--port", "1"]) == 0
    assert "None fits --port 1" in capfd.readouterr().out


def test_filters_decide_the_exit_status(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(["analyze", str(LEAK), "--fail-on", "error", "--quiet", "--port", "8080"]) == 1
    assert guarded(["analyze", str(LEAK), "--fail-on", "error", "--quiet", "--port", "9090"]) == 0


def test_a_connection_is_found_by_what_is_known_of_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(["timeline", str(LEAK), "--port", "9090"]) == 0
    assert capfd.readouterr().out.startswith("stream 1: ")
    assert guarded(["timeline", str(LEAK), "--host", "10.1.1.2"]) == 0
    out = capfd.readouterr().out.splitlines()
    assert out[0].split()[:1] == ["stream"] and [line.split()[0] for line in out[1:3]] == ["0", "1"]
    assert guarded(["timeline", str(LEAK), "--port", "1"]) == 2
    assert capfd.readouterr().err == "teardown: no connection fits --port 1\n"
    assert guarded(["timeline", str(LEAK), "--stream", "7"]) == 2
    assert "its streams are 0 to 1" in capfd.readouterr().err


def test_times_are_exact() -> None:
    begin = WHOLE.flows.first_epoch.min().value
    text = str(Decimal(begin) / SECOND)
    assert (
        len(analyzer.analyze(MANY, between=(text, text)).flows)
        == (WHOLE.flows.first_epoch == WHOLE.flows.first_epoch.min()).sum()
    )


def test_what_was_read_from_standard_input_is_not_suggested_again() -> None:
    with LEAK.open("rb") as given:
        command = [sys.executable, "-m", "analyzer", "analyze", "-"]
        done = subprocess.run(
            command, stdin=given, cwd=CAPTURES.parent, capture_output=True, text=True, timeout=60, check=True
        )
    assert "teardown timeline CAPTURE... --stream 0" in done.stdout and "timeline -" not in done.stdout
    assert "Next, once these packets are in a file" in done.stdout


def test_what_is_to_be_known_of_a_capture_is_said_once_though_it_is_read_twice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(LEAK.read_bytes()[:700])
    assert guarded(["timeline", str(cut), "--where", "turns >= 0"]) == 0
    assert capfd.readouterr().err.count("cut short") == 1


def test_without_filters_standard_input_is_enough(capfd: pytest.CaptureFixture[str]) -> None:
    lone = CAPTURES / "late-fin-answered-by-rst.pcapng"
    assert guarded(["timeline", str(lone)]) == 0
    command = [sys.executable, "-m", "analyzer", "timeline", "-"]
    done = subprocess.run(command, input=lone.read_bytes(), cwd=CAPTURES.parent, capture_output=True, check=True)
    assert done.stdout.decode() == capfd.readouterr().out


@pytest.mark.parametrize("path", [LEAK, MANY, CAPTURES / "connection-refused.pcap"], ids=lambda path: path.stem)
def test_a_connection_that_filters_name_is_shown_as_by_its_number(
    path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one reading where its addresses and ports say which it is."""
    readings = []
    whole = running.analysed_of
    monkeypatch.setattr("analyzer.commands.timeline.analysed_of", lambda *a: readings.append(a) or whole(*a))

    def shown(*options: str) -> str:
        assert guarded(["timeline", str(path), "--open-silence", "9", *options]) == 0
        return capfd.readouterr().out

    for row in analyzer.analyze(path).flows[:4].itertuples():
        ladder = shown("--stream", str(row.stream))
        readings.clear()
        ends = ("--host", str(row.client_ip), "--port", str(row.client_port))
        assert shown(*ends) == ladder
        assert len(readings) == 1
    assert shown("--where", f"stream == {row.stream}") == ladder


def test_a_connection_on_standard_input_is_named_by_its_ends() -> None:
    command = [sys.executable, "-m", "analyzer", "timeline", "-", "--port", "9090"]
    done = subprocess.run(command, input=LEAK.read_bytes(), cwd=CAPTURES.parent, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"stream 1: ")


@pytest.mark.parametrize(
    ("name", "first"),
    [("late-fin-answered-by-rst.pcapng", "stream 0: client"), ("close-wait-leak.pcap", "stream  client")],
)
def test_without_filters_the_only_connection_is_shown_and_several_are_listed(
    name: str, first: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert guarded(["timeline", str(CAPTURES / name)]) == 0
    assert capfd.readouterr().out.startswith(first)


def test_many_that_fit_are_listed_and_nothing_is_kept_of_them(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert guarded(["timeline", str(MANY), "--port", "8080"]) == 0
    listed = capfd.readouterr().out
    monkeypatch.setattr(wanted, "MOST", 2)
    assert guarded(["timeline", str(MANY), "--port", "8080"]) == 0
    assert capfd.readouterr().out == listed
    kept = Settings(port="8080", keep_segments=True, keep_fitting=True)
    analysed = analyze([str(MANY)], kept)
    assert analysed.segments is None and analysed.overview.flows > 10
    one = ("--port", "8080", "--where", "stream == 3")
    assert guarded(["timeline", str(MANY), *one]) == 0
    assert capfd.readouterr().out.startswith("stream 3: ")


def test_addresses_are_found_in_networks_as_the_standard_library_has_it() -> None:
    texts = [
        "0.0.0.0",
        "10.1.2.3",
        "10.1.3.0",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.1.2.3",
        "2001:db8::5",
        "ff02::1",
    ]
    addresses = [ip_address(text) for text in texts]
    book = AddressBook.of(addresses)
    for text in ("10.1.2.0/23", "0.0.0.0/0", "::/0", "2001:db8::/32", "::ffff:0:0/96", "10.1.2.3/32", "ff00::/8"):
        network = ip_network(text)
        assert book.within(np.arange(len(texts)), [network]).tolist() == [one in network for one in addresses]

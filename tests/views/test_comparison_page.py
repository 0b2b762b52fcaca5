"""teardown compare, from the arguments to the page, the lines of CSV and the document."""

import csv
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from analyzer.cli import guarded
from analyzer.results.server_measures import Share
from analyzer.views.comparison import percent, quantile_text

CAPTURES = Path(__file__).parents[2] / "captures"
BEFORE, AFTER = (
    str(CAPTURES / f"{name}.pcapng") for name in ("one-response-in-three-not-closed", "every-response-closed")
)
GONE = "error TD102 late-fin-answered-by-rst: 35 % of 40 connections before, none of 40 after"


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = guarded(["compare", *arguments])
    return status, capfd.readouterr().out


def unwrapped(page: str) -> str:
    return " ".join(page.split())


def test_the_page_says_what_got_better(capfd: pytest.CaptureFixture[str]) -> None:
    status, page = said(capfd, BEFORE, AFTER, "--fail-on", "worse")
    assert status == 0
    assert page.index("Got worse: nothing") < page.index("Got better: 4") < page.index("Cannot be told")
    assert f"10.1.2.2:8080 {GONE} (12 to 56 percentage points fewer)" in unwrapped(page)
    assert "error TD102 late-fin-answered-by-rst 14 (35 %) - better" in unwrapped(page)
    assert "client CLOSE_WAIT lasted, p99" in page
    assert "Not judged, for want of 5 connections: 10.1.2.2:9090 (1)" in page
    assert max(map(len, page.splitlines())) <= 100


def test_the_way_back_is_worse(capfd: pytest.CaptureFixture[str]) -> None:
    status, page = said(capfd, AFTER, BEFORE, "--fail-on", "worse")
    assert status == 1
    assert page.index("Got worse: 4") < page.index("Got better: nothing")
    assert f"teardown analyze {BEFORE} --code TD102" in page
    assert said(capfd, AFTER, BEFORE)[0] == 0


def test_csv_and_json_have_the_same_rows(capfd: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(said(capfd, BEFORE, AFTER, "--csv")[1])))
    document = json.loads(said(capfd, BEFORE, AFTER, "--json")[1])
    assert [row["said"] for row in rows] == [thing["said"] for thing in document["things"]]
    assert list(rows[0]) == list(document["things"][0])
    first = document["things"][0]
    assert (first["verdict"], first["name"], first["before"], first["after"], first["after_of"]) == (
        *("better", "TD102", 14, 0, 40),
    )
    assert first["high"] < 0
    assert (document["worse"], document["before"]["connections"]) == (False, 41)


def test_several_captures_are_a_folder_or_a_pattern(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, capture in (("1.pcapng", BEFORE), ("2.pcapng", AFTER)):
        shutil.copy(capture, tmp_path / name)
    for given in (str(tmp_path), str(tmp_path / "*.pcapng")):
        document = json.loads(said(capfd, given, AFTER, "--json")[1])
        assert document["before"]["files"] == [str(tmp_path / name) for name in ("1.pcapng", "2.pcapng")]


def test_filters_and_thresholds_hold_for_both(capfd: pytest.CaptureFixture[str]) -> None:
    page = said(capfd, BEFORE, AFTER, "--port", "9090")[1]
    assert "8080" not in page
    assert page.count("Told of this connection only: --port 9090") == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["-", "-"], "cannot both be -"),
        ([BEFORE, "nothing-*.pcap"], "nothing-*.pcap: no capture"),
        ([BEFORE], "Missing argument 'AFTER'"),
        ([BEFORE, AFTER, "--csv", "--json"], "give one"),
        ([BEFORE, "not-there.pcap"], "not-there.pcap"),
        ([BEFORE, AFTER, "--fail-on", "error"], "worse"),
    ],
)
def test_what_cannot_be_compared(arguments: list[str], why: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert guarded(["compare", *arguments]) == 2
    shown = capfd.readouterr()
    assert why in shown.err
    assert (shown.out, shown.err.count("\n")) == ("", 1)


def test_no_server_in_common(capfd: pytest.CaptureFixture[str]) -> None:
    other = str(CAPTURES / "graceful-over-ipv6.pcap")
    page = said(capfd, BEFORE, other)[1]
    assert "no server in common" in page
    assert "Only before: 10.1.2.2:8080 (40), 10.1.2.2:9090 (1)" in page
    assert "port 8080" in said(capfd, BEFORE, other, "--by", "port")[1]
    assert "all servers" in said(capfd, BEFORE, other, "--by", "all")[1]


@pytest.mark.parametrize(
    ("count", "of", "text"),
    [
        (0, 400, "none"),
        (400, 400, "all"),
        (148, 400, "37 %"),
        (1, 400, "0.25 %"),
        (3999, 4000, "99.9 %"),
        (40, 400, "10 %"),
    ],
)
def test_percentages(count: int, of: int, text: str) -> None:
    assert percent(Share(count, of)) == text


@pytest.mark.parametrize(
    ("ns", "said"),
    [(12_151_000_000, "at least 12.1 s"), (19_655, "at least 19 µs"), (1_999_999, "at least 1.99 ms")],
)
def test_at_least_is_rounded_down(ns: int, said: str) -> None:
    lasted = SimpleNamespace(quantile=lambda share: (ns, ns + 1))
    assert quantile_text(lasted, 0.5) == said  # type: ignore[arg-type]

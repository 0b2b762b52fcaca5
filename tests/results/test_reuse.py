"""The table of used addresses and ports against the segments themselves, and against the rules that judge the same."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analyzer.engine.pipeline import analyze
from analyzer.results.result import ResultTables
from analyzer.settings import Settings
from analyzer.writers.tables import write_analysed
from tests.captures import OWN, RECORDINGS
from tests.several.parts import cut

FIN, SYN, RST, ACK = 1, 2, 4, 16
HAS_TIMESTAMP = 1
HALF, WHOLE = 1 << 31, 1 << 32
OF_SEGMENTS = ["stream", "old_stream", "frame", "time_ns", "gap_ns", "new_isn", "syns", "old_next_seq"]


def result_of(*paths: Path, **settings: Any) -> ResultTables:
    return analyze([str(path) for path in paths], Settings(keep_segments=True, **settings)).result()


def ahead(a: int, b: int) -> int:
    return (a - b + HALF) % WHOLE - HALF


def next_seq(rows: pd.DataFrame) -> int:
    """The sequence number after the highest of these segments of one host."""
    end = int(rows["seq"].iloc[0])
    for row in rows.itertuples():
        reached = row.seq + row.payload_len + bool(row.flags & SYN) + bool(row.flags & FIN)
        end = reached % WHOLE if ahead(reached, end) > 0 else end
    return end


def by_hand(segments: pd.DataFrame) -> list[dict[str, Any]]:
    """Streams whose addresses and ports an earlier stream has, with what their segments tell."""
    newest: dict[frozenset[Any], int] = {}
    found = []
    for stream, rows in segments.groupby("stream"):
        syn = rows.iloc[0]
        source, target = (syn["src_ip"], syn["src_port"]), (syn["dst_ip"], syn["dst_port"])
        old = newest.get(frozenset((source, target)))
        newest[frozenset((source, target))] = stream
        if old is None:
            continue
        before = segments[segments["stream"] == old]
        own = before[(before["src_ip"] == source[0]) & (before["src_port"] == source[1])]
        same = (rows["flags"] & (SYN | ACK) == SYN) & (rows["seq"] == syn["seq"])
        plain = len(own) and not (own["flags"] & RST).any() and (own["frame"] < syn["frame"]).all()
        moment = syn["time_epoch"].value
        gap = moment - before["time_epoch"].max().value
        numbers = (stream, old, syn["frame"], moment, gap, syn["seq"], same.sum(), next_seq(own) if plain else None)
        row = dict(zip(OF_SEGMENTS, numbers, strict=True))
        found.append({name: None if value is None else int(value) for name, value in row.items()})
    return found


@pytest.mark.parametrize("path", [*OWN, *RECORDINGS], ids=lambda path: path.name)
def test_every_tuple_seen_again_is_told_with_its_numbers(path: Path) -> None:
    result = result_of(path)
    wanted = by_hand(result.segments) if result.segments is not None and len(result.segments) else []
    rows = result.reuse.to_dict("records")
    assert [row["stream"] for row in rows] == [row["stream"] for row in wanted]
    for row, want in zip(rows, wanted, strict=True):
        told = row | {"time_ns": row["time_epoch"].value, "gap_ns": round(row["gap_s"] * 1e9)}
        known = {name: value for name, value in want.items() if value is not None and not pd.isna(told[name])}
        assert {name: told[name] for name in known} == known
        if not pd.isna(row["old_next_seq"]):
            assert row["seq_ahead"] == ahead(row["new_isn"], row["old_next_seq"])
        if not pd.isna(row["old_ts"]):
            assert row["ts_ahead"] == ahead(row["new_ts"], row["old_ts"])
            syn = result.segments[result.segments["frame"] == row["frame"]].iloc[0]
            assert row["new_ts"] == syn["ts_val"]
    agrees_with_the_rules(result)


def agrees_with_the_rules(result: ResultTables) -> None:
    """TD502 tells of those that were delayed; TD501 of those that were accepted in TIME_WAIT, by the same rule."""
    reuse = result.reuse.set_index("stream")
    findings = result.findings
    delayed = set(findings.loc[findings["code"] == "TD502", "stream"]) & set(reuse.index)
    assert set(reuse.index[reuse["outcome"] == "delayed"]) <= delayed
    assert set(reuse.loc[sorted(delayed), "outcome"]) <= {"delayed", "incomplete", "unanswered", "refused"}
    for finding in findings[findings["code"] == "TD501"].itertuples():
        row = reuse.loc[finding.stream]
        assert row["outcome"] == "accepted"
        assert row[f"old_{finding.endpoint}_state"] == "TIME_WAIT"
        assert ("timestamp is newer" in finding.message) == (row["rule"] == "newer-timestamp")
        assert ("number is higher" in finding.message) == (row["rule"] == "higher-sequence")
        assert ("own choice" in finding.message) == (row["rule"] == "own-time-wait")


TOLD = {
    "reuse-delayed.pcap": ("FIN_WAIT_2", "CLOSE_WAIT", "delayed", "alive", 2, 1),
    "tuple-reused-in-time-wait.pcapng": ("CLOSED", "TIME_WAIT", "accepted", "newer-timestamp", 1, 0),
    "tuple-reused-after-time-wait.pcap": ("CLOSED", "CLOSED", "accepted", "over", 1, 0),
    "older-syn-into-time-wait.a.pcap.gz": ("CLOSED", "TIME_WAIT", "delayed", "none", 2, 1),
    "client-uses-its-own-time-wait-again.a.pcap.gz": ("TIME_WAIT", "CLOSED", "accepted", "own-time-wait", 1, 0),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_became_of_it_is_what_was_played(name: str) -> None:
    path = next(path for path in (*OWN, *RECORDINGS) if path.name == name)
    for fast_path in (True, False):
        (row,) = result_of(path, fast_path=fast_path).reuse.to_dict("records")
        columns = ("old_client_state", "old_server_state", "outcome", "rule", "syns", "challenge_acks")
        assert tuple(row[column] for column in columns) == TOLD[name]
        assert (row["time_wait_s"] > 0) == ("TIME_WAIT" in TOLD[name])


def test_attempts_that_fail_one_after_the_other_are_counted() -> None:
    """Five SYNs with ever lower numbers find the server in the old connection; after 144 s the sixth is let in."""
    capture = Path(__file__).parents[1] / "stories" / "public" / "reconnected-after-144-s.pcap"
    rows = result_of(capture).reuse
    assert rows["failed_before"].tolist() == [0, 1, 2, 3, 4, 5]
    assert rows["failing_s"].iloc[-1] + rows["delay_s"].iloc[-1] == pytest.approx(144, abs=0.001)
    assert rows["outcome"].tolist() == [*["incomplete"] * 5, "accepted"]
    assert pd.isna(rows["failing_s"].iloc[0])


def test_several_captures_name_the_file_of_the_syn(tmp_path: Path) -> None:
    whole = next(path for path in OWN if path.name == "reuse-delayed.pcap")
    (row,) = result_of(whole).reuse.to_dict("records")
    assert pd.isna(row["file"])
    cut(whole, tmp_path, lambda place, packet: int(place >= 5), ["a.pcap", '"c",d.pcap'])
    made = analyze([str(path) for path in sorted(tmp_path.iterdir())], Settings())
    (again,) = made.result().reuse.to_dict("records")
    assert (again["frame"], again["file_frame"]) == (row["frame"], row["frame"] - 5)
    assert again["file"] == str(tmp_path / '"c",d.pcap')
    write_analysed(made, tmp_path, "csv", ["reuse"])
    with (tmp_path / "reuse.csv").open(newline="") as file:
        (written,) = csv.DictReader(file)
    assert (written["file"], written["file_frame"]) == (again["file"], str(again["file_frame"]))

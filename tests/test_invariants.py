"""What must hold of the written tables of any capture, whatever is in it; tried on every capture at hand.

The tables are read back as text, as a script would read them: the contract is about what stands in the files.
"""

import csv
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from analyzer.engine.pipeline import analyze
from analyzer.results.result import ResultTables
from analyzer.settings import Settings
from analyzer.writers.tables import write_analysed
from tests.captures import own, public

# The public interface, word for word: columns may be added behind these.
CONTRACT = {
    "timeline": "stream,client_ip,client_port,server_ip,server_port,endpoint,endpoint_ip,endpoint_port,event,"
    "from_state,state,time_epoch,earliest_epoch,latest_epoch,frame,basis,note",
    "flows": "stream,client_ip,client_port,server_ip,server_port,first_frame,last_frame,first_epoch,last_epoch,"
    "duration_s,client_packets,server_packets,client_bytes,server_bytes,handshake,closed_by,teardown,client_state,"
    "server_state,client_fin_epoch,server_fin_epoch,client_fin_acked_epoch,server_fin_acked_epoch,rst_by,rst_cause,"
    "client_close_wait_s,server_close_wait_s,client_fin_wait_2_s,server_fin_wait_2_s,idle_before_close_s,observability,"
    "findings",
    "findings": "code,severity,stream,client_ip,client_port,server_ip,server_port,endpoint,time_epoch,frames,"
    "confidence,message,advice",
    "segments": "frame,stream,src_ip,src_port,dst_ip,dst_port,seq,ack,flags,payload_len,time_epoch",
}
OF_A_NEWER_CONNECTION = {"replaced", "peer-rst"}  # shown by a frame of the connection that took the tuple over

Row = dict[str, str]
Tables = dict[str, list[Row]]


@pytest.mark.parametrize("capture", [*own(), *public()])
def test_tables_of(capture: Path, tmp_path: Path) -> None:
    analysed = analyze([str(capture)], Settings(keep_segments=True))
    write_analysed(analysed, tmp_path, "csv")
    write_analysed(analysed, tmp_path, "parquet")
    tables = {name: written(tmp_path / f"{name}.csv", CONTRACT[name]) for name in CONTRACT}
    check_files_agree(analysed.result(), tables, tmp_path)
    check_order(tables)
    check_frames(tables)
    check_flows(tables)


def written(path: Path, columns: str) -> list[Row]:
    with path.open(newline="", encoding="utf8") as file:
        assert file.readline().rstrip("\r\n").startswith(columns)
        file.seek(0)
        return list(csv.DictReader(file))


def check_files_agree(result: ResultTables, tables: Tables, folder: Path) -> None:
    """CSV, Parquet and the DataFrame hold the same values."""
    for name in tables:
        frame = getattr(result, name)
        parquet = pd.read_parquet(folder / f"{name}.parquet")
        assert list(parquet.columns) == list(frame.columns) == list(tables[name][0] if tables[name] else frame.columns)
        for column in frame.columns:
            ours, theirs = plain(frame[column]), plain(parquet[column])
            assert ours == theirs
            for value, row in zip(ours, tables[name], strict=True):
                assert same(column, value, row[column]), (name, column, value, row[column])


def plain(column: "pd.Series[object]") -> list[object]:
    return [None if pd.isna(value) else value for value in column.astype(object)]


def same(column: str, value: object, cell: str) -> bool:
    if value is None:
        return cell == ""
    if isinstance(value, pd.Timestamp):
        return bool(re.fullmatch(r"-?\d+\.\d{9}", cell)) and nanoseconds(cell) == value.value
    if column.endswith("_s"):
        return bool(re.fullmatch(r"\d+\.\d{9}", cell)) and float(cell) == pytest.approx(value, abs=1e-9)
    return cell == (str(value).lower() if isinstance(value, bool) else str(value))


def nanoseconds(cell: str) -> int:
    return int(Decimal(cell) * 10**9)


def check_order(tables: Tables) -> None:
    """Rows stand by stream; an endpoint's rows follow from and upon one another, from its first state to its last."""
    streams = [int(row["stream"]) for row in tables["flows"]]
    assert streams == sorted(set(streams))
    shown = [int(row["stream"]) for row in tables["timeline"]]
    assert shown == sorted(shown)
    state: dict[tuple[str, str], str] = {}
    reached: dict[tuple[str, str], int] = {}
    for row in tables["timeline"]:
        key = row["stream"], row["endpoint"]
        before = state.get(key, row["from_state"])
        assert before == row["from_state"], row
        state[key] = row["state"]
        low, best, high = (row[f"{name}_epoch"] for name in ("earliest", "time", "latest"))
        assert nanoseconds(low or best) <= nanoseconds(best) <= nanoseconds(high or best), row
        assert nanoseconds(best) >= reached.get(key, nanoseconds(best)), row
        reached[key] = nanoseconds(best)
    last = {(row["stream"], role): row[f"{role}_state"] for row in tables["flows"] for role in ("client", "server")}
    assert state == last


def check_frames(tables: Tables) -> None:
    """Every frame that is named belongs to the flow it is named for, or holds an ICMP error about it."""
    frames = defaultdict(set)
    for row in tables["segments"]:
        frames[row["stream"]].add(row["frame"])
    for row in tables["timeline"]:
        packet = row["basis"] not in ("timer", "capture-end") and row["event"] != "lost-sight"
        assert bool(row["frame"]) >= packet
        assert not row["frame"] or row["frame"] in frames[row["stream"]] or row["event"] in OF_A_NEWER_CONNECTION, row
    for row in tables["findings"]:
        named = row["frames"].split(";")
        assert named == sorted(set(named), key=int)
        others = set(named) - frames[row["stream"]] if row["stream"] else set()
        beside = row["code"] in ("TD308", "TD315", "TD403")  # ICMP errors, or another connection
        assert not others or (beside and all(re.search(rf"frame {frame}\b", row["message"]) for frame in others))


def check_flows(tables: Tables) -> None:
    """What one column says of a flow, the others do not deny."""
    found = defaultdict(set)
    for row in tables["findings"]:
        found[row["stream"]].add(row["code"])
        assert row["time_epoch"] and row["confidence"] and row["advice"]
        assert not re.search(r"\b(nan|NaT|None|inf)\b|<NA>|(?<![\w.-])-\d", row["message"]), row["message"]
    for row in tables["flows"]:
        fins = bool(row["client_fin_epoch"]), bool(row["server_fin_epoch"])
        assert [code for code in row["findings"].split(";") if code] == sorted(found[row["stream"]])
        assert bool(row["rst_by"]) == (row["rst_cause"] not in ("", "third-party"))
        assert bool(row["closed_by"]) == bool(row["idle_before_close_s"])
        assert row["teardown"] not in ("reset", "aborted") or row["rst_cause"]
        assert row["teardown"] != "aborted" or not any(fins)
        assert row["teardown"] != "open" or not row["closed_by"]

"""The census against its twin, and by hand what timelines do not say."""

from pathlib import Path

import pandas as pd
import pytest

from analyzer.engine.pipeline import analyze
from analyzer.results.further_tables import census as module
from analyzer.results.result import Analysed
from analyzer.settings import Settings
from captures.sets import files_of
from tests.captures import OWN, RECORDINGS
from tests.results.naive_census import STATES, census

KEY = ["role", "ip", "port", "peer_ip", "peer_port"]
COUNTS = [state.lower() for state in (*STATES, "unknown")]
REUSE_DELAYED = next(path for path in OWN if path.name == "reuse-delayed.pcap")


def analysed(*paths: Path) -> Analysed:
    return analyze([str(path) for path in paths], Settings())


def rows_of(frame: pd.DataFrame) -> list[str]:
    keys = frame[KEY].astype(object)
    keys = keys.where(keys.notna(), "")
    times = frame["time_epoch"].astype("int64")
    columns = zip(times, *(keys[name] for name in keys), *(frame[name] for name in COUNTS), strict=True)
    return sorted(map(str, columns))


@pytest.mark.parametrize("path", [*OWN, *RECORDINGS], ids=lambda path: path.name)
def test_the_census_is_that_of_the_twin(path: Path) -> None:
    made = analysed(path)
    result, frame = made.result(), made.result().census
    assert rows_of(frame) == sorted(map(str, census(result.timeline, made.summary.last_ns or 0)))
    assert frame["time_epoch"].is_monotonic_increasing
    assert (frame[COUNTS] >= 0).all(axis=None)
    assert (frame[COUNTS].sum(axis=1) == frame["sockets"]).all()


def test_parts_of_any_size_are_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    made = analysed(REUSE_DELAYED)
    whole = made.result().census
    for size in (1, 2, 5):
        monkeypatch.setattr(module, "CHANGES_AT_ONCE", size)
        pd.testing.assert_frame_equal(made.result().census, whole)


def test_at_any_moment_the_counts_are_those_of_the_last_row_of_each_key() -> None:
    made = analysed(OWN[0].with_name("time-wait-beside-close-wait.pcap"))
    rows = made.further("census")
    frame, sockets = made.result().census, rows.parts.__self__
    moments = frame["time_epoch"].astype("int64").to_numpy()
    assert len(moments) > 50
    for moment in (moments[0] - 1, *moments[::7], *(moments[::7] + 1), moments[-1] + 10**12):
        last = frame[moments <= moment].groupby(KEY, dropna=False, observed=True)
        now = last.tail(1)
        at = sockets.at(int(moment))
        assert sorted(zip(*(now.loc[now["sockets"] > 0, name] for name in COUNTS), strict=True)) == sorted(
            zip(*(at[name].tolist() for name in COUNTS), strict=True)
        )


def test_who_was_last_heard_of_before_a_gap_is_in_no_known_state_after_it() -> None:
    """Of the two connections that were open when the capture paused, nothing more is heard of that to port 8080."""
    frame = analysed(*files_of("capture-has-gaps")).result().census
    for port, unknown in ((8080, 1), (9090, 0)):
        for ended in (frame[frame["port"] == port], frame[frame["peer_port"] == port]):
            last = ended.iloc[-1]
            assert (last["unknown"], last["established"]) == (unknown, 0)


def test_a_tuple_has_one_socket_at_a_time() -> None:
    """The client asks again from the port that the server still knows: neither host has a second socket."""
    assert (analysed(REUSE_DELAYED).result().census["sockets"] <= 1).all()

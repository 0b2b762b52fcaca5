"""The catalogue of timers: its files use known words, and what fits a silence is found."""

from pathlib import Path

import pytest

from analyzer.errors import UsageError
from analyzer.tcp.timer_catalogue import (
    ACTS,
    CLOCKS,
    COLUMNS,
    FIRES,
    NS,
    VERIFIED,
    WAITS,
    Silence,
    _checked,
    catalogue,
    fitting,
    known_roles,
    known_starts,
    own_timers,
)


def silence(waits: str, ends: str, actor: str, survived: dict[str, float] | None = None, **seconds: float) -> Silence:
    lengths = {name.replace("_", "-"): round(length * NS) for name, length in seconds.items()}
    return Silence(waits, ends, actor, lengths, {name: round(s * NS) for name, s in (survived or {}).items()})


def names(found: Silence) -> list[str]:
    return [timer.id for timer in fitting(found)]


def test_every_row_is_verified_and_in_known_words() -> None:
    timers = catalogue()
    assert len(timers) == len({timer.id for timer in timers}) >= 396
    for timer in timers:
        assert timer.fires in FIRES and timer.mark in VERIFIED and timer.acts in ACTS and timer.clock in CLOCKS, timer
        assert timer.waits <= set(WAITS) and (timer.waits or timer.clock == "none"), timer
        assert timer.length > 0 and timer.source and timer.system, timer


def test_no_word_is_left_over() -> None:
    assert {timer.starts for timer in catalogue()} == set(known_starts())
    assert {timer.role for timer in catalogue()} == set(known_roles())
    assert set(_checked()) <= {timer.id for timer in catalogue()}


def test_a_server_that_closes_75_seconds_after_its_answer() -> None:
    found = silence("idle", "fin", "server", data=75.003, packet=75.0, connect=81.2)
    assert {"nginx-keepalive", "ingress-keepalive", "aiohttp-web"} <= set(names(found))
    assert not {"lnx-timewait", "fbsd-keepinit"} & set(names(found))


def test_the_same_by_the_client_is_another_timer() -> None:
    assert not {"nginx-keepalive", "aiohttp-web"} & set(names(silence("idle", "fin", "client", data=75.0, packet=75.0)))
    assert "curl-maxage" in names(silence("idle", "fin", "client", data=118.02, packet=118.02))


def test_a_request_that_was_waited_for() -> None:
    assert "envoy-route" in names(silence("answer", "rst", "client", request=15.0, data=15.0, packet=15.0))
    assert "envoy-route" not in names(silence("idle", "rst", "client", data=15.0, packet=15.0))


def test_what_forgets_in_silence_is_bounded_from_above_only() -> None:
    found = names(silence("idle", "nothing", "client", data=255.0, packet=255.0))
    assert "azure-lb" in found and "aws-nfw" not in found
    reset = names(silence("idle", "rst-to-next", "client", data=351.0, packet=351.0))
    assert {"aws-nlb-tcp", "aws-natgw"} <= set(reset) and "azure-lb" not in reset


def test_a_device_that_resets_both_ends_may_reset_in_the_name_of_either() -> None:
    for actor in ("client", "server"):
        assert "azure-lb-reset" in names(silence("idle", "rst", actor, data=240.2, packet=240.2))


def test_what_the_connection_survived_before_is_struck_out() -> None:
    assert "azure-lb" in names(silence("idle", "nothing", "client", {"packet": 200}, data=255.0, packet=255.0))
    assert "azure-lb" not in names(silence("idle", "nothing", "client", {"packet": 250}, data=255.0, packet=255.0))


def test_a_site_has_timers_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    row = "shop-lb\tshop's\tdevice\tdevice between\tidle\t77\tfixed\tlast packet either way\tsilent\tall\twiki\t[D]"
    own.write_text("\t".join(COLUMNS) + "\n" + row + "\n")
    (timer,) = own_timers(str(own))
    assert timer.length == 77 * NS
    assert fitting(silence("idle", "nothing", "server", packet=80, data=80), [timer]) == [timer]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a\tb", "line 2: it must have 12 columns"),
        (
            "x\tx\tdevice\tdevice between\tx\tmany\tx\tlast packet either way\tsilent\tx\tx\t[S]",
            "seconds is not a number",
        ),
        ("x\tx\tdevice\tnobody\tx\t1\tx\tlast packet either way\tsilent\tx\tx\t[S]", "'nobody' is no word"),
        ("x\tx\tdevice\tdevice between\tx\t1\tx\tlast packet either way\tsilent\tx\tx\t[R]", r"'\[R\]' is no word"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    own = tmp_path / "own.tsv"
    own.write_text("\t".join(COLUMNS) + "\n" + line + "\n")
    with pytest.raises(UsageError, match=complaint):
        own_timers(str(own))


def test_a_file_without_these_columns(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text("name,seconds\n")
    with pytest.raises(UsageError, match="the first line must name these columns"):
        own_timers(str(own))
    with pytest.raises(UsageError, match="cannot read the timers"):
        own_timers(str(tmp_path / "none.tsv"))

"""The catalogue of timers: its files use known words, and what fits a silence is found."""

import os
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
    in_force,
    known_roles,
    known_starts,
    own_timers,
)

NO_SECONDS = (
    *("many", "", "NaN", "sNaN", "Infinity", "-5", "0", "1e-20", "1e30", "1e999999", "9223372036.9"),
    "9" * 900,
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


def test_a_close_sends_rst_only_with_data_unread_and_a_third_party_is_a_device() -> None:
    reset = silence("idle", "rst", "server", data=900.2, packet=900.2)
    assert "ad-ldap" not in " ".join(names(reset)) and "ad-ldap" in " ".join(names(reset._replace(reset="unread")))
    resetting = silence("idle", "rst", "server", data=60.1, packet=60.1)
    assert "pekko-server-idle" in names(resetting)
    assert "pekko-server-idle" not in names(resetting._replace(reset="third-party"))
    balanced = silence("idle", "rst", "server", data=240.1, packet=240.1)._replace(reset="third-party")
    assert "azure-lb-reset" in names(balanced)


def test_a_time_out_of_connecting_ends_nothing_after_the_handshake() -> None:
    for waits in ("idle", "unused"):
        found = names(silence(waits, "rst", "client", connect=10.0, data=9.0, packet=9.0)._replace(reset="unread"))
        assert not {"undici-connect", "kafka-connect", "pgjdbc-connect"} & set(found)
        assert ("chrome-unused" in found) == (waits == "unused")
    assert "undici-connect" in names(silence("handshake", "nothing", "client", connect=10.0))
    assert "hikari-life" in names(silence("idle", "fin", "client", connect=1790.0, data=5.0))


def test_what_forgets_in_silence_is_bounded_from_above_only() -> None:
    found = names(silence("idle", "nothing", "client", data=255.0, packet=255.0))
    assert "azure-lb" in found and "aws-nfw" not in found
    reset = names(silence("idle", "rst-to-next", "client", data=351.0, packet=351.0))
    assert reset[:2] == ["aws-nlb-tcp", "aws-nlb-tls"] and {"aws-natgw", "aws-nfw", "azure-lb"} <= set(reset)
    longer = names(silence("idle", "rst-to-next", "client", {"packet": 300.0}, data=612.0, packet=612.0))
    assert longer[0] == "gcp-fw" and "aws-natgw" in longer and not {"azure-lb", "ipvs-established"} & set(longer)


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


ROW = ("shop", "LB", "device", "device between", "idle", "77", "x", "last packet either way", "silent", "x", "x", "[S]")


def with_rows(tmp_path: Path, *rows: dict[str, str]) -> Path:
    """A file of own timers that are such as ``ROW``, but for some cells."""
    made = ["\t".join((dict(zip(COLUMNS, ROW, strict=True)) | row).values()) for row in rows]
    own = tmp_path / "own.tsv"
    own.write_text("\n".join(["\t".join(COLUMNS), *made]) + "\n", "utf-8")
    return own


@pytest.mark.parametrize(
    ("column", "text", "complaint"),
    [
        *(("seconds", text, f"{text!r} is no number from 0.001 to 31536000") for text in NO_SECONDS),
        ("role", "nobody", "unknown word 'nobody'; docs/timers.md lists the words"),
        ("starts", "last packet", "unknown word 'last packet'; docs/timers.md lists the words"),
        ("fires", "FIN", "unknown word 'FIN'; docs/timers.md lists the words"),
        ("mark", "[R]", "unknown word '[R]'; docs/timers.md lists the words"),
        *((column, text, "it is empty") for column in ("id", "system", "timer") for text in ("", " ")),
        ("id", "a;b", "'a;b' has a semicolon"),
        ("id", "lnx-timewait", "'lnx-timewait' is already the id of a timer of the catalogue"),
        *((column, f"{mark}1", "a spreadsheet takes") for column in ("id", "system") for mark in "=+-@"),
        *(("system", f"a{mark}b", "remove or replace the character") for mark in "\x00\x0b\x1b\x7f\x85\u2028\u202e"),
        ("system", "x" * 1001, "it is too long"),
        ("source", "x" * 200_000, "it is too long"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, column: str, text: str, complaint: str) -> None:
    own = with_rows(tmp_path, {column: text})
    with pytest.raises(UsageError) as raised:
        own_timers(str(own))
    assert str(raised.value).startswith(f"{own}, line 2, column {column}: {complaint}")


def test_a_wrong_row_is_named(tmp_path: Path) -> None:
    twice = with_rows(tmp_path, {}, {"seconds": "78"})
    with pytest.raises(UsageError, match=r"line 3, column id: 'shop' is already the id of a timer of .*, line 2"):
        own_timers(str(twice))
    many = with_rows(tmp_path, *({"id": f"x{number}"} for number in range(10_001)))
    with pytest.raises(UsageError, match="line 10002: a file has 10000 timers at most"):
        own_timers(str(many))
    for line, count in (("a\tb", 2), ("\t".join([*ROW, ""]), 13)):
        many.write_text("\t".join(COLUMNS) + "\n" + line + "\n")
        with pytest.raises(UsageError, match=f"line 2: it must have 12 columns, separated by tabs, and has {count}"):
            own_timers(str(many))


def test_a_byte_order_mark_and_ends_of_lines_of_windows(tmp_path: Path) -> None:
    own = with_rows(tmp_path, {})
    plain = own_timers(str(own))
    own.write_bytes(b"\xef\xbb\xbf" + own.read_bytes().replace(b"\n", b"\r\n"))
    assert own_timers(str(own)) == plain
    own.write_text("\t".join(COLUMNS), "utf-16")
    with pytest.raises(UsageError, match="it is not text in UTF-8"):
        own_timers(str(own))


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    text = with_rows(tmp_path, {}).read_bytes()
    for seconds in (77, 78):  # the second pipe has the name of the first
        out, into = os.pipe()
        os.write(into, text)
        os.close(into)
        name = f"/dev/fd/{out}"
        assert own_timers(name) == own_timers(name) == in_force(name)[:1]
        assert in_force(name)[0].length == seconds * NS
        os.close(out)
        text = text.replace(b"\t77\t", b"\t78\t")


def test_the_lines_of_the_docs_can_be_pasted(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "timers.md").read_text("utf-8")
    own = tmp_path / "own.tsv"
    own.write_text("".join(line[4:] for line in page.splitlines(keepends=True) if line.startswith("    ")), "utf-8")
    assert [timer.id for timer in own_timers(str(own))] == ["shop-lb", "api"]


def test_a_file_without_these_columns(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text("name,seconds\n")
    with pytest.raises(UsageError, match="the first line must name these columns"):
        own_timers(str(own))
    with pytest.raises(UsageError, match="cannot read the timers"):
        own_timers(str(tmp_path / "none.tsv"))


def test_a_host_that_sent_no_fin_does_not_forget_by_a_timer_of_its_fin() -> None:
    met = silence("half-closed", "rst-to-next", "server", fin_acked=61.0, fin=61.0, packet=61.0)
    assert "lnx-finwait2" in names(met)
    stranger = names(met._replace(reset="no-fin"))
    assert "ipvs-closewait" in stranger and "lnx-finwait2" not in stranger


def test_what_a_server_takes_for_its_greeting_strikes_out_no_timer_of_its_own() -> None:
    found = names(silence("unused", "fin", "server", {"data": 17.0}, data=10.0, packet=10.0, connect=27.0))
    assert "mysql-connect" in found
    assert "aws-clb-idle" not in names(silence("unused", "fin", "server", {"data": 77.0}, data=60.0, packet=60.0))


@pytest.mark.parametrize("name", ["aws-nlb-tcp", "aws-natgw"])
def test_keep_alive_probes_restart_what_tracks_packets(name: str) -> None:
    (timer,) = (timer for timer in catalogue() if timer.id == name)
    assert timer.clock == "packet"

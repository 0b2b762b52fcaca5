"""The kernels' account: how its pieces are read and made one, and, where root may, the whole of it live."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.lab import conduct, missing, tracefs
from tests.lab.scenario import load
from tests.lab.score import TAPS, WRONG, score
from tests.lab.sockdiag import Sample, text
from tests.lab.tracefs import Event, records
from tests.lab.truth import HZ, Endpoint, Entry, Request, Truth, _add_requests, _Reader, sampled, stays

A, B = ("10.1.1.2", 4000), ("10.1.2.2", 80)
SOCKET, TIMER, OTHER_TIMER = 0xFFFF0000, 0xFFFF8000, 0xFFFF9000
HANDLER, REQUEST_HANDLER = 0x1000, 0x2000
LIVE = (
    "graceful-client-first", "simultaneous-close", "last-ack-lost", "fin-lost-for-ever", "abortive-close",
    "late-fin-answered-by-rst", "tuple-reused-in-time-wait", "crossing-fins-one-lost", "fast-open",
)  # fmt: skip
LOOKS = ("graceful-client-first", "last-ack-lost", "abortive-close")


def page(*pieces: bytes, clock: int = 1000) -> bytes:
    body = b"".join(pieces)
    return struct.pack("<QQ", clock, len(body)) + body


def event(delta: int, data: bytes) -> bytes:
    return struct.pack("<I", delta << 5 | len(data) // 4) + data


def test_a_page_of_the_ring_buffer_holds_events_long_ones_and_leaps_of_time() -> None:
    long = struct.pack("<II", 5 << 5, 4 + 8) + b"longlong"
    leap = struct.pack("<II", 7 << 5 | tracefs.TIME_EXTEND, 2)
    padding = struct.pack("<I", tracefs.PADDING)
    read = list(records(page(event(10, b"four"), leap, long, padding, event(1, b"lost"))))
    assert read == [(1010, b"four"), (1010 + 7 + (2 << 27) + 5, b"longlong")]


def test_an_absolute_time_keeps_the_bits_a_record_has_no_room_for() -> None:
    clock = (3 << 59) | 12345
    stamp = struct.pack("<II", 99 << 5 | tracefs.TIME_STAMP, 1)
    assert [time for time, _ in records(page(stamp, event(1, b"four"), clock=clock))] == [(3 << 59 | 1 << 27 | 99) + 1]


def test_addresses_in_words() -> None:
    assert text(bytes((10, 1, 2, 3))) == text(bytes(10) + b"\xff\xff" + bytes((10, 1, 2, 3))) == "10.1.2.3"
    assert text(bytes((0xFD, *bytes(14), 1))) == "fd00::1"


def changed(time: int, old: int, new: int) -> Event:
    """A socket of A changes its state (the kernel's numbers)."""
    fields: dict[str, int | bytes] = {
        "skaddr": SOCKET, "oldstate": old, "newstate": new, "family": 2, "sport": A[1], "dport": B[1],
        "saddr": bytes((10, 1, 1, 2)), "daddr": bytes((10, 1, 2, 2)),
    }  # fmt: skip
    return Event(time, 0, "inet_sock_set_state", fields)


def started(time: int, seconds: int) -> Event:
    fields: dict[str, int | bytes] = {"timer": TIMER, "function": HANDLER, "expires": 500 + seconds * HZ, "now": 500}
    return Event(time, 0, "timer_start", fields)


def asked(time: int, which: int = TIMER) -> Event:
    """A request socket's timer starts."""
    fields: dict[str, int | bytes] = {"timer": which, "function": REQUEST_HANDLER, "expires": 500 + HZ, "now": 500}
    return Event(time, 1, "timer_start", fields)


def timer(time: int, name: str, which: int = TIMER) -> Event:
    return Event(time, 0, name, {"timer": which, "function": HANDLER})


def reader_of(*events: Event) -> _Reader:
    reader = _Reader({A[0]: "a"}, {})
    reader.handlers = {HANDLER: "tw_timer_handler", REQUEST_HANDLER: "reqsk_timer_handler"}
    for one in events:
        reader.finish_stopped(one.time)
        reader.take(one)
    return reader


def followed(*events: Event) -> list[tuple[str, int]]:
    """The states of A's socket by these events."""
    return [(entry.state, entry.time) for entry in reader_of(*events).ends[0].entered]


@pytest.fixture(autouse=True)
def without_symbols(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "live" not in request.node.name:
        monkeypatch.setattr("tests.lab.truth.handlers", dict)


def test_a_jump_to_close_behind_a_timers_start_is_a_mini_socket() -> None:
    told = followed(
        changed(1000, 7, 2), changed(2000, 2, 1), changed(3000, 1, 4), changed(4000, 4, 5), started(4100, 50),
        changed(4200, 5, 7), timer(9000, "timer_cancel"), started(9100, 60), timer(9_900_000, "timer_expire_entry"),
    )  # fmt: skip
    assert told == [
        ("SYN_SENT", 1000), ("ESTABLISHED", 2000), ("FIN_WAIT_1", 3000), ("FIN_WAIT_2", 4000), ("TIME_WAIT", 9100),
        ("CLOSED", 9_900_000),
    ]  # fmt: skip


def test_a_stopped_timer_is_the_end_of_time_wait() -> None:
    told = followed(
        changed(1000, 7, 2), changed(3000, 2, 4), changed(4000, 4, 11), started(4100, 60), changed(4200, 11, 7),
        timer(9000, "timer_cancel"), changed(9_000_000, 7, 2),
    )  # fmt: skip
    assert told[-2:] == [("TIME_WAIT", 4200), ("CLOSED", 9000)]


def test_a_jump_to_close_without_a_timer_is_the_end() -> None:
    assert followed(changed(1000, 7, 2), changed(2000, 2, 7)) == [("SYN_SENT", 1000), ("CLOSED", 2000)]


def test_a_timer_started_for_another_socket_makes_no_mini_socket_of_one_that_was_never_in_fin_wait() -> None:
    told = followed(changed(1000, 7, 2), changed(2000, 2, 1), started(2900, 60), changed(3000, 1, 7))
    assert told[-1] == ("CLOSED", 3000)


def test_a_request_began_with_the_timer_that_is_stopped_when_a_socket_is_made_of_it() -> None:
    told = followed(
        asked(1000, OTHER_TIMER), asked(2000), changed(50_000, 10, 3), timer(50_100, "timer_cancel"),
        changed(50_200, 3, 1), timer(90_000, "timer_cancel", OTHER_TIMER),
    )  # fmt: skip
    assert told == [("SYN_RECEIVED", 2000), ("ESTABLISHED", 50_200)]


def test_a_request_whose_timer_runs_out_and_starts_again_is_the_same_and_one_that_does_not_is_over() -> None:
    later = 10**9
    run_out = (timer(later, "timer_cancel"), timer(later + 10, "timer_expire_entry"))
    grown = (changed(3 * later, 10, 3), timer(3 * later, "timer_cancel"))
    again = reader_of(asked(1000), *run_out, asked(later + 20), *grown)
    assert again.requests == [Request(1000, 3 * later, grown=True)]
    assert again.ends[0].entered == [Entry.at("SYN_RECEIVED", 1000)]
    over = reader_of(asked(1000), *run_out, asked(2 * later))
    assert over.requests == [Request(1000, later), Request(2 * later)]


def test_a_request_of_which_no_socket_is_made_is_named_by_the_looks_and_dated_by_its_timer() -> None:
    ends: list[Endpoint] = []
    looks = [Sample(10, 11, {}), Sample(20, 21, {(A, B): "SYN_RECEIVED"}), Sample(40, 41, {})]
    _add_requests("a", looks, ends, [Request(15, 33), Request(5, 60, grown=True)])
    assert ends == [Endpoint("a", (A, B), [Entry.at("SYN_RECEIVED", 15), Entry.at("CLOSED", 33)])]


SAMPLES = [
    Sample(10, 11, {}), Sample(20, 21, {(A, B): "SYN_SENT"}), Sample(30, 31, {(A, B): "ESTABLISHED"}),
    Sample(40, 41, {(A, B): "ESTABLISHED"}), Sample(50, 51, {}),
]  # fmt: skip


def test_looks_give_states_with_the_times_between_which_they_began() -> None:
    rows = stays(SAMPLES)[(A, B)]
    assert rows == [("SYN_SENT", 10, 21, 21), ("ESTABLISHED", 20, 31, 41), ("", 40, 51, 51)]


def test_without_tracepoints_the_looks_alone_are_the_account() -> None:
    truth = sampled({"a": SAMPLES})
    assert truth.sampled and truth.endpoints[0].states == ["SYN_SENT", "ESTABLISHED", "CLOSED"]
    assert (truth.endpoints[0].entered[1].earliest, truth.endpoints[0].entered[1].latest) == (20, 31)


def test_an_account_survives_being_written(tmp_path: Path) -> None:
    end = Endpoint("a", (A, B), [Entry.at("SYN_SENT", 5), Entry("CLOSED", 7, 6, 8)], [(9, "NO_SOCKET")], [3], 2)
    entry = load()["graceful-client-first"]
    conduct.write_truth(Truth([end], looks=4), entry, tmp_path)
    assert conduct.read_truth(entry.name, tmp_path) == Truth([end], looks=4)


def begins_with(kernel: list[str], said: list[str]) -> bool:
    """Whether all of the kernel's states are among those said, in the same order."""
    left = iter(said)
    return all(state in left for state in kernel)


def check(name: str, folder: Path) -> None:
    """Hold a scene just played against the program: all of it, or what sock_diag alone saw of it."""
    verdicts, _ = score(load()[name], folder)
    assert {verdict.tap for verdict in verdicts} == set(TAPS)
    if not conduct.read_truth(name, folder).sampled:
        assert [str(verdict) for verdict in verdicts if verdict.outcome == WRONG or verdict.sure_and_wrong] == []
        return
    for verdict in verdicts:
        unseen = {state for hidden in verdict.hidden for state in hidden.kernel}
        seen = [state for state in verdict.kernel if state not in unseen]
        assert begins_with(seen, [row.state for row in verdict.rows]), str(verdict)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    assert conduct.record_all(list(LIVE), folder) == {}
    return folder


@pytest.mark.skipif(bool(missing()), reason=missing() or "the laboratory can be set up")
@pytest.mark.parametrize("name", LIVE)
def test_live_the_kernels_of_this_machine_agree_with_the_program(name: str, played: Path) -> None:
    check(name, played)
    if conduct.read_truth(name, played).sampled:
        pytest.skip(f"{tracefs.unavailable()}: compared was only what sock_diag saw")


@pytest.mark.skipif(bool(missing()), reason=missing() or "the laboratory can be set up")
def test_live_what_looks_alone_see_the_program_says_in_the_same_order(tmp_path: Path) -> None:
    assert conduct.record_all(list(LOOKS), tmp_path, looks_only=True) == {}
    for name in LOOKS:
        truth = conduct.read_truth(name, tmp_path)
        assert truth.sampled and all(len(end.states) > 1 for end in truth.endpoints)
        check(name, tmp_path)

"""What the whole capture tells of a host: the TTLs of its other RSTs and SYN-ACKs, and how long it takes to answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analyzer
from analyzer.findings import rules
from analyzer.findings.hosts import Hosts
from analyzer.findings.ledger_view import LedgerView
from analyzer.tracker.ledger import ThirdParty
from analyzer.tracker.vocabularies import RstCause
from tests.findings.books import found, ledger

MS = 10**6
ME = 1  # the server in the books


def hosts(resets: list[int] = [], answers: list[int] = [], trips: list[int] = [], foreign: int = 0) -> Hosts:  # noqa: B006
    """A server whose RSTs and SYN-ACKs came with these TTLs, a connection each, and whose answers took so long."""
    made = Hosts()
    made.answer_ttls = lambda addresses: {ME: answers} if answers else {}
    columns = {"server_ip": np.full(len(trips), ME, np.int32), "server_rtt": np.array(trips, np.int64)}
    made.column = lambda name: columns[name]
    rows: list[dict[str, Any]] = [{"server": {"rst_count": 1, "rst_ttl": ttl}} for ttl in resets]
    own = {"rst_count": 1, "third_party": ThirdParty.OTHER_PATH, "rst_ttl": 64, "third_party_ttl": foreign}
    rows += [{"server": own}] * bool(foreign)
    book = ledger(*rows) if rows else ledger({})
    made.add(LedgerView(book, np.arange(book.flows)))
    return made


def test_the_ttls_of_resets_are_counted_by_connection() -> None:
    assert hosts([64, 64, 255], foreign=41).reset_ttls(np.array([ME])) == {ME: {41: 1, 64: 2, 255: 1}}
    assert hosts([64]).reset_ttls(np.array([0])) == {}
    assert Hosts().reset_ttls(np.array([ME])) == {}


def test_the_shortest_round_trip_is_that_of_any_connection() -> None:
    assert hosts(trips=[12 * MS, 0, 11 * MS]).round_trips(np.array([ME])) == {ME: (11 * MS, 2)}
    assert hosts().round_trips(np.array([ME])) == {}
    assert Hosts().round_trips(np.array([ME])) == {}


def said_of(code: str, known: Hosts, **values: int) -> dict[str, str]:
    """What hindsight changes in the only finding, in words."""
    hindsight = rules()[code].hindsight
    assert hindsight is not None
    found = hindsight(np.array([ME]), {name: np.array([value]) for name, value in values.items()}, known)
    return {name: choice.words[int(choice.codes[0])] or str(choice.codes[0]) for name, choice in found.items()}


@pytest.mark.parametrize(
    ("known", "habit", "doubt"),
    [
        (hosts([64, 60], foreign=41), "; that of RSTs in this host's name, in 2 other connections, is 60 or 64", "0"),
        (hosts([64], foreign=41), "; that of RSTs in this host's name, in 1 other connection, is 64", "0"),
        (hosts([41, 41], foreign=41), "all RSTs in this host's name, in 3 connections, came over as many hops: ", "0"),
        (hosts([41], foreign=41), "", "0"),
        (hosts([64], [64, 41], foreign=41), "that of SYN-ACKs of this host in other connections, which came", "1"),
        (hosts([], [64], foreign=41), "", "0"),
        (hosts(foreign=41), "", "0"),
    ],
)
def test_a_hosts_other_resets_and_answers_are_compared_with_a_strange_one(known: Hosts, habit: str, doubt: str) -> None:
    told = said_of("TD309", known, ttl=41, hops=1)
    assert habit in told["habit"] and (habit or told["habit"] == "0") and told["doubt"] == doubt
    assert said_of("TD309", known, ttl=41, hops=0) == {"habit": "0", "doubt": "0"}


@pytest.mark.parametrize(("counts", "level"), [(11, "high"), (15, "medium")], ids=["the same", "another RST"])
def test_a_reset_with_the_ip_id_of_the_segment_before_it_was_turned_round(counts: int, level: str) -> None:
    foreign = {"third_party": ThirdParty.OTHER_PATH, "third_party_frame": 11, "third_party_ttl": 28}
    reset = {"rst_count": 1, "rst_frame": counts, "rst_ttl": 28, "rst_copied_frame": 10, "ttl_low": 58, "ttl_high": 58}
    finding = found(ledger({"server": foreign | reset}))["TD309"]
    assert finding["confidence"] == level
    told = "; it has the IP id of the receiver's last segment before it (frame 10)."
    assert finding["message"].endswith(told) == (level == "high")


TTLS = " The TTL of the RST is 64, that of this host's SYN-ACKs is 53"


@pytest.mark.parametrize(
    ("known", "after", "begins"),
    [
        (hosts([], [53], [11 * MS]), 0.7, f"{TTLS}, and its answers in other connections took 11 ms at least: another"),
        (hosts([], [53], [11 * MS]), 2.8, f"{TTLS}: another"),
        (hosts([], [53]), 0.7, f"{TTLS}: another"),
        (hosts([], [64], [11 * MS] * 3), 0.7, " The answers of this host in 3 other connections took 11 ms at least: "),
        (hosts([], [64], [11 * MS] * 2), 0.7, ""),
        (hosts([], [64], [11 * MS] * 3), 2.8, ""),
        (hosts([], [64], [MS] * 3), 0.2, ""),
        (hosts([], [64], [11 * MS] * 3), -0.7, ""),
    ],
    ids=["both", "slow", "TTL", "sooner", "two only", "not much sooner", "less than a millisecond", "before the SYN"],
)
def test_a_refusal_sooner_than_the_host_can_answer_is_told(known: Hosts, after: float, begins: str) -> None:
    told = said_of("TD307", known, ttl=64, after=round(after * MS))
    assert told["ttls"].startswith(begins) if begins else told["ttls"] == "0"
    assert ("a firewall between the two" in told["suspect"]) == bool(begins)


@pytest.mark.parametrize(("number", "sure"), [(None, "high"), (7, "medium"), (0, "medium")])
def test_an_ip_id_that_never_changes_is_no_copy(number: int | None, sure: str) -> None:
    """A device that turned a segment round copied its number; a host that gives all its segments one shows nothing."""
    story = Path(__file__).parents[1] / "stories" / "public" / "firewall-answers-the-keep-alive.pcap"
    segments = analyzer.analyze(story, keep_segments=True).segments
    made = segments if number is None else segments.assign(ip_id=np.uint16(number))
    (found,) = analyzer.analyze(made).findings.to_dict("records")
    assert (found["code"], found["confidence"]) == ("TD309", sure)
    assert ("IP id" in found["message"]) == (sure == "high")


@pytest.mark.parametrize(
    ("changes", "sure"),
    [
        ({"ip_id": 20_000}, "medium"),
        ({"ip_id": 20_000, "ttl": -4}, "high"),
        ({"ip_id": 1_000}, None),
        ({"ip_id": -1_000}, None),
        ({"ip_id": 20_000, "flags": -16}, None),
        ({"ip_id": 20_000, "time_epoch": np.timedelta64(11, "ms")}, None),
        ({"ip_id": 20_000, "others": 3}, None),
        ({}, None),
    ],
    ids=["far", "hops", "lost before the tap", "sooner", "without ACK", "late", "another count", "the next"],
)
def test_a_reset_far_off_the_count_of_its_senders_ip_ids_is_somebody_elses(
    changes: dict[str, Any], sure: str | None
) -> None:
    capture = Path(__file__).parents[2] / "captures" / "abortive-close.pcap"
    segments = analyzer.analyze(capture, keep_segments=True).segments
    others, reset = changes.pop("others", 1), segments.index[(segments["flags"] & 4 > 0).to_numpy()][0]
    ids = segments["ip_id"].astype(np.int64) * others % 65_536
    made = segments.assign(ip_id=ids.astype(np.uint16))
    made.loc[reset, "time_epoch"] = made.loc[reset - 1, "time_epoch"] + np.timedelta64(10, "ms")
    for name, more in changes.items():
        value = made.loc[reset, name]
        made.loc[reset, name] = (int(value) + more) % 65_536 if name == "ip_id" else value + more
    found = {row["code"]: row for row in analyzer.analyze(made).findings.to_dict("records")}
    assert ("TD309" in found) == (sure is not None)
    if sure:
        assert found["TD309"]["confidence"] == sure
        assert "its IP id is far from the next of its sender's" in found["TD309"]["message"]
        assert "had gone up by one each, to its last before the RST (frame 7)" in found["TD309"]["message"]


def test_a_full_accept_queue_is_of_one_service() -> None:
    known = Hosts()
    causes = np.array([RstCause.NOT_TAKEN, 0], np.uint8)
    columns = {"server_ip": np.array([ME, 2]), "server_port": np.array([80, 80]), "rst_cause": causes}
    known.column = lambda name: columns[name]
    assert known.full_queues(np.array([ME, ME, 2]), np.array([80, 81, 80])).tolist() == [True, False, False]
    assert "accept queue" in said_of("TD308", known, port=80, reason=0)["suspect"]
    assert "accept queue" not in said_of("TD308", known, port=81, reason=0)["suspect"]
    assert "missing route" in said_of("TD308", known, port=80, reason=1)["suspect"]

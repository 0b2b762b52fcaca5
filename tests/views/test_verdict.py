"""The verdict in one sentence."""

import pytest

from analyzer.engine.pipeline import analyze
from analyzer.settings import Settings
from analyzer.views.verdict import verdict
from tests.captures import CAPTURES_FOLDER as CAPTURES


def said(name: str) -> str:
    analysed = analyze([str(CAPTURES / name)], Settings(keep_further=()))
    return verdict(analysed.summary, analysed.overview, analysed.listing)


def test_without_findings_it_says_how_connections_ended() -> None:
    assert said("graceful-client-first.pcap") == "No finding about any of 1 connection: 1 graceful."


def test_one_finding_is_told_in_its_own_words() -> None:
    assert said("late-fin-answered-by-rst.pcapng").startswith("The client 10.1.1.2:60764 acknowledged the server's FIN")


def test_many_are_counted_with_whom_they_blame() -> None:
    text = said("one-response-in-three-not-closed.pcapng")
    assert text.startswith("14 of 41 connections: a FIN came so late")
    assert text.endswith("Blamed for all of them: the client 10.1.1.2.")


def test_a_crowd_says_more_than_its_connections() -> None:
    assert said("reconnect-loop-leaks.pcapng").startswith("The client 10.1.1.2") and "In all: 13 errors." in said(
        "reconnect-loop-leaks.pcapng"
    )


@pytest.mark.parametrize("name", ["fin-retransmitted.pcapng", "half-open-probe.pcap"])
def test_what_is_only_worth_knowing_is_no_fault(name: str) -> None:
    assert said(name).startswith("No error and no warning; worth knowing: ")

"""SYNs that an ICMP error answers, from captures made by hand to the words of the finding."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analyzer
from analyzer.engine.departed_flows import DepartedFlows
from analyzer.engine.pipeline import Analysis
from analyzer.findings.icmp import KNOWN, SUSPECTS, TEXTS, Reason, kind, reason_of, text_of
from analyzer.settings import Settings
from tests.lab import pcapfile
from tests.segments.build import A6, B6, A, B, Frame, batch, ethernet, ipv4, ipv6, tcp

ROUTER, ROUTER6 = "192.0.2.9", "2001:db8::9"
SYN, SYN_ACK, ACK, RST_ACK = 0x02, 0x12, 0x10, 0x14
START = 1_700_000_000_000_000_000
Frames = list[tuple[int, bytes]]  # milliseconds, bytes


def client(flags: int = SYN, seq: int = 1000, ack: int = 0, **more: Any) -> bytes:
    return ipv4(tcp(flags=flags, seq=seq, ack=ack, **more))


def server(flags: int, seq: int = 5000, ack: int = 1001) -> bytes:
    return ipv4(tcp(flags=flags, seq=seq, ack=ack, ports=(80, 40000)), ends=(B, A))


def error(quoted: bytes, type_: int = 3, code: int = 13, teller: str = ROUTER) -> bytes:
    return ipv4(bytes([type_, code]) + bytes(6) + quoted, ends=(teller, A), protocol=1)


def analysed(path: Path, *frames: tuple[int, bytes], **settings: Any) -> Any:
    made = []
    for moment, packet in frames:
        data = ethernet(packet, 0x86DD if packet[0] >> 4 == 6 else 0x0800)
        made.append(pcapfile.Packet(START + moment * 1_000_000, data, len(data)))
    pcapfile.write(path / "made.pcap", pcapfile.LINK_ETHERNET, made)
    return analyzer.analyze(path / "made.pcap", **settings)


def said(result: Any) -> dict[str, Any]:
    """The finding about the only flow."""
    assert (len(result.flows), len(result.findings)) == (1, 1)
    found: dict[str, Any] = result.findings.iloc[0].to_dict()
    assert (found["code"], found["endpoint"]) == ("TD308", "server")
    return found


@pytest.mark.parametrize("quoted", [28, 36, 500])
def test_a_single_syn_answered_by_a_router(tmp_path: Path, quoted: int) -> None:
    result = analysed(tmp_path, (0, client()), (2, error(client()[:quoted])), keep_segments=True)
    found = said(result)
    assert found["message"] == (
        f"The server {B}:80 never answered: the client {A}:40000 sent its SYN once (frame 1), and no answering segment "
        f"of {B}:80 was captured, only ICMP: {ROUTER} reported destination unreachable, communication administratively "
        "prohibited (frame 2), 2 ms after a SYN."
    )
    assert found["advice"] == (
        f"Suspect a firewall with a reject rule first. Next, on {ROUTER}, check which rule meets {B}: nft list "
        "ruleset; iptables-save; ip6tables-save"
    )
    assert (found["frames"], found["confidence"]) == ("1;2", "high")
    flow = result.flows.iloc[0]
    assert (flow["handshake"], flow["teardown"], flow["client_state"]) == (
        "unanswered",
        "never-established",
        "SYN_SENT",
    )
    assert (flow["client_packets"], flow["server_packets"], flow["findings"]) == (1, 0, "TD308")
    assert result.segments["frame"].tolist() == [1]
    assert result.summary.segments == 1


def test_a_syn_repeated_and_answered_again(tmp_path: Path) -> None:
    next_syn = ipv4(tcp(flags=SYN, ack=0), ip_id=8)
    again = [(0, client()), (2, error(client())), (1000, next_syn)]
    found = said(analysed(tmp_path, *again, (1003, error(next_syn, code=1))))
    assert "its SYN twice in 1 s (frames 1 to 3)" in found["message"]
    assert found["message"].endswith("prohibited (frame 2), 2 ms after a SYN; then other errors, last (frame 4).")
    same = said(analysed(tmp_path, *again, (1003, error(next_syn))))
    assert same["message"].endswith("prohibited (frame 2), 2 ms after a SYN; and again, last (frame 4).")
    assert same["frames"] == "1;2;3;4"


@pytest.mark.parametrize("quoted", [48, 500])
def test_the_host_itself_over_ipv6(tmp_path: Path, quoted: int) -> None:
    syn = ipv6(tcp(flags=SYN, ack=0))
    answer = ipv6(b"\1\4" + bytes(6) + syn[:quoted], ends=(B6, A6), following=58)
    found = said(analysed(tmp_path, (0, syn), (1, answer)))
    assert found["message"] == (
        f"The server [{B6}]:80 answered by ICMP only: the client [{A6}]:40000 sent its SYN once (frame 1), and no "
        f"answering segment of [{B6}]:80 was captured, only ICMP: {B6} reported destination unreachable, port "
        "unreachable (frame 2), 1 ms after a SYN."
    )
    assert found["confidence"] == "high"


def test_an_error_at_the_same_moment_has_no_delay(tmp_path: Path) -> None:
    assert said(analysed(tmp_path, (0, client()), (0, error(client()))))["message"].endswith("prohibited (frame 2).")


NOT_BELIEVED = {
    "of another connection": error(client(ports=(40001, 80))[:28]),
    "of a number never sent": error(client(seq=1001 + 2**20)[:28]),
    "of a number before the SYN": error(client(seq=999)[:28]),
    "a redirect": error(client(), type_=5, code=1),
}


@pytest.mark.parametrize("answer", NOT_BELIEVED.values(), ids=NOT_BELIEVED)
def test_what_is_not_believed(tmp_path: Path, answer: bytes) -> None:
    once = analysed(tmp_path, (0, client()), (2, answer))
    assert once.findings.empty
    found = said(analysed(tmp_path, (0, client()), (2, answer), (1000, client())))
    assert found["message"].endswith(f"twice in 1 s (frames 1 to 3), and no answering segment of {B}:80 was captured.")
    assert found["confidence"] == "medium"  # nothing tells that the capture shows both directions
    assert found["advice"].startswith("Suspect a firewall that drops silently, or a host that is down, first. Next, on")
    assert f"{B}, check whether the SYN arrives and is dropped: tcpdump -ni any 'tcp and host {A}'" in found["advice"]


def test_a_whole_header_of_another_connection_is_numbered_but_no_flow(tmp_path: Path) -> None:
    other = error(client(ports=(40001, 80)))
    result = analysed(tmp_path, (0, client()), (2, other), (3, client(ports=(40002, 80))))
    assert result.flows["stream"].tolist() == [0, 2]
    short = analysed(tmp_path, (0, client()), (2, other[:56]), (3, client(ports=(40002, 80))))
    assert short.flows["stream"].tolist() == [0, 1]


def test_a_refusal_after_the_error_is_a_refusal(tmp_path: Path) -> None:
    result = analysed(tmp_path, (0, client()), (2, error(client())), (3, server(RST_ACK, seq=0)))
    assert result.findings["code"].tolist() == ["TD307"]
    assert result.flows["handshake"].tolist() == ["refused"]


def test_a_syn_that_was_accepted_after_the_error_was_answered(tmp_path: Path) -> None:
    shaken = [(1000, client()), (1001, server(SYN_ACK)), (1002, client(ACK, 1001, 5001))]
    result = analysed(tmp_path, (0, client()), (2, error(client())), *shaken)
    assert result.findings.empty
    assert result.flows["handshake"].tolist() == ["complete"]


def test_what_an_error_proves_does_not_rest_on_both_directions(tmp_path: Path) -> None:
    """Of another connection only one direction was captured: silence proves little then."""
    one_way = [(10, client(ACK, 9000, 7000, ports=(41000, 80))), (11, client(ACK, 9000, 8000, ports=(41000, 80)))]
    silent = [(0, client()), (1000, client())]
    told = [(0, client(ports=(42000, 80))), (1, error(client(ports=(42000, 80))))]
    findings = analysed(tmp_path, *told, *one_way, *silent).findings
    sure = findings[findings["code"] == "TD308"].set_index("client_port")["confidence"].to_dict()
    assert sure == {42000: "high", 40000: "low"}


def test_every_code_has_words_and_a_suspect() -> None:
    kinds = np.array([0, *KNOWN, kind(4, 99, 0), kind(6, 200, 1)])
    texts, reasons = text_of(kinds), reason_of(kinds)
    assert (texts[0], reasons[0]) == (0, Reason.NONE)
    assert (texts[1:] > 0).all() and (reasons[1:] > 0).all()
    assert [TEXTS[place] for place in texts[-2:]] == ["another error"] * 2
    for (words, reason), place, found in zip(KNOWN.values(), texts[1:], reasons[1:], strict=False):
        assert (TEXTS[place], found) == (words, reason)
    assert [Reason.NONE, *SUSPECTS] == list(Reason)


@pytest.mark.parametrize(
    ("type_", "code", "words", "suspect", "on"),
    [
        (3, 0, "destination unreachable, net unreachable", "a missing route", ROUTER),
        (3, 1, "destination unreachable, host unreachable", "a host that is down, or a wrong address,", ROUTER),
        (3, 3, "destination unreachable, port unreachable", "a firewall with a reject rule", ROUTER),
        (3, 4, "destination unreachable, fragmentation needed and DF set", "a tunnel with a small MTU", A),
        (3, 77, "destination unreachable", "whoever sent the ICMP error", ROUTER),
        (11, 0, "time exceeded in transit", "a routing loop", A),
        (12, 1, "parameter problem", "whoever sent the ICMP error", ROUTER),
    ],
)
def test_suspects(tmp_path: Path, type_: int, code: int, words: str, suspect: str, on: str) -> None:
    found = said(analysed(tmp_path, (0, client()), (2, error(client(), type_, code))))
    assert f"{ROUTER} reported {words} (frame 2)" in found["message"]
    assert found["advice"].startswith(f"Suspect {suspect} first. Next, on {on}, check ")
    assert B in found["advice"]


def test_addresses_that_are_forgotten_leave_the_sender_of_an_error_his_own() -> None:
    """As on a long watch: 20 refused connections are over and forgotten with their addresses, but for the newest."""
    analysis = Analysis(Settings())
    analysis.departed = DepartedFlows(1)
    for number in range(20):
        one, other = f"10.1.0.{number}", f"10.2.0.{number}"
        answer = tcp(flags=RST_ACK, ack=1001, seq=0, ports=(80, 40000))
        refused = [ipv4(tcp(flags=SYN, ack=0), ends=(one, other)), ipv4(answer, ends=(other, one))]
        analysis.feed(batch([Frame(packet, link=101) for packet in refused], first=1 + 2 * number))
    late = batch([Frame(client(), link=101), Frame(error(client()), link=101)], first=1_000_000)
    analysis.feed(late)
    assert analysis.retire().overview.flows == 20
    assert analysis.forget(4)
    texts = analysis.book.texts()
    assert {A, B, ROUTER} <= set(texts)
    assert len(texts) < 8
    assert "10.1.0.0" not in texts
    found = said(analysis.drop_idle(-1, 0).result())
    assert f"{ROUTER} reported destination unreachable" in found["message"]

"""A SYN was answered from another address, or a connection goes on there: two streams are one, behind a translation.

## What it sees

A SYN got no answer on its addresses and ports. But another address answered the same client address and port with a
SYN-ACK whose acknowledgment is that SYN's sequence number plus 1, and the client, which had asked nobody there, refused
that with RST. No other connection of that client has this port and sequence number: a scanner may use one number for
all hosts, and then it tells nothing.

Or a segment of a connection came from another address or port than before: its sequence number is one that the one end
had come to, its acknowledgment number one that the other end had come to, and that end refused it with RST. Nothing is
said where both numbers may fit by chance, or fit two connections.

The two streams are told as one: what would be said of each alone is left out.

## Why it matters

The service works and its answer arrives, yet no connection comes about: connect runs into its time-out. Somewhere the
destination address of the SYN was translated, and the source address of the answer was not translated back. In the
midst of a connection the RST reaches an end that has done nothing wrong and ends it for that end alone.

## When it is harmless

Never, where the connection was wanted. Where it had ended before the segment came from elsewhere, no data are lost.

## What to do next

Look at the way back, not at the service. The answer must pass the device that translated the SYN: it did not (an
asymmetric route, a client in the same network as the server behind a load balancer), or it passed by its translation
(bridged frames that bypass iptables: br_netfilter, bridge-nf-call-iptables; a conntrack entry that is gone). In the
midst of a connection, conntrack takes segments for invalid that lie outside the window it knows, and does not translate
those; a NAT that has forgotten an idle connection gives it another port.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows
from analyzer.findings.continued import continued
from analyzer.findings.rule import AT_THE_END, AboutFlows, Crowd
from analyzer.settings import Settings
from analyzer.tracker.vocabularies import SIDES, Handshake, Teardown
from analyzer.units import SECOND

CODE = "TD315"
NAME = "answered-from-elsewhere"
SEVERITY = "error"
INFO_WHEN = "where the connection had ended before the segment came from elsewhere"
SUPERSEDES = ("TD305", "TD307", "TD308", "TD403", "TD901", "TD902", "TD903")
THRESHOLDS = ()
NEEDS = ()
LIVE_WAIT = AT_THE_END  # all flows are judged together
EXAMPLE = "answered-from-elsewhere.pcap"
NEAR_MISS = "answer-translated-back.pcap"
MESSAGE = (
    "The SYN of {client} to {server} (frame {syn}) was answered by {answerer:address} port {answer_port}"
    "{delay:after}: the acknowledgment number of the SYN-ACK in frame {syn_ack} is that SYN's sequence number plus 1. "
    "No SYN to that address was captured, and the client refused the answer with RST. Streams {stream} and {second} "
    "are one connection behind an address translation."
)
ADVICE = (
    "Suspect the way back first, not the service: the source address of the answer was not translated back. Next, on "
    "the device that translates {asked:address}, see whether it knows the connection and sees its answers: "
    "{conntrack} -p tcp -s {asker:address} -d {asked:address}; sysctl {bridge_calls}"
)
MESSAGE_OF_MANY = (
    "The segment in frame {segment}, from {elsewhere:address} port {elsewhere_port}, is one of the connection of "
    "{client} with {server} that began in frame {began}{over}: its sequence number is the initial one of that "
    "connection's {sender} plus {sent}, its acknowledgment number the initial one of the {receiver} plus {acked}. No "
    "SYN from or to that address and port was captured, and the {receiver} refused the segment with RST{refusal:shown}."
    " Streams {stream} and {second} are one connection behind an address translation."
)
ADVICE_OF_MANY = (
    "Suspect the device that translates {translated:address} first, neither of the two hosts: {cause}. Next, on that "
    "device, see what it knows of the connection: {counters}{conntrack} -p tcp -{by} {translated:address}; sysctl "
    "{setting}"
)
INVALID = "it let this segment pass untranslated, as conntrack does with what it takes for invalid"
FORGOTTEN = "it forgot the connection, or moved it, and gave it another address or port"
LATEST_NS = 120 * SECOND  # an answer this long after the last SYN is none
CLIENT = SIDES.by_code.index("client")
LIBERAL = "net.netfilter.nf_conntrack_tcp_be_liberal"
ESTABLISHED = "net.netfilter.nf_conntrack_tcp_timeout_established"
OF_CONNECTIONS = ("stream", "first_epoch", "first_frame", "last_epoch", "teardown")
OF_STRAYS = ("stream", "first_epoch", "first_frame", "last_frame", "client_packets", "server_packets")
NONE = np.zeros(0, np.int64)


def judge(flows: AllFlows, settings: Settings) -> Crowd:
    asked = flows.where(lambda column: column("handshake") == Handshake.UNANSWERED)
    answered = flows.where(lambda column: column("handshake") == Handshake.PARTIAL)
    rst_by, answers = flows.columns("rst_by", "server_packets", places=answered)
    answered = answered[(rst_by == CLIENT) & (answers > 0)]
    syn, answer = pairs(flows, asked, answered) if len(asked) and len(answered) else (NONE, NONE)
    names = ("stream", "first_epoch", "first_frame", "server_ip", "server_port")
    stream, asked_at, syn_frame, server, port = flows.columns(*names, places=syn)
    second, answered_at, answer_frame, answerer, answer_port = flows.columns(*names, places=answer)
    client, client_port = flows.columns("client_ip", "client_port", places=syn)
    return Crowd(
        address=server,
        port=port,
        server=np.ones(len(syn), np.bool_),
        other_address=client,
        other_port=client_port,
        when=answered_at,
        frames=np.column_stack([syn_frame, answer_frame]).tolist(),
        decides=answer_frame.tolist(),
        confidence=np.zeros(len(syn), np.int64),
        about=AboutFlows(stream, asked_at, second),
        values={
            "syn": syn_frame,
            "answerer": answerer,
            "answer_port": answer_port,
            "delay": answered_at - asked_at,
            "syn_ack": answer_frame,
            "second": second,
            "asked": server,
            "asker": client,
        },
    )


def judge_many(flows: AllFlows, settings: Settings) -> Crowd:
    found = continued(flows)
    stream, began, frame, last, teardown = flows.columns(*OF_CONNECTIONS, places=found.connection)
    ends = ("client_ip", "client_port", "server_ip", "server_port")
    client, client_port, server, port = flows.columns(*ends, places=found.connection)
    second, when, segment, last_frame, one, other = flows.columns(*OF_STRAYS, places=found.stray)
    over = (teardown != Teardown.OPEN) & (last <= when)
    refusal = np.where(one + other == 2, last_frame, 0)
    return Crowd(
        address=server,
        port=port,
        server=np.ones(len(stream), np.bool_),
        other_address=client,
        other_port=client_port,
        when=when,
        frames=np.column_stack([frame, segment, np.where(refusal > 0, refusal, segment)]).tolist(),
        decides=segment.tolist(),
        confidence=np.zeros(len(stream), np.int64),
        info=over,
        about=AboutFlows(stream, began, second),
        values={
            "segment": segment,
            "began": frame,
            "over": _words(over, " and had ended", ""),
            "sent": found.sent,
            "acked": found.acked,
            "refusal": refusal,
            "second": second,
            "translated": np.where(found.to_client, server, client),
            **_told(flows.table_rows(found.stray), found.to_client),
        },
    )


def _told(stray: NDArray[np.void], to_client: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Where strays came from, and what depends on which end of the connection they came to."""
    return {
        "elsewhere": stray["address"][:, 0],
        "elsewhere_port": stray["port"][:, 0].astype(np.int64),
        "sender": _words(to_client, "server", "client"),
        "receiver": _words(to_client, "client", "server"),
        "cause": _words(to_client, INVALID, FORGOTTEN),
        "counters": _words(to_client, "conntrack -S; ", ""),
        "by": _words(to_client, "d", "q"),
        "setting": _words(to_client, LIBERAL, ESTABLISHED),
    }


def _words(condition: NDArray[np.bool_], yes: str, no: str) -> NDArray[np.object_]:
    return np.where(condition, np.array(yes, object), np.array(no, object))


def pairs(
    flows: AllFlows, asked: NDArray[np.intp], answered: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of SYNs, and of the answer to each: same client, port and number, another server, soon after it."""
    keys = [_keys(flows, places) for places in (asked, answered)]
    order = np.argsort(keys[0], kind="stable")
    place = np.minimum(np.searchsorted(keys[0][order], keys[1]), len(order) - 1)
    syn, same = asked[order[place]], keys[0][order[place]] == keys[1]
    syn, answered = syn[same], answered[same]
    names = ("client_ip", "server_ip", "server_port", "first_epoch")
    client, server, port, asked_at = flows.columns(*names, places=syn)
    other, answerer, answer_port, answered_at = flows.columns(*names, places=answered)
    soon = (answered_at >= asked_at) & (answered_at <= flows.column("last_epoch", syn) + LATEST_NS)
    elsewhere = (server != answerer) | (port != answer_port)
    found = (client == other) & soon & elsewhere & flows.begin_with_answer(answered)
    sure = np.flatnonzero(found)[_alone(flows, syn[found])]
    return syn[sure], answered[sure]


def _keys(flows: AllFlows, places: NDArray[np.intp]) -> NDArray[np.int64]:
    """The client's port and the number of its SYN."""
    return np.asarray(flows.column("client_port", places) << 32 | flows.first_numbers(places, "client"), np.int64)


def _alone(flows: AllFlows, syn: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether only two flows of the capture, a SYN's and that of its answer, have its client, port and number."""
    if not len(syn):
        return np.zeros(0, np.bool_)
    some = np.flatnonzero(np.isin(flows.column("client_port"), flows.column("client_port", syn)))
    some = some[np.isin(flows.column("client_ip", some), flows.column("client_ip", syn))]
    some = some[flows.column("handshake", some) != Handshake.NOT_CAPTURED]
    clients, keys = flows.column("client_ip", some), _keys(flows, some)
    order = np.lexsort((keys, clients))
    clients, keys = clients[order], keys[order]
    starts = np.append(True, (np.diff(clients) != 0) | (np.diff(keys) != 0))
    group = np.cumsum(starts) - 1
    alike = np.zeros(len(some), np.int64)
    alike[order] = np.bincount(group)[group]
    return np.asarray(alike[np.searchsorted(some, syn)] == 2)

"""A SYN was answered, but from another address: two streams are one connection behind an address translation.

## What it sees

A SYN got no answer on its addresses and ports. But another address answered the same client address and port with a
SYN-ACK whose acknowledgment is that SYN's sequence number plus 1, and the client, which had asked nobody there, refused
that with RST. No other connection of that client has this port and sequence number: a scanner may use one number for
all hosts, and then it tells nothing. The two streams are told as one: what would be said of each alone is left out.

## Why it matters

The service works and its answer arrives, yet no connection comes about: connect runs into its time-out. Somewhere the
destination address of the SYN was translated, and the source address of the answer was not translated back.

## When it is harmless

Never, where the connection was wanted.

## What to do next

Look at the way back, not at the service. The answer must pass the device that translated the SYN: it did not (an
asymmetric route, a client in the same network as the server behind a load balancer), or it passed by its translation
(bridged frames that bypass iptables: br_netfilter, bridge-nf-call-iptables; a conntrack entry that is gone).
"""

import numpy as np
from numpy.typing import NDArray

from analyzer.findings.all_flows import AllFlows
from analyzer.findings.rule import AT_THE_END, AboutFlows, Crowd
from analyzer.settings import Settings
from analyzer.tracker.vocabularies import SIDES, Handshake
from analyzer.units import SECOND

CODE = "TD315"
NAME = "answered-from-elsewhere"
SEVERITY = "error"
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
    "the device that translates {asked:address}, see whether it knows the connection and sees its answers: conntrack "
    "-L -p tcp -s {asker:address} -d {asked:address}; sysctl net.bridge.bridge-nf-call-iptables"
)
LATEST_NS = 120 * SECOND  # an answer this long after the last SYN is none
CLIENT = SIDES.by_code.index("client")
NONE = np.zeros(0, np.int64)


def judge(flows: AllFlows, settings: Settings) -> Crowd:
    handshake = flows.column("handshake")
    asked, answered = (np.flatnonzero(handshake == how) for how in (Handshake.UNANSWERED, Handshake.PARTIAL))
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
    return np.asarray(flows.column("client_port", places) << 32 | flows.client_numbers(places), np.int64)


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

"""What the recording itself got wrong: it began late, saw one side, lost, doubled, cut or misdated frames.

A kernel does not turn its clock back and tcpdump loses frames when it likes, so some of these are ordinary
recordings with frames dropped, moved or misdated afterwards; each recipe says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise

from tests.lab.pcapfile import Packet

from . import Lab, recipe
from .play import REQUEST, close_after_eof, exchange, opened, passing_visit, pause


def _ordinary(lab: Lab) -> None:
    """A request with a reply of four segments, then a close in order, client first."""
    client, server = lab.connect()
    exchange(client, server, REQUEST, b"r" * 5000)
    client.close()
    close_after_eof(server)


@recipe("pcap", late=True)
def starts_mid_stream(lab: Lab, begin: Callable[[], None]) -> None:
    """tcpdump is started when the connection is already open; one more request, then a close in order.

    No handshake: the client is guessed from the ports and the table says so. The report says TD901; the close
    itself is seen whole, so how it ended is certain.
    """
    client, server = opened(lab)
    begin()
    exchange(client, server)
    client.close()
    close_after_eof(server)


@recipe("pcap", filter="tcp and src host 10.1.1.2")
def one_direction_only(lab: Lab) -> None:
    """An ordinary connection of which only the client's packets are captured, as on one leg of an asymmetric
    route.

    What the server sent is known only from the client's acknowledgments: its FIN is inferred from the last
    one. The report says TD902.
    """
    _ordinary(lab)


def _lose_two_data_frames(packets: list[Packet]) -> list[Packet]:
    """Drop the second and third frame that are as long as a full segment."""
    full = [place for place, packet in enumerate(packets) if packet.length > 1400]
    return [packet for place, packet in enumerate(packets) if place not in full[1:3]]


@recipe("pcapng", edit=_lose_two_data_frames)
def frames_missing(lab: Lab) -> None:
    """An ordinary connection, and two of the reply's data frames were dropped from the recording afterwards.

    The client acknowledged those bytes, so they were sent and the capture lost them: nothing was
    retransmitted. The report says TD903 with the bytes missing; the close is whole.
    """
    _ordinary(lab)


@recipe("pcapng", tap="m-any")
def frames_duplicated(lab: Lab) -> None:
    """An ordinary connection recorded on the router's ``any`` interface: every packet comes in and goes out.

    The copies differ by one in TTL and share the IP id. Each packet counts once; no FIN is repeated. The
    report says TD904.
    """
    _ordinary(lab)


def _mirror(packets: list[Packet]) -> list[Packet]:
    """Every frame twice, 3 microseconds apart, as a mirror port shows a frame that enters and leaves the
    switch.
    """
    return [copy for packet in packets for copy in (packet, dataclasses.replace(packet, time=packet.time + 3000))]


@recipe("pcap", edit=_mirror)
def frames_duplicated_by_mirror(lab: Lab) -> None:
    """An ordinary connection; afterwards every frame was written twice, as a mirror port does.

    The copies are equal in every byte. Each packet counts once; no FIN is repeated. The report says TD904.
    """
    _ordinary(lab)


@recipe("pcap", snaplen=60)
def frames_cut_short(lab: Lab) -> None:
    """An ordinary connection recorded with ``-s 60``: 6 bytes of TCP options are kept, and the rest of them
    is lost.

    Payload lengths come from the IP header, so states are still certain; window scale and timestamps are not.
    The report says TD905.
    """
    _ordinary(lab)


def _turn_back(packets: list[Packet]) -> list[Packet]:
    """The clock is set back by 2 s before the last four frames."""
    late = [dataclasses.replace(packet, time=packet.time - 2 * 10**9) for packet in packets[-4:]]
    return packets[:-4] + late


@recipe("pcap", edit=_turn_back)
def clock_went_back(lab: Lab) -> None:
    """An ordinary connection; afterwards the last four frames were dated 2 s earlier, as when NTP steps the
    clock.

    The order of the frames is right, their times are not, so no duration across the step means anything. The
    report says TD906.
    """
    _ordinary(lab)


def _swap_two(packets: list[Packet]) -> list[Packet]:
    """The client's request and the server's acknowledgment of it change places; each keeps its time."""
    return [*packets[:3], packets[4], packets[3], *packets[5:]]


@recipe("pcap", edit=_swap_two)
def frames_slightly_out_of_order(lab: Lab) -> None:
    """An ordinary connection; afterwards two frames some microseconds apart changed places, as two capture
    queues do.

    Times run back by far less than the threshold, and the segment that seemed missing comes next. The near
    miss of TD906 and TD903. No finding.
    """
    _ordinary(lab)


@recipe("pcap", late=True)
def starts_at_the_fin(lab: Lab, begin: Callable[[], None]) -> None:
    """tcpdump is started just before the client closes: the first frame is a FIN.

    Everything that matters for the close is there, who opened is not. The report says TD901.
    """
    client, server = opened(lab)
    pause(0.1)
    begin()
    client.close()
    close_after_eof(server)


def _stopped_and_begun_again(packets: list[Packet]) -> dict[str, list[Packet]]:
    """The recording ends 3 s after its first packet and goes on, into another file, 6 s later."""
    start = packets[0].time
    ended, begun = start + 3 * 10**9, start + 9 * 10**9
    return {
        "before.pcap": [packet for packet in packets if packet.time < ended],
        "after.pcap": [packet for packet in packets if packet.time > begun],
    }


@recipe(parts=_stopped_and_begun_again)
def capture_has_gaps(lab: Lab) -> None:
    """A server never closes what its client has closed, and another connection lives on; the packets of six
    seconds in the middle are in neither file, as when the capture was stopped and begun again.

    Of the first connection only 2 s of CLOSE_WAIT are known: the report says TD107 and no leak, though the
    files span more than 12 s. The other went on in the gap: bytes are missing, and nobody lost them. The report says
    TD907.
    """
    leaking, _never_closed = opened(lab)
    client, server = opened(lab, port=9090)
    leaking.close()
    pause(2.0)
    exchange(client, server)
    pause(4.0)
    exchange(client, server)
    pause(6.0)
    exchange(client, server)
    client.close()
    close_after_eof(server)


def _ring(packets: list[Packet]) -> dict[str, list[Packet]]:
    """Two files that are numbered one after the other, cut where the silence is longest."""
    pauses = [later.time - packet.time for packet, later in pairwise(packets)]
    cut = pauses.index(max(pauses)) + 1
    names = (f"ring_{number:05}_20260101{hour:02}0000.pcap" for number, hour in ((7, 11), (8, 12)))
    return dict(zip(names, (packets[:cut], packets[cut:]), strict=True))


@recipe(parts=_ring)
def ring_without_gaps(lab: Lab) -> None:
    """As close-wait-leak, in two files of a ring that follow each other: between the last packet of one and the
    first of the next are the 12 s in which nothing happened.

    Nothing was captured then because nothing passed: the names say that the program went on to the next file
    at once. The report says TD101, through both files, and no TD907.
    """
    client, _server = opened(lab)
    client.close()
    pause(12.0)
    passing_visit(lab)


def longer_pauses(by: int) -> Callable[[list[Packet]], list[Packet]]:
    """Have each pause of more than a second take ``by`` nanoseconds longer."""

    def edit(packets: list[Packet]) -> list[Packet]:
        shift, before, edited = 0, packets[0].time, []
        for packet in packets:
            shift += by if packet.time - before > 10**9 else 0
            before = packet.time
            edited.append(dataclasses.replace(packet, time=packet.time + shift))
        return edited

    return edit


@recipe("pcap", edit=longer_pauses(540 * 10**9))
def silent_without_keepalive(lab: Lab) -> None:
    """A connection answers one request and says nothing more for 72 minutes; every nine somebody else comes by.

    Eight times nine minutes were put in afterwards. The report says TD407, with at least 72 minutes of silence.
    """
    opened(lab)
    for _ in range(8):
        pause(1.5)
        passing_visit(lab)


@recipe("pcap", edit=longer_pauses(7200 * 10**9))
def silent_while_nobody_captured(lab: Lab) -> None:
    """A connection answers one request; somebody else comes by two hours later, as if two recordings were joined.

    The two hours were put in afterwards. Whether the connection was silent all the time nobody knows: no finding.
    """
    opened(lab)
    pause(1.5)
    passing_visit(lab)
